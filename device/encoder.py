"""Patterns in, input codes of an encoder out: the one place that says how a take is shown to a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.decoder import HEADS
from device.pattern import Pattern

FULL = 127  # the code of a hit, of velocity 1 and of an offset of half a step


def take_codes(takes: Sequence[Pattern]) -> np.ndarray:
    """Codes, int16, shape (n, 3 * voices * 32): hits 0 or 127, velocities 0..127, offsets -127..127."""
    heads = np.array([(take.hits * 1.0, take.velocities, take.offsets * 2.0) for take in takes])
    return np.rint(heads * FULL).astype(np.int16).reshape(len(takes), HEADS * takes[0].hits.size)
