"""Evaluates several integer networks in one go, at a point each, as a turn of a knob asks. Trains nothing.

Method: at every layer the networks share one long row of numbers, in which each has its part. The sums are
one product for each network; what is done to the sums is done once for the whole row. First layers are small
and make a single matrix, block by block. A part ends in a constant 1, whose weights are the biases. None of
this changes a code: sums of integers are exact below 2**24 in any order and with any number of zeros between.

A layer of codes from 0 upwards is rounded and clipped by a table of half steps: twice the sum at its scale,
cut off to a whole number, is the place of the code. That rounds halves up, where the network rounds them to
even, so it is done only where no sum comes to an even code and a half. All in all: the bits of
`IntegerNetwork.run`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy import maximum, minimum, multiply, rint

from device.network import SCALES, Dense, IntegerNetwork, matrix_of, zeros


class Abreast:
    """Networks side by side. A network of fewer layers than the others first hands its point on.

    networks : at least one, all of as many inputs
    order : int, any shape: places in the outputs of all networks, one network after the other; None: all
    points : float64, shape (inputs, networks), a column for each network, within its range of input codes;
        the caller fills them in before each run

    The rows are kept from one run to the next: not for two threads at once.
    """

    def __init__(self, networks: Sequence[IntegerNetwork], order: np.ndarray | None = None):
        depth = max(len(network.layers) for network in networks)
        columns = [_deepened(network, depth) for network in networks]
        levels = [list(level) for level in zip(*columns, strict=True)]
        rows = [_Row([layer for layer, _ in level], last=level is levels[-1]) for level in levels]
        point = np.ones(networks[0].inputs * len(networks) + 1)
        self.points = point[:-1].reshape(-1, len(networks))
        self._first = (point.dot, rows[0].block([matrix for _, matrix in levels[0]]), rows[0].exact)
        self._hidden = []
        for (row, following), level in zip(pairwise(rows), levels[1:], strict=True):
            parts = zip(row.parts(row.codes, 1), level, following.parts(following.sums), strict=True)
            products = [(codes.dot, matrix, sums) for codes, (_, matrix), sums in parts]
            settle = (row.exact, row.scale, row.low, row.high, row.look_up, row.places, row.codes)
            self._hidden.append((*settle, products, following.sums, following.exact))
        self._last = (rows[-1].exact, rows[-1].scale, rows[-1].low, rows[-1].high)
        self._order = order

    def run(self) -> np.ndarray:
        """Output codes, int, of all networks at their `points`, in the shape of `order`."""
        dot, matrix, exact = self._first
        dot(matrix, exact)
        for exact, scale, low, high, look_up, places, codes, products, sums, following in self._hidden:
            multiply(exact, scale, exact)
            if look_up is not None:
                places[...] = exact
                look_up(places, 0, codes, "clip")
            else:
                rint(exact, exact)
                maximum(exact, low, out=exact)
                minimum(exact, high, out=exact)
                codes[...] = exact
            for dot, matrix, part in products:
                dot(matrix, part)
            following[...] = sums
        exact, scale, low, high = self._last
        multiply(exact, scale, exact)
        rint(exact, exact)
        maximum(exact, low, out=exact)
        minimum(exact, high, out=exact)
        return (exact if self._order is None else exact.take(self._order)).astype(int)


class _Row:
    """What one layer of all networks works on: for each a part as wide as its outputs, then a constant 1.

    sums, codes : float32, before and after rounding
    exact : float64, the sums times `scale`, to be kept within `low` and `high`
    look_up, places : the table of half steps, None where the layer cannot have one; int, where to look

    The last layer has no constants: its outputs are all that is in `exact`.
    """

    def __init__(self, layers: Sequence[Dense], last: bool):
        self._spans = []
        width = 0
        for layer in layers:
            self._spans.append((width, width + layer.outputs))
            width += layer.outputs + (not last)
        self._constants = [] if last else [end for _, end in self._spans]
        self.sums, self.codes = zeros(width), zeros(width)
        self.exact, self.scale, self.low, self.high = np.zeros((4, width))
        for row in (self.sums, self.scale, self.low, self.high):
            row[self._constants] = 1.0
        for layer, (start, end) in zip(layers, self._spans, strict=True):
            self.scale[start:end] = np.clip(layer.scale, *SCALES)
            self.low[start:end], self.high[start:end] = layer.low, layer.high
        self.places = np.zeros(width, int)
        self.look_up = None
        high = layers[0].high
        alike = high > 0 and all((layer.low, layer.high) == (0, high) for layer in layers)
        if alike and not last and not any(layer.has_halves for layer in layers):
            self.scale *= 2.0
            steps = np.arange(2 * high + 1)
            self.look_up = ((steps + 1) // 2).astype(np.float32).take

    def parts(self, row: np.ndarray, constant: int = 0) -> list[np.ndarray]:
        """The part of each network in a row, or in rows; with its constant, where that is asked for."""
        return [row[..., start : end + constant] for start, end in self._spans]

    def block(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """The matrices of first layers as one: input i of network j stands in its row i * networks + j."""
        count = len(matrices)
        block = np.zeros(((len(matrices[0]) - 1) * count + 1, len(self.exact)))
        for number, (matrix, part) in enumerate(zip(matrices, self.parts(block), strict=True)):
            part[number:-1:count] = matrix[:-1]
            part[-1] = matrix[-1]
        block[-1, self._constants] = 1.0
        return block


def _deepened(network: IntegerNetwork, depth: int) -> list[tuple[Dense, np.ndarray]]:
    """The layers of a network, each with its matrix, `depth` of them: what comes first hands the point on."""
    layers = list(zip(network.layers, network.matrices, strict=True))
    if len(layers) == depth:
        return layers
    n, low, high = network.inputs, network.input_low, network.input_high
    same = Dense(np.eye(n, dtype=np.int8), np.zeros(n, np.int32), np.ones(n), low, high)
    return [(same, matrix_of(same))] * (depth - len(layers)) + layers
