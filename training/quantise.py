"""Turns a trained float network into the integer layers that a slot holds. Trains nothing.

Weights get one scale for each output (their largest is 127); activations one scale a layer, from what the
takes and random knob positions really reach. The last layer gives codes of a stated scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.decoder import LATENT_LIMIT, LOGIT_SCALE, OUTPUT_LIMIT
from device.encoder import FULL
from device.network import EXACT_LIMIT, WEIGHT_LIMIT, Dense, IntegerNetwork

Layers = Sequence[tuple[np.ndarray, np.ndarray]]  # weights (in, out) and biases (out,) of dense layers

ACTIVATION_HIGH = 255  # code of the largest activation that a hidden layer gives
FEW = 32  # units of a layer that has finer codes: errors of so few do not even out
FINER_HIGH = 2047  # a sum over FEW of them is exact


def latent_scale(points: np.ndarray) -> float:
    """The latent of one code: the ends of the knobs' travel are within the codes."""
    return float(np.abs(points).max()) / LATENT_LIMIT


def integer_decoder(layers: Layers, latents: np.ndarray, scale: float) -> IntegerNetwork:
    """The decoder half; `latents` (n, 4) are places it will be played at, `scale` the latent of one code."""
    codes = _integers(layers, latents, scale, LOGIT_SCALE, OUTPUT_LIMIT)
    return IntegerNetwork(codes, -LATENT_LIMIT, LATENT_LIMIT, "decoder")


def integer_encoder(layers: Layers, inputs: np.ndarray, scale: float) -> IntegerNetwork:
    """The encoder half; `inputs` (n, inputs) are takes, `scale` the latent of one code."""
    return IntegerNetwork(_integers(layers, inputs, 1 / FULL, scale, LATENT_LIMIT), -FULL, FULL, "encoder")


def run(layers: Layers, x: np.ndarray) -> list[np.ndarray]:
    """What each float layer gives, its input in front: rectified, but for the last."""
    given = [x]
    for index, (weight, bias) in enumerate(layers):
        x = x @ weight + bias
        given.append(x if index == len(layers) - 1 else np.maximum(x, 0.0))
        x = given[-1]
    return given


def _integers(layers: Layers, x: np.ndarray, scale_in: float, scale_out: float, limit: int) -> list[Dense]:
    """Integer layers for float ones, whose activations reach what they reach at the inputs `x`.

    Biases make up for what the rounding of all weights before them has moved, in the mean over the inputs at
    which a unit is awake (after Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
    Correction", ICCV 2019).
    """
    given = run(layers, x)
    codes = np.rint(x / scale_in)  # what the integer layers so far give
    dense = []
    for index, (weight, bias) in enumerate(layers):
        last = index == len(layers) - 1
        high = FINER_HIGH if weight.shape[1] <= FEW else ACTIVATION_HIGH
        scale = scale_out if last else max(float(given[index + 1].max()), 1e-6) / high
        # One scale for each output, also large enough for its bias to stay small in the accumulator.
        rows = np.maximum(
            np.abs(weight).max(axis=0) / WEIGHT_LIMIT, np.abs(bias) * 4 / (scale_in * EXACT_LIMIT)
        )
        rows = np.maximum(rows, 1e-9)
        whole = np.rint(weight / rows)
        sums = codes @ whole * (rows * scale_in)  # (n, out)
        wanted = given[index] @ weight + bias
        awake = np.ones(wanted.shape, bool) if last else wanted > 0.0
        moved = ((wanted - sums) * awake).sum(axis=0) / np.maximum(awake.sum(axis=0), 1)
        bias = np.where(awake.any(axis=0), moved, bias)
        low, high = (-limit, limit) if last else (0, high)
        layer = Dense(
            weight=whole.T.astype(np.int8),
            bias=np.rint(bias / (rows * scale_in)).astype(np.int32),
            scale=rows * scale_in / scale,
            low=low,
            high=high,
        )
        dense.append(layer)
        codes = np.clip(np.rint((sums / (rows * scale_in) + layer.bias) * layer.scale), low, high)
        scale_in = scale
    return dense
