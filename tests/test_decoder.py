import numpy as np
import pytest

from device.decoder import OUTPUT_LIMIT, POSITIONS, SIGMOID, KnobMap, Scores, hits_of, to_positions
from device.errors import ModelError


def test_the_score_table_is_the_sigmoid_and_no_entry_is_near_to_rounding_otherwise():
    codes = np.arange(-OUTPUT_LIMIT, OUTPUT_LIMIT + 1)
    exact = 1 / (1 + np.exp(-codes / 128))
    halfway = np.abs(exact * 10_000 % 1 - 0.5)

    assert np.abs(SIGMOID - exact).max() <= 0.5e-4 + 1e-12
    assert halfway.min() > 1e-9
    assert SIGMOID[OUTPUT_LIMIT] == 0.5


def test_density_zero_plays_nothing_and_density_one_every_step():
    codes = np.linspace(-OUTPUT_LIMIT, OUTPUT_LIMIT, 32).astype(int)[None]

    assert not hits_of(codes, 0.0).any()
    assert hits_of(codes, 1.0).all()


def test_in_the_middle_a_hit_is_a_score_above_one_half():
    scores = Scores(np.random.default_rng(1).integers(-OUTPUT_LIMIT, OUTPUT_LIMIT + 1, (3, 2, 32)))

    assert np.array_equal(scores.pattern(0.5).hits, scores.codes[0] > 0)
    assert np.array_equal(scores.pattern(0.5).hits, scores.values > 0.5)


def test_more_density_never_takes_a_hit_away():
    codes = np.random.default_rng(1).integers(-OUTPUT_LIMIT, OUTPUT_LIMIT + 1, (1, 32))
    counts = [hits_of(codes, density).sum() for density in np.linspace(0, 1, 101)]

    assert counts == sorted(counts)


def test_every_voice_has_its_own_density():
    codes = np.full((2, 32), 10)

    assert hits_of(codes, [0.0, 1.0]).sum(axis=1).tolist() == [0, 32]


def test_a_rest_has_neither_velocity_nor_offset():
    pattern = Scores(np.random.default_rng(2).integers(-900, 900, (3, 1, 32))).pattern()

    assert not pattern.velocities[~pattern.hits].any()
    assert not pattern.offsets[~pattern.hits].any()
    assert np.abs(pattern.offsets).max() <= 0.5


def test_both_ends_of_a_knob_reach_the_ends_of_its_map():
    knob_map = KnobMap(np.array([[-2000, 0, 1500]] * 4, np.int16))

    ends = knob_map.latents(to_positions(np.array([[0.0] * 4, [1.0] * 4])))

    assert ends.tolist() == [[-2000] * 4, [1500] * 4]


def test_the_position_of_a_latent_is_the_nearest():
    knob_map = KnobMap(np.array([[-2000, 0, 1500]] * 4, np.int16))
    positions = np.random.default_rng(1).integers(0, POSITIONS, (500, 4))
    latents = knob_map.latents(positions)

    again = knob_map.latents(knob_map.positions(latents))

    assert np.array_equal(again, latents)
    assert knob_map.positions(np.full((1, 4), 9999)).tolist() == [[POSITIONS - 1] * 4]


@pytest.mark.parametrize(
    "points", [np.zeros((3, 5)), np.zeros((4, 1)), np.array([[3, 2]] * 4), np.full((4, 2), 3000)]
)
def test_a_knob_map_that_does_not_rise_or_fit_is_refused(points):
    with pytest.raises(ModelError, match="knobs.points"):
        KnobMap(points.astype(np.int16))
