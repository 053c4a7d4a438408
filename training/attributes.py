"""What a player calls a pattern: busy, off-beat, filling. Looks at hits alone; knows no networks."""

from __future__ import annotations

import numpy as np

from device.pattern import STEPS, STEPS_PER_BAR

NAMES = ("busy", "off-beat", "fill")  # of knobs A, B and C

# Metrical weight of each step: 0 on the bar, 1 the half, 2 a quarter, 3 an eighth, 4 a sixteenth.
METRICAL_WEIGHT = np.array([0, 4, 3, 4, 2, 4, 3, 4, 1, 4, 3, 4, 2, 4, 3, 4] * 2)


def attributes(hits: np.ndarray) -> np.ndarray:
    """Attributes of patterns, shape (n, 3), for hits of shape (n, voices, 32); over all voices.

    busy: the number of hits. off-beat: the mean metrical weight of the hits. fill: hits of the second bar
    less hits of the first, over all hits. A pattern without a hit has 0 in each.

    >>> attributes(np.eye(32)[None, :1])[0].tolist()
    [1.0, 0.0, -1.0]
    """
    counts = hits.reshape(len(hits), -1, STEPS).sum(axis=1).astype(float)  # (n, 32)
    busy = counts.sum(axis=1)
    some = np.maximum(busy, 1.0)
    fill = counts[:, STEPS_PER_BAR:].sum(axis=1) - counts[:, :STEPS_PER_BAR].sum(axis=1)
    return np.stack([busy, counts @ METRICAL_WEIGHT / some, fill / some], axis=1)
