from dataclasses import replace

import numpy as np
import pytest

from training.architectures import ARCHITECTURES, Recipe
from training.batches import Batches, Material
from training.errors import CancelledError
from training.network import Autoencoder
from training.optimise import Adam, train

KIND = replace(ARCHITECTURES["fathom"], gives=(0,), sees=(0,))


def material(rng, n=12):
    hits = (rng.random((n, 32)) < 0.4) * 1.0
    return Material(hits, hits, np.zeros((n, 4)), np.zeros((n, 4)), np.ones(4, bool))


def small(rng):
    return Autoencoder((32, 16, 4, 16, 32), 2, rng, cube=True)


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
    told = []

    losses, held = train(
        small(rng), material(rng), KIND, Recipe(epochs=600), rng, lambda *row: told.append(row)
    )

    assert losses[-1] < 0.3 * losses[0]
    assert told == [(n + 1, 600, loss) for n, loss in enumerate(losses)]
    assert held == []


def test_the_loss_of_takes_that_were_kept_back_is_told_for_every_epoch():
    rng = np.random.default_rng(3)

    losses, held = train(small(rng), material(rng), KIND, Recipe(epochs=80), rng, held=material(rng, 3))

    assert len(held) == len(losses) == 80
    assert held[-1] > losses[-1]


def test_every_take_is_seen_once_an_epoch_in_another_order():
    rng = np.random.default_rng(4)
    takes = material(rng)
    takes.inputs[:, 0] = np.arange(12)
    batches = Batches(small(rng), takes, KIND, Recipe(batch=5))
    orders = []
    for _ in range(2):
        batches.shuffle(rng, look=False)
        orders.append(np.concatenate([part.takes[:, 0] for part in batches.parts]))

    assert [len(part.takes) for part in batches.parts] == [4, 4, 4]
    assert np.array_equal(np.sort(orders, axis=1), [np.arange(12)] * 2)
    assert not np.array_equal(orders[0], orders[1])


def test_a_place_between_takes_is_to_give_the_take_that_lies_nearest():
    rng = np.random.default_rng(5)
    takes, network = material(rng), small(rng)
    batches = Batches(network, takes, KIND, Recipe(batch=12, places=1.0, mixed=0.0))
    batches.shuffle(rng, look=False)
    (part,) = batches.parts
    latents = network.encode(takes.inputs)

    for place, answer in zip(part.places, part.answers[12:], strict=True):
        apart = np.square(latents - place).sum(axis=1)
        assert np.array_equal(answer, takes.answers[apart.argmin()].astype(np.float32))


def test_few_takes_are_trained_for_more_epochs_and_thousands_for_fewer():
    assert Recipe().epochs_for(8) > Recipe().epochs_for(300) > Recipe().epochs_for(3000) > 10
    assert Recipe(epochs=7).epochs_for(8) == 7


def test_training_ends_within_an_epoch_of_being_asked_to():
    rng = np.random.default_rng(6)
    told = []

    with pytest.raises(CancelledError):
        train(
            small(rng),
            material(rng),
            KIND,
            Recipe(epochs=50),
            rng,
            lambda *row: told.append(row),
            stop=lambda: len(told) == 3,
        )

    assert len(told) == 3
