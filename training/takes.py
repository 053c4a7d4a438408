"""Cuts the steps of a loop into takes of two bars. Knows no sound and no seconds."""

from __future__ import annotations

import numpy as np

from device.pattern import STEPS, STEPS_PER_BAR, Pattern


def cut(hits: np.ndarray, velocities: np.ndarray, offsets: np.ndarray) -> list[Pattern]:
    """The takes of one loop, each two bars long.

    One bar is played twice. An odd bar at the end is followed by the first bar, as it is when the loop
    goes round: three bars give bars 1-2 and 3-1. A take without a hit is left out.

    Parameters
    ----------
    hits, velocities, offsets : arrays, shape (voices, steps), steps a whole number of bars of 16

    >>> four_on_the_floor = np.tile([True, False, False, False], (1, 12))
    >>> [take.hits.sum() for take in cut(four_on_the_floor, four_on_the_floor * 1.0, four_on_the_floor * 0.0)]
    [np.int64(8), np.int64(8)]
    """
    steps = hits.shape[1]
    if steps == 0 or steps % STEPS_PER_BAR:
        raise ValueError(f"hits have {steps} steps, expected a whole number of bars of {STEPS_PER_BAR}")
    if steps % STEPS:
        hits, velocities, offsets = (
            np.concatenate([part, part[:, :STEPS_PER_BAR]], axis=1) for part in (hits, velocities, offsets)
        )
    takes = [
        Pattern(hits[:, at : at + STEPS], velocities[:, at : at + STEPS], offsets[:, at : at + STEPS])
        for at in range(0, hits.shape[1], STEPS)
    ]
    return [take for take in takes if take.hits.any()]


def explain(bars: int) -> str | None:
    """Says what was done with a number of bars that makes no whole takes; None where nothing was."""
    if bars == 1:
        return "one bar, played twice to make a take"
    if bars % 2:
        return f"{bars} bars: bar {bars} is followed by bar 1 to make a take"
    return None
