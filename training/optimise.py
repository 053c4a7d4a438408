"""Minimises the loss of an autoencoder: Adam over shuffled minibatches. Knows no files and no music."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.network import Autoencoder, Batch, Weights

FEWEST_EPOCHS = 400  # below, some of a few hundred takes are not reached
FEWEST_UPDATES = 1000  # a few takes make a short epoch: then there are more epochs


@dataclass(frozen=True)
class Recipe:
    """How an autoencoder is trained. `epochs` None: as many as the number of takes asks for."""

    epochs: int | None = None
    batch: int = 32
    rate: float = 3e-3
    noise: float = 0.05  # of the latents, as a share of their spread
    weights: Weights = field(default_factory=Weights)

    def epochs_for(self, takes: int) -> int:
        if self.epochs is not None:
            return self.epochs
        return max(FEWEST_EPOCHS, FEWEST_UPDATES // -(-takes // self.batch))


class Adam:
    """Adam with both of its bias corrections (Kingma and Ba, "Adam", ICLR 2015, algorithm 1)."""

    def __init__(self, size: int, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8):
        self.first = np.zeros(size)
        self.second = np.zeros(size)
        self.b1, self.b2, self.epsilon = b1, b2, epsilon
        self.updates = 0

    def step(self, parameters: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        """Move the parameters, in place."""
        self.updates += 1
        self.first += (1 - self.b1) * (gradient - self.first)
        self.second += (1 - self.b2) * (gradient**2 - self.second)
        first = self.first / (1 - self.b1**self.updates)
        second = self.second / (1 - self.b2**self.updates)
        parameters -= rate * first / (np.sqrt(second) + self.epsilon)


def train(
    network: Autoencoder,
    takes: Batch,
    recipe: Recipe,
    rng: np.random.Generator,
    on_epoch: Callable[[int, int, float], None] = lambda epoch, epochs, loss: None,
) -> list[float]:
    """Train in place; the mean loss of every epoch. `on_epoch(epoch, epochs, loss)` is called after each.

    The rate falls to a hundredth along half a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017).
    """
    n = len(takes.inputs)
    epochs = recipe.epochs_for(n)
    adam = Adam(network.parameters.size)
    latents = network.sizes[network.latent]
    losses = []
    for epoch in range(epochs):
        rate = recipe.rate * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * epoch / epochs)))
        spread = network.encode(takes.inputs).std(axis=0)
        order = rng.permutation(n)
        total = 0.0
        for start in range(0, n, recipe.batch):
            chosen = order[start : start + recipe.batch]
            noise = rng.normal(0.0, 1.0, (len(chosen), latents)) * (spread * recipe.noise)
            loss, gradient = network.loss(takes.rows(chosen), recipe.weights, noise)
            adam.step(network.parameters, gradient, rate)
            total += loss * len(chosen)
        losses.append(total / n)
        on_epoch(epoch + 1, epochs, losses[-1])
    return losses
