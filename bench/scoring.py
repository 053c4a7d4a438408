"""Sums on what was heard, held against labelled loops: onsets, steps, shares. Hears nothing itself.

What is labelled optional (hardly to be heard) counts neither way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from device.pattern import STEPS, STEPS_PER_BAR

Truth = dict[str, Any]  # a line of truth.jsonl
NEAR_TEMPO = 0.01  # share by which a tempo that is right may be off


@dataclass
class Tally:
    """Pooled counts of what was right, too much, and missed.

    >>> (Tally(3, 1, 1) + Tally(1, 0, 0)).f1
    0.8
    """

    right: int = 0
    extra: int = 0
    missed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.right + other.right, self.extra + other.extra, self.missed + other.missed)

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, 2 * self.right + self.extra + self.missed)

    @property
    def exact(self) -> bool:
        return self.extra == self.missed == 0


def pooled(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def nearest_steps(onsets_s: Sequence[float] | np.ndarray, bpm: float, bars: int) -> np.ndarray:
    """Each onset on its nearest sixteenth from the start of the file, folded to two bars: bool (32,).

    >>> nearest_steps([0.0, 0.26, 1.99], bpm=120, bars=1).nonzero()[0].tolist()
    [0, 2]
    """
    steps = np.zeros(STEPS, bool)
    count = bars * STEPS_PER_BAR
    for place in np.floor(np.asarray(onsets_s) * bpm / 15 + 0.5).astype(int):
        if 0 <= place <= count:
            steps[place % count % STEPS] = True
    return steps


def step_tally(steps: np.ndarray, truth: Truth) -> Tally:
    """Steps (32,) against those of a labelled loop."""
    true, counts = np.array(truth["steps"], bool), ~np.array(truth["optional_steps"], bool)
    return tally(steps[counts], true[counts])


def tally(said: np.ndarray, true: np.ndarray) -> Tally:
    """Of two rows of yes and no."""
    return Tally(int((said & true).sum()), int((said & ~true).sum()), int((~said & true).sum()))


def onsets_of(truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """The onsets that must be heard, and those that may, in seconds."""
    onsets, optional = np.array(truth["onsets_s"], float), np.array(truth["onset_optional"], bool)
    return onsets[~optional], onsets[optional]


def onset_tally(pairs: Sequence[Sequence[int]], found_s: np.ndarray, truth: Truth, window_s: float) -> Tally:
    """Onsets (n,) against those of a labelled loop, from what was matched: pairs of places (true, found)."""
    must, may = onsets_of(truth)
    used = {found for _, found in pairs}
    left = [at for place, at in enumerate(found_s) if place not in used]
    extra = [at for at in left if np.abs(may - at).min(initial=np.inf) > window_s]
    return Tally(len(pairs), len(extra), len(must) - len(pairs))


def tempo_is_right(bpm: float, bars: int, truth: Truth) -> bool:
    """Whether a reading is right: the loop's bars, and its tempo as named or as its length says."""
    tempos = [truth[key] for key in ("bpm", "bpm_used", "bpm_by_length") if truth.get(key)]
    return bars == truth["bars"] and any(abs(bpm / tempo - 1) < NEAR_TEMPO for tempo in tempos)
