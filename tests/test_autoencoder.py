from dataclasses import replace

import numpy as np
import pytest

from training.architectures import ARCHITECTURES, Recipe
from training.batches import Batches, Material
from training.losses import STEEP, Meaning, OutputLoss, RiseLoss, Weights, aim_loss
from training.network import Autoencoder, Rows
from training.optimise import Step

WEIGHTS = Weights(velocity=0.7, offset=0.3, aim=0.4)


def example(rng, n=7, voices=1, latents=4):
    """Takes as all architectures may see them, with places where their latents belong."""
    hits = rng.random((n, voices * 32)) < 0.4
    velocities = hits * rng.random(hits.shape)
    offsets = hits * rng.uniform(-1, 1, hits.shape)
    inputs = np.concatenate([hits, velocities, offsets], axis=1)
    answers = np.concatenate([hits, velocities, offsets / 2 + 0.5], axis=1)
    low = rng.uniform(-1, 0.5, (n, latents))
    return Material(inputs, answers, low, low + 0.3, np.array([False, False, False, True])[:latents])


def a_batch(rng, name="fathom", norm=False, **recipe):
    """One batch of doubles, laid out and ready to be run again and again."""
    kind = replace(ARCHITECTURES[name], sees=(0, 1, 2), gives=(0, 1, 2))
    material = example(rng)
    network = Autoencoder((96, 10, 4, 10, 96), 2, rng, "he", kind.cube, norm, np.float64)
    network.parameters += rng.normal(0, 0.05, network.parameters.shape)
    batches = Batches(network, material, kind, Recipe(weights=WEIGHTS, **recipe))
    batches.shuffle(rng, look=False)
    return network, Step(network, batches.parts[0], kind, Recipe(weights=WEIGHTS, **recipe))


def assert_slope(network, loss, places=200):
    """The gradient of the network is that of finite differences of `loss`."""
    loss()
    gradient = network.gradient.copy()
    rng = np.random.default_rng(9)
    for place in rng.choice(network.parameters.size, places, replace=False):
        value, small = network.parameters[place], 1e-6
        network.parameters[place] = value + small
        above = loss()
        network.parameters[place] = value - small
        below = loss()
        network.parameters[place] = value
        assert gradient[place] == pytest.approx((above - below) / (2 * small), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", ["fathom", "paper", "deep-steps"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_gradients_are_those_of_finite_differences(name, noise):
    rng = np.random.default_rng(1)
    network, step = a_batch(rng, name, noise=noise)

    assert_slope(network, lambda: step.run(rng))


def test_gradients_pass_through_normalised_layers():
    rng = np.random.default_rng(2)
    network, step = a_batch(rng, "deep-steps", norm=True)

    assert_slope(network, lambda: step.run(rng))


def test_gradients_pass_through_layers_with_units_at_rest():
    network, step = a_batch(np.random.default_rng(3), "paper", dropout=0.5)

    assert_slope(network, lambda: step.run(np.random.default_rng(4)))


def test_places_between_takes_pull_as_much_as_they_are_given_weight():
    rng = np.random.default_rng(5)
    network, step = a_batch(rng, places=2.0)
    gradients = []
    for place in (0.0, 1.0, 2.0):
        step.run(rng, place)
        gradients.append(network.gradient.copy())

    assert np.abs(gradients[1] - gradients[0]).max() > 1e-4
    assert gradients[2] - gradients[1] == pytest.approx(gradients[1] - gradients[0], abs=1e-12)


def test_what_is_folded_into_the_next_layer_gives_what_the_normalised_one_gave():
    rng = np.random.default_rng(6)
    network = Autoencoder((96, 12, 3, 12, 96), 2, rng, norm=True, dtype=np.float64)
    inputs = rng.random((50, 96))
    rows = Rows(network, 50, 0, 2)
    rows.given[0][:, :-1] = inputs
    for scale, _ in network.norms.values():
        scale[...] += rng.normal(0, 0.2, scale.shape)

    for _ in range(60):  # until the running means are those of these rows
        exact = rows.forth(rng).copy()

    assert network.encode(inputs) == pytest.approx(exact, abs=1e-4)


def test_a_rest_has_no_velocity_and_no_offset_to_learn():
    rng = np.random.default_rng(7)
    answers = example(rng).answers
    rest = answers[:, :32] == 0
    slope = np.zeros((7, 96))

    OutputLoss(rng.normal(size=(7, 96)), answers, slope, 7, (0, 1, 2), Weights())()

    assert not slope[:, 32:64][rest].any()
    assert not slope[:, 64:][rest].any()
    assert slope[:, 32:64][~rest].all()


def test_a_latent_costs_nothing_where_it_belongs_and_is_drawn_there_from_without():
    latents = np.array([[-0.5], [0.0], [0.8]])
    low, high = np.full((3, 1), -0.2), np.full((3, 1), 0.3)
    slope = np.zeros((3, 1))

    loss = aim_loss(latents, low, high, 3.0, slope)

    assert loss == pytest.approx(3.0 * (0.3**2 + 0.5**2) / 3)
    assert slope.ravel() == pytest.approx([-0.6, 0.0, 1.0])


@pytest.mark.parametrize("squared", [False, True])
def test_logits_of_any_size_give_a_finite_loss(squared):
    answers = example(np.random.default_rng(8)).answers.astype(np.float32)
    slope = np.zeros((7, 96), np.float32)

    for size in (-600.0, 600.0):
        logits = np.full((7, 96), size, np.float32)
        assert np.isfinite(OutputLoss(logits, answers, slope, 7, (0, 1, 2), Weights(), squared)())
        assert np.isfinite(slope).all()


def test_the_units_of_a_decoder_for_a_cube_bend_within_it():
    network = Autoencoder((96, 64, 4, 200, 96), 2, np.random.default_rng(9), cube=True)
    weight, bias = network.layers[2]
    places = np.random.default_rng(10).uniform(-1, 1, (500, 4))

    awake = (places @ weight + bias > 0).mean(axis=0)

    assert ((awake > 0.02) & (awake < 0.98)).mean() > 0.8


def test_an_attribute_is_drawn_up_along_its_knob_by_the_slope_of_finite_differences():
    rng = np.random.default_rng(11)
    logits, far = rng.normal(size=(8, 32)), np.full(4, 0.5)
    knobs = np.array([0, 1, 0, 1])
    meanings = [Meaning(0, None, 3.0), Meaning(1, np.arange(32.0), 2.0)]

    def short(logits):
        """How far each pair is from rising enough, and the slope that is found."""
        p, slope = 1 / (1 + np.exp(-logits)), np.zeros_like(logits)
        RiseLoss(p, slope, meanings, knobs, far, 1.0)(1.0)
        sums, means = p.sum(axis=1) / 3.0, (p @ np.arange(32.0)) / p.sum(axis=1) / 2.0
        value = np.where(np.tile(knobs, 2) == 0, sums, means)
        past = np.maximum(STEEP * far - (value[4:] - value[:4]), 0.0)
        return np.log(np.cosh(past)).mean(), slope

    _, slope = short(logits)
    assert np.abs(slope).max() > 1e-3
    for place in [(0, 3), (1, 30), (2, 8), (5, 5), (6, 1), (7, 31)]:
        moved = [logits.copy(), logits.copy()]
        moved[0][place] += 1e-6
        moved[1][place] -= 1e-6
        expected = (short(moved[0])[0] - short(moved[1])[0]) / 2e-6
        assert slope[place] == pytest.approx(expected, rel=1e-3, abs=1e-7)
