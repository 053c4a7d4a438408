"""The box that leads: clock, start and place go out so that who follows is with it, whatever happens."""

import numpy as np
import pytest
from clock_helpers import START, S, clocks, feed, rises
from conftest import pattern, run_until

from device.clock import NS_PER_MS
from device.settings import Settings

EVERY_BEAT = pattern("x...x...x...x...")


def sent(box, *kinds):
    return [
        (entry["at_ns"], bytes(entry["midi"]))
        for entry in box.engine.output.tape.entries
        if "midi" in entry and entry["midi"][0] in kinds
    ]


def test_clock_goes_out_evenly_before_a_start_through_it_and_after_a_stop(make_box):
    box = make_box(pattern("x" * 16))
    feed(box, [], until=S)
    box.engine.start()
    feed(box, [], until=3 * S)
    box.engine.stop()
    feed(box, [], until=4 * S)

    times = [at for at, _ in sent(box, 0xF8)]
    assert np.abs(np.diff(times) - S / 48).max() < 1000
    assert len(times) == pytest.approx(4 * 48, abs=2)


def test_a_start_goes_out_a_millisecond_before_the_clock_that_is_its_top(make_box):
    box = make_box(pattern("x" * 16, offsets=-0.4))
    feed(box, [], until=S)
    box.engine.start()
    run_until(box.engine, 1.0)

    (start,) = [at for at, _ in sent(box, 0xFA)]
    after = [at for at, _ in sent(box, 0xF8) if at > start]
    assert after[0] - start >= NS_PER_MS
    top = box.player.clock.time_at(0.0)
    assert after[0] == top
    assert len([at for at in after if at < box.player.clock.time_at(1.0) - 1000]) == 24
    assert rises(box)[0] == pytest.approx(top - 0.1 * S / 2, abs=2)


def test_a_rewind_while_it_plays_is_a_start_and_a_continue_is_a_continue(make_box):
    box = make_box(pattern("x" * 16))
    box.engine.start()
    run_until(box.engine, 2.3)
    box.engine.rewind()
    run_until(box.engine, 1.2)
    box.engine.stop()
    feed(box, [], until=box.engine.time.now() + S)
    box.engine.start()
    run_until(box.engine, 2.0)

    kinds = [message[0] for _, message in sent(box, 0xFA, 0xFB, 0xFC)]
    assert kinds == [0xFA, 0xFA, 0xFC, 0xFB]


def in_place(box):
    """Count what goes out as one does who follows, and compare it with the box."""
    place, running = 0, False
    entries = [e for e in box.engine.output.tape.entries if "midi" in e and e["midi"][0] >= 0xF0]
    for entry in entries:
        status = entry["midi"][0]
        if status == 0xFA:
            place, running = -1, True
        elif status == 0xFB:
            running = True
        elif status == 0xFC:
            running = False
        elif status == 0xF2:
            place = (entry["midi"][1] | entry["midi"][2] << 7) * 6 - 1
        elif running:
            place += 1
            assert place == pytest.approx(entry["beat"] * 24, abs=1e-6), entry
    assert running == box.player.playing
    times = np.array([e["at_ns"] for e in entries if e["midi"][0] == 0xF8])
    assert np.diff(times).min() >= 0.99 * NS_PER_MS, "nothing bursts"


def test_a_follower_of_ours_is_at_our_beat_whatever_happens(make_box):
    box = make_box(pattern("x" * 16))
    engine = box.engine
    engine.start()
    run_until(engine, 3.1)
    engine.time.stall(70 * NS_PER_MS)
    run_until(engine, 5.0)
    engine.time.stall(1700 * NS_PER_MS)
    run_until(engine, 11.0)
    engine.stop()
    feed(box, [], until=engine.time.now() + S)
    engine.start()
    run_until(engine, 13.0)
    box.player.change("bpm", 97)
    run_until(engine, 15.0)
    engine.locate(2.0)
    run_until(engine, 4.0)

    in_place(box)


@pytest.mark.parametrize("beat", [0.3, 1.26, 7.99])
def test_who_follows_is_with_a_box_that_was_sent_between_two_sixteenths(make_box, beat):
    box = make_box(EVERY_BEAT)
    feed(box, [], until=S)
    box.engine.locate(beat)
    feed(box, [], until=2 * S)
    box.engine.start()
    feed(box, [], until=4 * S)

    in_place(box)


def test_who_follows_is_with_a_box_that_stops_before_the_place_that_it_promised(make_box):
    box = make_box(EVERY_BEAT)
    box.engine.start()
    feed(box, [], until=S)
    box.engine.locate(1.0)
    feed(box, [], until=S + S // 20)
    box.engine.stop()
    feed(box, [], until=2 * S)
    box.engine.start()
    feed(box, [], until=4 * S)

    in_place(box)


@pytest.mark.parametrize("bpm", [60, 140])
def test_who_follows_is_told_when_the_box_goes_back_to_its_master(make_box, bpm):
    box = make_box(EVERY_BEAT)
    master = clocks(120, 24 * 40, first=S)
    feed(box, [(S - NS_PER_MS, START), *master[:100]])
    box.desk.change("clock", "internal")
    box.desk.change("bpm", bpm)
    feed(box, master[100:500])
    box.desk.change("clock", "auto")
    feed(box, master[500:])

    assert box.sync.source == "midi"
    in_place(box)


def test_clock_that_is_switched_off_leaves_nobody_playing_alone(make_box):
    box = make_box(EVERY_BEAT)
    box.engine.start()
    feed(box, [], until=S)
    box.desk.change("midi_clock", "off")
    feed(box, [], until=2 * S)

    assert sent(box, 0xFC)
    assert max(at for at, _ in sent(box, 0xF8)) < S + S // 10
    box.desk.change("midi_clock", "always")
    feed(box, [], until=4 * S)
    in_place(box)


def test_a_tempo_that_waits_for_the_bar_does_not_move_where_it_is_sent(make_box):
    box = make_box(EVERY_BEAT, Settings().changed("change", "bar"))
    box.engine.start()
    feed(box, [], until=S)
    box.desk.change("bpm", 200)
    box.engine.locate(7.0)

    assert box.player.beat == pytest.approx(7.0)
    feed(box, [], until=2 * S)
    in_place(box)


@pytest.mark.parametrize(("mode", "before", "after"), [("off", 0, 0), ("playing", 0, 0), ("always", 40, 40)])
def test_whether_clock_goes_out_while_it_is_stopped_is_set(make_box, mode, before, after):
    box = make_box(EVERY_BEAT, Settings().changed("midi_clock", mode))
    feed(box, [], until=S)
    assert len(sent(box, 0xF8)) >= before
    assert (len(sent(box, 0xF8)) == 0) == (before == 0)
    box.engine.start()
    run_until(box.engine, 4.0)
    playing = len(sent(box, 0xF8))
    assert (playing > 90) == (mode != "off")
    box.engine.stop()
    feed(box, [], until=box.engine.time.now() + S)
    assert (len(sent(box, 0xF8)) - playing >= after) if after else len(sent(box, 0xF8)) == playing
