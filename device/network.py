"""Evaluates a stack of dense integer layers, to the same bits on every machine. Trains nothing.

Method: weights are int8, biases int32, activations small integers. A layer's accumulator is the exact
integer W x + b; it is held in float32, which is exact below 2**24, so that the order in which a library
adds does not matter. One float64 multiplication per output, rounded half to even, brings the accumulator
to the next layer's scale: IEEE 754 gives it the same result everywhere (Jacob et al., "Quantization and
Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, with the
fixed-point multiplier written as a float64).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from device.errors import ModelError

EXACT_LIMIT = 2**24  # float32 holds every integer below it
WEIGHT_LIMIT = 127
SCALES = (2.0**-60, 2.0**30)  # below, all sums are rounded to 0; above, all but 0 reach a limit
LINE = 64  # bytes of a line of the cache: weights that begin with one are read a sixth faster


@dataclass(frozen=True)
class Dense:
    """One integer layer: y = clip(rint((W x + b) * scale), low, high).

    weight : int8, shape (outputs, inputs)
    bias : int32, shape (outputs,), in units of the accumulator
    scale : float64, shape (outputs,), from accumulator to output code
    low, high : the range of an output code; 0..255 is a rectified linear unit
    """

    weight: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    low: int
    high: int

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]

    @cached_property
    def has_halves(self) -> bool:
        """Whether a sum, times the scale, can be exactly an even code from 0 and a half, short of `high`."""
        scale = np.clip(self.scale, *SCALES)[:, None]
        halves = np.arange(0, self.high, 2) + 0.5
        nearest = np.rint(halves / scale)  # of the integers below 2**24 no other can come so near
        return bool((nearest * scale == halves).any())


class IntegerNetwork:
    """A stack of `Dense` layers over integer codes within [input_low, input_high].

    Raises ModelError where two layers do not fit, or where an accumulator could grow past what is exact.
    """

    def __init__(self, layers: list[Dense], input_low: int, input_high: int, name: str = "network"):
        for _ in self._made(layers, input_low, input_high, name):
            pass

    @classmethod
    def in_pieces(
        cls, layers: list[Dense], input_low: int, input_high: int, name: str = "network"
    ) -> Generator[None, None, IntegerNetwork]:
        """The same, with pauses between small pieces of work: for who may not be held up."""
        network = object.__new__(cls)
        yield from network._made(layers, input_low, input_high, name)
        return network

    def _made(self, layers: list[Dense], input_low: int, input_high: int, name: str) -> Iterator[None]:
        self.layers = tuple(layers)
        self.input_low = input_low
        self.input_high = input_high
        self.name = name
        yield from self._check()
        matrices = []
        for layer in layers:
            matrices.append(matrix_of(layer))
            yield
        self.matrices = tuple(matrices)
        self._steps = [
            (matrix[:-1], matrix[-1], layer.scale.astype(np.float64), float(layer.low), float(layer.high))
            for layer, matrix in zip(layers, self.matrices, strict=True)
        ]

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        return self.layers[-1].outputs

    def run(self, codes: np.ndarray) -> np.ndarray:
        """Output codes, float64 integers, shape (batch, outputs), for input codes of shape (batch, inputs).

        A single point of shape (inputs,) gives shape (outputs,). Codes past the stated range are clipped.
        """
        x = np.clip(codes, self.input_low, self.input_high).astype(np.float32)
        y: np.ndarray = x
        for weight, bias, scale, low, high in self._steps:
            accumulator = x @ weight  # (batch, out), exact integers
            accumulator += bias
            y = accumulator * scale
            np.rint(y, out=y)
            np.maximum(y, low, out=y)
            np.minimum(y, high, out=y)
            x = y.astype(np.float32)
        return y

    def _check(self) -> Iterator[None]:
        largest = max(abs(self.input_low), abs(self.input_high))
        for index, layer in enumerate(self.layers):
            if index and layer.inputs != self.layers[index - 1].outputs:
                raise ModelError(
                    f"{self.name}.{index}.weight is {layer.weight.shape}, expected "
                    f"({layer.outputs}, {self.layers[index - 1].outputs}): they do not fit. Learn again."
                )
            reach = np.abs(layer.weight.astype(np.int64)).sum(axis=1) * largest
            reach += np.abs(layer.bias.astype(np.int64))
            if reach.max() >= EXACT_LIMIT:
                raise ModelError(
                    f"{self.name}.{index} can sum to {reach.max()}, expected below {EXACT_LIMIT}: "
                    "it would not be exact. Learn the slot again."
                )
            largest = max(abs(layer.low), abs(layer.high))
            yield


def matrix_of(layer: Dense) -> np.ndarray:
    """The weights for a product, float32, shape (inputs + 1, outputs); the last row is the bias.

    Transposed, since (batch, in) @ (in, out) is one library call.
    """
    matrix = zeros(layer.inputs + 1, layer.outputs)
    matrix[:-1] = layer.weight.T
    matrix[-1] = layer.bias
    return matrix


def zeros(*shape: int) -> np.ndarray:
    """Zeros in float32, the first of them at the beginning of a line of the cache."""
    size = math.prod(shape) * np.dtype(np.float32).itemsize
    room = np.zeros(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size].view(np.float32).reshape(shape)
