"""The takes of a loop as a MIDI file say what was heard."""

import io
from dataclasses import replace

import mido
import numpy as np
import pytest
from conftest import pattern
from loop_helpers import BEAT, beats, write

from training.hear import Heard, hear
from training.midi_file import LENGTH, TICKS_PER_STEP, midi_file


def read(heard):
    """Tempo in BPM, and `(step, note, velocity)` and `(step, note)` of what begins and ends."""
    (track,) = mido.MidiFile(file=io.BytesIO(midi_file(heard))).tracks
    at, bpm, ons, offs = 0, None, [], []
    for message in track:
        at += message.time
        if message.type == "set_tempo":
            bpm = mido.tempo2bpm(message.tempo)
        elif message.type == "note_on":
            ons.append((at / TICKS_PER_STEP, message.note, message.velocity))
        elif message.type == "note_off":
            offs.append((at / TICKS_PER_STEP, message.note))
    return bpm, ons, offs, at / TICKS_PER_STEP


def test_a_loop_is_written_as_it_was_heard(tmp_path):
    heard = hear(write(tmp_path / "loop 90bpm.wav", beats(bpm=90)))

    bpm, ons, offs, length = read(heard)

    take = heard.takes[0]
    steps = np.flatnonzero(take.hits[0])
    assert bpm == pytest.approx(90, abs=0.001)
    assert [round(step) for step, _, _ in ons] == [step for step, sign in enumerate(BEAT) if sign != "."]
    assert [step for step, _, _ in ons] == pytest.approx(
        np.maximum(0, steps + take.offsets[0, steps]), abs=0.5 / TICKS_PER_STEP
    )
    assert [velocity for *_, velocity in ons] == [round(v * 127) for v in take.velocities[0, steps]]
    assert len(offs) == len(ons)
    assert length == 32


def test_takes_follow_each_other_and_voices_have_notes_of_their_own():
    first = pattern("X...............", "....x...........", "..x.............")
    heard = Heard("loop.wav", bpm=120.0, takes=(first, first))

    _, ons, _, length = read(heard)

    assert [(step, note) for step, note, _ in ons[:6]] == [
        (0, 36), (2, 42), (4, 38), (16, 36), (18, 42), (20, 38),
    ]  # fmt: skip
    assert ons[6][0] == 32
    assert length == 64


def test_an_early_hit_of_the_first_step_is_not_lost_and_a_note_ends_before_it_sounds_again():
    take = pattern("XX..............")
    take = replace(take, offsets=np.where(take.hits, [[-0.3, -0.49] * 16], 0.0))

    _, ons, offs, _ = read(Heard("loop.wav", bpm=120.0, takes=(take,)))

    assert ons[0][0] == 0
    assert offs[0][0] == pytest.approx(LENGTH / TICKS_PER_STEP, abs=0.02)
    for (begins, _, _), (ends, _), (again, _, _) in zip(ons, offs, ons[1:], strict=False):
        assert begins < ends <= again


@pytest.mark.parametrize("name", ["ループ.wav", "é.wav", "a?b.wav"])
def test_any_name_can_be_written(name):
    track = mido.MidiFile(file=io.BytesIO(midi_file(Heard(name, bpm=100.0))), charset="utf-8").tracks[0]

    assert track.name == name


def test_a_refused_loop_is_silence():
    assert read(Heard("a.wav", reason="it is silent"))[1:] == ([], [], 0)
