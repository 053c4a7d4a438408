"""Opening and closing a panel, and the table of what is on it."""

import os
import subprocess
import sys

import pytest

from hw import fingers, header, knobs, midi_port, panel
from hw.errors import PanelError
from hw.panel import Panel, open_panel
from hw.sim import SimButtons, SimJacks, SimKnobs, SimLamps, SimMidi, SimMidiIn
from hw.table import BUTTONS, CVS, JACKS_IN, JACKS_OUT, KNOBS, LEDS, PULLED_UP_AT_BOOT, RESERVED, Wiring
from hw.timing import RealTime, SimTime


def test_no_pin_is_used_twice_and_none_that_is_spoken_for():
    pins = [pin for group in (JACKS_OUT, JACKS_IN, BUTTONS, LEDS) for pin in group.values()]

    assert len(pins) == len(set(pins)) == 20
    assert not set(pins) & frozenset().union(*RESERVED.values())
    assert set(pins) <= set(range(28))


def test_nothing_that_is_driven_is_pulled_up_at_boot():
    assert not PULLED_UP_AT_BOOT & {*JACKS_OUT.values(), *LEDS.values()}


def test_knobs_and_cv_have_the_eight_channels():
    assert sorted([*KNOBS.values(), *CVS.values()]) == list(range(8))


@pytest.mark.parametrize(
    ("jacks", "complaint"),
    [
        ({"gate1": 9}, "jack gate1 out is on GPIO9, which belongs to SPI0"),
        ({"gate1": 17, "gate2": 17}, "jack gate2 out is on GPIO17, and so is jack gate1 out"),
        ({"gate1": 40}, "jack gate1 out is on GPIO40; expected GPIO0 to GPIO27"),
    ],
)
def test_a_wiring_that_cannot_be_is_refused_in_words(jacks, complaint):
    with pytest.raises(PanelError, match=complaint):
        Wiring(jacks_out=jacks)


def test_the_simulated_panel_has_every_part_and_remembers_when_asked():
    time = SimTime()
    box = open_panel("sim", midi_port=None, time=time, remember=True)

    box.jacks.write({"gate1": 1})
    time.sleep_until(2_000)
    box.midi[0].send([0x90, 36, 100])
    box.close()

    assert (box.name, box.notes) == ("sim", [])
    assert box.jacks.edges == [(0, "gate1", 1), (2_000, "gate1", 0)]
    assert box.midi[0].messages == [(2_000, b"\x90\x24\x64")]


def test_a_panel_plays_in_real_time_unless_told_otherwise():
    assert isinstance(open_panel("sim", midi_port=None).time, RealTime)


def test_closing_leaves_every_gate_low_and_every_lamp_dark_also_the_second_time():
    box = open_panel("sim", midi_port=None)
    box.jacks.write(dict.fromkeys(JACKS_OUT, 1))
    box.lamps.set("play", "on")

    box.close()
    box.close()

    assert not any(box.jacks.levels.values())
    assert set(box.lamps.states.values()) == {"off"}


def test_a_part_that_does_not_close_keeps_no_other_from_closing():
    class Stuck(SimMidi):
        def close(self):
            raise OSError("stuck")

    time = SimTime()
    jacks, lamps = SimJacks(time), SimLamps()
    lamps.set("play", "on")
    box = Panel("sim", jacks, SimKnobs(), SimButtons(), lamps, [Stuck(time)], time)

    with pytest.raises(OSError, match="stuck"):
        box.close()

    assert lamps.states["play"] == "off"


def test_a_panel_without_midi_plays_on_and_says_what_is_missing(monkeypatch):
    def none(name, number=0):
        raise PanelError(f"MIDI: nothing to open {name} on. Install it.")

    monkeypatch.setattr(panel, "open_midi_out", none)
    monkeypatch.setattr(panel, "open_midi_in", none)

    box = open_panel("sim", outputs=2, time=SimTime(), remember=True)

    assert box.notes == ["MIDI: nothing to open Fathom on. Install it."]
    assert [port.name for port in (*box.midi, *box.inputs)] == ["Fathom 1", "Fathom 2", "Fathom"]
    assert box.midi[0].send([0xF8])
    assert box.inputs[0].receive() == []


def test_the_simulated_panel_opens_a_real_port_of_that_name(monkeypatch):
    opened = []
    time = SimTime()
    monkeypatch.setattr(panel, "open_midi_out", lambda *given: opened.append(given) or SimMidi(time, *given))
    monkeypatch.setattr(panel, "open_midi_in", lambda *given: opened.append(given) or SimMidiIn(time))

    box = open_panel("sim", midi_port="Fathom two", inputs=2)

    assert opened == [("Fathom two",), ("Fathom two", 1), ("Fathom two", 2)]
    assert box.notes == []


def test_closing_the_panel_closes_every_input(monkeypatch):
    closed = []
    box = open_panel("sim", midi_port=None, outputs=3, inputs=2)
    for port in box.inputs:
        monkeypatch.setattr(port, "close", lambda name=port.name: closed.append(name))

    box.close()

    assert closed == ["Fathom 1", "Fathom 2"]
    assert [port.name for port in box.midi] == ["Fathom 1", "Fathom 2", "Fathom 3"]


def test_a_panel_of_another_kind_is_refused():
    with pytest.raises(PanelError, match=r"panel 'pie' is not known; expected pi or sim"):
        open_panel("pie")


def no_midi(monkeypatch):
    def none(name, number=0):
        raise PanelError(f"MIDI: nothing to open {name} on. Install it.")

    monkeypatch.setattr(panel, "open_midi_out", none)
    monkeypatch.setattr(panel, "open_midi_in", none)


@pytest.fixture
def machine(monkeypatch):
    """A machine without pins and bus, whatever this one has."""
    for name in ("gpiod", "gpiozero", "adafruit_mcp3xxx"):
        pytest.importorskip(name)
    monkeypatch.setattr(header, "CHIPS", "/nowhere/gpiochip*")
    monkeypatch.setattr(knobs, "SPIDEV", "/nowhere/spidev0.0")
    monkeypatch.setattr(fingers, "pin_factory", lambda *_: (_ for _ in ()).throw(PanelError("no pins.")))


def test_where_nothing_of_a_panel_is_there_it_is_refused_in_a_sentence(machine, monkeypatch):
    no_midi(monkeypatch)

    with pytest.raises(PanelError, match=r"no /dev/gpiochip\* on this machine.*--panel sim"):
        open_panel("pi")


def test_a_box_with_midi_alone_plays_and_says_what_is_missing(machine, monkeypatch):
    def port(name, number=0):
        found = SimMidi(SimTime(), name)
        found.system = "ALSA"
        return found

    monkeypatch.setattr(panel, "open_midi_out", port)
    monkeypatch.setattr(panel, "open_midi_in", lambda name, number=0: SimMidiIn(SimTime(), name))
    box = open_panel("pi")

    box.jacks.write({"gate1": 1})
    box.lamps.set("play", "on")
    box.knobs.read(3)
    assert (box.jacks.arrived(), box.buttons.presses()) == ([], [])
    assert box.knobs.values == [0.5] * 4
    said = " ".join(box.complaints)
    for missing in ("no /dev/gpiochip*", "no /nowhere/spidev0.0", "no pins."):
        assert said.count(missing) == 1, missing
    for _ in range(8):
        box.mend(resting=True)
    box.close()


def test_a_box_without_a_chip_for_its_knobs_plays_on_jacks(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(header, "CHIPS", str(tmp_path / "gpiochip*"))
    (tmp_path / "gpiochip0").touch()
    no_midi(monkeypatch)

    box = open_panel("pi")

    assert [part.partition(":")[0] for part in box.complaints] == ["jacks", "knobs", "no pins."]
    assert box.notes == ["MIDI: nothing to open Fathom on. Install it."]
    box.close()


def test_the_din_sockets_are_an_output_and_an_input_among_others(monkeypatch):
    opened = []
    time = SimTime()
    monkeypatch.setattr(panel, "open_midi_out", lambda *given: opened.append(given) or SimMidi(time, *given))
    monkeypatch.setattr(panel, "open_midi_in", lambda *given: SimMidiIn(time))
    box = open_panel("sim", outputs=2, inputs=1, din=(1, 0), wiring=Wiring(serial="/nowhere/serial0"))

    assert [port.system for port in (*box.midi, *box.inputs)] == ["memory", "DIN", "DIN"]
    assert opened == [("Fathom", 1)]
    assert [said.partition(" (")[0] for said in box.complaints] == [
        "MIDI DIN: /nowhere/serial0 does not open"
    ]
    assert not box.midi[1].send([0xF8])
    box.mend(resting=False)
    box.close()


def test_din_sockets_without_a_uart_are_no_way_to_midi(machine, monkeypatch):
    no_midi(monkeypatch)

    with pytest.raises(PanelError, match=r"no /dev/gpiochip"):
        open_panel("pi", din=(0, None), wiring=Wiring(serial="/nowhere/serial0"))


def test_parts_that_complain_try_again_in_turn_and_no_other_does():
    box = open_panel("sim", midi_port=None, time=SimTime())
    tried = []
    for name in ("jacks", "knobs", "lamps"):
        part = getattr(box, name)
        part.mend = lambda resting, name=name: tried.append((name, resting))
    box.jacks.complaint = "jacks: none."
    box.lamps.complaint = "LED play: dark."

    for resting in (True, False, True, False):
        box.mend(resting)

    assert sorted(tried) == [("jacks", False), ("jacks", False), ("lamps", True), ("lamps", True)]
    assert box.complaints == ["jacks: none.", "LED play: dark."]


def test_a_laptop_imports_the_room_without_any_driver():
    blocked = ("gpiod", "gpiozero", "lgpio", "RPi", "board", "busio", "adafruit_mcp3xxx", "rtmidi", "numpy")
    code = (
        "import sys\n"
        f"for name in {blocked}: sys.modules[name] = None\n"
        "import hw.panel, hw.sim, hw.jacks, hw.knobs, hw.fingers, hw.midi_out, hw.table, hw.timing, hw.din\n"
        "box = hw.panel.open_panel('sim')\n"
        "box.close()\n"
        "print(*box.notes)\n"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)

    assert result.stdout.startswith("MIDI: python-rtmidi is not installed")
    assert result.stderr == ""


def test_the_sequencer_is_where_the_kernel_puts_it():
    assert os.path.dirname(midi_port.SEQUENCER) == "/dev/snd"
