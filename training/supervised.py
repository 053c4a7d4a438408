"""Trains small networks that judge what is heard, whatever their loss is. Hears nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.classifier import CLIP, Classifier

NETWORKS, UNITS = 3, 32
EPOCHS, BATCH, RATE, DECAY = 50, 256, 3e-3, 1e-3
DROPPED, BLUR = 0.2, 0.05  # share of the units; standard deviations added to the features

# From what a network says of some rows, (n, outputs), and the rows: how the loss rises with it, (n, outputs).
Slope = Callable[[np.ndarray, np.ndarray], np.ndarray]


def fit(features: np.ndarray, outputs: int, slope: Slope, seed: int) -> Classifier:
    """Train `NETWORKS` small networks apart, and put them side by side. The same seed gives the same.

    features : (k, features). What the networks say is their mean.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled = np.clip((features - mean) / scale, -CLIP, CLIP)
    rngs = [np.random.default_rng([seed, number]) for number in range(NETWORKS)]
    parts = zip(*(_fit_one(scaled, outputs, slope, rng) for rng in rngs), strict=True)
    weight, bias, out_weight, out_bias = parts
    side_by_side = (np.concatenate(weight, axis=1), np.concatenate(bias))
    averaged = (np.concatenate(out_weight) / NETWORKS, np.mean(out_bias, axis=0))
    mean, scale = mean.astype(np.float32), scale.astype(np.float32)
    return Classifier(mean, scale, _as_float32(side_by_side), _as_float32(averaged))


def cross_entropy(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How the cross-entropy of logits rises with them."""
    return 1 / (1 + np.exp(-logits)) - truth


def _fit_one(scaled: np.ndarray, outputs: int, slope: Slope, rng: np.random.Generator) -> list[np.ndarray]:
    """Adam (Kingma and Ba 2015) over shuffled batches, its rate falling along half a cosine."""
    count, width = scaled.shape
    values = [
        rng.normal(0, np.sqrt(2 / width), (width, UNITS)),
        np.zeros(UNITS),
        rng.normal(0, 0.3 * np.sqrt(2 / UNITS), (UNITS, outputs)),
        np.zeros(outputs),
    ]
    first, second = [np.zeros_like(v) for v in values], [np.zeros_like(v) for v in values]
    batches = max(1, count // BATCH)
    updates = EPOCHS * batches
    order = np.arange(count)
    for update in range(updates):
        if update % batches == 0:
            rng.shuffle(order)
        rows = order[update % batches * BATCH :][:BATCH]
        seen = scaled[rows] + rng.normal(0, BLUR, (len(rows), width))
        kept = (rng.random((len(rows), UNITS)) > DROPPED) / (1 - DROPPED)
        units = np.maximum(seen @ values[0] + values[1], 0.0) * kept
        out = slope(units @ values[2] + values[3], rows) / len(rows)
        down = (out @ values[2].T) * (units > 0) * kept
        gradients = [seen.T @ down + DECAY * values[0], down.sum(axis=0)]
        gradients += [units.T @ out + DECAY * values[2], out.sum(axis=0)]
        rate = RATE * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * update / updates)))
        for value, gradient, m, v in zip(values, gradients, first, second, strict=True):
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient**2 - v)
            m_now, v_now = m / (1 - 0.9 ** (update + 1)), v / (1 - 0.999 ** (update + 1))
            value -= rate * m_now / (np.sqrt(v_now) + 1e-8)
    return values


def _as_float32(layer: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return layer[0].astype(np.float32), layer[1].astype(np.float32)
