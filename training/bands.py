"""Says which of three bands each onset sounds in, for drum loops as three voices. Finds no onsets itself.

A small network judges by how 24 bands rise there, and how high: kicks and low toms are low; snares, claps,
rims and other toms are middle; hats and cymbals are high. It is trained as `training.classifier` says.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from training.candidates import HOP, PAD_BEFORE_S, WINDOW, Spectrum, around, on_noise
from training.classifier import Classifier

BANDS = ("low", "middle", "high")
FILE = Path(__file__).with_name("bands.safetensors")
LATE_HOPS = 2  # from an onset to the middle of its attack
LOUDEST = 99.5  # percentile of a band over the loop that an attack is compared with


def three_bands(
    samples: np.ndarray, rate: int, onsets: np.ndarray, classifier: Classifier | None = None
) -> np.ndarray:
    """Which of the low, middle and high band each onset (n,) sounds in: bool, shape (3, n).

    Every onset sounds in one band at least. samples : float32 (m,), mono; onsets : seconds.
    """
    if len(onsets) == 0:
        return np.zeros((len(BANDS), 0), dtype=bool)
    logits = (classifier or shipped()).run(describe(samples, rate, onsets))
    sounds = logits > 0
    sounds[np.arange(len(onsets)), logits.argmax(axis=1)] = True
    return sounds.T


def describe(samples: np.ndarray, rate: int, onsets: np.ndarray) -> np.ndarray:
    """Features of onsets (n,): of each band its rise, its level, and its level over its loudest, (n, 72)."""
    peak = float(np.abs(samples).max(initial=0.0)) or 1.0
    levels = Spectrum(on_noise((samples / np.float32(peak)).astype(np.float32), rate), rate).levels
    frames = np.round(((onsets + PAD_BEFORE_S) * rate - WINDOW / 2) / HOP).astype(int) + LATE_HOPS
    before = around(levels, frames, -8, -3).mean(axis=1)
    attack = around(levels, frames, 0, 3).max(axis=1)
    return np.concatenate([attack - before, attack, attack - np.percentile(levels, LOUDEST, axis=0)], axis=1)


@cache
def shipped() -> Classifier:
    """The network that comes with the project."""
    return Classifier.read(FILE)
