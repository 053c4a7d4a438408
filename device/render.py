"""The same music as a Standard MIDI File: patterns to hits to events to ticks. Plays nothing."""

from __future__ import annotations

import io

import mido

from device.pattern import BEATS_PER_BAR, Pattern
from device.score import END, NOTE, Score
from device.sequencer import hits_in
from device.settings import Settings

TICKS_PER_BEAT = 960
RETRIGGER_BEATS = 1 / 240  # a note that sounds again ends so much before: 2 ms at 120 BPM


def render(pattern: Pattern, settings: Settings, bars: int) -> bytes:
    """The bytes of a MIDI file of type 0. An early hit of the very first step sounds at the file's start."""
    score = Score(RETRIGGER_BEATS)
    score.add(hits_in(pattern, settings, 0.0, bars * BEATS_PER_BAR))
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name="Fathom", time=0))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(settings.bpm), time=0))
    tick = 0
    for event in score.take(float("inf")):
        if event.order not in (END, NOTE) or event.hit.note < 0:
            continue
        at = max(0, round(event.beat * TICKS_PER_BEAT))
        kind, velocity = ("note_on", event.hit.velocity) if event.order == NOTE else ("note_off", 64)
        track.append(
            mido.Message(
                kind, channel=event.hit.channel, note=event.hit.note, velocity=velocity, time=at - tick
            )
        )
        tick = at
    end = bars * BEATS_PER_BAR * TICKS_PER_BEAT
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - tick)))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track])
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
