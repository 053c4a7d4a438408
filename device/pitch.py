"""From a pitch lane to MIDI notes: scales, key, octave. Knows no rhythm and no time.

A lane is eight semitones at most, counted from the key; the scale pulls each of them down to its next note.
"""

from __future__ import annotations

from collections.abc import Sequence

LANE = 8  # notes of a lane: the paper that Fathom grows from has eight
MIDDLE_C = 60  # MIDI 1.0
OCTAVE = 12

# Semitones above the root. Modes of the major and of the melodic minor scale, pentatonics, symmetric scales
# (whole tone, octatonic, augmented, tritone), and others by the names that synthesisers give them.
SCALES: dict[str, tuple[int, ...]] = {
    "chromatic": tuple(range(12)),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "lydian dominant": (0, 2, 4, 6, 7, 9, 10),
    "altered": (0, 1, 3, 4, 6, 8, 10),
    "phrygian dominant": (0, 1, 4, 5, 7, 8, 10),
    "double harmonic": (0, 1, 4, 5, 7, 8, 11),
    "hungarian minor": (0, 2, 3, 6, 7, 8, 11),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "hirajoshi": (0, 2, 3, 7, 8),
    "in": (0, 1, 5, 7, 8),
    "whole tone": (0, 2, 4, 6, 8, 10),
    "octatonic": (0, 2, 3, 5, 6, 8, 9, 11),
    "augmented": (0, 3, 4, 7, 8, 11),
    "tritone": (0, 1, 4, 6, 7, 10),
    "fifths": (0, 7),
    "octaves": (0,),
}


def snapped(semitones: int, scale: str) -> int:
    """The highest note of a scale at or below so many semitones above its root.

    >>> [snapped(n, "minor pentatonic") for n in (0, 1, 2, 3, 12, -1)]
    [0, 0, 0, 3, 12, -2]
    """
    octave, above = divmod(semitones, OCTAVE)
    return octave * OCTAVE + max(step for step in SCALES[scale] if step <= above)


def note_of(lane: Sequence[int], place: int, scale: str, key: int, octave: int) -> int:
    """MIDI note of one place of a lane; past the ends of MIDI's range it is moved by octaves.

    >>> note_of([0, 4, 7], 1, "minor", key=2, octave=-1)
    53
    """
    note = MIDDLE_C + octave * OCTAVE + key + snapped(lane[place % len(lane)], scale)
    while note > 127:
        note -= OCTAVE
    while note < 0:
        note += OCTAVE
    return note
