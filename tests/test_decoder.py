import numpy as np
import pytest

from device.decoder import (
    OUTPUT_LIMIT,
    POSITIONS,
    SIGMOID,
    Decoder,
    Decoders,
    KnobMap,
    Scores,
    hits_of,
    to_position,
    to_positions,
)
from device.errors import ModelError
from device.network import Dense, IntegerNetwork


def make(seed, voices, reach=2047):
    """A decoder of one layer, whose network takes codes within the reach."""
    rng = np.random.default_rng(seed)
    outputs = 3 * voices * 32
    weight = rng.integers(-127, 128, (outputs, 4)).astype(np.int8)
    bias = rng.integers(-999, 999, outputs).astype(np.int32)
    layer = Dense(weight, bias, rng.uniform(1e-3, 1e-1, outputs), -OUTPUT_LIMIT, OUTPUT_LIMIT)
    points = np.sort(rng.integers(-2047, 2048, (4, 9)), axis=1).astype(np.int16)
    return Decoder(KnobMap(points), IntegerNetwork([layer], -reach, reach), voices)


@pytest.mark.parametrize("voices", [(1,), (3,), (1, 1, 1, 1), (3, 1), (1, 2, 1), (1,) * 16])
def test_decoders_in_one_go_give_what_each_gives_for_its_own_voices(voices):
    decoders = [make(seed, count, reach=2047 - 900 * (seed % 2)) for seed, count in enumerate(voices)]
    together = Decoders(decoders)

    for knobs in np.random.default_rng(1).uniform(-0.1, 1.1, (50, 4)).tolist():
        positions = to_positions(np.array([knobs]))
        alone = [decoder.codes(positions)[0] for decoder in decoders]

        found = together.decode(knobs).codes

        assert np.array_equal(found, np.concatenate(alone, axis=1))
        assert found.dtype == int
        assert np.array_equal(decoders[0].decode(knobs).codes, alone[0])


def test_one_knob_and_four_find_the_same_positions():
    knobs = [-1.0, 0.0, 1.0, 7.0, *(np.arange(4 * POSITIONS) / (2 * (POSITIONS - 1))).tolist()]

    assert [to_position(knob) for knob in knobs] == to_positions(np.array(knobs)).tolist()


def test_a_pattern_is_the_scores_of_its_heads_where_there_are_hits():
    scores = Scores(np.random.default_rng(5).integers(-OUTPUT_LIMIT, OUTPUT_LIMIT + 1, (3, 4, 32)))
    velocities, offsets = SIGMOID[scores.codes[1:] + OUTPUT_LIMIT] - [[[0.0]], [[0.5]]]

    for density in (0.0, 0.3, 0.5, 1.0, [0.1, 0.0, 0.9], [1.0, 0.5, 0.2, 0.77]):
        pattern = scores.pattern(density)
        hits = pattern.hits

        assert np.array_equal(hits, hits_of(scores.codes[0, : len(hits)], density))
        assert np.array_equal(pattern.velocities, np.where(hits, velocities[: len(hits)], 0.0))
        assert np.array_equal(pattern.offsets, np.where(hits, offsets[: len(hits)], 0.0))
        assert not np.signbit(pattern.offsets[~hits]).any()


def test_the_threshold_is_even_in_logits():
    codes = np.arange(-OUTPUT_LIMIT, OUTPUT_LIMIT + 1)[None]

    for density in np.linspace(0.001, 0.999, 200).tolist():
        assert np.array_equal(hits_of(codes, density), codes / 128 > (1 - 2 * density) * 8)


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
