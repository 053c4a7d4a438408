"""Small networks learn what they are shown, the same each time, and stand side by side as one."""

import numpy as np
import pytest

from training.supervised import NETWORKS, UNITS, cross_entropy, fit

RNG = np.random.default_rng(1)
POINTS = RNG.normal(size=(6000, 2))
RING = (np.hypot(*POINTS.T) < 1.0).astype(float)


def slope(found, rows):
    return cross_entropy(found, RING[rows, None])


def test_what_no_line_can_tell_is_learned():
    said = fit(POINTS, 1, slope, seed=1).run(POINTS)[:, 0] > 0

    assert (said == RING).mean() > 0.85


def test_the_same_seed_gives_the_same_network():
    one, other = (fit(POINTS, 1, slope, seed=3) for _ in range(2))

    np.testing.assert_array_equal(one.out[0], other.out[0])
    assert one.hidden[0].shape == (2, NETWORKS * UNITS)


def test_the_slope_is_that_of_the_cross_entropy():
    logits, truth = np.array([0.3, -2.0]), np.array([1.0, 0.0])

    def loss(z):
        return np.log1p(np.exp(-z)) * truth + np.log1p(np.exp(z)) * (1 - truth)

    assert cross_entropy(logits, truth) == pytest.approx((loss(logits + 1e-6) - loss(logits - 1e-6)) / 2e-6)
