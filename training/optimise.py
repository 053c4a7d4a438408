"""Trains an autoencoder: Adam over shuffled minibatches, every array made beforehand. Knows no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from device.pattern import STEPS
from training.architectures import Architecture, Recipe
from training.batches import Batches, Material, Part
from training.errors import CancelledError
from training.losses import Meaning, OutputLoss, RiseLoss, aim_loss
from training.network import Autoencoder, Rows

LOOK_EVERY = 5  # epochs, after which it is looked again where takes lie on the knobs without an attribute
RAMP = (0.1, 0.5)  # of all epochs: from no places between takes to all of their weight


class Adam:
    """Adam with both of its bias corrections (Kingma and Ba, "Adam", ICLR 2015, algorithm 1).

    The moments are kept as sums, larger by 1 / (1 - b): a step then takes a third fewer passes.
    """

    def __init__(
        self, size: int, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8, dtype: Any = float
    ):
        self._first, self._second, self._move = (np.zeros(size, dtype) for _ in range(3))
        self.b1, self.b2, self.epsilon = b1, b2, epsilon
        self.updates = 0

    def step(self, parameters: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        """Move the parameters, in place."""
        self.updates += 1
        first, second, move = self._first, self._second, self._move
        first *= self.b1
        first += gradient
        np.square(gradient, out=move)
        second *= self.b2
        second += move
        one = (1 - self.b1) / (1 - self.b1**self.updates)
        two = ((1 - self.b2) / (1 - self.b2**self.updates)) ** 0.5
        np.sqrt(second, out=move)
        move += self.epsilon / two
        np.divide(first, move, out=move)
        move *= rate * one / two
        parameters -= move


class Step:
    """One batch: forth, losses, back. What it works on stays where it is from epoch to epoch."""

    def __init__(
        self,
        network: Autoencoder,
        part: Part,
        architecture: Architecture,
        recipe: Recipe,
        meanings: Sequence[Meaning] = (),
    ):
        n = self.size = len(part.takes)
        self.part, self.weights, self.aimed = part, recipe.weights, architecture.cube
        self.up = Rows(network, n, 0, network.latent, recipe.dropout)
        self.up.given[0] = part.takes
        down = self.down = Rows(
            network, len(part.answers), network.latent, len(network.matrices), recipe.dropout
        )
        heads = architecture.gives
        self.output = OutputLoss(
            down.out, part.answers, down.slopes[-1], n, heads, recipe.weights, architecture.squared
        )
        self.rise: RiseLoss | None = None
        if len(part.far):
            width = part.answers.shape[1] // len(heads)
            rise = recipe.weights.rise * STEPS / width  # the loss of the outputs is a mean over so many
            p, slope = self.output.p[n:, :width], down.slopes[-1][n:, :width]
            self.rise = RiseLoss(p, slope, meanings, part.knobs, part.far, rise)

    def run(self, rng: np.random.Generator, place: float = 1.0) -> float:
        """The loss of the takes; the slope of all is in the gradient. `place`: what places count."""
        up, down, part = self.up, self.down, self.part
        latents = up.forth(rng)
        into = down.given[0][:, :-1]
        np.add(latents, part.noise, out=into[: self.size])
        into[self.size :] = part.places
        down.forth(rng)
        self.output.weigh(place)
        loss = self.output()
        if self.rise:
            self.rise(place)
        down.back(to_input=True)
        slope = up.slopes[-1]
        slope[...] = down.slopes[0][: self.size]
        if self.aimed:
            loss += aim_loss(latents, part.low, part.high, self.weights.aim, slope)
        up.back(to_input=False)
        return loss


def train(
    network: Autoencoder,
    material: Material,
    architecture: Architecture,
    recipe: Recipe,
    rng: np.random.Generator,
    on_epoch: Callable[[int, int, float], None] = lambda epoch, epochs, loss: None,
    stop: Callable[[], bool] = lambda: False,
    held: Material | None = None,
) -> tuple[list[float], list[float]]:
    """Train in place; the mean loss of every epoch, and that of the outputs for takes that are kept back.

    `on_epoch(epoch, epochs, loss)` is called after each epoch, `stop` asked before; CancelledError where it
    says so. The rate falls to a hundredth along half a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017).
    """
    n = len(material.inputs)
    epochs = recipe.epochs_for(n)
    adam = Adam(network.parameters.size, b1=recipe.b1, dtype=network.dtype)
    batches = Batches(network, material, architecture, recipe)
    steps = [Step(network, part, architecture, recipe, material.meanings) for part in batches.parts]
    judge = Judge(network, held, architecture, recipe) if held else None
    losses, held_losses = [], []
    for epoch in range(epochs):
        if stop():
            raise CancelledError("learning was stopped before its end; nothing has changed.")
        done = epoch / epochs
        rate = recipe.rate * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * done)))
        place = min(1.0, max(0.0, (done - RAMP[0]) / (RAMP[1] - RAMP[0])))
        batches.shuffle(rng, look=epoch % LOOK_EVERY == 0)
        total = 0.0
        for step in steps:
            total += step.run(rng, place) * step.size
            if recipe.decay:
                for matrix, slope in zip(network.matrices, network.slopes, strict=True):
                    slope[:-1] += 2.0 * recipe.decay * matrix[:-1]
            adam.step(network.parameters, network.gradient, rate)
            if recipe.shrink:
                network.parameters *= 1.0 - rate * recipe.shrink
        losses.append(total / n)
        if judge:
            held_losses.append(judge.loss())
        on_epoch(epoch + 1, epochs, losses[-1])
    return losses, held_losses


class Judge:
    """What a network makes of takes that it does not learn."""

    def __init__(self, network: Autoencoder, held: Material, architecture: Architecture, recipe: Recipe):
        self.network, n = network, len(held.inputs)
        kind: Any = network.dtype
        self.inputs, self.answers = held.inputs.astype(kind), held.answers.astype(kind)
        self.logits, slope = np.zeros_like(self.answers), np.zeros_like(self.answers)
        heads = architecture.gives
        self.output = OutputLoss(
            self.logits, self.answers, slope, n, heads, recipe.weights, architecture.squared
        )

    def loss(self) -> float:
        self.logits[...] = self.network.decode(self.network.encode(self.inputs))
        return self.output()
