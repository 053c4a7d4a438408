"""A float autoencoder in numpy: forward, loss and gradients over one flat parameter vector. Trains nothing.

Rectified linear units in the hidden layers, a linear latent, a sigmoid on every output. The outputs are
three heads of voices x 32: hits (binary cross-entropy), velocities and offsets (squared error where there
is a hit: a rest has neither). Latent dimensions that name an attribute are pulled to rise with it
(Pati and Lerch, "Attribute-based Regularization of Latent Spaces for VAEs", 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from device.decoder import HEADS


@dataclass(frozen=True)
class Weights:
    """What each part of the loss counts."""

    velocity: float = 0.5
    offset: float = 0.5
    attribute: float = 0.3  # gamma in the paper
    spread: float = 10.0  # delta in the paper
    latent: float = 0.002  # keeps the takes close together, so that travel between them is played


@dataclass(frozen=True)
class Batch:
    """Takes as a network sees them.

    inputs : (n, 3 * voices * 32), hits 0 or 1, velocities 0..1, offsets -1..1 (1 is half a step)
    attributes : (n, k), of latents 0..k-1; k may be 0
    """

    inputs: np.ndarray
    attributes: np.ndarray

    def rows(self, chosen: np.ndarray) -> Batch:
        return Batch(self.inputs[chosen], self.attributes[chosen])


class Autoencoder:
    """Dense layers from takes to latents and back.

    sizes : widths from the input to the output, e.g. (96, 64, 4, 64, 96)
    latent : index of the latent's width in `sizes`
    """

    def __init__(self, sizes: Sequence[int], latent: int, rng: np.random.Generator):
        self.sizes = tuple(sizes)
        self.latent = latent
        shapes = list(pairwise(sizes))
        self.parameters = np.zeros(sum(a * b + b for a, b in shapes))
        self.layers = self.views(self.parameters)
        for weight, _ in self.layers:  # He et al. 2015, for rectified linear units
            weight[:] = rng.normal(0.0, np.sqrt(2.0 / weight.shape[0]), weight.shape)

    def views(self, flat: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights (in, out) and biases (out,) of every layer, as views into a flat vector."""
        layers, place = [], 0
        for a, b in pairwise(self.sizes):
            weight = flat[place : place + a * b].reshape(a, b)
            layers.append((weight, flat[place + a * b : place + a * b + b]))
            place += a * b + b
        return layers

    def encode(self, inputs: np.ndarray) -> np.ndarray:
        """Latents, shape (n, latents), of takes, shape (n, inputs)."""
        return self.activations(inputs, 0, self.latent)[-1]

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Logits, shape (n, outputs), of latents, shape (n, latents)."""
        return self.activations(latents, self.latent, len(self.layers))[-1]

    def activations(self, x: np.ndarray, first: int, last: int) -> list[np.ndarray]:
        """What each layer from `first` to before `last` gives, the input in front."""
        given = [x]
        for index in range(first, last):
            weight, bias = self.layers[index]
            x = x @ weight + bias
            if not self._linear(index):
                x = np.maximum(x, 0.0)
            given.append(x)
        return given

    def _linear(self, index: int) -> bool:
        return index in (self.latent - 1, len(self.layers) - 1)

    def loss(
        self, batch: Batch, weights: Weights, noise: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """The loss of a batch and its gradient, a flat vector like `parameters`.

        noise : (n, latents), added to the latents, so that the places between takes are trained too
        """
        up = self.activations(batch.inputs, 0, self.latent)
        latents = up[-1]
        down = self.activations(latents if noise is None else latents + noise, self.latent, len(self.layers))
        loss, slope = output_loss(down[-1], batch.inputs, weights)
        gradient = np.zeros_like(self.parameters)
        into = self.views(gradient)
        slope = self._backward(slope, down, self.latent, into)
        more, latent_slope = latent_loss(latents, batch.attributes, weights)
        self._backward(slope + latent_slope, up, 0, into)
        return loss + more, gradient

    def _backward(
        self,
        slope: np.ndarray,
        given: list[np.ndarray],
        first: int,
        into: list[tuple[np.ndarray, np.ndarray]],
    ) -> np.ndarray:
        """Carry a slope back through the layers from `first`; write their gradients; return the input's."""
        for place in range(len(given) - 1, 0, -1):
            index = first + place - 1
            if not self._linear(index):
                slope = slope * (given[place] > 0.0)
            into[index][0][:] = given[place - 1].T @ slope
            into[index][1][:] = slope.sum(axis=0)
            slope = slope @ self.layers[index][0].T
        return slope


def output_loss(logits: np.ndarray, inputs: np.ndarray, weights: Weights) -> tuple[float, np.ndarray]:
    """Loss of the three heads, and its slope by logit.

    logits, inputs : (n, 3 * voices * 32). Binary cross-entropy of hits, mean over steps; squared error of
    velocity and offset, mean over the hits. The sigmoid of the offset head spans -0.5..0.5 of a step.
    """
    n = len(logits)
    z = logits.reshape(n, HEADS, -1)
    hits, velocities, offsets = inputs.reshape(n, HEADS, -1).transpose(1, 0, 2)
    p = 1.0 / (1.0 + np.exp(-z))
    slope = np.empty_like(z)
    cross = np.maximum(z[:, 0], 0.0) - z[:, 0] * hits + np.log1p(np.exp(-np.abs(z[:, 0])))
    loss = cross.mean()
    slope[:, 0] = (p[:, 0] - hits) / hits.size
    count = max(hits.sum(), 1.0)
    targets = ((1, velocities, weights.velocity), (2, offsets / 2.0 + 0.5, weights.offset))
    for head, target, weight in targets:
        error = (p[:, head] - target) * hits
        loss += weight * (error**2).sum() / count
        slope[:, head] = weight * 2.0 * error * p[:, head] * (1.0 - p[:, head]) / count
    return float(loss), slope.reshape(n, -1)


def latent_loss(latents: np.ndarray, attributes: np.ndarray, weights: Weights) -> tuple[float, np.ndarray]:
    """Loss on the latents and its slope: closeness of all, and rising with an attribute for the first k.

    latents : (n, latents); attributes : (n, k). One in which all takes are alike leaves its latent free.
    """
    n = len(latents)
    loss = weights.latent * (latents**2).sum() / n
    slope = weights.latent * 2.0 * latents / n
    for k in range(attributes.shape[1]):
        if np.ptp(attributes[:, k]) == 0.0:
            continue
        apart = latents[:, None, k] - latents[None, :, k]  # (n, n)
        wanted = np.sign(attributes[:, None, k] - attributes[None, :, k])
        bent = np.tanh(weights.spread * apart)
        loss += weights.attribute * np.abs(bent - wanted).mean()
        pull = np.sign(bent - wanted) * (1.0 - bent**2) * weights.spread
        slope[:, k] += weights.attribute * (pull.sum(axis=1) - pull.sum(axis=0)) / n**2
    return float(loss), slope
