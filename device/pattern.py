"""A pattern: what every voice plays on 32 steps. No scores, no time, no sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from device.steps import BEATS_PER_BAR, STEPS, STEPS_PER_BAR, STEPS_PER_BEAT

__all__ = ["BEATS_PER_BAR", "STEPS", "STEPS_PER_BAR", "STEPS_PER_BEAT", "Pattern"]


@dataclass(frozen=True)
class Pattern:
    """Hits, velocities and offsets, each of shape (voices, 32).

    hits : bool
    velocities : float64, 0..1, and 0 where there is no hit
    offsets : float64, in steps, -0.5..0.5, early is negative, and 0 where there is no hit
    """

    hits: np.ndarray
    velocities: np.ndarray
    offsets: np.ndarray

    @property
    def voices(self) -> int:
        return self.hits.shape[0]

    @cached_property
    def rows(self) -> list[tuple[list[bool], list[float], list[float]]]:
        """Hits, velocities and offsets of each voice as lists, which are quicker to read one by one."""
        columns = (self.hits.tolist(), self.velocities.tolist(), self.offsets.tolist())
        return list(zip(*columns, strict=True))

    @classmethod
    def empty(cls, voices: int = 1) -> Pattern:
        """Silence: a pattern that has no hit."""
        shape = (voices, STEPS)
        return cls(np.zeros(shape, bool), np.zeros(shape), np.zeros(shape))

    def as_lists(self) -> dict[str, list[list[float]]]:
        """The pattern for JSON: hits as 0 and 1, the rest rounded to 4 places."""
        return {
            "hits": self.hits.astype(int).tolist(),
            "velocities": np.round(self.velocities, 4).tolist(),
            "offsets": np.round(self.offsets, 4).tolist(),
        }
