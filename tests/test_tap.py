"""Tap tempo: what a player means, not every touch of the key."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.tap import Tap

MS = 1_000_000


def tapped(*milliseconds, tap=None):
    tap = tap or Tap()
    return [tap.tap(round(at * MS)) for at in milliseconds]


def test_the_second_tap_gives_a_tempo():
    assert tapped(0, 500) == [None, 120.0]


@given(bpm=st.floats(28, 300), start=st.integers(0, 10**15))
def test_even_taps_give_their_tempo(bpm, start):
    tap = Tap()

    answers = [tap.tap(start + round(n * 60e9 / bpm)) for n in range(9)]

    assert answers[0] is None
    assert answers[1:] == pytest.approx([bpm] * 8)


def test_the_tempo_is_the_mean_over_the_run():
    rng = random.Random(1)
    times = [n * 500 + rng.uniform(-15, 15) for n in range(12)]

    assert tapped(*times)[-1] == pytest.approx(11 * 60_000 / (times[-1] - times[0]))


def test_only_the_latest_taps_count():
    slow = [n * 600 for n in range(20)]
    quick = [slow[-1] + n * 500 for n in range(1, 16)]

    assert tapped(*slow, *quick)[-1] == pytest.approx(120)


@pytest.mark.parametrize("missing", [2, 3, 5])
def test_a_beat_that_was_not_tapped_does_not_spoil_the_tempo(missing):
    times = [n * 500 for n in range(9) if n != missing]

    assert tapped(*times)[-1] == pytest.approx(120)


@pytest.mark.parametrize("after", [20, 90, 150, 250, 300, 420])
def test_a_tap_too_many_does_not_spoil_the_tempo(after):
    times = sorted([*(n * 500 for n in range(9)), 3 * 500 + after])

    assert tapped(*times)[-1] == pytest.approx(120)


def test_a_pause_begins_anew():
    tap = Tap()
    tapped(0, 1000, 2000, 3000, tap=tap)

    assert tapped(5300, 5900, 6500, tap=tap) == [None, 100.0, 100.0]


def test_two_and_a_half_intervals_are_a_pause_too():
    tap = Tap()
    tapped(0, 300, 600, 900, tap=tap)

    assert tapped(1700, 2200, tap=tap) == [None, 120.0]


def test_a_tap_every_three_seconds_is_20_bpm_from_the_third_on():
    assert tapped(0, 3000, 6000, 9000, 12000) == [None, None, 20.0, 20.0, 20.0]


def test_a_long_pause_before_a_slow_beat_is_no_beat():
    assert tapped(0, 2600, 60_000, 62_500) == [None, None, None, None]


def test_tempi_beyond_the_range_are_its_ends():
    assert tapped(0, 100, 200, 300)[-1] == 300.0
    assert tapped(0, 3500, 7000)[-1] == 20.0


def test_time_that_goes_backwards_begins_anew():
    tap = Tap()
    tapped(1000, 1500, tap=tap)

    assert tapped(0, 600, tap=tap) == [None, 100.0]


@given(st.lists(st.integers(-(10**10), 10**11), max_size=60))
def test_no_taps_whatever_break_it(times):
    tap = Tap()
    for time in times:
        bpm = tap.tap(time)
        assert bpm is None or 20 <= bpm <= 300
    assert len(tap._taps) <= 16
