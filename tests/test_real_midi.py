"""The whole box over real MIDI: what another process hears is what the tape says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from midi_helpers import heard, jack_server, listener, need

from device.slot import pack
from device.slots import SlotFolder

ROOT = Path(__file__).parents[1]
MESSAGES = 24


def test_what_a_synthesiser_hears_over_jack_is_what_the_tape_says(monkeypatch, home, slot, tmp_path):
    try:
        import rtmidi  # noqa: F401
    except ImportError:
        need(False, "real MIDI: python-rtmidi is not here; install fathom[midi] to run this")
    if os.path.exists("/dev/snd/seq"):
        pytest.skip("real MIDI over JACK: this machine has the ALSA sequencer, and the box prefers it")
    SlotFolder(home / "slots").save(1, pack(slot))
    words = ["play", "--slot", "1", "--bpm", "280", "--tape", str(tmp_path / "t")]
    with jack_server(monkeypatch):
        box, said = start_when_jack_is_up(words)
        try:
            process = listener("Fathom:out", MESSAGES)
            messages = heard(process)
        finally:
            box.terminate()
            box.communicate(timeout=20)
    taped = [
        row["midi"] for row in map(json.loads, (tmp_path / "t").read_text().splitlines()) if "midi" in row
    ]

    assert box.returncode == 0
    assert "MIDI:" not in said
    assert len(messages) >= MESSAGES
    found = [n for n in range(len(taped)) if taped[n : n + len(messages)] == messages]
    assert found, f"heard {messages[:6]}..., taped {taped[:6]}..."


def start_when_jack_is_up(words):
    """A box that plays with a MIDI port, and the first line that it said; JACK takes a moment to come up."""
    for _ in range(50):
        box = subprocess.Popen(
            [sys.executable, "fathom.py", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        said = box.stderr.readline()
        if "MIDI:" not in said:
            return box, said
        box.terminate()
        box.communicate()
    raise AssertionError(f"no MIDI port opened: {said}")
