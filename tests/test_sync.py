"""The box under a MIDI clock: what it follows, how exactly, and what becomes of it when that is lost."""

import numpy as np
import pytest
from clock_helpers import CONTINUE, START, STOP, S, clocks, feed, position, rises
from conftest import beats, pattern

from device.clock import NS_PER_MS
from device.settings import Settings

EVERY_BEAT = pattern("x...x...x...x...")


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


def test_what_sounded_early_before_a_stop_does_not_sound_again_after_continue(make_box):
    box = make_box(pattern("x...x...x...x..."), Settings().changed("voices.delay_ms", -50))
    first, again = clocks(120, 24 * 4, first=S), clocks(120, 24 * 4, first=5 * S)

    feed(box, [(S - NS_PER_MS, START), *first, (first[-1][0] + NS_PER_MS, STOP)], until=4 * S)
    assert len(rises(box)) == 5, "that of beat 4 sounds 50 ms before it"
    feed(box, [(5 * S - 10 * NS_PER_MS, CONTINUE), *again])

    assert beats(box.engine, "gate1")[5:] == pytest.approx([4.9, 5.9, 6.9, 7.9], abs=0.01)


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


def test_the_tempo_that_hands_have_set_is_known_whoever_leads(make_box):
    box = make_box(EVERY_BEAT)
    box.desk.change("bpm", 97)

    feed(box, [(S - NS_PER_MS, START), *clocks(140, 24 * 4, first=S)], until=5 * S)

    assert box.player.settings.bpm == pytest.approx(140, abs=0.1)
    assert box.player.tempo == 97


def test_swing_and_offsets_are_exact_under_another_clock(make_box):
    lean = np.tile([0.0, -0.2, 0.1, 0.3], 8)
    settings = Settings().changed("voices.swing", 0.6)
    box = make_box(pattern("x" * 16, offsets=lean), settings)

    feed(box, [(S - NS_PER_MS, START), *clocks(110, 24 * 16, first=S)])

    step = 60e9 / 110 / 4
    wanted = [S + (n + lean[n % 32] + (0.2 if n % 2 else 0)) * step for n in range(16, 60)]
    assert rises(box)[16:60] == pytest.approx(wanted, abs=0.05 * NS_PER_MS)
