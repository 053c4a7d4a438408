import io

import mido
import pytest
from conftest import notes

from device.ensemble import Ensemble
from device.render import render
from device.settings import Settings


def rendered(slot, settings, bars):
    ensemble = Ensemble([slot])
    blob = render(ensemble.pattern(ensemble.decode([0.5] * 4), settings), settings, bars)
    return blob, mido.MidiFile(file=io.BytesIO(blob))


def test_the_file_holds_the_music_that_the_engine_plays(make_engine, slot):
    settings = Settings().changed("bpm", 97).changed("voices.swing", 0.6)
    engine = make_engine(settings=settings, bars=4)
    engine.start()
    engine.run()

    _, file = rendered(slot, settings, 4)
    tick, found = 0, []
    for message in file.tracks[0]:
        tick += message.time
        if message.type == "note_on":
            found.append((pytest.approx(tick / 960, abs=1 / 960), message.note))

    assert len(found) > 10
    assert [(max(0.0, beat), note) for beat, note in notes(engine)] == found


def test_every_note_ends_and_the_file_is_as_long_as_its_bars(slot):
    _, file = rendered(slot, Settings(), 4)
    kinds = [message.type for message in file.tracks[0]]

    assert kinds.count("note_on") == kinds.count("note_off")
    assert file.length == pytest.approx(8.0, abs=0.2)


def test_the_same_call_gives_the_same_bytes(slot):
    assert rendered(slot, Settings(), 2)[0] == rendered(slot, Settings(), 2)[0]
