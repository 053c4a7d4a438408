"""Bars become takes of two bars, and nothing is made up but what is said."""

import numpy as np
import pytest

from device.pattern import STEPS
from training.takes import cut, explain


def bars(*numbers, voices=1):
    """Steps whose velocity tells their bar: bar 1 is 0.1 and so on; 0 is an empty bar."""
    velocities = np.repeat(np.array(numbers) / 10, 16)[None].repeat(voices, axis=0)
    return velocities > 0, velocities, np.where(velocities > 0, 0.25, 0.0)


def bars_of(take):
    return [round(float(v) * 10) for v in take.velocities[0, ::16]]


@pytest.mark.parametrize(
    ("numbers", "takes"),
    [
        ([1], [[1, 1]]),
        ([1, 2], [[1, 2]]),
        ([1, 2, 3], [[1, 2], [3, 1]]),
        ([1, 2, 3, 4], [[1, 2], [3, 4]]),
        ([1, 2, 3, 4, 5], [[1, 2], [3, 4], [5, 1]]),
        ([1, 2, 3, 4, 5, 6, 7, 8], [[1, 2], [3, 4], [5, 6], [7, 8]]),
    ],
)
def test_bars_are_cut_into_pairs(numbers, takes):
    assert [bars_of(take) for take in cut(*bars(*numbers))] == takes


def test_a_take_has_every_voice_and_32_steps():
    (take,) = cut(*bars(1, 2, voices=3))

    assert take.hits.shape == take.velocities.shape == take.offsets.shape == (3, STEPS)
    assert take.offsets[2, 5] == 0.25


def test_a_take_without_a_hit_is_left_out():
    assert [bars_of(take) for take in cut(*bars(0, 0, 3, 4))] == [[3, 4]]


def test_steps_that_are_no_whole_bars_are_our_own_mistake():
    with pytest.raises(ValueError, match="20 steps"):
        cut(np.ones((1, 20), bool), np.ones((1, 20)), np.zeros((1, 20)))


def test_padding_is_said():
    assert "twice" in explain(1)
    assert "bar 3 is followed by bar 1" in explain(3)
    assert explain(2) is explain(4) is None
