"""Turns a trained float network into the integer layers that a slot holds. Trains nothing.

Weights get one scale for each output (their largest is 127); activations one scale a layer, from what the
takes and random knob positions really reach. The last layer gives codes of a stated scale.
"""

from __future__ import annotations

import numpy as np

from device.decoder import LATENT_LIMIT, LOGIT_SCALE, OUTPUT_LIMIT
from device.encoder import FULL
from device.network import EXACT_LIMIT, WEIGHT_LIMIT, Dense, IntegerNetwork
from training.network import Autoencoder

ACTIVATION_HIGH = 255  # code of the largest activation that a hidden layer gives


def latent_scale(points: np.ndarray) -> float:
    """The latent of one code: the ends of the knobs' travel are within the codes."""
    return float(np.abs(points).max()) / LATENT_LIMIT


def integer_decoder(network: Autoencoder, latents: np.ndarray, scale: float) -> IntegerNetwork:
    """The decoder half; `latents` (n, 4) are places it will be played at, `scale` the latent of one code."""
    layers = network.layers[network.latent :]
    given = network.activations(latents, network.latent, len(network.layers))
    codes = _layers(layers, given, scale, LOGIT_SCALE, OUTPUT_LIMIT)
    return IntegerNetwork(codes, -LATENT_LIMIT, LATENT_LIMIT, "decoder")


def integer_encoder(network: Autoencoder, inputs: np.ndarray, scale: float) -> IntegerNetwork:
    """The encoder half; `inputs` (n, inputs) are takes, `scale` the latent of one code."""
    layers = network.layers[: network.latent]
    given = network.activations(inputs, 0, network.latent)
    return IntegerNetwork(_layers(layers, given, 1 / FULL, scale, LATENT_LIMIT), -FULL, FULL, "encoder")


def _layers(
    layers: list[tuple[np.ndarray, np.ndarray]],
    given: list[np.ndarray],
    scale_in: float,
    scale_out: float,
    limit: int,
) -> list[Dense]:
    """Integer layers; `given` is what each float layer gave, its input in front."""
    dense = []
    for index, (weight, bias) in enumerate(layers):
        last = index == len(layers) - 1
        scale = scale_out if last else max(float(given[index + 1].max()), 1e-6) / ACTIVATION_HIGH
        # One scale for each output, also large enough for its bias to stay small in the accumulator.
        rows = np.maximum(
            np.abs(weight).max(axis=0) / WEIGHT_LIMIT, np.abs(bias) * 4 / (scale_in * EXACT_LIMIT)
        )
        rows = np.maximum(rows, 1e-9)
        dense.append(
            Dense(
                weight=np.rint(weight / rows).T.astype(np.int8),
                bias=np.rint(bias / (rows * scale_in)).astype(np.int32),
                scale=rows * scale_in / scale,
                low=-limit if last else 0,
                high=limit if last else ACTIVATION_HIGH,
            )
        )
        scale_in = scale
    return dense
