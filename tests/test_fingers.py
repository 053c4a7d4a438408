"""gpiozero's own buttons and LEDs on its mock pins; the twins."""

import sys
import time

import pytest

from hw import fingers
from hw.errors import PanelError
from hw.fingers import (
    BOUNCE_S,
    HOLD_S,
    GpioButtons,
    GpioLamps,
    MissingLibraryError,
    Pins,
    lit,
    pin_factory,
)
from hw.sim import SimButtons, SimLamps
from hw.table import BUTTONS, LAMP_STATES, LEDS
from hw.timing import SimTime

MS = 1_000_000


@pytest.fixture
def factory():
    pytest.importorskip("gpiozero", reason="gpiozero is not installed")
    factory = pin_factory("mock")
    yield factory
    factory.close()


def until(condition, seconds=2.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_presses_and_releases_wait_in_line_until_asked_for(factory):
    buttons = GpioButtons(factory=factory)

    for name in ("PLAY", "SHIFT"):
        factory.pin(BUTTONS[name]).drive_low()
    factory.pin(BUTTONS["PLAY"]).drive_high()

    assert buttons.presses() == [("PLAY", "press"), ("SHIFT", "press"), ("PLAY", "release")]
    assert buttons.presses() == []
    buttons.close()


def test_a_long_press_is_told_while_the_finger_is_still_down(factory):
    buttons = GpioButtons(factory=factory)
    heard = []

    factory.pin(BUTTONS["LEARN"]).drive_low()
    assert until(lambda: heard.extend(buttons.presses()) or len(heard) == 2, HOLD_S + 2)
    factory.pin(BUTTONS["LEARN"]).drive_high()
    heard += buttons.presses()

    assert heard == [("LEARN", "press"), ("LEARN", "hold"), ("LEARN", "release")]
    buttons.close()


def test_buttons_are_pulled_up_and_debounced(factory):
    buttons = GpioButtons(factory=factory)

    for pin in map(factory.pin, BUTTONS.values()):
        assert (pin.function, pin.pull, pin.bounce) == ("input", "up", BOUNCE_S)
    buttons.close()


def test_presses_that_nobody_asks_for_do_not_pile_up(factory):
    buttons = GpioButtons(factory=factory)

    for _ in range(500):
        factory.pin(BUTTONS["SLOT"]).drive_low()
        factory.pin(BUTTONS["SLOT"]).drive_high()

    assert len(buttons.presses()) == 64
    buttons.close()


def test_a_lamp_shows_what_it_is_told(factory):
    clock = SimTime()
    lamps = GpioLamps(factory=factory, time=clock)
    play = factory.pin(LEDS["play"])

    lamps.set("play", "on")
    assert play.state
    lamps.set("play", "off")
    assert not play.state
    lamps.close()


@pytest.mark.parametrize(
    ("state", "flashes"), [("off", 0), ("on", 1), ("slow", 6), ("fast", 30), ("double", 10)]
)
def test_lamps_blink_as_the_panel_speaks(factory, state, flashes):
    clock = SimTime()
    lamps = GpioLamps(factory=factory, time=clock)
    pin = factory.pin(LEDS["learn"])
    pin.clear_states()

    lamps.set("learn", state)
    for ms in range(0, 5999, 20):
        clock.sleep_until(ms * MS)
        lamps.refresh()

    assert sum(change.state for change in pin.states[1:]) == flashes
    lamps.close()


def test_a_lamp_that_shows_the_same_is_not_written_again(factory):
    clock = SimTime()
    lamps = GpioLamps(factory=factory, time=clock)
    lamps.set("voice1", "on")
    pin = factory.pin(LEDS["voice1"])
    written = len(pin.states)

    lamps.set("voice1", "on")
    lamps.refresh()

    assert len(pin.states) == written
    lamps.close()


def test_closing_darkens_every_lamp_and_frees_every_pin(factory):
    lamps = GpioLamps(factory=factory, time=SimTime())
    buttons = GpioButtons(factory=factory)
    for name in LEDS:
        lamps.set(name, "on")

    for part in (lamps, lamps, buttons, buttons):
        part.close()

    assert {factory.pin(pin).function for pin in LEDS.values()} == {"input"}
    GpioLamps(factory=factory, time=SimTime()).close()
    GpioButtons(factory=factory).close()


def test_a_button_whose_pin_is_taken_is_named_the_others_play_and_it_comes_back(factory):
    taken = GpioLamps({"clock": BUTTONS["SHIFT"]}, factory, SimTime())

    buttons = GpioButtons(factory=factory)
    factory.pin(BUTTONS["PLAY"]).drive_low()
    assert buttons.presses() == [("PLAY", "press")]
    assert f"button SHIFT: GPIO{BUTTONS['SHIFT']} is not to be had" in buttons.complaint
    buttons.mend(resting=False)
    assert buttons.complaint

    taken.close()
    buttons.mend(resting=False)
    factory.pin(BUTTONS["SHIFT"]).drive_low()
    assert (buttons.complaint, buttons.presses()) == ("", [("SHIFT", "press")])
    buttons.close()


def test_a_lamp_whose_pin_is_taken_is_told_all_the_same_and_shows_it_when_it_is_back(factory):
    taken = GpioLamps({"clock": LEDS["voice1"]}, factory, SimTime())
    lamps = GpioLamps(factory=factory, time=SimTime())

    lamps.set("voice1", "on")
    lamps.set("voice2", "on")
    assert "LED voice1: GPIO18 is not to be had" in lamps.complaint
    assert factory.pin(LEDS["voice2"]).state

    taken.close()
    lamps.mend(resting=False)
    lamps.refresh()
    assert lamps.complaint == ""
    assert factory.pin(LEDS["voice1"]).state
    lamps.close()


def test_a_lamp_that_fails_while_it_plays_is_said_and_nothing_is_raised(factory):
    lamps = GpioLamps(factory=factory, time=SimTime())
    lamps.parts["play"].close()

    lamps.set("play", "on")
    assert "LED play does not light any more" in lamps.complaint

    lamps.mend(resting=False)
    lamps.refresh()
    assert lamps.complaint == ""
    assert factory.pin(LEDS["play"]).state
    lamps.close()


def test_without_a_way_to_the_pins_both_say_so_and_have_it_when_it_is_there(factory):
    ways = []

    def way():
        if not ways:
            raise PanelError("buttons and LEDs: no pins.")
        return ways[0]

    buttons, lamps = GpioButtons(factory=way), GpioLamps(factory=way, time=SimTime())
    lamps.set("play", "on")
    assert buttons.complaint == lamps.complaint == "buttons and LEDs: no pins."

    ways.append(factory)
    for _ in range(len(BUTTONS) + len(LEDS)):
        buttons.mend(resting=False)
        lamps.mend(resting=False)
    lamps.refresh()

    assert buttons.complaint == lamps.complaint == ""
    assert factory.pin(LEDS["play"]).state
    lamps.close()
    buttons.close()


def test_lgpio_is_the_way_to_the_header_s_chip_and_rpi_gpio_where_it_is_missing(monkeypatch):
    asked = []

    def factory(name, chip=None):
        asked.append((name, chip))
        if name == "lgpio" and missing:
            raise MissingLibraryError("lgpio cannot be used.")
        return name

    monkeypatch.setattr(fingers, "pin_factory", factory)
    missing = False
    pins = Pins(lambda: "/dev/gpiochip4")
    assert (pins(), pins(), pins.note) == ("lgpio", "lgpio", "")
    assert asked == [("lgpio", 4)]

    missing = True
    pins = Pins(lambda: "/dev/gpiochip0")
    assert pins() == "rpigpio"
    assert "RPi.GPIO moves them" in pins.note


def test_a_library_that_is_missing_is_not_looked_for_again_while_it_plays(monkeypatch):
    pytest.importorskip("gpiozero", reason="gpiozero is not installed")
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.setitem(sys.modules, "RPi", None)
    pins = Pins()
    buttons = GpioButtons(factory=pins)
    assert "lgpio cannot be used" in buttons.complaint

    monkeypatch.setattr(fingers, "pin_factory", lambda *_: pytest.fail("looked for again"))
    buttons.mend(resting=True)
    assert "sudo apt install python3-lgpio" in buttons.complaint


def test_the_way_to_the_pins_is_named_and_never_guessed():
    with pytest.raises(PanelError, match=r"'pigpio' is not known; expected lgpio, rpigpio, mock"):
        pin_factory("pigpio")


def test_a_library_that_is_missing_is_named_with_its_cure(monkeypatch):
    pytest.importorskip("gpiozero", reason="gpiozero is not installed")
    monkeypatch.setitem(sys.modules, "lgpio", None)

    with pytest.raises(PanelError, match=r"lgpio cannot be used.*apt install python3-lgpio"):
        pin_factory("lgpio")


def test_every_state_has_its_own_light():
    shown = {state: tuple(lit(state, ms * MS) for ms in range(0, 6000, 20)) for state in LAMP_STATES}

    assert len(set(shown.values())) == len(LAMP_STATES)


def test_the_twins_do_what_they_are_told_and_know_the_same_names():
    buttons, lamps = SimButtons(), SimLamps()

    buttons.press("PLAY")
    buttons.press("PLAY", "hold")
    lamps.set("voice4", "double")

    assert buttons.presses() == [("PLAY", "press"), ("PLAY", "hold")]
    assert buttons.presses() == []
    assert lamps.states["voice4"] == "double"
    for wrong in (
        lambda: buttons.press("STOP"),
        lambda: lamps.set("play", "red"),
        lambda: lamps.set("x", "on"),
    ):
        with pytest.raises(KeyError):
            wrong()
