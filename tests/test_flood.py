"""A tone at the clock jack: told from a clock, dropped, said; the box goes on."""

import pytest
from clock_helpers import S, clocks, feed, rises
from conftest import pattern

from device.clock import NS_PER_MS
from device.flood import Flood
from device.settings import Settings

TONE = 3000  # Hz


def tone(first, count=3 * TONE, hz=TONE, jack="clock"):
    return [(first + n * S // hz, jack) for n in range(count)]


@pytest.mark.parametrize("hz", [300, 1000, 3000, 20_000, 1_000_000])
def test_pulses_that_no_clock_has_are_let_by_only_until_it_is_plain(hz):
    flood = Flood(limit=250)

    passed = sum(flood.passes(n * S // hz) for n in range(5000))

    assert passed < 16
    assert flood.rate == pytest.approx(hz, rel=0.05)


@pytest.mark.parametrize("per_second", [1, 20, 96, 200])
def test_every_pulse_of_a_clock_passes_also_where_contacts_bounce(per_second):
    flood = Flood(limit=480)
    edges = [n * S // per_second + bounce * 300_000 for n in range(2000) for bounce in range(2)]

    assert all(flood.passes(time) for time in sorted(edges))


def test_it_is_over_when_the_tone_has_ended_or_become_a_clock():
    flood = Flood(limit=250)
    for time, _ in tone(0):
        flood.passes(time)
    flood.attend(3 * S + 100 * NS_PER_MS)
    assert flood.rate
    flood.attend(3 * S + 300 * NS_PER_MS)
    assert not flood.rate

    for time, _ in tone(10 * S):
        flood.passes(time)
    passed = [flood.passes(13 * S + n * S // 96) for n in range(40)]
    assert not passed[0]
    assert all(passed[20:])


@pytest.mark.parametrize("clock_in", ["4", "24", "step"])
@pytest.mark.parametrize("clock", ["auto", "jack"])
def test_a_tone_in_the_place_of_a_clock_leaves_the_music_at_its_tempo_and_is_said(make_box, clock, clock_in):
    settings = Settings().changed("clock_in", clock_in).changed("clock", clock)
    box = make_box(pattern("x...x...x...x..."), settings)
    per_beat = 4 if clock_in == "step" else int(clock_in)
    box.sync.start()
    before = clocks(132, per_beat * 8, first=S, per_beat=per_beat, what="clock")
    began = before[-1][0] + 60 * S // 132 // per_beat
    feed(box, before)
    played = len(rises(box))

    feed(box, tone(began), until=began + 3 * S)

    assert box.player.playing
    assert "clock in: 3000 pulses a second, expected at most 250" in box.sync.complaint
    assert box.sync.source == "internal"
    assert box.player.settings.bpm == pytest.approx(132, abs=0.5)
    assert len(rises(box)) - played == pytest.approx(3 * 132 / 60, abs=2)
    assert box.engine.health.dropped < 5, "steps that came before it was plain"


def test_a_box_that_plays_by_itself_is_not_moved_by_a_tone(make_box):
    settings = Settings().changed("clock_in", "step")
    box = make_box(pattern("x...x...x...x..."), settings)
    box.sync.start()
    feed(box, [], until=2 * S)

    feed(box, tone(2 * S), until=6 * S)

    assert box.player.settings.bpm == pytest.approx(120, abs=0.5)
    assert len(rises(box)) == pytest.approx(12, abs=2)


def test_a_clock_that_comes_after_a_tone_is_followed_and_nothing_is_said_any_more(make_box):
    box = make_box(pattern("x...x...x...x..."))
    box.sync.start()
    feed(box, tone(S), until=4 * S)
    assert box.sync.complaint

    feed(box, clocks(100, 4 * 12, first=5 * S, per_beat=4, what="clock"))

    assert box.sync.complaint == ""
    assert box.sync.source == "jack"
    assert box.player.settings.bpm == pytest.approx(100, abs=0.3)


def test_a_tone_at_the_reset_jack_does_not_hold_the_music_at_its_top(make_box):
    box = make_box(pattern("x..............."))
    box.sync.start()
    feed(box, [], until=S)

    feed(box, tone(S, jack="reset"), until=4 * S)

    assert box.player.beat > 4
    assert "reset in: 3000 pulses a second, expected at most 50" in box.sync.complaint
