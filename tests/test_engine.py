import numpy as np
import pytest
from conftest import beats, notes, pattern, run_until

from device.clock import NS_PER_MS
from device.errors import ModelError
from device.settings import Settings
from hw.sim import SimJacks, SimMidi

FOUR_ON_THE_FLOOR = pattern("x...x...x...x...")


def test_four_on_the_floor_raises_the_gate_on_every_beat_for_half_a_step(make_engine):
    engine = make_engine(FOUR_ON_THE_FLOOR, bars=2)

    engine.start()
    engine.run()

    assert beats(engine, "gate1") == [0, 1, 2, 3, 4, 5, 6, 7]
    assert beats(engine, "gate1", 0) == [n + 0.125 for n in range(8)]


def test_eight_bars_are_the_decoded_pattern_event_by_event(make_box, slot):
    settings = Settings().changed("voices.swing", 0.6).changed("voices.groove", 0.8).changed("bpm", 97)
    box = make_box(settings=settings, bars=8)
    engine = box.engine
    for knob, place in enumerate((0.8, 0.3, 0.6, 0.2)):
        engine.panel.knobs.turn(knob, place)
    box.hands.follow()
    decoded = slot.decoder.decode((0.8, 0.3, 0.6, 0.2)).pattern()

    engine.start()
    engine.run()

    due = [
        (n + 0.8 * decoded.offsets[0, n % 32] + (0.2 if n % 2 else 0)) / 4
        for n in range(8 * 16)
        if decoded.hits[0, n % 32]
    ]
    ends = [
        min(beat + 0.125, after - 0.002 * 97 / 60) for beat, after in zip(due, [*due[1:], 999], strict=True)
    ]
    assert len(due) > 40
    assert beats(engine, "gate1") == pytest.approx(due)
    assert beats(engine, "gate1", 0) == pytest.approx(ends)
    assert notes(engine) == [(pytest.approx(beat), 36) for beat in due]
    assert notes(engine, 0x80) == [(pytest.approx(beat), 36) for beat in ends]


def test_every_write_is_on_time_to_the_nanosecond_in_standing_time(make_engine):
    engine = make_engine(pattern("x" * 32, offsets=np.linspace(-0.5, 0.5, 32)), bars=4)

    engine.start()
    engine.run()

    assert all(entry["at_ns"] == entry["due_ns"] for entry in engine.output.tape.entries)
    assert engine.health.worst_ns == 0


def test_a_first_hit_that_leans_early_is_not_lost(make_engine):
    engine = make_engine(pattern("x...x...x...x...", offsets=-0.4), bars=1)

    engine.start()
    engine.run()

    assert beats(engine, "gate1") == pytest.approx([-0.1, 0.9, 1.9, 2.9])


def test_all_that_happens_at_one_instant_is_one_call_after_the_notes(make_engine, monkeypatch):
    written = []
    monkeypatch.setattr(SimJacks, "write", lambda self, levels: written.append(dict(levels)))
    monkeypatch.setattr(SimMidi, "send", lambda self, message: written.append(bytes(message)))
    engine = make_engine(pattern("X...............", "x..............."))

    engine.start()
    run_until(engine, 0.01)

    assert written[0] == bytes([0xFA]), "the start, 2 ms before"
    assert written[1] == bytes([0xF8])
    assert written[2] == bytes([0x90, 36, 127])
    assert written[3] == bytes([0x90, 38, 76])
    assert written[4] == {"gate1": 1, "gate2": 1, "accent": 1, "clock": 1, "reset": 1}


def test_a_turned_knob_changes_the_pattern_from_the_next_step(make_engine, slot):
    engine = make_engine()
    engine.start()
    run_until(engine, 2.0)
    before = engine.player.pattern
    engine.panel.knobs.turn(0, 1.0)
    run_until(engine, 2.3)

    expected = slot.decoder.decode((1.0, 0.5, 0.5, 0.5)).pattern()
    assert np.array_equal(engine.player.pattern.hits[:1], expected.hits)
    assert not np.array_equal(engine.player.pattern.hits, before.hits)


def test_a_stall_drops_hits_and_keeps_the_grid(make_engine):
    engine = make_engine(pattern("x" * 16))
    engine.start()
    run_until(engine, 2.0)

    engine.time.stall(600 * NS_PER_MS)  # nearly five steps at 120 BPM
    run_until(engine, 6.0)

    found = np.array(beats(engine, "gate1"))
    assert np.array_equal(found, np.round(found * 4) / 4)
    assert 3 <= 24 - len(found[found < 6]) <= 5
    assert engine.health.dropped >= 3
    assert engine.health.late >= 3
    gaps = np.diff([entry["at_ns"] for entry in engine.output.tape.entries if entry.get("jack") == "gate1"])
    assert gaps.min() > 0.5 * NS_PER_MS, "nothing bursts"


@pytest.mark.parametrize("stall_ms", [3, 7, 12, 24, 26, 60, 150, 900])
@pytest.mark.parametrize("at", [2.0, 2.02, 2.1])
def test_after_a_stall_no_pulse_and_no_pause_is_shorter_than_a_jack_can_show(make_engine, stall_ms, at):
    settings = Settings().changed("bpm", 300).changed("clock_out", 24).changed("trigger_ms", 2)
    settings = settings.changed("voices.gate", 0.1)
    engine = make_engine(pattern("x" * 16, offsets=np.linspace(-0.5, 0.5, 32)), settings)
    engine.start()
    run_until(engine, at)

    engine.time.stall(stall_ms * NS_PER_MS)
    run_until(engine, 8.0)

    for jack in ("gate1", "clock"):
        times = [entry["at_ns"] for entry in engine.output.tape.entries if entry.get("jack") == jack]
        assert np.diff(times).min() >= 1.49 * NS_PER_MS, jack


def test_a_stall_of_minutes_is_over_in_one_pass_and_the_grid_is_kept(make_engine):
    settings = Settings().changed("bpm", 300).changed("clock_out", 24)
    engine = make_engine(pattern("x" * 16), settings)
    engine.start()
    run_until(engine, 2.0)

    engine.time.stall(300_000 * NS_PER_MS)
    engine.step()
    waiting = sum(len(queue) for queue in engine.player.score._waiting)
    run_until(engine, engine.player.beat + 1)

    assert waiting < 50
    assert engine.player.skipped > 5900
    found = np.array(beats(engine, "gate1"))
    off_grid = np.abs(found - np.round(found * 4) / 4) > 1e-9
    assert off_grid.sum() <= 1, "the hit that comes late"


@pytest.mark.parametrize(("stall_ms", "plays"), [(20, True), (32, False)])
def test_a_hit_that_is_a_little_late_is_played_and_one_that_is_too_late_is_dropped(
    make_engine, stall_ms, plays
):
    engine = make_engine(FOUR_ON_THE_FLOOR)
    engine.start()
    run_until(engine, 1.97)

    engine.time.sleep_until(engine.player.clock.time_at(2.0) + stall_ms * NS_PER_MS)
    run_until(engine, 3.5)

    assert beats(engine, "gate1") == ([0, 1, 2, 3] if plays else [0, 1, 3])
    assert engine.health.dropped == (0 if plays else len({"gate1", "clock"}))


def test_after_a_stall_nothing_hangs(make_engine):
    engine = make_engine(pattern("x" * 16))
    engine.start()
    run_until(engine, 1.0)
    engine.time.stall(333 * NS_PER_MS)
    run_until(engine, 1.9)

    engine.stop()

    assert len(notes(engine)) == len(notes(engine, 0x80))
    assert not any(engine.panel.jacks.levels.values())


def test_a_stop_silences_at_once_and_a_start_goes_on_with_the_next_step(make_engine):
    engine = make_engine(pattern("x" * 16))
    engine.start()
    run_until(engine, 1.05)
    assert engine.panel.jacks.levels["gate1"] == 1

    engine.stop()
    assert not any(engine.panel.jacks.levels.values())
    engine.time.stall(3_000 * NS_PER_MS)
    engine.start()
    run_until(engine, 1.6)

    assert beats(engine, "gate1")[4:] == [1.0, 1.25, 1.5]


@pytest.mark.parametrize(("lean", "stopped", "after"), [(-0.4, 1.95, [2.4, 2.9]), (0.4, 2.05, [2.1, 2.6])])
def test_a_stop_neither_doubles_nor_loses_a_hit_that_leans(make_engine, lean, stopped, after):
    engine = make_engine(pattern("x.x.x.x.x.x.x.x.", offsets=lean))
    engine.start()
    run_until(engine, stopped)

    engine.stop()
    before = len(beats(engine, "gate1"))
    engine.time.stall(1000 * NS_PER_MS)
    engine.start()
    run_until(engine, 3.0)

    assert beats(engine, "gate1")[before : before + 2] == pytest.approx(after)


def test_after_a_rewind_or_a_locate_what_sounded_last_sounds_again(make_engine):
    engine = make_engine(pattern("x..............."), Settings().changed("voices.delay_ms", -50))
    engine.start()
    run_until(engine, 4.2)
    engine.stop()
    engine.locate(3.5)
    engine.start()
    run_until(engine, 4.2)
    engine.rewind()
    run_until(engine, 0.5)

    assert beats(engine, "gate1") == pytest.approx([-0.1, 3.9, 3.9, -0.1], abs=0.01)


def test_a_start_in_the_middle_of_a_pass_is_on_time(make_engine):
    engine = make_engine(FOUR_ON_THE_FLOOR)
    engine.step()
    engine.panel.buttons.press("PLAY")
    while not engine.player.playing:
        engine.step()
    run_until(engine, 2.0)

    assert len(beats(engine, "gate1")) >= 2
    assert engine.health.worst_ns == 0


def test_rewind_begins_again_at_the_top_with_a_reset(make_engine):
    engine = make_engine(FOUR_ON_THE_FLOOR)
    engine.start()
    run_until(engine, 2.5)

    engine.rewind()
    run_until(engine, 0.5)

    assert beats(engine, "reset") == [0, 0]
    assert beats(engine, "gate1") == [0, 1, 2, 0]


def test_a_change_of_tempo_keeps_the_beat_and_moves_what_is_pending(make_engine):
    engine = make_engine(FOUR_ON_THE_FLOOR)
    engine.start()
    run_until(engine, 1.5)
    changed = engine.time.now()

    engine.player.change("bpm", 60)
    run_until(engine, 3.5)

    rises = engine.panel.jacks.rises("gate1")
    assert rises[2] - changed == pytest.approx((2.0 - engine.player.clock.beat) * 1e9, abs=2)
    assert rises[3] - rises[2] == 1_000_000_000


@pytest.mark.parametrize(("before", "after"), [(20, 300), (300, 20)])
def test_a_change_of_tempo_leaves_pulses_as_long_as_they_are_set(make_engine, before, after):
    settings = Settings().changed("bpm", before).changed("trigger_ms", 10)
    engine = make_engine(FOUR_ON_THE_FLOOR, settings)
    engine.start()
    run_until(engine, 1.0)

    engine.player.change("bpm", after)
    run_until(engine, 3.0)

    times = [entry["at_ns"] for entry in engine.output.tape.entries if entry.get("jack") == "clock"]
    lengths = np.array(times[1::2]) - np.array(times[: len(times) // 2 * 2 : 2])
    assert np.abs(lengths - 10 * NS_PER_MS).max() <= 3


def test_another_slot_comes_in_on_the_bar_line(make_engine, slot, other_slot):
    engine = make_engine(library={1: slot, 2: other_slot}, slots=[slot])
    engine.start()
    run_until(engine, 1.3)
    engine.player.choose([2])
    assert engine.player.waiting == ["slot 2"]
    run_until(engine, 8.0)

    old = slot.decoder.decode([0.5] * 4).pattern()
    new = other_slot.decoder.decode([0.5] * 4).pattern()
    expected = [
        (n + (old if n < 16 else new).offsets[0, n % 32]) / 4
        for n in range(32)
        if (old if n < 16 else new).hits[0, n % 32]
    ]
    assert not np.array_equal(old.hits, new.hits)
    assert beats(engine, "gate1")[: len(expected)] == pytest.approx(expected)
    assert engine.player.waiting == []


def test_a_slot_that_waits_comes_in_with_a_rewind_or_a_stop(make_engine, slot, other_slot):
    for deed in ("rewind", "stop"):
        engine = make_engine(library={1: slot, 2: other_slot}, slots=[slot])
        engine.start()
        run_until(engine, 1.3)
        engine.player.choose([2])

        getattr(engine, deed)()

        assert engine.player.ensemble.slots == (other_slot,)
        assert engine.player.waiting == []


def test_what_is_chosen_last_is_what_plays(make_engine, slot, other_slot):
    engine = make_engine(library={1: slot, 2: other_slot}, slots=[slot])
    engine.start()
    run_until(engine, 1.3)
    engine.player.choose([2])
    engine.stop()
    engine.player.choose([1])
    engine.start()
    run_until(engine, 9.0)

    assert engine.player.ensemble.slots == (slot,)


def test_the_last_step_before_the_bar_line_is_the_old_slots_and_the_first_after_it_the_new_ones(
    make_engine, slot, other_slot
):
    engine = make_engine(library={1: slot, 2: other_slot}, slots=[slot])
    engine.player.planner.scene.pattern = pattern("................")
    engine.start()
    run_until(engine, 1.0)
    engine.player.choose([2])
    engine.player.planner.coming.pattern = pattern("xxxxxxxxxxxxxxxx")
    run_until(engine, 4.6)

    assert beats(engine, "gate1") == [4.0, 4.25, 4.5]


def test_a_first_hit_of_a_new_slot_that_leans_before_its_bar_line_is_heard(make_engine, slot, other_slot):
    engine = make_engine(library={1: slot, 2: other_slot}, slots=[slot])
    early, rest = pattern("x...............", offsets=-0.45), pattern("................")
    engine.player.planner.scene.pattern = rest
    engine.start()
    run_until(engine, 3.5)
    engine.player.choose([2])
    engine.player.planner.coming.pattern = early
    run_until(engine, 8.5)

    assert beats(engine, "gate1") == pytest.approx([4 - 0.45 / 4, 8 - 0.45 / 4])


def test_a_newly_learned_slot_is_swapped_in_where_its_number_plays(make_engine, slot, other_slot):
    engine = make_engine(library={1: slot}, slots=[slot])
    engine.start()
    run_until(engine, 5.0)

    engine.player.load(1, other_slot)
    assert engine.player.waiting == [other_slot.name]
    run_until(engine, 7.8)
    assert engine.player.ensemble.slots == (slot,)
    run_until(engine, 8.5)

    assert engine.player.ensemble.slots == (other_slot,)


def test_a_newly_learned_slot_that_does_not_play_waits_in_the_library(make_engine, slot, other_slot):
    engine = make_engine(library={1: slot}, slots=[slot])
    engine.start()

    engine.player.load(2, other_slot)

    assert engine.player.waiting == []
    assert engine.player.library[2] is other_slot


def test_an_empty_slot_is_refused_and_the_last_good_one_plays_on(make_engine, slot):
    engine = make_engine(library={1: slot}, slots=[slot])
    engine.start()

    with pytest.raises(ModelError, match="slot 9: empty; filled slots: 1"):
        engine.player.choose([9])

    run_until(engine, 5.0)
    assert engine.player.ensemble.slots == (slot,)


def test_setting_the_slots_lets_them_come_in_too(make_engine, slot, other_slot):
    engine = make_engine(library={1: slot, 2: other_slot}, slots=[slot])
    engine.start()

    engine.player.change("slots", [2, 1])

    assert engine.player.waiting == ["slot 2", "slot 1"]
    with pytest.raises(ModelError, match="slot 5: empty"):
        engine.player.change("slots", [5])
    assert engine.player.settings.slots == (2, 1)


def test_panic_ends_every_note_on_every_channel(make_engine):
    engine = make_engine(pattern("x" * 16))
    engine.start()
    run_until(engine, 1.02)

    engine.panic()

    messages = [entry["midi"] for entry in engine.output.tape.entries if "midi" in entry]
    assert messages[-16:] == [[0xB0 | channel, 123, 0] for channel in range(16)]
    assert not any(engine.panel.jacks.levels.values())
    run_until(engine, 2.1)
    assert beats(engine, "gate1")[4:] == [1.0, 1.25, 1.5, 1.75, 2.0], "the music goes on, without a gap"


def test_a_fault_in_the_middle_of_a_bar_still_lowers_every_gate(make_engine, monkeypatch):
    engine = make_engine(pattern("x" * 16))
    engine.start()
    run_until(engine, 1.02)
    monkeypatch.setattr(engine.player, "decide", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        engine.run()

    assert not any(engine.panel.jacks.levels.values())
    assert len(notes(engine)) == len(notes(engine, 0x80))


@pytest.mark.parametrize("bpm", [20, 119.97, 300])
def test_three_minutes_do_not_drift(make_engine, bpm):
    engine = make_engine(pattern("x..............."), Settings().changed("bpm", bpm))
    engine.output.tape = None
    engine.start()
    run_until(engine, 3 * bpm)

    rises = engine.panel.jacks.rises("gate1")
    exact = [rises[0] + n * 4 * 60e9 / bpm for n in range(len(rises))]
    assert len(rises) >= 3 * bpm / 4
    assert rises == pytest.approx(exact, abs=1, rel=0)


def test_what_is_due_at_once_is_written_before_anything_is_decided(make_engine, monkeypatch):
    lean = np.array([[0.0], [0.002], [0.004]])  # a quarter of a millisecond apart
    engine = make_engine(pattern(*["x" * 32] * 3, offsets=lean), bars=4)
    decide = engine.player.decide

    def slowly():
        decide()
        engine.time.stall(400_000)

    monkeypatch.setattr(engine.player, "decide", slowly)
    engine.start()
    engine.run()

    gates = [entry for entry in engine.output.tape.entries if "jack" in entry]
    assert len(gates) > 100
    assert max(entry["at_ns"] - entry["due_ns"] for entry in gates) == 0
