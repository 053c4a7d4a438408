"""MIDI into the production port, from another process; and what an input makes of whatever comes."""

import statistics
import subprocess
import sys
import time

import pytest
from midi_helpers import PATIENCE_S, heard, jack_server, need_rtmidi, open_when_up, talker

from hw import midi_port
from hw.midi_in import MOST_GIVEN, MOST_TAKEN, MidiIn, open_midi_in
from hw.midi_out import open_midi_out
from hw.midi_port import MidiPort

MS = 1_000_000
JACK_PERIOD_MS = 128 / 48


class FakeRtMidi:
    """An input of RtMidi in memory: `waiting` is a list of (data, delta in seconds)."""

    def __init__(self):
        self.waiting = []
        self.broken = False
        self.deleted = 0
        self.ignored = {}

    def ignore_types(self, **ignored):
        self.ignored = ignored

    def get_message(self):
        if self.broken:
            raise SystemError("gone")
        return self.waiting.pop(0) if self.waiting else None

    def delete(self):
        self.deleted += 1


class Clock:
    ns = 0

    def __call__(self):
        return self.ns


@pytest.fixture
def fake():
    rtmidi, clock = FakeRtMidi(), Clock()
    port = MidiIn(MidiPort("Fathom", "Fathom:in", "ALSA", rtmidi), clock)
    return port, rtmidi, clock


@pytest.fixture
def jack(monkeypatch):
    need_rtmidi()
    monkeypatch.setattr(midi_port, "SEQUENCER", "/nowhere")
    with jack_server(monkeypatch) as server:
        yield server


def received(port, count, every):
    """Messages as they come in, looked for every so many seconds."""
    messages = []
    until = time.monotonic() + 2 * PATIENCE_S
    while len(messages) < count and time.monotonic() < until:
        time.sleep(every)
        messages += port.receive()
    time.sleep(0.05)
    return messages + port.receive()


def test_what_waits_comes_out_whole_with_the_time_it_arrived(fake):
    port, rtmidi, clock = fake
    clock.ns = 20 * MS
    rtmidi.waiting = [([0x90, 36, 100], 0.0), ([0xF8], 0.005), ([0x80, 36, 64], 0.002)]

    assert port.receive() == [(13 * MS, b"\x90\x24\x64"), (18 * MS, b"\xf8"), (20 * MS, b"\x80\x24\x40")]
    assert port.receive() == []
    assert (port.errors, port.complaint) == (0, "")


def test_clock_and_active_sensing_are_asked_for_and_sysex_is_not(fake):
    _, rtmidi, _ = fake

    assert rtmidi.ignored == {"sysex": True, "timing": False, "active_sense": False}


def test_sysex_that_comes_all_the_same_stays_inside_and_the_clock_in_it_comes_out(fake):
    port, rtmidi, _ = fake
    rtmidi.waiting = [([0xF0, 1, 0xF8, 2, 0xF7], 0.0), ([0xC0, 1], 0.1)]

    assert [message for _, message in port.receive()] == [b"\xf8", b"\xc0\x01"]


def test_a_flood_is_cut_short_but_for_the_clock_and_everything_after_it_is_heard(fake):
    port, rtmidi, clock = fake
    rtmidi.waiting = 200 * [([0x90, 36, 100], 0.0), ([0xF8], 0.0)]
    got = []
    for _ in range(4):
        clock.ns += 4 * MS
        now = port.receive()
        assert len(now) <= MOST_TAKEN
        assert sum(message != b"\xf8" for _, message in now) <= MOST_GIVEN
        got += now
    rtmidi.waiting = [([0x80, 36, 64], 0.0)]

    assert sum(message == b"\xf8" for _, message in got) == 200
    assert port.errors == 200 - sum(message != b"\xf8" for _, message in got) > 0
    assert [message for _, message in port.receive()] == [b"\x80\x24\x40"]


def test_a_port_that_fails_is_a_sentence_and_no_error(fake):
    port, rtmidi, _ = fake
    rtmidi.broken = True

    assert port.receive() == []
    assert port.complaint == "MIDI in: Fathom:in cannot be read (gone); start again."


def test_a_closed_port_hears_nothing_and_is_closed_once(fake):
    port, rtmidi, _ = fake
    rtmidi.waiting = [([0xF8], 0.0)]

    port.close()
    port.close()

    assert port.receive() == []
    assert rtmidi.deleted == 1


def test_clocks_over_jack_are_stamped_when_they_arrive_and_not_when_they_are_looked_for(jack):
    port = open_when_up(open_midi_in)
    process = talker(port.listed, 200 * [[0xF8]], period=0.005)

    messages = received(port, 200, every=0.02)

    sent = heard(process)
    assert [message for _, message in messages] == 200 * [b"\xf8"]
    late = [(at - was) / MS for (at, _), was in zip(messages, sent, strict=True)][20:]
    assert min(late) > -0.5
    assert statistics.quantiles(late, n=20)[-1] - min(late) < 2 * JACK_PERIOD_MS  # a look is 20 ms
    assert statistics.stdev(late) < JACK_PERIOD_MS / 2
    port.close()


def test_what_another_process_says_arrives_in_order_whatever_stands_between(jack):
    port = open_when_up(open_midi_in)
    said = []
    for note in range(60):
        said += [
            [0x90, note, 100],
            [note, 0],
            [0xF8],
            [0xF0, 1, 2, 3, 0xF7],
            [0xB3, 7, note],
            [0xFE],
            [note, 5],
        ]
    process = talker(port.listed, said, period=0.001)

    messages = [message for _, message in received(port, 6 * 60, every=0.02)]

    heard(process)
    expected = []
    for note in range(60):
        expected += [[0x90, note, 100], [0x90, note, 0], [0xF8], [0xB3, 7, note], [0xFE], [0xB3, note, 5]]
    assert [list(message) for message in messages] == expected
    assert port.errors == 0
    port.close()


def test_several_ports_have_numbers_and_know_where_they_are_listed(jack):
    first = open_when_up(open_midi_in, 1)
    ports = [first, open_midi_in("Fathom", 2), open_midi_out("Fathom", 1), open_midi_out("Fathom", 2)]

    assert [port.name for port in ports] == 2 * ["Fathom 1", "Fathom 2"]
    assert [port.listed for port in ports] == [
        f"Fathom {way}:{way}" for way in ("in 1", "in 2", "out 1", "out 2")
    ]
    again = open_midi_in("Fathom", 1)
    assert again.listed == "Fathom in 1-01:in 1"
    for port in (*ports, again):
        port.close()


def test_a_flood_and_a_server_that_dies_soil_no_display_and_the_latter_is_said(jack):
    # In a process of its own, so that a port that waits for ever fails this test and not the whole run.
    code = (
        "import os, signal, time\n"
        "from hw import midi_in, midi_out, midi_port\n"
        "midi_port.SEQUENCER = '/nowhere'\n"
        "midi_port.QUEUE = 4\n"
        "port = midi_in.open_midi_in('Fathom')\n"
        "import rtmidi\n"
        "out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name='flood')\n"
        "out.open_port([i for i, name in enumerate(out.get_ports()) if port.listed in name][0])\n"
        "for _ in range(500): out.send_message([0xF8])\n"
        "time.sleep(0.2)\n"
        "print(len(port.receive()))\n"
        "time.sleep(1.1)\n"
        "print(port.receive(), port.complaint)\n"
        f"os.kill({jack.pid}, signal.SIGKILL)\n"
        "until = time.monotonic() + 8\n"
        "heard = []\n"
        "while not port.complaint and time.monotonic() < until:\n"
        "    heard += port.receive()\n"
        "    time.sleep(0.1)\n"
        "print(heard, port.receive(), port.complaint)\n"
        "port.close()\n"
        "os._exit(0)\n"
    )
    open_when_up(open_midi_in).close()

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15)

    complaint = "MIDI in: JACK stopped, so Fathom in:in hears nothing."
    assert result.stdout == f"3\n[] \n[] [] {complaint}\n"
    assert result.stderr == ""
