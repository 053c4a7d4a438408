"""Twins have what the real parts have: an engine that plays on them plays on the box."""

import inspect

import pytest

from hw.fingers import GpioButtons, GpioLamps
from hw.jacks import GpiodJacks
from hw.knobs import Mcp3008Knobs
from hw.link import Link
from hw.midi_in import MidiIn
from hw.midi_out import MidiOut
from hw.panel import open_panel
from hw.sim import SimButtons, SimJacks, SimKnobs, SimLamps, SimLink, SimMidi, SimMidiIn
from hw.timing import RealTime, SimTime

PAIRS = [
    (GpiodJacks, SimJacks),
    (Mcp3008Knobs, SimKnobs),
    (GpioButtons, SimButtons),
    (GpioLamps, SimLamps),
    (MidiOut, SimMidi),
    (MidiIn, SimMidiIn),
    (Link, SimLink),
    (RealTime, SimTime),
]


def methods(kind):
    return {
        name: list(inspect.signature(method).parameters)
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(("real", "twin"), PAIRS, ids=lambda kind: kind.__name__)
def test_a_twin_has_every_method_of_its_part_with_the_same_arguments(real, twin):
    assert methods(real).items() <= methods(twin).items()


def test_what_is_played_on_the_twins_costs_no_memory_unless_asked_for():
    box = open_panel("sim", midi_port=None, time=SimTime())

    for level in 500 * (1, 0):
        box.jacks.write({"gate1": level})
        box.midi[0].send([0xF8])

    assert (box.jacks.edges, box.midi[0].messages) == ([], [])


def test_a_message_is_kept_as_it_was_when_it_was_sent():
    port = SimMidi(SimTime(), remember=True)
    message = bytearray([0x90, 36, 100])

    port.send(message)
    message[2] = 0

    assert port.messages == [(0, b"\x90\x24\x64")]


def test_what_is_fed_to_an_input_arrives_once_with_its_time_and_64_at_a_time():
    time = SimTime()
    port = SimMidiIn(time)
    time.sleep_until(7)
    port.feed([0xF8])
    port.feed(b"\x90\x24\x64", ns=5)

    assert port.receive() == [(7, b"\xf8"), (5, b"\x90\x24\x64")]
    assert port.receive() == []

    for _ in range(100):
        port.feed([0xF8])
    assert [len(port.receive()) for _ in range(3)] == [64, 36, 0]
