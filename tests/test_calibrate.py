import numpy as np
import pytest

from training.calibrate import POINTS, knob_points, nearest, neighbours, stretches


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


def test_takes_belong_where_their_rank_is_and_equals_share_their_stretch():
    low, high = stretches(np.array([[4.0], [9.0], [4.0], [7.0]]))

    assert low.ravel().tolist() == [-1.0, 0.5, -1.0, 0.0]
    assert high.ravel().tolist() == [0.0, 1.0, 0.0, 0.5]


def test_takes_fill_the_corners_of_the_knobs_even_where_attributes_go_together():
    """Busy takes are more off the beat; for how busy they are, half of them still belong to low B."""
    rng = np.random.default_rng(2)
    busy = rng.normal(size=400)
    values = np.stack([busy, busy + 0.3 * rng.normal(size=400)], axis=1)

    low, high = stretches(values)
    middle = (low + high) / 2

    assert np.corrcoef(values.T)[0, 1] > 0.9
    assert abs(np.corrcoef(middle.T)[0, 1]) < 0.2
    for a in (-1, 1):
        for b in (-1, 1):
            assert 60 < ((np.sign(middle) == (a, b)).all(axis=1)).sum() < 140


def test_the_neighbours_of_thousands_are_found_piece_by_piece(monkeypatch):
    places = np.random.default_rng(3).random((300, 2))
    at_once = neighbours(places)
    monkeypatch.setattr("training.calibrate.AT_ONCE", 7)

    assert np.array_equal(neighbours(places), at_once)
    assert all(row in near for row, near in enumerate(at_once))


def test_the_two_nearest_takes_share_a_place_by_how_near_they_are():
    latents = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    places = np.array([[0.7, 0.6], [0.1, -0.2]])

    first, second, share = nearest(places, latents, 0.2)

    assert first.tolist() == [1, 0]
    assert second.tolist() == [2, 1]
    assert 0.5 < share[0] < share[1] < 1.0
    assert nearest(places, latents, 0.0)[2].tolist() == [1.0, 1.0]
