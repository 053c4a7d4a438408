"""The box in an Ableton Link session: tempo, place in the bar, start and stop are shared."""

import numpy as np
import pytest
from clock_helpers import S, feed, rises
from conftest import pattern

from device.settings import Settings
from hw.sim import SimLink


@pytest.fixture
def linked(make_box):
    """A box that plays in a Link session of 100 BPM, whose bar began half a second ago."""

    def make(settings=None):
        box = make_box(pattern("x..............."), settings or Settings().changed("clock", "link"))
        link = SimLink(box.engine.time, 100, True)
        box.panel.link = box.sync.link = link
        feed(box, [], until=S)
        link.refer(8.0, S // 2, 100)
        link.peers = 1
        return box, link

    return make


def test_a_box_in_a_link_session_plays_its_bars_with_the_others(linked):
    box, link = linked()
    box.sync.start()
    feed(box, [], until=8 * S)

    bars = [S // 2 + n * 4 * 60 * S // 100 for n in range(1, 4)]
    assert box.sync.source == "link"
    assert [at for at in rises(box) if at > S + S // 10] == pytest.approx(bars[:3], abs=1000)
    assert link.playing


def test_a_tempo_of_the_session_is_ours_and_one_of_ours_is_the_sessions(linked):
    box, link = linked()
    box.sync.start()
    feed(box, [], until=2 * S)
    link.set_tempo(130)
    feed(box, [], until=3 * S)
    assert box.player.settings.bpm == pytest.approx(130)

    box.desk.change("bpm", 90.0)
    feed(box, [], until=4 * S)

    assert link.line(0)[1] == 90
    assert box.player.settings.bpm == 90


def test_a_stop_of_the_session_stops_the_box_and_its_start_starts_it(linked):
    box, link = linked()
    box.sync.start()
    feed(box, [], until=2 * S)
    link.stop()
    feed(box, [], until=2 * S + S // 10)
    assert not box.player.playing

    link.start(3 * S)
    feed(box, [], until=3 * S - S // 10)
    assert not box.player.playing
    feed(box, [], until=3 * S + S // 10)

    assert box.player.playing


def test_a_session_that_all_others_leave_leaves_the_box_playing_alone(linked):
    box, link = linked()
    box.sync.start()
    feed(box, [], until=2 * S)
    link.peers = 0
    feed(box, [], until=3 * S)

    assert box.player.playing
    assert box.sync.source == "internal"


def test_a_session_whose_bar_jumps_takes_the_box_along_without_a_burst(linked):
    box, link = linked()
    box.sync.start()
    feed(box, [], until=3 * S)
    beat, bpm = link.line(3 * S)
    link.refer(beat - 1.7, 3 * S, bpm)
    feed(box, [], until=9 * S)

    bar = 4 * 60 / 100 * S
    bars = np.array(rises(box))[1:]
    after = bars[bars > 3 * S + S // 10]
    places = (link._beat + (after - link._ns) * 100 / 60e9) % 4
    assert np.minimum(places, 4 - places).max() < 0.01
    assert np.diff(bars).min() > 0.3 * bar
