"""A float autoencoder in numpy over one flat parameter vector: forth and back. Trains nothing.

Rectified linear units in the hidden layers, a linear latent, logits at the end. A layer is one matrix whose
last row is its bias: rows that end in a 1 make weights and bias one product, forth and back. Rows keep what
they work on from one batch to the next, so that a step of training asks for no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

LINE = 16  # floats in a line of the cache: rows begin with one
MOMENTUM, EPSILON = 0.8, 0.01  # of batch normalisation, as Deep Steps has them


class Autoencoder:
    """Dense layers from takes to latents and back.

    sizes : widths from the input to the output, e.g. (96, 64, 4, 64, 96)
    latent : index of the latent's width in `sizes`
    start : how weights begin: "he" (He et al. 2015), "glorot" (Glorot and Bengio 2010, as Keras), or
        "fan_in" (uniform within 1 / sqrt(inputs), as Deep Steps)
    cube : whether latents are to fill -1..1: then the decoder's first units bend at places spread over it
    norm : whether hidden layers are normalised over the batch after they are rectified
    """

    def __init__(
        self,
        sizes: Sequence[int],
        latent: int,
        rng: np.random.Generator,
        start: str = "he",
        cube: bool = False,
        norm: bool = False,
        dtype: Any = np.float32,
    ):
        self.sizes = tuple(sizes)
        self.latent = latent
        self.dtype = dtype
        shapes = [(a + 1, b) for a, b in pairwise(sizes)]
        self.normed = [i for i in range(len(shapes)) if norm and not self.is_linear(i)]
        shapes += [
            (2, shapes[i][1]) for i in self.normed
        ]  # what normalised values are multiplied by, and more
        self.parameters = np.zeros(sum(a * b for a, b in shapes), dtype)
        self.gradient = np.zeros_like(self.parameters)
        depth = len(sizes) - 1
        views, slopes = _views(self.parameters, shapes), _views(self.gradient, shapes)
        self.matrices, self.slopes = views[:depth], slopes[:depth]
        self.norms = dict(zip(self.normed, zip(views[depth:], slopes[depth:], strict=True), strict=True))
        self.running = {i: np.array([[0.0], [1.0]]) * np.ones(self.sizes[i + 1]) for i in self.normed}
        for matrix in self.matrices:
            a, b = matrix.shape[0] - 1, matrix.shape[1]
            if start == "he":
                matrix[:-1] = rng.normal(0.0, np.sqrt(2.0 / a), (a, b))
            else:
                limit = np.sqrt(6.0 / (a + b)) if start == "glorot" else 1.0 / np.sqrt(a)
                matrix[:-1] = rng.uniform(-limit, limit, (a, b))
        if cube:
            first = self.matrices[latent]
            first[-1] = -(first[:-1] * rng.uniform(-1.0, 1.0, first[:-1].shape)).sum(axis=0)
        for scale, _ in self.norms.values():
            scale[0] = 1.0

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights (in, out) and biases (out,) of every layer, what normalises one being part of the next."""
        found = []
        for index, matrix in enumerate(self.matrices):
            weight, bias = matrix[:-1], matrix[-1]
            if index - 1 in self.norms:
                mean, variance = self.running[index - 1]
                scale = self.norms[index - 1][0][0] / np.sqrt(variance + EPSILON)
                bias = bias + (self.norms[index - 1][0][1] - mean * scale) @ weight
                weight = weight * scale[:, None]
            found.append((weight, bias))
        return found

    def encode(self, inputs: np.ndarray) -> np.ndarray:
        """Latents, shape (n, latents), of takes, shape (n, inputs)."""
        return self.activations(inputs, 0, self.latent)[-1]

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Logits, shape (n, outputs), of latents, shape (n, latents)."""
        return self.activations(latents, self.latent, len(self.matrices))[-1]

    def activations(self, x: np.ndarray, first: int, last: int) -> list[np.ndarray]:
        """What each layer from `first` to before `last` gives, the input in front."""
        layers = self.layers
        given = [x]
        for index in range(first, last):
            weight, bias = layers[index]
            x = x @ weight
            x += bias
            if not self.is_linear(index):
                np.maximum(x, 0.0, out=x)
            given.append(x)
        return given

    def is_linear(self, index: int) -> bool:
        return index in (self.latent - 1, len(self.sizes) - 2)


class Rows:
    """Room for so many rows on their way through the layers from `first` to before `last`.

    given : what each layer takes, (rows, width + 1), each row ending in 1
    out : what the last layer gives, (rows, width)
    slopes : of the loss, by what each layer takes, (rows, width), then by `out`
    dropout : share of the units of each hidden layer that rest, other ones each time
    """

    def __init__(self, network: Autoencoder, rows: int, first: int, last: int, dropout: float = 0.0):
        widths = network.sizes[first : last + 1]
        self.network, self.first, self.dropout = network, first, dropout
        self.given = [ended_by_one(rows, width, network.dtype) for width in widths[:-1]]
        self.out = np.zeros((rows, widths[-1]), network.dtype)
        self.slopes = [np.zeros((rows, width), network.dtype) for width in widths]
        self._resting: dict[int, np.ndarray] = {}
        self._normed: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        targets = [*(given[:, :-1] for given in self.given[1:]), self.out]
        self._steps = [
            (
                first + n,
                network.matrices[first + n],
                network.slopes[first + n],
                target,
                not network.is_linear(first + n),
            )
            for n, target in enumerate(targets)
        ]
        self._plain = not dropout and not network.normed

    def forth(self, rng: np.random.Generator) -> np.ndarray:
        """What the last layer gives for what stands in `given[0]`."""
        given = self.given
        for n, (index, matrix, _, target, bent) in enumerate(self._steps):
            np.matmul(given[n], matrix, out=target)
            if bent:
                np.maximum(target, 0.0, out=target)
                if not self._plain:
                    self._rest_and_norm(index, target, rng)
        return self.out

    def back(self, to_input: bool) -> None:
        """From the slope by `out`, write the gradients of the layers, and the slope by the input."""
        slopes, given = self.slopes, self.given
        for n in range(len(self._steps) - 1, -1, -1):
            index, matrix, gradient, target, bent = self._steps[n]
            slope = slopes[n + 1]
            if bent:
                if self._plain:
                    np.multiply(slope, target > 0.0, out=slope)
                else:
                    self._back_through(index, slope)
            np.matmul(given[n].T, slope, out=gradient)
            if n or to_input:
                np.matmul(slope, matrix[:-1].T, out=slopes[n])

    def _rest_and_norm(self, index: int, x: np.ndarray, rng: np.random.Generator) -> None:
        """Let some units rest and normalise the others over the batch, in place."""
        kept = (x > 0.0).astype(x.dtype)
        if index in self.network.norms:
            (scale, more), running = self.network.norms[index][0], self.network.running[index]
            mean, variance = x.mean(axis=0), x.var(axis=0)
            running *= MOMENTUM
            running += (1.0 - MOMENTUM) * np.stack([mean, variance])
            spread = np.sqrt(variance + EPSILON)
            even = (x - mean) / spread
            self._normed[index] = (even, spread)
            x[...] = even * scale + more
        if self.dropout:
            awake = (rng.random(x.shape) >= self.dropout) / (1.0 - self.dropout)
            x *= awake
            kept *= awake
        self._resting[index] = kept

    def _back_through(self, index: int, slope: np.ndarray) -> None:
        """The same backwards, for the slope, in place."""
        if index in self._normed:
            (scale, _), gradient = self.network.norms[index]
            even, spread = self._normed[index]
            gradient[0], gradient[1] = (slope * even).sum(axis=0), slope.sum(axis=0)
            mean, along = slope.mean(axis=0), (slope * even).mean(axis=0)
            slope[...] = (slope - mean - even * along) * (scale / spread)
        slope *= self._resting[index]


def ended_by_one(rows: int, width: int, dtype: Any = np.float32) -> np.ndarray:
    """Zeros, (rows, width + 1), with a last column of ones; each row begins with a line of the cache."""
    room = np.zeros((rows, -(-(width + 1) // LINE) * LINE), dtype)
    room[:, width] = 1.0
    return room[:, : width + 1]


def _views(flat: np.ndarray, shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Matrices of these shapes, one after the other in a flat vector."""
    found, place = [], 0
    for a, b in shapes:
        found.append(flat[place : place + a * b].reshape(a, b))
        place += a * b
    return found
