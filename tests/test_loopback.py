"""What goes out at one end comes in at the other: real ports of a JACK server, a pair of ptys for DIN."""

import os
import threading

import pytest
from midi_helpers import jack_server, need_library, need_rtmidi, open_when_up
from test_din import Cable

from device.loopback import COUNT, over_din, over_ports
from hw import midi_port
from hw.din import Serial
from hw.errors import PanelError
from hw.midi_out import open_midi_out
from hw.timing import RealTime


@pytest.fixture
def echo():
    """A serial line whose far end says what it hears."""
    cable = Cable()
    os.set_blocking(cable.far, True)
    line = Serial(cable.path)
    done = threading.Event()

    def answer():
        while not done.is_set():
            data = os.read(cable.far, 64)
            if not done.is_set():
                os.write(cable.far, data)

    thread = threading.Thread(target=answer)
    thread.start()
    yield line
    done.set()
    line.write(b"\xf8", urgent=True)
    thread.join()
    line.close()
    cable.close()


def test_notes_over_a_cable_between_the_din_sockets_are_counted_and_timed(echo):
    heard = over_din(echo, RealTime())

    assert (heard.sent, heard.seen, len(heard.delays)) == (COUNT, COUNT, COUNT)
    assert str(heard).startswith(f"{COUNT} sent, {COUNT} seen: half within ")


def test_without_a_cable_nothing_is_heard_and_nobody_waits_for_ever():
    cable = Cable()
    line = Serial(cable.path)

    assert str(over_din(line, RealTime())) == f"{COUNT} sent, 0 seen"

    line.close()
    cable.close()


def test_notes_go_through_the_system_from_a_port_of_ours_to_another(monkeypatch):
    need_rtmidi()
    need_library("jack")
    monkeypatch.setattr(midi_port, "SEQUENCER", "/nowhere")
    with jack_server(monkeypatch):
        open_when_up(open_midi_out).close()

        heard = over_ports()

    assert (heard.sent, heard.seen) == (COUNT, COUNT)


def test_a_machine_without_midi_says_so(monkeypatch):
    need_rtmidi()
    monkeypatch.setattr(midi_port, "SEQUENCER", "/nowhere")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "fathom-none")

    with pytest.raises(PanelError, match="no JACK server runs"):
        over_ports()
