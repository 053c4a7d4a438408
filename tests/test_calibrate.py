import numpy as np
import pytest

from training.calibrate import POINTS, knob_points


def test_the_travel_covers_all_takes_and_rises():
    latents = np.random.default_rng(1).normal(0, 3, (50, 4))

    points = knob_points(latents)

    assert points.shape == (4, POINTS)
    assert (np.diff(points, axis=1) > 0).all()
    assert (points[:, 0] <= latents.min(axis=0)).all()
    assert (points[:, -1] >= latents.max(axis=0)).all()


def test_no_travel_is_spent_where_no_take_is():
    """Two heaps of takes far apart: the gap gets less of the travel than of the latent's span."""
    heaps = np.concatenate([np.linspace(0, 1, 50), np.linspace(9, 10, 50)])
    points = knob_points(np.repeat(heaps[:, None], 4, axis=1))[0]

    in_gap = ((points > 1.5) & (points < 8.5)).mean()

    assert in_gap < 0.5


@pytest.mark.parametrize("latents", [np.zeros((1, 4)), np.full((7, 4), 2.5)])
def test_takes_that_are_all_one_still_leave_a_travel_around_them(latents):
    points = knob_points(latents)

    assert (np.diff(points, axis=1) > 0).all()
    assert points.mean(axis=1) == pytest.approx(latents[0])
