import numpy as np
import pytest

from training.network import Autoencoder, Batch, Weights, latent_loss, output_loss


def example(rng, n=7, voices=1, attributes=3):
    hits = rng.random((n, voices * 32)) < 0.4
    velocities = hits * rng.random(hits.shape)
    offsets = hits * rng.uniform(-1, 1, hits.shape)
    return Batch(np.concatenate([hits, velocities, offsets], axis=1), rng.normal(size=(n, attributes)))


@pytest.mark.parametrize("voices", [1, 3])
@pytest.mark.parametrize("with_noise", [False, True])
def test_gradients_are_those_of_finite_differences(voices, with_noise):
    rng = np.random.default_rng(1)
    batch = example(rng, voices=voices)
    network = Autoencoder((96 * voices, 10, 4, 10, 96 * voices), 2, rng)
    network.parameters += rng.normal(0, 0.05, network.parameters.shape)
    noise = rng.normal(0, 0.3, (7, 4)) if with_noise else None
    weights = Weights(velocity=0.7, offset=0.3, attribute=0.4, spread=1.5, latent=0.01)

    _, gradient = network.loss(batch, weights, noise)

    for place in rng.choice(network.parameters.size, 200, replace=False):
        value, small = network.parameters[place], 1e-6
        network.parameters[place] = value + small
        above, _ = network.loss(batch, weights, noise)
        network.parameters[place] = value - small
        below, _ = network.loss(batch, weights, noise)
        network.parameters[place] = value
        assert gradient[place] == pytest.approx((above - below) / (2 * small), rel=1e-4, abs=1e-8)


def test_a_rest_has_no_velocity_and_no_offset_to_learn():
    rng = np.random.default_rng(2)
    batch = example(rng)
    hits = batch.inputs[:, :32] > 0
    network = Autoencoder((96, 8, 4, 8, 96), 2, rng)

    _, slope = output_loss(network.decode(network.encode(batch.inputs)), batch.inputs, Weights())

    assert not slope[:, 32:64][~hits].any()
    assert not slope[:, 64:][~hits].any()
    assert slope[:, 32:64][hits].all()


def test_a_latent_that_rises_with_its_attribute_costs_less_than_one_that_falls():
    latents = np.linspace(-2, 2, 9)[:, None]
    attribute = np.arange(9.0)[:, None]

    rising, _ = latent_loss(latents, attribute, Weights())
    falling, _ = latent_loss(-latents, attribute, Weights())

    assert rising < falling


def test_logits_of_any_size_give_a_finite_loss():
    inputs = example(np.random.default_rng(3)).inputs
    loss, slope = output_loss(np.full((7, 96), -600.0), inputs, Weights())

    assert np.isfinite(loss)
    assert np.isfinite(slope).all()
