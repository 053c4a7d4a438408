"""The same music as a Standard MIDI File: patterns to hits to events to ticks. Plays nothing."""

from __future__ import annotations

import io
from itertools import groupby

import mido

from device.notes import Notes
from device.pattern import BEATS_PER_BAR, Pattern
from device.score import Score
from device.sequencer import hits_in
from device.settings import Settings

TICKS_PER_BEAT = 960
RETRIGGER_BEATS = 1 / 240  # a note that sounds again ends so much before: 2 ms at 120 BPM


def render(pattern: Pattern, settings: Settings, bars: int) -> bytes:
    """The bytes of a MIDI file of type 0. An early hit of the very first step sounds at the file's start."""
    score, notes = Score(RETRIGGER_BEATS), Notes()
    settings = settings.changed("settle_ms", 0)  # a file needs no time to settle
    score.add(hits_in(pattern, settings, 0.0, bars * BEATS_PER_BAR))
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name="Fathom", time=0))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(settings.bpm), time=0))
    tick = 0
    events = score.take(float("inf"))
    for beat, together in groupby(events, key=lambda event: event.beat):
        plan = notes.prepare(together)
        notes.take(plan)
        at = max(0, round(beat * TICKS_PER_BEAT))
        for _, message in plan.messages:
            track.append(mido.Message.from_bytes(message, time=at - tick))
            tick = at
    end = bars * BEATS_PER_BAR * TICKS_PER_BEAT
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - tick)))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track])
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
