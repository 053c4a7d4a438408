"""The slots that play together: one gate for each of their voices, all moved by the same four knobs.

Reads no files and keeps no time.
"""

from __future__ import annotations

from collections.abc import Sequence

from device.decoder import Scores
from device.pattern import Pattern
from device.settings import Settings
from device.slot import Slot
from device.specs import GATES, VOICES


class Ensemble:
    """Slots in order; their voices fill the gates from the first on. What does not fit stays silent."""

    def __init__(self, slots: Sequence[Slot]):
        self.slots = tuple(slots)
        self.voices = sum(slot.about.voices for slot in slots)

    @property
    def names(self) -> list[str]:
        return [slot.name for slot in self.slots]

    def decode(self, knobs: Sequence[float]) -> list[Scores]:
        """The scores of every slot at one position of the four knobs, each 0..1."""
        return [slot.decoder.decode(knobs) for slot in self.slots]

    def pattern(self, scores: Sequence[Scores], settings: Settings) -> Pattern:
        """The pattern of all voices, shape (n, 32), at the densities of the settings; n is 4 or more."""
        pattern = Pattern.empty(min(VOICES, max(GATES, self.voices)))
        first = 0
        for slot, score in zip(self.slots, scores, strict=True):
            last = min(first + slot.about.voices, VOICES)
            density = [voice.density for voice in settings.voices[first:last]]
            part = score.pattern(density)
            pattern.hits[first:last] = part.hits
            pattern.velocities[first:last] = part.velocities
            pattern.offsets[first:last] = part.offsets
            first = last
            if first == VOICES:
                break
        return pattern
