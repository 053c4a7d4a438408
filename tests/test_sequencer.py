import numpy as np
import pytest
from conftest import pattern
from hypothesis import given
from hypothesis import strategies as st

from device.sequencer import ACCENT, CLOCK, RESET, chance, hits_in
from device.settings import Settings

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


@given(
    bits=st.lists(st.booleans(), min_size=32, max_size=32),
    lean=st.floats(-0.5, 0.5),
    swing=st.floats(0.5, 0.75),
    length=st.integers(1, 32),
    middle=st.integers(0, 256),
    clock_out=st.integers(1, 24),
)
def test_two_spans_that_meet_give_what_one_gives(bits, lean, swing, length, middle, clock_out):
    voice = pattern("".join("x" if bit else "." for bit in bits), offsets=lean)
    settings = Settings().changed("voices.swing", swing).changed("voices.length", length)
    settings = settings.changed("clock_out", clock_out).changed("voices.probability", 0.8)

    parts = hits_in(voice, settings, 0, middle / 4) + hits_in(voice, settings, middle / 4, 64)

    assert sorted(parts) == hits_in(voice, settings, 0, 64)
