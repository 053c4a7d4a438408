"""What a box plays at one moment: slots, settings and a place of the knobs, and the pattern that they give.

Keeps no time. One scene is heard, another may wait for the bar line.
"""

from __future__ import annotations

from collections.abc import Sequence

from device.decoder import POSITIONS
from device.ensemble import Ensemble
from device.settings import Settings


class Scene:
    """Slots, settings and knob positions 0..1023, with the pattern of the moment."""

    def __init__(self, ensemble: Ensemble, settings: Settings, positions: Sequence[int]):
        self.ensemble = ensemble
        self.settings = settings
        self.positions = list(positions)
        self._decode()

    def copy(self) -> Scene:
        """Another scene that is the same, and costs no decoding."""
        scene = object.__new__(type(self))
        scene.__dict__.update(self.__dict__)
        return scene

    def turn(self, positions: Sequence[int]) -> None:
        """Decode anew where a knob has moved by a position."""
        if self.positions != positions:
            self.positions = list(positions)
            self._decode()

    def use(self, ensemble: Ensemble) -> None:
        """Let other slots play."""
        self.ensemble = ensemble
        self._decode()

    def take(self, settings: Settings) -> None:
        """Play by other settings."""
        self.settings = settings
        self._make_pattern()

    def _decode(self) -> None:
        self._scores = self.ensemble.decode([place / (POSITIONS - 1) for place in self.positions])
        self._make_pattern()

    def _make_pattern(self) -> None:
        self.pattern = self.ensemble.pattern(self._scores, self.settings)
