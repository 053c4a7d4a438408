"""MIDI through the production port, to another process; and what is said where there can be none."""

import builtins
import os
import subprocess
import sys

import pytest
from midi_helpers import heard, jack_server, listener, need_rtmidi, open_when_up

from hw import midi_port
from hw.errors import PanelError
from hw.midi_out import MidiOut, open_midi_out
from hw.midi_port import MidiPort

NOTES = [
    [0x90, 36, 100],
    [0x99, 38, 1],
    [0x80, 36, 64],
    [0x99, 38, 0],
    [0xF8],
    [0xB0, 20, 127],
    [0xE0, 0, 64],
]


class FakePort:
    """A port of RtMidi in memory; `broken` lets it raise, as RtMidi does for bytes that are no message."""

    def __init__(self):
        self.sent = []
        self.broken = False
        self.deleted = 0

    def send_message(self, message):
        if self.broken:
            raise ValueError("no message")
        self.sent.append(list(message))

    def delete(self):
        self.deleted += 1


@pytest.fixture
def jack(monkeypatch):
    need_rtmidi()
    monkeypatch.setattr(midi_port, "SEQUENCER", "/nowhere")  # JACK, also where there is ALSA
    with jack_server(monkeypatch) as server:
        yield server


def test_what_is_sent_arrives_in_another_process_byte_for_byte_and_in_order(jack):
    out = open_when_up(open_midi_out)
    process = listener("Fathom:out", 20 * len(NOTES))

    sent = [out.send(message) for message in 20 * NOTES]

    assert heard(process) == 20 * NOTES
    assert all(sent)
    assert (out.errors, out.system, out.name, out.listed) == (0, "JACK", "Fathom", "Fathom:out")
    out.close()


def test_bytes_and_tuples_are_sent_like_lists(jack):
    out = open_when_up(open_midi_out)
    process = listener("Fathom:out", 2)

    out.send(b"\x90\x24\x64")
    out.send((0x80, 36, 64))

    assert heard(process) == [[0x90, 36, 100], [0x80, 36, 64]]
    out.close()


def test_a_port_that_closes_ends_the_notes_that_sound_and_the_listener_hears_it(jack):
    out = open_when_up(open_midi_out)
    process = listener("Fathom:out", 4)

    for message in ([0x90, 36, 100], [0x93, 50, 100], [0x90, 36, 0]):
        out.send(message)
    out.close()
    out.close()

    assert heard(process)[3:] == [[0x83, 50, 64]]


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_of_sparse_music_messages_are_missed_two_looks_after_the_server_died(jack, signal):
    code = (
        "import os, signal, time\n"
        "from hw import midi_out, midi_port\n"
        "midi_port.SEQUENCER = '/nowhere'\n"
        "out = midi_out.open_midi_out('Fathom')\n"
        "time.sleep(1)\n"
        "print(out.send([0x90, 36, 100]))\n"
        f"os.kill({jack.pid}, signal.SIG{signal})\n"
        "time.sleep(0.7)\n"
        "out.send([0xF8])\n"  # a period may have passed since the look before
        "time.sleep(0.7)\n"
        "before = out.errors\n"
        "print(out.send([0x90, 36, 100]), out.send([0xF8]), out.send([0x80, 36, 64]), out.errors - before)\n"
        f"os.kill({jack.pid}, signal.SIGCONT) if {signal == 'STOP'} else None\n"
        "time.sleep(0.2)\n"
        f"print(out.send([0xF8]) == {signal == 'STOP'})\n"
        "out.close()\n"
    )
    open_when_up(open_midi_out).close()

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15)

    assert result.stdout == "True\nFalse False True 2\nTrue\n"


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_a_server_that_dies_or_hangs_does_not_hold_up_the_player_and_soils_no_display(jack, signal):
    # In a process of its own, so that a port that waits for ever fails this test and not the whole run.
    code = (
        "import os, signal, sys, time\n"
        "from hw import midi_out, midi_port\n"
        "midi_port.SEQUENCER = '/nowhere'\n"
        "out = midi_out.open_midi_out('Fathom')\n"
        f"os.kill({jack.pid}, signal.SIG{signal})\n"
        "time.sleep(0.3)\n"
        "started = time.monotonic()\n"
        "refused = sum(not out.send([0x90, 36, 100]) for _ in range(20_000))\n"
        "print(refused > 18_000, refused == out.errors, time.monotonic() - started < 1)\n"
        f"os.kill({jack.pid}, signal.SIGCONT) if {signal == 'STOP'} else None\n"
        "time.sleep(0.2)\n"
        f"print(out.send([0x80, 36, 64]) == {signal == 'STOP'})\n"
        "out.close()\n"
    )
    open_when_up(open_midi_out).close()

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15)

    assert result.stdout == "True True True\nTrue\n"
    assert result.stderr == ""


def test_without_sequencer_and_server_the_player_reads_what_to_start(monkeypatch, capfd):
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed")
    monkeypatch.setattr(midi_port, "SEQUENCER", "/nowhere/seq")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")

    with pytest.raises(PanelError, match=r"no JACK server.*/dev/snd/seq is absent.*modprobe snd-seq.*jackd"):
        open_midi_out("Fathom")

    assert capfd.readouterr() == ("", "")


def test_a_look_for_a_server_never_starts_one(monkeypatch):
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed")
    monkeypatch.delenv("JACK_NO_START_SERVER", raising=False)
    monkeypatch.setattr(midi_port, "SEQUENCER", "/nowhere/seq")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")

    with pytest.raises(PanelError):
        open_midi_out("Fathom")

    assert os.environ["JACK_NO_START_SERVER"] == "1"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ModuleNotFoundError("No module named 'rtmidi'"), r"python-rtmidi is not installed.*`make play`"),
        (
            ImportError("libasound.so.2: cannot open shared object file"),
            r"libasound.so.2.*apt install libasound2`",
        ),
    ],
)
def test_without_the_library_the_player_reads_what_to_install(monkeypatch, error, advice):
    real = builtins.__import__

    def without_rtmidi(name, *rest):
        if name == "rtmidi":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_rtmidi)

    with pytest.raises(PanelError, match=advice):
        open_midi_out("Fathom")


@pytest.mark.parametrize(
    ("has_wheel", "command"), [(True, "pip install python-rtmidi"), (False, "python3-rtmidi")]
)
def test_where_pip_has_no_wheel_the_system_s_package_is_named(monkeypatch, has_wheel, command):
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    monkeypatch.setattr(midi_port, "HAS_WHEEL", has_wheel)

    with pytest.raises(PanelError, match=command):
        open_midi_out("Fathom")


def test_a_message_that_goes_nowhere_is_counted_and_nothing_is_raised():
    port = FakePort()
    out = MidiOut(MidiPort("Fathom", "Fathom:out", "ALSA", port))

    port.broken = True
    assert not out.send([0x90, 36, 100])
    port.broken = False
    assert out.send([0x90, 38, 100])
    assert out.send([0x90, 36])  # cut short: RtMidi's to judge

    assert out.errors == 1
    assert port.sent == [[0x90, 38, 100], [0x90, 36]]


def test_a_closed_port_takes_nothing_and_is_closed_once():
    port = FakePort()
    out = MidiOut(MidiPort("Fathom", "Fathom:out", "ALSA", port))
    out.send([0x91, 36, 100])

    out.close()
    out.close()

    assert not out.send([0x90, 36, 100])
    assert port.sent == [[0x91, 36, 100], [0x81, 36, 64]]
    assert port.deleted == 1


def test_what_is_plugged_in_again_is_told_what_has_ended_and_nothing_that_sounds_is_cut():
    port = FakePort()
    out = MidiOut(MidiPort("Fathom", "Fathom:out", "ALSA", port))
    for message in ([0x90, 36, 100], [0x90, 36, 0], [0x91, 40, 90], [0xB0, 20, 1], [0x80, 50, 64]):
        out.send(message)

    assert out.sounding == {(1, 40)}
    assert out.missed() == [b"\x80\x24\x40"]
