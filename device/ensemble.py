"""The slots that play together: one gate for each of their voices, all moved by the same four knobs.

Reads no files and keeps no time.
"""

from __future__ import annotations

from collections.abc import Sequence

from device.decoder import Decoders, Scores
from device.pattern import Pattern
from device.settings import Settings
from device.slot import Slot
from device.specs import GATES, VOICES


class Ensemble:
    """Slots in order; their voices fill the gates from the first on. What does not fit stays silent."""

    def __init__(self, slots: Sequence[Slot]):
        self.slots = tuple(slots)
        self.voices = sum(slot.about.voices for slot in slots)
        self._decoders = Decoders([slot.decoder for slot in slots])

    @property
    def names(self) -> list[str]:
        return [slot.name for slot in self.slots]

    def decode(self, knobs: Sequence[float]) -> Scores:
        """The scores of all voices, slot after slot, at one position of the four knobs, each 0..1."""
        return self._decoders.decode(knobs)

    def pattern(self, scores: Scores, settings: Settings) -> Pattern:
        """The pattern of all voices at the densities of the settings: as many as there are gates, or more."""
        played = min(self.voices, VOICES)
        sounding = scores.pattern([voice.density for voice in settings.voices[:played]])
        if played >= GATES:
            return sounding
        pattern = Pattern.empty(GATES)
        pattern.hits[:played] = sounding.hits
        pattern.velocities[:played] = sounding.velocities
        pattern.offsets[:played] = sounding.offsets
        return pattern
