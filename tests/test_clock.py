import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock import Clock

TEMPI = st.floats(20, 300)


@given(bpm=TEMPI, start=st.integers(0, 10**15), beat=st.integers(0, 432_000 * 4))
def test_a_day_of_sixteenths_is_on_time_to_the_nanosecond(bpm, start, beat):
    clock = Clock(bpm)
    clock.refer(0.0, start)
    numerator, denominator = bpm.as_integer_ratio()

    exact = start + (beat * 60_000_000_000 * denominator) / (4 * numerator)

    assert abs(clock.time_at(beat / 4) - exact) <= 1


@given(bpm=TEMPI, beat=st.floats(-4, 400_000))
def test_beat_and_time_are_each_others_inverse(bpm, beat):
    clock = Clock(bpm)
    clock.refer(0.0, 123_456_789)

    assert clock.beat_at(clock.time_at(beat)) == pytest.approx(beat, abs=1e-8)


def test_a_change_of_tempo_does_not_move_the_beat():
    clock = Clock(120)
    clock.refer(0.0, 0)

    clock.set_tempo(60, now=1_000_000_000)

    assert clock.beat_at(1_000_000_000) == 2.0
    assert clock.time_at(3.0) == 2_000_000_000
