"""The patch bay beside the engine: whatever becomes of either, the other is not held up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from midi_helpers import jack_server, need_library, need_rtmidi, open_when_up
from process_helpers import child_of

from device.beside import Child
from device.patching import Patching
from hw import midi_port
from hw.midi_in import open_midi_in
from hw.midi_out import open_midi_out

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, str(ROOT / "fathom.py"), "_patchbay", "JACK"]
SOON_S = 5.0  # on a busy machine; the child looks once a second


def script(code):
    """A child that does as told instead of looking at ports."""
    return [sys.executable, "-c", f"import os, sys, time\n{code}"]


def events_of(patching, count, seconds=SOON_S):
    """The first so many events, and how long they took."""
    started = time.monotonic()
    found = []
    while len(found) < count and time.monotonic() - started < seconds:
        found += patching.events()
        time.sleep(0.01)
    return found, time.monotonic() - started


def complaint_of(patching):
    until = time.monotonic() + SOON_S
    while not patching.complaint and time.monotonic() < until:
        assert patching.events() == []
        time.sleep(0.01)
    return patching.complaint


def heard(port, seconds=0.3):
    until = time.monotonic() + seconds
    messages = []
    while time.monotonic() < until:
        messages += [message for _, message in port.receive()]
        time.sleep(0.01)
    return messages


@pytest.fixture
def jack(monkeypatch):
    need_rtmidi()
    need_library("jack")
    monkeypatch.setattr(midi_port, "SEQUENCER", "/nowhere")
    with jack_server(monkeypatch) as server:
        yield server


def test_a_synthesiser_that_comes_goes_and_comes_back_is_played_and_the_engine_never_waits(jack):
    out = open_when_up(open_midi_out)
    patching = Patching(Child(COMMAND), [out.listed], [(out.listed, "tr-8*")])
    theirs = "TR-8S in:in"

    synth = open_midi_in("TR-8S")
    assert events_of(patching, 1)[0] == [("connected", out.listed, theirs)]
    out.send([0x90, 36, 100])
    assert heard(synth) == [b"\x90\x24\x64"]

    synth.close()
    slowest = 0.0
    for _ in range(50):
        started = time.monotonic()
        assert out.send([0x90, 38, 100])
        assert out.send([0x80, 38, 64])
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(0.01)
    out.send([0x80, 36, 64])
    assert slowest < 0.05
    assert events_of(patching, 1)[0] == [("gone", out.listed, theirs)]

    synth = open_midi_in("TR-8S")
    assert events_of(patching, 1)[0] == [("connected", out.listed, theirs)]
    for message in out.missed():
        out.send(message)
    assert heard(synth) == [b"\x80\x24\x40", b"\x80\x26\x40"]
    assert (out.errors, patching.complaint) == (0, "")
    patching.close()
    synth.close()
    out.close()


def test_a_new_wish_is_granted_at_once_and_an_old_one_let_go(jack):
    out = open_when_up(open_midi_out)
    one, two = open_midi_in("one"), open_midi_in("two")
    patching = Patching(Child(COMMAND), [out.listed], [(out.listed, "one*")])
    assert events_of(patching, 1)[0] == [("connected", out.listed, "one in:in")]

    assert patching.wish([(out.listed, "two*")])
    found, seconds = events_of(patching, 2)

    assert found == [("gone", out.listed, "one in:in"), ("connected", out.listed, "two in:in")]
    assert seconds < 0.9  # it did not wait for its next look
    patching.close()
    for port in (one, two, out):
        port.close()


def test_a_patch_bay_that_dies_is_a_sentence_and_the_engine_goes_on(jack):
    out = open_when_up(open_midi_out)
    patching = Patching(Child(COMMAND), [out.listed], [])

    os.kill(child_of(os.getpid(), "_patchbay"), signal.SIGKILL)

    assert complaint_of(patching) == (
        "MIDI: the patch bay ended, so what is plugged in from now on is not connected by itself."
    )
    assert not patching.wish([(out.listed, "*")])
    assert patching.events() == []
    assert out.send([0xF8])
    patching.close()
    out.close()


def test_without_a_server_the_patch_bay_says_so(monkeypatch):
    need_library("jack")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")
    patching = Patching(Child(COMMAND), [], [])

    assert complaint_of(patching).startswith("MIDI: JACK cannot be asked for its ports")
    patching.close()


def test_a_patch_bay_that_hangs_holds_nobody_up():
    patching = Patching(Child(script("time.sleep(60)")), [], [])
    started = time.monotonic()

    told = [patching.wish([("Fathom:out", "synth" * 200)]) for _ in range(500)]
    silent = patching.events()

    assert time.monotonic() - started < 0.5
    assert told[0]
    assert not told[-1]
    assert silent == []
    started = time.monotonic()
    patching.close()
    patching.close()
    assert time.monotonic() - started < 3


def test_nonsense_from_the_patch_bay_is_left_out():
    said = 'b"x" * 100_000 + b"\\n{}\\n[1]\\n" + b\'{"event": ["gone", "a", "b"]}\\n\''
    patching = Patching(Child(script(f"os.write(1, {said}); time.sleep(60)")), [], [])

    assert events_of(patching, 1)[0] == [("gone", "a", "b")]
    patching.close()


def test_more_wishes_than_fit_are_refused_in_words():
    patching = Patching(Child(script("time.sleep(60)")), [], [])

    assert not patching.wish(200 * [("Fathom:out", "a synthesiser with a name")])
    assert patching.complaint.startswith("MIDI: 200 wishes for connections take")
    patching.close()


def test_the_patch_bay_ends_with_an_engine_that_is_killed(jack):
    open_when_up(open_midi_out).close()
    code = (
        "import os, signal, time\n"
        "from device.beside import Child\n"
        "from device.patching import Patching\n"
        f"patching = Patching(Child({COMMAND!r}), [], [])\n"
        "print(open(f'/proc/self/task/{os.getpid()}/children').read(), flush=True)\n"
        "time.sleep(1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    engine = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=10
    )
    state = Path(f"/proc/{int(engine.stdout)}/stat")

    until = time.monotonic() + SOON_S
    while state.exists() and state.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.02)

    assert not state.exists() or state.read_text().split()[2] == "Z"
