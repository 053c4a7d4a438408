"""Hears where the hits of a loop fall and how hard they are. Knows no tempo, no grid and no files.

`training.candidates` proposes places, and a small network says which of them are hits and how late each was
proposed; of hits that are nearer to each other than an ear can tell, the surest stays.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from training.candidates import propose
from training.classifier import Classifier

FILE = Path(__file__).with_name("onsets.safetensors")
MS = 1000.0

LEAST_LOGIT = -0.25  # from which a place is a hit: tuned for step F1
SENSITIVITY_SPAN = 4.0  # sensitivity 0 raises it so much, 1 lowers it as much
TOGETHER_S = 0.028  # nearer than this is one hit

PEAK_S = 0.04  # the peak of an attack lies within it
SOFT_DB, SOFT_VELOCITY = -30.0, 0.2  # velocity is a line in dB: 1.0 at 0 dB, 0.2 at -30 dB
LEAST_VELOCITY = 0.05


def find_onsets(
    samples: np.ndarray, rate: int, sensitivity: float = 0.5, classifier: Classifier | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Where the hits are, and the peak of each attack.

    Parameters
    ----------
    samples : float32 array, shape (n,)
        One loop, mono, of any level; it is compared with its own peak.
    rate : int
        In Hz; all is tuned at 44100.
    sensitivity : float
        0 hears the plainest hits only, 1 hears every rustle, 0.5 is tuned for step F1.
    classifier : Classifier, optional
        Another one than comes with the project. It gives the logit of a hit, and milliseconds to add.

    Returns
    -------
    onsets_s : float array, shape (k,), seconds from the first sample, ascending
    peaks : float array, shape (k,), within (0, 1]
        The largest sample of the attack, the loudest attack being 1.
    """
    places = propose(samples, rate)
    if len(places.times_s) == 0:
        return np.zeros(0), np.zeros(0)
    logits, late_ms = (classifier or shipped()).run(places.features).T
    least = LEAST_LOGIT + SENSITIVITY_SPAN * (1.0 - 2.0 * min(max(sensitivity, 0.0), 1.0))
    onsets = _apart(np.maximum(places.times_s + late_ms / MS, 0.0), logits, least)
    onsets = onsets[onsets < len(samples) / rate]
    return onsets, _peaks(samples, rate, onsets)


def velocities(peaks: np.ndarray) -> np.ndarray:
    """Peaks (k,) as velocities (k,): a line in dB, 1.0 for the loudest, 0.2 at 30 dB below, 0.05 at least.

    >>> velocities(np.array([1.0, 0.1])).round(2)
    array([1.  , 0.47])
    """
    below_db = 20 * np.log10(np.maximum(peaks, 1e-6))
    return np.clip(1.0 + below_db * (1.0 - SOFT_VELOCITY) / -SOFT_DB, LEAST_VELOCITY, 1.0)


def lead_in(samples: np.ndarray, rate: int) -> float:
    """Seconds before the first sample that comes within 40 dB of the peak: air, or an encoder's delay."""
    size = np.abs(samples)
    return float(np.argmax(size > size.max() * 0.01)) / rate


@cache
def shipped() -> Classifier:
    """The network that comes with the project."""
    return Classifier.read(FILE)


def _apart(times: np.ndarray, logits: np.ndarray, least: float) -> np.ndarray:
    """The times of the hits, ascending: the surest first, and none near one that is there."""
    found: list[float] = []
    for place in np.argsort(-logits, kind="stable"):
        if logits[place] < least:
            break
        if all(abs(times[place] - other) >= TOGETHER_S for other in found):
            found.append(float(times[place]))
    return np.array(sorted(found))


def _peaks(sound: np.ndarray, rate: int, onsets: np.ndarray) -> np.ndarray:
    """The largest sample within 40 ms of each onset, or until the next, over the largest of all."""
    starts = np.round(onsets * rate).astype(int)
    ends = np.minimum(starts + round(PEAK_S * rate), np.append(starts[1:], len(sound)))
    peaks = np.array([np.abs(sound[a:b]).max(initial=1e-6) for a, b in zip(starts, ends, strict=True)])
    return peaks / peaks.max() if len(peaks) else peaks
