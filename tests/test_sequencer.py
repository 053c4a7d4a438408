import numpy as np
import pytest
from conftest import beats, notes, pattern, run_until
from hypothesis import given
from hypothesis import strategies as st
from setting_helpers import values

from device.pattern import Pattern
from device.sequencer import ACCENT, CLOCK, RESET, SHORTEST_MS, chance, hits_in, lead_of, size_of
from device.settings import Settings
from device.specs import BOX_SPECS, VOICE_SPECS

FOUR_ON_THE_FLOOR = pattern("x...x...x...x...")


def on_track(hits, track=0):
    return [hit.beat for hit in hits if hit.track == track]


def test_four_on_the_floor_is_a_hit_a_beat():
    assert on_track(hits_in(FOUR_ON_THE_FLOOR, Settings(), 0, 8)) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_hit_that_leans_before_the_bar_line_is_played_before_the_bar_line():
    early = pattern("x...x...x...x...", offsets=-0.4)

    assert on_track(hits_in(early, Settings(), 4, 5)) == pytest.approx([4 - 0.1])


def test_half_the_groove_plays_half_of_the_offset():
    late = pattern("x...x...x...x...", offsets=0.4)
    settings = Settings().changed("voices.groove", 0.5)

    assert on_track(hits_in(late, settings, 0, 1)) == pytest.approx([0.05])


def test_swing_gives_the_first_of_two_steps_its_share():
    settings = Settings().changed("voices.swing", 0.66)

    assert on_track(hits_in(pattern("x" * 16), settings, 0, 0.5)) == pytest.approx([0, 0.33])


def test_a_voice_of_three_steps_begins_again_after_three():
    settings = Settings().changed("voice.1.length", 3)

    assert on_track(hits_in(pattern("x..............."), settings, 0, 3)) == [0, 0.75, 1.5, 2.25]


def test_a_mute_silences_one_voice():
    settings = Settings().changed("voice.1.mute", True)
    both = pattern("x...............", "x...............")

    hits = hits_in(both, settings, 0, 4)

    assert on_track(hits, 0) == []
    assert on_track(hits, 1) == [0]


def test_an_accent_is_a_hit_at_or_above_the_accent_velocity():
    assert on_track(hits_in(pattern("X...x..........."), Settings(), 0, 4), ACCENT) == [0]


def test_every_voice_has_its_own_note_channel_and_velocity():
    settings = Settings().changed("voice.2.note", 50).changed("voice.2.channel", 10)

    first, second = [h for h in hits_in(pattern("X" * 16, "x" * 16), settings, 0, 0.25) if h.note >= 0]

    assert (first.note, first.channel, first.velocity) == (36, 0, 127)
    assert (second.note, second.channel, second.velocity) == (50, 9, 76)


def test_the_clock_jack_pulses_four_times_a_beat_and_reset_once():
    hits = hits_in(FOUR_ON_THE_FLOOR, Settings(), 0, 2)

    assert on_track(hits, CLOCK) == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    assert on_track(hits, RESET) == [0]


def test_half_the_probability_plays_about_half_of_the_hits_and_the_same_ones_again():
    settings = Settings().changed("voices.probability", 0.5)

    once = on_track(hits_in(pattern("x" * 16), settings, 0, 1000))

    assert 1800 < len(once) < 2200
    assert once == on_track(hits_in(pattern("x" * 16), settings, 0, 1000))


def test_chance_is_even():
    values = [chance(1, 0, step) for step in range(10_000)]

    assert np.histogram(values, 10, (0, 1))[0].min() > 900


def voice_hits(drums, start=0.0, end=4.0, box=None, offsets=None, **how):
    """Hits of the first voice and of the accent jack, with some settings of that voice and of the box."""
    settings = Settings()
    for name, value in how.items():
        settings = settings.changed(f"voice.1.{name}", value)
    for name, value in (box or {}).items():
        settings = settings.changed(name, value)
    hits = hits_in(pattern(drums, offsets=offsets), settings, start, end)
    return [hit for hit in hits if hit.track == 0], [hit for hit in hits if hit.track == ACCENT]


def places(hits):
    return [hit.beat for hit in hits]


ONE = "x..............."


def test_a_voice_is_rotated_by_steps():
    hits, _ = voice_hits("x...x...........", rotate=3)
    assert places(hits) == [0.75, 1.75]

    hits, _ = voice_hits(ONE, rotate=3, length=5)
    assert places(hits) == [0.75, 2.0, 3.25]


def test_a_rotated_voice_begins_with_its_end():
    hits, _ = voice_hits("..............xx", rotate=3, end=8.0)
    assert places(hits) == [0.25, 0.5, 4.25, 4.5]


@pytest.mark.parametrize(
    ("divide", "multiply", "apart"), [(2, 1, 0.5), (1, 2, 0.125), (3, 2, 0.375), (1, 3, 1 / 12), (16, 8, 0.5)]
)
def test_a_voice_runs_slower_and_faster(divide, multiply, apart):
    hits, _ = voice_hits("x" * 16, divide=divide, multiply=multiply)

    assert places(hits) == pytest.approx([n * apart for n in range(round(4 / apart + 0.49))])
    assert hits[0].length == pytest.approx(apart / 2), "its gate is a share of its own step"


def test_offsets_and_swing_are_shares_of_the_voices_own_step():
    hits, _ = voice_hits("x" * 16, end=1.0, divide=2, swing=0.6, offsets=0.1)

    assert places(hits) == pytest.approx([0.05, 0.65])


@pytest.mark.parametrize("strokes", [1, 2, 3, 8])
def test_a_ratchet_divides_a_hit_evenly_and_each_stroke_is_softer(strokes):
    hits, accents = voice_hits("X...............", ratchet=strokes, ratchet_decay=0.5)

    assert places(hits) == pytest.approx([stroke * 0.25 / strokes for stroke in range(strokes)])
    assert [hit.velocity for hit in hits] == [max(1, round(127 * 0.5**stroke)) for stroke in range(strokes)]
    assert [hit.stroke for hit in hits] == list(range(strokes))
    assert places(accents) == [0.0], "the accent jack rises once"
    assert accents[0].length == hits[0].length


@pytest.mark.parametrize(
    ("gate", "lengths"),
    [
        ({"gate": 0.5}, [0.03125] * 4),
        ({"gate": 1.0}, [0.0625] * 4),
        ({"gate": 3.0}, [0.0625, 0.0625, 0.0625, 0.5625]),
        ({"gate_ms": 10}, [0.02] * 4),
        ({"gate_ms": 100}, [0.0625, 0.0625, 0.0625, 0.2]),
    ],
)
def test_the_gates_of_a_ratchet_share_the_gate_of_the_hit(gate, lengths):
    hits, _ = voice_hits(ONE, ratchet=4, **gate)

    assert [hit.length for hit in hits] == pytest.approx(lengths)


def test_a_ratchet_by_chance_is_all_or_nothing_and_apart_from_the_chance_of_a_hit():
    hits, _ = voice_hits("x" * 16, end=250, ratchet=3, ratchet_chance=0.3)
    strokes = np.bincount([round(hit.place * 4) for hit in hits])

    assert set(strokes) == {1, 3}
    assert 0.25 < np.mean(strokes == 3) < 0.35
    hits, _ = voice_hits("x" * 16, end=250, ratchet=3, ratchet_chance=0.5, probability=0.5)
    strokes = np.bincount([round(hit.place * 4) for hit in hits], minlength=1000)
    assert 0.4 < np.mean(strokes[strokes > 0] == 3) < 0.6
    assert not voice_hits("x" * 16, ratchet=3, ratchet_chance=0)[0][1].stroke


@pytest.mark.parametrize(("gate_ms", "beats"), [(0, 0.125), (10, 0.02), (2000, 4.0)])
def test_a_gate_of_milliseconds_is_as_long_at_any_tempo(gate_ms, beats):
    for bpm in (60, 120):
        hits, _ = voice_hits(ONE, box={"bpm": bpm}, gate_ms=gate_ms)
        assert hits[0].length == pytest.approx(beats * (bpm / 120 if gate_ms else 1))
        assert hits[0].timed == (gate_ms > 0)


@pytest.mark.parametrize("delay_ms", [-50, -10, 0, 25, 50])
def test_a_voice_is_delayed_and_hurried_by_milliseconds(delay_ms):
    hits, accents = voice_hits("X" * 16, box={"bpm": 90}, delay_ms=delay_ms, end=1.0)

    assert places(hits) == pytest.approx([n / 4 + delay_ms * 90 / 60_000 for n in range(4)])
    assert places(accents) == places(hits)


def test_a_note_is_sent_before_its_gate_by_what_settles(make_engine):
    how = Settings(settle_ms=8).changed("voice.1.cc", 20).changed("voice.1.delay_ms", -5)
    engine = make_engine(pattern(ONE, ONE), how)
    engine.start()
    run_until(engine, 5.0)

    tape = [e for e in engine.output.tape.entries if e["beat"] > 3 and e.get("midi", [0])[0] < 0xF0]
    when = {tuple(e["midi"]) if "midi" in e else (e["jack"], e["level"]): e["at_ns"] for e in tape}
    bar = engine.player.clock.time_at(4.0)
    assert when["gate1", 1] == bar - 5e6
    assert when[0xB0, 20, 76] == when[0x90, 36, 76] == bar - 13e6
    assert when["gate2", 1] == bar
    assert when[0x90, 38, 76] == bar - 8e6


@pytest.mark.parametrize(
    ("how", "soft", "middle", "loud"),
    [
        ({}, 1, 64, 127),
        ({"velocity_low": 20, "velocity_high": 100}, 20, 60, 100),
        ({"velocity_low": 100, "velocity_high": 100}, 100, 100, 100),
        ({"velocity_curve": 2}, 1, 32, 127),
        ({"velocity_curve": 0.5}, 1, 90, 127),
        ({"velocity_curve": 2, "velocity_low": 27}, 27, 52, 127),
    ],
)
def test_velocity_lies_between_low_and_high_on_its_curve(how, soft, middle, loud):
    settings = Settings()
    for name, value in how.items():
        settings = settings.changed(f"voices.{name}", value)
    levels = Pattern(np.ones((3, 32), bool), np.repeat([[0.0], [0.5], [1.0]], 32, axis=1), np.zeros((3, 32)))

    heard = [hit.velocity for hit in hits_in(levels, settings, 0, 0.2) if hit.note >= 0]

    assert heard == [soft, middle, loud]


def test_a_control_change_tells_the_velocity_right_before_its_note(make_engine):
    engine = make_engine(
        pattern("X..." * 4, "x..." * 4), Settings().changed("voice.2.cc", 71).changed("voice.2.channel", 3)
    )
    engine.start()
    run_until(engine, 1.5)

    sent = [e["midi"] for e in engine.output.tape.entries if e.get("midi", [0xF0])[0] & 0xF0 in (0x90, 0xB0)]
    assert sent == [[0xB2, 71, 76], [0x90, 36, 127], [0x92, 38, 76]] * 2


def test_every_voice_plays_at_its_own_output_and_those_of_none_at_all(make_box):
    settings = (
        Settings().changed("voice.2.output", 1).changed("voice.3.output", 2).changed("voice.4.output", 3)
    ).changed("midi_out", ["", ""])
    box = make_box(pattern(ONE, ONE, ONE, ONE), settings)
    box.engine.start()
    run_until(box.engine, 1.0)

    heard = [[message[1] for _, message in port.messages if message[0] == 0x90] for port in box.panel.midi]
    assert heard == [[36, 38, 46], [36, 42, 46]], "an output that is not there is every one"
    ended = [[message[1] for _, message in port.messages if message[0] == 0x80] for port in box.panel.midi]
    assert ended == heard


def test_solo_silences_the_others_and_mute_is_above_solo():
    three = pattern(ONE, ONE, ONE)

    def heard(**switches):
        settings = Settings()
        for key, voices in switches.items():
            for voice in voices:
                settings = settings.changed(f"voice.{voice}.{key}", True)
        return [hit.track + 1 for hit in hits_in(three, settings, 0, 1) if hit.note >= 0]

    assert heard(solo=[2]) == [2]
    assert heard(solo=[1, 3]) == [1, 3]
    assert heard(solo=[1, 3], mute=[3]) == [1]
    assert heard(mute=[1, 2]) == [3]
    assert heard(solo=[4]) == [], "though nothing plays there"


def test_a_voice_that_is_silent_has_no_accents():
    assert voice_hits("X" * 16, mute=True) == ([], [])


def test_the_clock_jack_is_divided_and_the_reset_jack_comes_back_after_so_many_bars():
    settings = Settings(clock_out=4, clock_divide=3, reset_out=2, trigger_ms=10)
    hits = hits_in(FOUR_ON_THE_FLOOR, settings, 0, 20)

    assert on_track(hits, CLOCK) == pytest.approx([n * 0.75 for n in range(27)])
    assert on_track(hits, RESET) == [0, 8, 16]
    assert {hit.length for hit in hits if hit.track in (CLOCK, RESET)} == {0.02}


def test_a_tie_is_of_the_last_stroke():
    hits, _ = voice_hits(ONE, ratchet=3, tie=True)

    assert [hit.tie for hit in hits] == [False, False, True]


def test_a_tied_voice_holds_its_gate_over_and_strikes_equal_notes_once(make_engine):
    how = (
        Settings()
        .changed("voice.1.tie", True)
        .changed("voice.1.gate", 1)
        .changed("voice.1.pitch", [0, 0, 5, 5])
    )
    engine = make_engine(pattern("xxxx............"), how)
    engine.start()
    run_until(engine, 3.0)

    assert beats(engine, "gate1") == [0.0]
    assert beats(engine, "gate1", level=0) == pytest.approx([1.0])
    assert notes(engine) == [(0.0, 60), (0.5, 65)]
    assert notes(engine, 0x80) == [(0.5, 60), (1.0, 65)]


VOICES_OF_ANY_KIND = st.lists(
    st.fixed_dictionaries({name: values(spec) for name, spec in VOICE_SPECS.items()}),
    min_size=2,
    max_size=2,
)
HEARD = ("bpm", "clock_out", "clock_divide", "reset_out", "trigger_ms", "settle_ms", "seed")


@given(
    rows=st.lists(st.lists(st.sampled_from("xX."), min_size=32, max_size=32), min_size=2, max_size=2),
    lean=st.lists(st.floats(-0.5, 0.5), min_size=32, max_size=32),
    voices=VOICES_OF_ANY_KIND,
    box=st.fixed_dictionaries({name: values(BOX_SPECS[name]) for name in HEARD}),
    middle=st.floats(0, 64),
)
def test_two_spans_that_meet_give_what_one_gives(rows, lean, voices, box, middle):
    settings = Settings()
    for name, value in box.items():
        settings = settings.changed(name, value)
    for voice, how in enumerate(voices):
        for name, value in how.items():
            settings = settings.changed(f"voice.{voice + 1}.{name}", value)
    played = pattern(*map("".join, rows), offsets=np.array(lean))

    parts = hits_in(played, settings, 0, middle) + hits_in(played, settings, middle, 64)

    assert sorted(parts) == hits_in(played, settings, 0, 64)
    for hit in parts:
        size = size_of(settings, hit.track) if hit.track < 2 else None
        if size is not None:
            late = hit.beat - hit.place
            early = lead_of(settings, hit.track) - hit.lead
            assert -early - 1e-9 <= late, "it is decided before it is due"
            assert hit.length >= SHORTEST_MS * settings.bpm / 60_000
            assert 0 <= hit.note <= 127
            assert 1 <= hit.velocity <= 127
