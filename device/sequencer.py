"""Turns patterns into hits, over any span of beats. A pure function: no clock, no pins, no files, no memory.

A step belongs to the span in which its place on the grid lies; its hit may sound up to half a step before
(an early offset) or a whole one after (late offset and swing). A hit before the bar line is played before it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from device.pattern import STEPS_PER_BEAT, Pattern
from device.settings import VOICES, Settings

STEP = 1 / STEPS_PER_BEAT  # in beats
EARLIEST = 0.5 * STEP  # how far before its place a hit can sound, in beats
LATEST = STEP  # how far after it: half a step of offset and half a step of swing
NS_PER_MS = 1_000_000

# The tracks of the panel: what one jack plays. The first are the gates of the voices.
ACCENT, CLOCK, RESET = VOICES, VOICES + 1, VOICES + 2
TRACKS = VOICES + 3


class Hit(NamedTuple):
    """What sounds on one track: up at `beat`, down `length` beats later. MIDI only where note >= 0."""

    beat: float
    track: int
    length: float
    velocity: int = 0  # MIDI, 1..127
    channel: int = 0  # MIDI, counted from 0
    note: int = -1


def hits_in(pattern: Pattern, settings: Settings, start: float, end: float) -> list[Hit]:
    """The hits of all steps whose place lies in [start, end), in beats, sorted by beat.

    Two spans that meet give what one span over both gives. A pattern with fewer voices than the panel
    leaves the other gates silent. Swing delays every second step of the bar, whatever the voice's length.
    """
    hits: list[Hit] = []
    first, last = _steps(start, end, STEP)
    for voice in range(min(VOICES, pattern.voices)):
        how = settings.voices[voice]
        if how.mute:
            continue
        late = (2 * how.swing - 1) * STEP  # of every second step
        for step in range(first, last):
            place = step % how.length
            if not pattern.hits[voice, place] or chance(settings.seed, voice, step) >= how.probability:
                continue
            beat = step * STEP + (step % 2) * late + float(pattern.offsets[voice, place]) * how.groove * STEP
            level = float(pattern.velocities[voice, place])
            velocity = min(127, max(1, round(level * 127)))
            length = how.gate * STEP
            hits.append(Hit(beat, voice, length, velocity, how.channel - 1, how.note))
            if level >= how.accent:
                hits.append(Hit(beat, ACCENT, length))
    pulse = settings.trigger_ms / 60_000 * settings.bpm  # in beats
    first, last = _steps(start, end, 1 / settings.clock_out)
    hits += [Hit(n / settings.clock_out, CLOCK, pulse) for n in range(first, last)]
    if start <= 0.0 < end:
        hits.append(Hit(0.0, RESET, pulse))
    return sorted(hits)


def chance(seed: int, voice: int, step: int) -> float:
    """A number in [0, 1) made of the arguments alone (the mixer of splitmix64, Steele et al. 2014)."""
    mask = (1 << 64) - 1
    z = (seed * 0x9E3779B97F4A7C15 + (step * TRACKS + voice + 1) * 0xD1342543DE82EF95) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


def _steps(start: float, end: float, size: float) -> tuple[int, int]:
    """First and one past the last multiple of `size` within [start, end); a hair below counts as on it."""
    hair = 1e-9
    return math.ceil(start / size - hair), math.ceil(end / size - hair)
