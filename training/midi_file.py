"""The takes of a loop as a Standard MIDI File, to be listened to. Hears nothing and writes no file."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import PurePath

import mido

from device.pattern import STEPS, STEPS_PER_BEAT
from training.hear import Heard

TICKS_PER_BEAT = 960
TICKS_PER_STEP = TICKS_PER_BEAT // STEPS_PER_BEAT
NOTES = (36, 38, 42)  # low, middle, high: kick, snare and hat of General MIDI; one voice is the first
CHANNEL = 9  # drums of General MIDI, counted from 0
LENGTH = TICKS_PER_STEP // 2
LOUDEST = 127


def midi_file(heard: Heard) -> bytes:
    """The bytes of a MIDI file of type 0: take after take, with tempo, velocities and offsets as heard.

    An early hit of the very first step sounds at the file's start. A loop that was refused is silence.
    """
    events: list[tuple[int, int, mido.Message]] = []  # tick, order at one tick, message
    for number, take in enumerate(heard.takes):
        begins = number * STEPS * TICKS_PER_STEP
        events.append((begins, 0, mido.MetaMessage("marker", text=f"take {number + 1}")))
        for voice, note in enumerate(NOTES[: take.voices]):
            steps = take.hits[voice].nonzero()[0].tolist()
            places = [begins + round((s + take.offsets[voice, s]) * TICKS_PER_STEP) for s in steps]
            for step, place in zip(steps, places, strict=True):
                velocity = min(LOUDEST, max(1, round(take.velocities[voice, step] * LOUDEST)))
                events.append((max(0, place), 2, _note("note_on", note, velocity)))
    ends = _ends(events)
    track = mido.MidiTrack()
    name = PurePath(heard.file).name
    track.append(mido.MetaMessage("track_name", name=name))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(heard.bpm or 120.0)))
    track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    tick = 0
    for at, _, message in sorted(events + ends, key=lambda event: event[:2]):
        track.append(message.copy(time=at - tick))
        tick = at
    length = len(heard.takes) * STEPS * TICKS_PER_STEP
    track.append(mido.MetaMessage("end_of_track", time=max(0, length - tick)))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track], charset="utf-8")
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _note(kind: str, note: int, velocity: int) -> mido.Message:
    return mido.Message(kind, channel=CHANNEL, note=note, velocity=velocity)


def _ends(events: list[tuple[int, int, mido.Message]]) -> list[tuple[int, int, mido.Message]]:
    """Where each note ends: half a step on, or where the same note sounds again."""
    ends = []
    for note in NOTES:
        begins = sorted(at for at, _, message in events if getattr(message, "note", None) == note)
        for at, following in pairwise([*begins, float("inf")]):
            ends.append((int(min(at + LENGTH, following)), 1, _note("note_off", note, 0)))
    return ends
