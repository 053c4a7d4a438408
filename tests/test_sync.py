"""The box under another's clock: what it follows, how exactly, and what becomes of it when that is lost."""

import random

import numpy as np
import pytest
from conftest import beats, pattern, run_until

from device.clock import NS_PER_MS
from device.settings import Settings
from hw.sim import SimLink

CLOCK, START, CONTINUE, STOP = b"\xf8", b"\xfa", b"\xfb", b"\xfc"
EVERY_BEAT = pattern("x...x...x...x...")
S = 1_000_000_000


def position(sixteenths):
    return bytes((0xF2, sixteenths & 0x7F, sixteenths >> 7))


def feed(box, schedule, until=0):
    """Let messages `(ns, bytes)` or edges `(ns, jack)` arrive when they are due, while the box plays.

    They are there with the pass after: that is how late a box sees them.
    """
    time = box.engine.time
    for at, what in schedule:
        while time.now() < at:
            box.engine.step()
        if isinstance(what, bytes):
            box.panel.inputs[0].feed(what, at)
        else:
            box.panel.jacks.feed(what, True, at)
    while time.now() < until:
        box.engine.step()


def clocks(bpm, count, first=0, jitter_ms=0.0, seed=1, per_beat=24, what=CLOCK):
    noise = random.Random(seed)
    period = 60e9 / bpm / per_beat
    return [
        (round(first + n * period + noise.uniform(-jitter_ms, jitter_ms) * NS_PER_MS), what)
        for n in range(count)
    ]


def rises(box, jack="gate1"):
    return [
        entry["at_ns"]
        for entry in box.engine.output.tape.entries
        if entry.get("jack") == jack and entry["level"] == 1
    ]


def test_a_start_from_midi_plays_the_top_with_the_first_clock(make_box):
    box = make_box(EVERY_BEAT)
    master = clocks(100, 24 * 8, first=S)

    feed(box, [(S - 5 * NS_PER_MS, START), *master])

    assert rises(box)[0] == pytest.approx(S, abs=1.5 * NS_PER_MS)
    assert np.abs(np.array(rises(box)[2:]) - [S + n * 0.6 * S for n in range(2, 8)]).max() < 0.1 * NS_PER_MS
    assert box.sync.source == "midi"
    assert box.player.settings.bpm == pytest.approx(100, abs=0.1)


def test_clocks_that_run_before_the_start_make_the_top_exact(make_box):
    box = make_box(EVERY_BEAT)
    master = clocks(128, 24 * 12)
    period = master[1][0]
    start = (master[96][0] - round(period / 2), START)

    feed(box, sorted([*master, start]))

    wanted = [master[96][0] + n * 24 * 60e9 / 128 / 24 for n in range(8)]
    assert rises(box)[:8] == pytest.approx(wanted, abs=1.1 * NS_PER_MS)
    assert rises(box)[1:8] == pytest.approx(wanted[1:], abs=0.05 * NS_PER_MS)


def test_jitter_of_a_millisecond_is_not_heard(make_box):
    box = make_box(pattern("x" * 16))
    box.engine.output.tape.entries.clear()

    feed(box, [(0, START), *clocks(120, 24 * 64, first=S, jitter_ms=1.0)])

    found = np.array(rises(box))
    wanted = S + np.arange(len(found)) * S / 8
    late = (found - wanted)[8:] / NS_PER_MS
    assert len(found) >= 64 * 4 - 1
    assert np.percentile(np.abs(late), 99) < 0.5
    assert np.std(60e9 / np.diff(found[8:]) / 4) < 0.5


@pytest.mark.parametrize("early", [-50, -30, -20])
def test_a_box_that_plays_earlier_than_its_master_still_plays_the_top(make_box, early):
    box = make_box(EVERY_BEAT, Settings().changed("sync_ms", early))

    feed(box, [(S - NS_PER_MS, START), *clocks(120, 24 * 4, first=S)])

    assert rises(box)[0] == pytest.approx(S, abs=2 * NS_PER_MS)
    assert rises(box)[2] == pytest.approx(2 * S + early * NS_PER_MS, abs=0.2 * NS_PER_MS)


def test_a_start_at_one_input_comes_before_a_clock_that_only_ticks_at_another(make_box):
    box = make_box(EVERY_BEAT, Settings().changed("midi_in", ["", ""]))
    ticking, starting = clocks(120, 24 * 8), clocks(90, 24 * 4, first=2 * S)
    both = sorted([(at, 0, what) for at, what in ticking] + [(at, 1, what) for at, what in starting])
    feed(box, [])
    for at, number, what in [*both[:90], (2 * S - NS_PER_MS, 1, START), *both[90:]]:
        while box.engine.time.now() < at:
            box.engine.step()
        box.panel.inputs[number].feed(what, at)

    assert box.player.playing
    assert box.player.settings.bpm == pytest.approx(90, abs=0.5)


def test_stop_and_continue_go_on_where_it_stopped(make_box):
    box = make_box(pattern("x" * 16))
    first = clocks(120, 24 * 2 + 1, first=S)
    again = clocks(120, 24 * 2, first=4 * S)

    feed(box, [(S - NS_PER_MS, START), *first, (first[-1][0] + NS_PER_MS, STOP)], until=3 * S)
    assert not box.player.playing
    assert not any(box.panel.jacks.levels.values())
    before = len(rises(box))
    feed(box, [(4 * S - 10 * NS_PER_MS, CONTINUE), *again])

    assert beats(box.engine, "gate1")[before] == pytest.approx(2.25)
    wanted = 4 * S + S / 2 * (0.25 - 1 / 24)
    assert rises(box)[before] == pytest.approx(wanted, abs=NS_PER_MS)


def test_a_song_position_says_where_continue_goes_on(make_box):
    box = make_box(pattern("x..............."))

    feed(box, [(S // 2, position(14)), (S - 10 * NS_PER_MS, CONTINUE), *clocks(120, 24 * 4, first=S)])

    assert beats(box.engine, "gate1")[0] == pytest.approx(4.0)
    assert rises(box)[0] == pytest.approx(S + 0.25 * S, abs=NS_PER_MS)


def test_a_song_position_while_it_plays_moves_it_with_the_next_clock(make_box):
    box = make_box(pattern("x..............."))
    master = clocks(120, 24 * 12, first=S)

    feed(box, sorted([(S - NS_PER_MS, START), *master, (master[24 * 5][0] - NS_PER_MS, position(0))]))

    found = rises(box)
    wanted = [S, S + 4 * S / 2, S + 5 * S / 2, S + 9 * S / 2]
    assert found == pytest.approx(wanted, abs=1.2 * NS_PER_MS)


def test_play_joins_a_running_clock_at_its_place(make_box):
    box = make_box(pattern("x..............."))
    master = clocks(120, 24 * 12, first=S)

    feed(box, [(S - NS_PER_MS, START), *master[: 24 * 2]])
    box.sync.stop()
    feed(box, master[24 * 2 : 24 * 3])
    box.sync.start()
    feed(box, master[24 * 3 :])

    assert rises(box)[1:] == pytest.approx([S + 4 * S / 2, S + 8 * S / 2], abs=0.2 * NS_PER_MS)


@pytest.mark.parametrize("then", [180, 60, 125])
def test_a_jump_of_tempo_is_followed_within_two_beats(make_box, then):
    box = make_box(EVERY_BEAT)
    first = clocks(120, 24 * 8, first=S)
    turned = first[-1][0] + round(60e9 / then / 24)

    feed(box, [(S - NS_PER_MS, START), *first, *clocks(then, 24 * 8, first=turned)])

    found = np.array(rises(box))
    wanted = turned + np.arange(1, 8) * 60e9 / then
    late = [np.abs(found - at).min() / NS_PER_MS for at in wanted]
    assert max(late[1:]) < 1.0
    assert box.player.settings.bpm == pytest.approx(then, rel=0.003)
    assert len(found) <= 17


@pytest.mark.parametrize("what", ["stop", "go"])
def test_a_clock_that_is_lost_is_noticed_within_four_pulses(make_box, what):
    box = make_box(pattern("x" * 16), Settings().changed("clock_lost", what))
    master = clocks(120, 24 * 4, first=S)
    last = master[-1][0]

    feed(box, [(S - NS_PER_MS, START), *master], until=last + 5 * S // 48 + 10 * NS_PER_MS)

    assert box.sync.source == "internal"
    assert box.player.playing == (what == "go")
    assert box.player.settings.bpm == pytest.approx(120, abs=0.05)
    if what == "stop":
        assert not any(box.panel.jacks.levels.values())
        assert box.sync.held
        feed(box, clocks(120, 24 * 2, first=last + 2 * S))
        assert box.player.playing
        assert box.sync.source == "midi"


def test_a_midi_cable_that_comes_off_is_not_heard_and_one_that_comes_back_takes_over_in_place(make_box):
    box = make_box(pattern("x" * 16))
    master = clocks(120, 24 * 16, first=S)

    feed(box, [(S - NS_PER_MS, START), *master[: 24 * 4]], until=master[24 * 8][0])
    assert box.sync.source == "internal"
    feed(box, master[24 * 8 :])

    assert box.sync.source == "midi"
    assert np.abs(np.diff(rises(box)) - S / 8).max() < 1.2 * NS_PER_MS


def test_play_by_hand_under_a_master_that_has_stopped_begins_on_its_clock(make_box):
    box = make_box(EVERY_BEAT)
    master = clocks(120, 24 * 8, first=S)
    feed(box, [(S // 2, START), (S // 2 + 1, STOP), *master[:50]], until=master[49][0] + 5 * NS_PER_MS)

    box.sync.start()
    feed(box, master[50:])

    assert rises(box)[0] == pytest.approx(master[50][0], abs=1.2 * NS_PER_MS)
    assert rises(box)[1:4] == pytest.approx([master[50 + 24 * n][0] for n in (1, 2, 3)], abs=0.1 * NS_PER_MS)


def test_a_master_that_is_too_fast_is_said_with_what_to_do_about_it(make_box):
    box = make_box(EVERY_BEAT)

    feed(box, [(S - NS_PER_MS, START), *clocks(400, 24 * 8, first=S)])

    (said,) = box.complaints
    assert said.startswith("clock at Fathom: the clock's pulses mean 4")
    assert said.endswith("expected 20 to 300: change the tempo of the sender.")


def test_to_be_sent_elsewhere_under_a_running_master_is_answered_with_a_sentence(make_box):
    box = make_box(EVERY_BEAT)
    feed(box, [(S - NS_PER_MS, START), *clocks(120, 24 * 2, first=S)])
    before = box.player.beat

    assert box.sync.locate(9.0) == "MIDI clock leads and says where the music is; the box stays with it."
    assert box.player.beat == before


def test_what_is_set_to_its_own_clock_follows_nobody(make_box):
    box = make_box(EVERY_BEAT, Settings().changed("clock", "internal"))
    box.engine.start()

    feed(box, [(S - NS_PER_MS, START), *clocks(90, 24 * 4, first=S), (4 * S, STOP)], until=5 * S)

    assert box.player.playing
    assert box.player.settings.bpm == 120


def test_active_sensing_that_falls_silent_is_a_lost_clock(make_box):
    box = make_box(EVERY_BEAT, Settings().changed("bpm", 20).changed("clock_lost", "stop"))
    feed(box, [(S, b"\xfe"), (S, START), *clocks(20, 4, first=S + NS_PER_MS)], until=S + S // 2)
    assert box.player.playing

    feed(box, [], until=2 * S)

    assert not box.player.playing


# --- the jack -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_beat", ["1", "2", "4", "8", "24", "48"])
def test_pulses_lead_at_every_rate(make_box, per_beat):
    box = make_box(EVERY_BEAT, Settings().changed("clock_in", per_beat).changed("clock", "jack"))
    box.sync.start()
    assert box.sync.awaited

    feed(box, clocks(132, int(per_beat) * 12, first=S, per_beat=int(per_beat), what="clock"))

    found = np.array(rises(box))
    wanted = S + np.arange(12) * 60e9 / 132
    assert len(found) == 12
    assert np.abs(found - wanted)[3:].max() < 0.1 * NS_PER_MS
    assert found[0] - S < 1.5 * NS_PER_MS


@pytest.mark.parametrize("after_ms", [-20, -3, -0.5, 0, 0.5, 3, 6])
def test_a_reset_before_with_or_after_a_pulse_means_that_pulse(make_box, after_ms):
    box = make_box(pattern("x..............."), Settings().changed("clock", "jack"))
    box.sync.start()
    pulses = clocks(120, 4 * 12, first=S, per_beat=4, what="clock")
    reset = (pulses[22][0] + round(after_ms * NS_PER_MS), "reset")

    feed(box, sorted([*pulses, reset], key=lambda pair: pair[0]), until=S + 6 * S)

    wanted = [S, S + 2 * S, pulses[22][0], pulses[22][0] + 2 * S]
    assert len(rises(box)) == 4
    assert rises(box) == pytest.approx(wanted, abs=max(after_ms, 0) * NS_PER_MS + 1.2 * NS_PER_MS)
    assert rises(box, "reset")[-1] == rises(box)[2]


def test_a_reset_between_pulses_waits_for_the_next(make_box):
    box = make_box(pattern("x..............."), Settings().changed("clock", "jack"))
    box.sync.start()
    pulses = clocks(120, 4 * 8, first=S, per_beat=4, what="clock")

    feed(box, sorted([*pulses, (pulses[9][0] + 60 * NS_PER_MS, "reset")], key=lambda pair: pair[0]))

    assert rises(box) == pytest.approx([S, pulses[10][0], pulses[10][0] + 2 * S], abs=1.2 * NS_PER_MS)


def test_a_modular_that_pauses_pauses_the_box_and_goes_on_with_the_next_pulse(make_box):
    box = make_box(pattern("x" * 16), Settings().changed("clock", "jack"))
    box.sync.start()
    feed(box, clocks(120, 9, first=S, per_beat=4, what="clock"), until=4 * S)
    assert not box.player.playing
    before = len(rises(box))

    feed(box, clocks(120, 8, first=5 * S, per_beat=4, what="clock"), until=6 * S)

    found = rises(box)[before:]
    assert found[0] == pytest.approx(5 * S, abs=1.2 * NS_PER_MS)
    assert beats(box.engine, "gate1")[before] == pytest.approx(9 / 4)


def test_one_pulse_for_each_step_plays_every_step_with_its_pulse_however_uneven(make_box):
    settings = Settings().changed("clock_in", "step").changed("clock", "jack")
    box = make_box(pattern("x" * 16), settings)
    box.sync.start()
    noise = random.Random(3)
    times = np.cumsum([S] + [round(noise.uniform(0.06, 0.3) * S) for _ in range(40)]).tolist()

    feed(box, [(at, "clock") for at in times], until=times[-1] + S // 20)

    found = np.array(rises(box))
    assert len(found) == len(times)
    assert (found - times).min() >= 0
    assert (found - times).max() < 4 * NS_PER_MS, "a pass, and the gap of a gate that was still up"


def test_swing_and_offsets_are_exact_under_another_clock(make_box):
    lean = np.tile([0.0, -0.2, 0.1, 0.3], 8)
    settings = Settings().changed("voices.swing", 0.6)
    box = make_box(pattern("x" * 16, offsets=lean), settings)

    feed(box, [(S - NS_PER_MS, START), *clocks(110, 24 * 16, first=S)])

    step = 60e9 / 110 / 4
    wanted = [S + (n + lean[n % 32] + (0.2 if n % 2 else 0)) * step for n in range(16, 60)]
    assert rises(box)[16:60] == pytest.approx(wanted, abs=0.05 * NS_PER_MS)


def test_a_reset_at_the_jack_under_midi_clock_moves_nobody(make_box):
    box = make_box(EVERY_BEAT)
    master = clocks(120, 24 * 8, first=S)

    feed(
        box,
        sorted([(S - NS_PER_MS, START), *master, (master[120][0] + NS_PER_MS, "reset")], key=lambda p: p[0]),
    )

    assert rises(box)[1:] == pytest.approx([S + n * S // 2 for n in range(1, 8)], abs=0.2 * NS_PER_MS)


def test_a_step_clock_that_ends_leaves_the_box_where_it_waited(make_box):
    settings = Settings().changed("clock", "jack").changed("clock_in", "step").changed("clock_lost", "go")
    box = make_box(pattern("x" * 16), settings)
    box.sync.start()
    pulses = clocks(120, 12, first=S, per_beat=4, what="clock")

    feed(box, pulses, until=pulses[-1][0] + 2 * S)

    assert beats(box.engine, "gate1")[:16] == pytest.approx([n / 4 for n in range(16)], abs=0.003)
    assert box.player.skipped == box.engine.health.dropped == 0


# --- others that follow us ----------------------------------------------------------------------------------


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


# --- Ableton Link -------------------------------------------------------------------------------------------


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


def test_the_tempo_that_hands_have_set_is_known_whoever_leads(make_box):
    box = make_box(EVERY_BEAT)
    box.desk.change("bpm", 97)

    feed(box, [(S - NS_PER_MS, START), *clocks(140, 24 * 4, first=S)], until=5 * S)

    assert box.player.settings.bpm == pytest.approx(140, abs=0.1)
    assert box.player.tempo == 97
