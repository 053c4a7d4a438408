"""Turns patterns into hits, over any span of beats. A pure function: no clock, no pins, no files, no memory.

A step belongs to the span in which its place on the grid lies; its hit may sound up to half a step before
(an early offset) or a whole one after (late offset and swing). A hit before the bar line is played before it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from device.clock import MS_PER_MINUTE
from device.pattern import BEATS_PER_BAR, STEPS_PER_BEAT, Pattern
from device.pitch import note_of
from device.settings import Settings, VoiceSettings
from device.specs import VOICES

STEP = 1 / STEPS_PER_BEAT  # in beats, of a voice that is neither divided nor multiplied
EARLIEST = 0.5  # how far before its place a hit can sound, in steps of its voice
LATEST = 1.0  # how far after it: half a step of offset and half a step of swing
SHORTEST_MS = 1.0  # a gate: many modules see nothing shorter
LOUDEST = 127
PLACES = 6  # to which a place is rounded: the same one is the same number, whatever the size of the steps
RATCHET_DRAW = 64  # added to a voice's number: its ratchets are drawn apart from its hits

# The tracks: what sounds by itself. The first are the voices; then what jacks play that are no voice's.
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
    place: float = -1.0  # of its step on the grid, in beats: where it would sound straight and undelayed
    lead: float = 0.0  # beats before, at which control change and note are sent
    tie: bool = False  # held over where it lasts to the next hit
    cc: int = -1  # control change that tells the velocity; -1: none
    port: int = -1  # MIDI output, counted from 0; -1: all
    stroke: int = 0  # of a ratchet, counted from 0
    timed: bool = False  # its length is one of milliseconds, and stays that when the tempo changes


def hits_in(pattern: Pattern, settings: Settings, start: float, end: float) -> list[Hit]:
    """The hits of all steps whose place lies in [start, end), in beats, sorted by beat.

    Two spans that meet give what one span over both gives. A pattern with fewer voices than there are leaves
    the others silent. Swing delays every second step, whatever the voice's length.
    """
    hits = [hit for track in range(TRACKS) for hit in track_hits(pattern, settings, track, start, end)]
    return sorted(hits)


def track_hits(pattern: Pattern, settings: Settings, track: int, start: float, end: float) -> list[Hit]:
    """What the steps of one track in [start, end) give; those of a voice with their accents."""
    if track < VOICES:
        return _voice_hits(pattern, settings, track, start, end) if track < pattern.voices else []
    if track == ACCENT:
        return []  # comes with the voices
    size = size_of(settings, track)
    pulse = settings.trigger_ms * settings.bpm / MS_PER_MINUTE
    if track == RESET and not settings.reset_out:
        return [Hit(0.0, RESET, pulse, place=0.0, timed=True)] if start <= 0.0 < end else []
    first, last = _steps(start, end, size)
    return [
        Hit(n * size, track, pulse, place=round(n * size, PLACES), timed=True) for n in range(first, last)
    ]


def size_of(settings: Settings, track: int) -> float:
    """Beats from one step of a track to the next."""
    if track < VOICES:
        how = settings.voices[track]
        return STEP * how.divide / how.multiply
    if track == CLOCK:
        return settings.clock_divide / settings.clock_out
    return float(BEATS_PER_BAR * max(1, settings.reset_out))


def lead_of(settings: Settings, track: int) -> float:
    """Beats before the place of a step of a track at which the first of it may be due."""
    if track >= VOICES:
        return 0.0
    early = max(0.0, -settings.voices[track].delay_ms) + settings.settle_ms
    return EARLIEST * size_of(settings, track) + early * settings.bpm / MS_PER_MINUTE


def silent(settings: Settings, voice: int) -> bool:
    """Whether a voice is muted, or silent because others are solo."""
    how = settings.voices[voice]
    return how.mute or (not how.solo and any(other.solo for other in settings.voices))


def chance(seed: int, voice: int, step: int) -> float:
    """A number in [0, 1) made of the arguments alone (the mixer of splitmix64, Steele et al. 2014)."""
    mask = (1 << 64) - 1
    z = (seed * 0x9E3779B97F4A7C15 + (step * DRAWS + voice + 1) * 0xD1342543DE82EF95) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


DRAWS = 2 * RATCHET_DRAW  # numbers that one step may draw


def _voice_hits(pattern: Pattern, settings: Settings, voice: int, start: float, end: float) -> list[Hit]:
    if silent(settings, voice):
        return []
    how = settings.voices[voice]
    size = STEP * how.divide / how.multiply
    first, last = _steps(start, end, size)
    row_hits, row_velocities, row_offsets = pattern.rows[voice]
    late = (2 * how.swing - 1) * size  # of every second step
    per_ms = settings.bpm / MS_PER_MINUTE
    delay, lead, shortest = how.delay_ms * per_ms, settings.settle_ms * per_ms, SHORTEST_MS * per_ms
    hits: list[Hit] = []
    for step in range(first, last):
        cycle, place = divmod(step - how.rotate, how.length)
        if not row_hits[place]:
            continue
        if how.probability < 1.0 and chance(settings.seed, voice, step) >= how.probability:
            continue
        on_grid = round(step * size, PLACES)
        beat = step * size + (step % 2) * late + row_offsets[place] * how.groove * size + delay
        level = row_velocities[place]
        note = how.note
        if how.pitch:
            note = _pitch(how, row_hits, cycle, place, step)
        strokes = how.ratchet
        if strokes > 1 and how.ratchet_chance < 1.0:
            draw = chance(settings.seed, voice + RATCHET_DRAW, step)
            strokes = strokes if draw < how.ratchet_chance else 1
        timed = how.gate_ms > 0
        length = how.gate_ms * per_ms if timed else how.gate * size
        apart = size / strokes
        for stroke in range(strokes):
            last_one = stroke == strokes - 1
            hits.append(
                Hit(
                    beat + stroke * apart,
                    voice,
                    max(shortest, _stroke_length(length, apart, size, strokes, last_one, timed)),
                    _velocity(level * (1 - how.ratchet_decay) ** stroke, how),
                    how.channel - 1,
                    note,
                    on_grid,
                    lead,
                    how.tie and last_one,
                    how.cc,
                    how.output - 1,
                    stroke,
                    timed,
                )
            )
        if level >= how.accent:
            hits.append(Hit(beat, ACCENT, hits[-strokes].length, place=on_grid, timed=timed))
    return hits


def _stroke_length(length: float, apart: float, size: float, strokes: int, last: bool, timed: bool) -> float:
    """A gate that is a share of its step is that share of a stroke; a longer one ends where it would.

    One of milliseconds is as long as ever, if the next stroke lets it.
    """
    if strokes == 1:
        return length
    if timed:
        return length if last else min(length, apart)
    if length <= size:
        return length / strokes
    return length - (strokes - 1) * apart if last else apart


def _velocity(level: float, how: VoiceSettings) -> int:
    """MIDI velocity of a level 0..1, between the voice's lowest and highest, on its curve."""
    if how.velocity_curve != 1.0:
        level = level**how.velocity_curve
    if how.velocity_low == 1 and how.velocity_high == LOUDEST:
        return min(LOUDEST, max(1, round(level * LOUDEST)))
    return round(how.velocity_low + level * (how.velocity_high - how.velocity_low))


def _pitch(how: VoiceSettings, hits: list[bool], cycle: int, place: int, step: int) -> int:
    """The note of a step: its lane is moved on by steps, or by the hits since beat 0."""
    if how.pitch_by == "hit":
        step = cycle * sum(hits[: how.length]) + sum(hits[:place])
    lane = how.pitch[: how.pitch_length]
    return note_of(lane, step, how.scale, how.key, how.octave)


def _steps(start: float, end: float, size: float) -> tuple[int, int]:
    """First and one past the last multiple of `size` within [start, end); a hair below counts as on it."""
    hair = 1e-9
    return math.ceil(start / size - hair), math.ceil(end / size - hair)
