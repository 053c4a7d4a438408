import numpy as np
import pytest

from training.network import Autoencoder, Batch
from training.optimise import Adam, Recipe, train


def batch(rng, n=12):
    hits = rng.random((n, 32)) < 0.4
    return Batch(np.concatenate([hits, hits * 0.5, np.zeros((n, 32))], axis=1), np.zeros((n, 0)))


def test_adam_follows_its_paper_step_by_step():
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(20, 3))
    adam, found = Adam(3), np.ones(3)
    m = v = np.zeros(3)
    expected = np.ones(3)

    for t, g in enumerate(gradients, 1):
        adam.step(found, g, 0.01)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        expected = expected - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    assert found == pytest.approx(expected, rel=1e-12)


def test_the_first_step_of_adam_is_as_long_as_the_rate():
    parameters = np.zeros(2)
    Adam(2).step(parameters, np.array([1e-3, -50.0]), 0.01)

    assert parameters == pytest.approx([-0.01, 0.01], rel=1e-4)


def test_training_brings_the_loss_down_and_reports_every_epoch():
    rng = np.random.default_rng(2)
    network = Autoencoder((96, 32, 4, 32, 96), 2, rng)
    told = []

    losses = train(network, batch(rng), Recipe(epochs=600), rng, lambda *row: told.append(row))

    assert losses[-1] < 0.3 * losses[0]
    assert told == [(n + 1, 600, loss) for n, loss in enumerate(losses)]


def test_every_take_is_seen_once_an_epoch_in_another_order(monkeypatch):
    rng = np.random.default_rng(3)
    takes = batch(rng)
    takes.inputs[:, 0] = np.arange(12)
    network = Autoencoder((96, 8, 4, 8, 96), 2, rng)
    seen = []
    loss = network.loss
    monkeypatch.setattr(network, "loss", lambda b, *more: (seen.append(b.inputs[:, 0]), loss(b, *more))[1])

    train(network, takes, Recipe(epochs=2, batch=5), rng)

    orders = np.concatenate(seen).reshape(2, 12)
    assert [len(part) for part in seen] == [5, 5, 2] * 2
    assert np.array_equal(np.sort(orders, axis=1), [np.arange(12)] * 2)
    assert not np.array_equal(orders[0], orders[1])


def test_few_takes_are_trained_for_more_epochs():
    assert Recipe().epochs_for(8) > Recipe().epochs_for(500) >= 400
    assert Recipe(epochs=7).epochs_for(8) == 7
