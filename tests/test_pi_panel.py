"""A whole box on its own panel: the real classes, over a stand-in kernel, a simulated chip and mock pins."""

import pytest
from conftest import pattern, play_pattern
from hand_helpers import wait
from test_jacks import FakeGpiod
from test_knobs import ChipOnBus

from device.box import Box
from device.ensemble import Ensemble
from device.memory import Memory
from device.player import Player
from device.remote import state_of
from device.settings import Settings
from hw import fingers, header, jacks, knobs
from hw.panel import open_panel
from hw.table import BUTTONS, JACKS_IN, JACKS_OUT, LEDS
from hw.timing import SimTime

S = 1_000_000_000


class Pi:
    """The machine under the panel: what a hand can break."""

    def __init__(self, path, **kernel):
        self.kernel = FakeGpiod({path: "pinctrl-bcm2711"}, **kernel)
        self.chip = ChipOnBus([512] * 4 + [0] * 4)
        self.chip.cs.value = False  # the kernel's own chip select
        self.chip.deinit = lambda: None
        self.pins = fingers.pin_factory("mock")

    def level(self, jack):
        """Where a jack's line is."""
        pin = JACKS_OUT[jack]
        return next((call[pin] for call in reversed(self.kernel.calls) if pin in call), 0)

    def rises(self, jack):
        return sum(call.get(JACKS_OUT[jack], 0) for call in self.kernel.calls)


@pytest.fixture
def make_pi(monkeypatch, tmp_path, slot):
    for name in ("gpiozero", "adafruit_mcp3xxx"):
        pytest.importorskip(name)
    path = tmp_path / "gpiochip0"
    spidev = tmp_path / "spidev0.0"
    path.touch()
    spidev.touch()
    made = []

    def make(there=True, **more):
        pi = Pi(str(path), **more)
        pi.chip.there = there
        monkeypatch.setattr(header, "CHIPS", str(tmp_path / "gpiochip*"))
        monkeypatch.setattr(knobs, "SPIDEV", str(spidev))
        monkeypatch.setattr(knobs, "_open_bus", lambda: pi.chip)
        monkeypatch.setattr(jacks, "import_gpiod", lambda: pi.kernel)
        monkeypatch.setattr(fingers, "pin_factory", lambda name, chip=None: pi.pins)
        time = SimTime()
        panel = open_panel("pi", midi_port=None, time=time)
        player = Player(time, Ensemble([slot]), Settings(), None, panel.knobs.values)
        box = Box(panel, time, player, memory=Memory(knobs=[0.1, 0.2, 0.3, 0.4]))
        play_pattern(box.engine, pattern("x...x...x...x..."))
        made.append((panel, pi))
        return pi, box

    yield make
    for panel, pi in made:
        panel.close()
        pi.pins.close()


def press(pi, button):
    pi.pins.pin(BUTTONS[button]).drive_low()
    pi.pins.pin(BUTTONS[button]).drive_high()


def test_a_press_of_play_raises_gates_and_lights_its_lamp(make_pi):
    pi, box = make_pi()
    wait(box, 100)

    press(pi, "PLAY")
    wait(box, 2000)

    assert box.complaints == []
    assert pi.rises("gate1") == 4
    assert pi.pins.pin(LEDS["play"]).state
    box.engine.stop()
    box.panel.close()
    assert not any(pi.level(jack) for jack in JACKS_OUT)


def test_a_knob_that_is_turned_is_heard(make_pi):
    pi, box = make_pi()
    wait(box, 300)

    for counts in range(512, 1024, 16):
        pi.chip.counts[1] = counts
        wait(box, 16)
    pi.chip.counts[1] = 1023
    wait(box, 300)

    assert box.desk.knobs == [0.1, 1.0, 0.3, 0.4]


def test_with_no_chip_and_a_gate_taken_the_box_plays_says_both_and_has_both_back(make_pi):
    pi, box = make_pi(there=False, busy=[JACKS_OUT["gate1"]])
    play_pattern(box.engine, pattern("x...x...x...x...", "x...x...x...x..."))
    wait(box, 100)

    press(pi, "PLAY")
    wait(box, 2000)

    assert box.desk.knobs == [0.1, 0.2, 0.3, 0.4]
    assert (pi.rises("gate1"), pi.rises("gate2")) == (0, 4)
    said = " ".join(state_of(box).notes)
    assert "no MCP3008 answers" in said
    assert "GPIO16 (gate1 out) held by gpioset; the other jacks play" in said
    clock = pi.pins.pin(LEDS["clock"])
    clock.clear_states()
    wait(box, 1200)
    assert sum(change.state for change in clock.states[1:]) == 2, "the lamp blinks double"

    pi.chip.there = True
    pi.kernel.busy.clear()
    wait(box, 1200)
    assert box.complaints == []
    assert box.desk.knobs == [0.1, 0.2, 0.3, 0.4]
    wait(box, 1000)
    assert pi.rises("gate1") >= 2


@pytest.mark.parametrize("loose", [1, 0])
def test_a_chip_that_goes_while_it_plays_moves_nothing_and_is_said_within_a_second(make_pi, loose):
    pi, box = make_pi()
    pi.chip.loose = loose
    press(pi, "PLAY")
    wait(box, 2000)
    before, rises = list(box.panel.knobs.values), pi.rises("gate1")

    pi.chip.there = False
    wait(box, 1000)

    assert any("MCP3008" in said for said in box.complaints)
    assert box.panel.knobs.values == before
    assert pi.rises("gate1") - rises == 2
    pi.chip.there = True
    wait(box, 1000)
    assert box.complaints == []


def test_a_tone_at_the_clock_jack_is_said_and_the_music_goes_on(make_pi):
    pi, box = make_pi()
    press(pi, "PLAY")
    wait(box, 500)
    next_edge = box.engine.time.now()
    for _ in range(300):
        wait(box, 1)
        while next_edge < box.engine.time.now():
            pi.kernel.edge(JACKS_IN["clock"], next_edge)
            next_edge += S // 3000

    assert box.player.playing
    assert any("clock in: 3000 pulses a second" in said for said in box.complaints)
    wait(box, 1000)
    assert box.complaints == []
    assert box.player.settings.bpm == pytest.approx(120)
