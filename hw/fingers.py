"""What a finger touches and an eye sees: four buttons, seven lamps."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from hw.errors import PanelError
from hw.table import BUTTONS, LAMP_STATES, LEDS
from hw.timing import RealTime, Time

BOUNCE_S = 0.01  # a cheap button is still after 5 ms
HOLD_S = 0.6  # a press as long as this is meant to be long
WAITING_PRESSES = 64  # more than ten fingers leave between two looks; older ones go first

NS_PER_MS = 1_000_000
FACTORIES = {  # the classes of gpiozero that speak to pins, and what installs the library under each
    "lgpio": ("gpiozero.pins.lgpio", "LGPIOFactory", "sudo apt install python3-lgpio"),
    "rpigpio": ("gpiozero.pins.rpigpio", "RPiGPIOFactory", "pip install rpi-lgpio"),
    "mock": ("gpiozero.pins.mock", "MockFactory", "pip install gpiozero"),
}


def lit(state: str, ns: int) -> bool:
    """Whether a lamp in that state is lit at that time. All lamps blink together.

    >>> [lit("double", ms * NS_PER_MS) for ms in (0, 100, 200, 300, 1100)]
    [True, False, True, False, False]
    """
    ms = ns // NS_PER_MS
    if state == "slow":
        return ms % 1000 < 500
    if state == "fast":
        return ms % 200 < 100
    if state == "double":
        return ms % 1200 < 100 or 200 <= ms % 1200 < 300
    return state == "on"


def pin_factory(name: str) -> Any:
    """gpiozero's way to the pins, chosen by name: left to itself, gpiozero takes what it finds.

    Raises PanelError where the name is not known, the library is missing, or it finds no pins.
    """
    if name not in FACTORIES:
        raise PanelError(f"pin factory {name!r} is not known; expected {', '.join(FACTORIES)}.")
    module, factory, install = FACTORIES[name]
    try:
        return getattr(_imported(module), factory)()
    except ImportError as error:
        raise PanelError(f"buttons and LEDs: {name} cannot be used ({error}). Run `{install}`.") from None
    except Exception as error:  # each library below has a family of its own
        raise PanelError(
            f"buttons and LEDs: {name} finds no pins here ({error}); the header of a Raspberry Pi was "
            "expected. Play without it: `fathom play --panel sim`."
        ) from None


class GpioButtons:
    """Buttons from pin to ground. Its twin is `hw.sim.SimButtons`.

    gpiozero tells of them on threads of its own; here they wait in line until the engine asks.
    """

    def __init__(self, pins: Mapping[str, int] = BUTTONS, factory: Any = None) -> None:
        self._presses: deque[tuple[str, str]] = deque(maxlen=WAITING_PRESSES)
        self._buttons: list[Any] = []
        self._pins = dict(pins)
        factory = factory or pin_factory("lgpio")
        from gpiozero import Button

        device = partial(Button, bounce_time=BOUNCE_S, hold_time=HOLD_S, pin_factory=factory)
        for name, pin in pins.items():
            button = _taken(f"button {name}", pin, device, self)
            self._buttons.append(button)
            button.when_pressed = partial(self._presses.append, (name, "press"))
            button.when_released = partial(self._presses.append, (name, "release"))
            button.when_held = partial(self._presses.append, (name, "hold"))

    def presses(self) -> list[tuple[str, str]]:
        """What fingers did since the last call, as `(name, "press" | "release" | "hold")`, oldest first."""
        return [self._presses.popleft() for _ in range(len(self._presses))]

    def held(self) -> list[str]:
        """Which buttons are down at this moment, also those that were before anybody looked."""
        return [name for name, button in zip(self._pins, self._buttons, strict=False) if button.is_pressed]

    def close(self) -> None:
        """Give the pins back. Safe to call twice."""
        while self._buttons:
            self._buttons.pop().close()


class GpioLamps:
    """LEDs that show off, on, slow, fast or double. Its twin is `hw.sim.SimLamps`.

    They blink by being looked at: `set` and `refresh` write what has changed since, on the caller's thread. A
    thread for each blinking LED would stand in the engine's way.
    """

    def __init__(self, pins: Mapping[str, int] = LEDS, factory: Any = None, time: Time | None = None) -> None:
        self._time = time or RealTime()
        self._leds: dict[str, Any] = {}
        self._lit: dict[str, bool] = {}
        factory = factory or pin_factory("lgpio")
        from gpiozero import LED

        device = partial(LED, initial_value=False, pin_factory=factory)
        for name, pin in pins.items():
            self._leds[name] = _taken(f"LED {name}", pin, device, self)
            self._lit[name] = False
        self.states = dict.fromkeys(self._leds, "off")

    def set(self, name: str, state: str) -> None:
        """Say what a lamp shows from now on. Saying it again keeps it blinking."""
        if name not in self._leds or state not in LAMP_STATES:
            raise KeyError(f"no {state} of a lamp {name}; expected one of {LAMP_STATES} of {tuple(LEDS)}")
        self.states[name] = state
        self._show(name)

    def refresh(self) -> None:
        """Let what blinks blink; 20 times a second is enough."""
        for name in self._leds:
            self._show(name)

    def close(self) -> None:
        """Every lamp dark, and the pins given back. Safe to call twice."""
        while self._leds:
            name, led = self._leds.popitem()
            self._lit[name] = False
            led.close()

    def _show(self, name: str) -> None:
        wanted = lit(self.states[name], self._time.now())
        if wanted != self._lit[name]:
            self._leds[name].value = wanted
            self._lit[name] = wanted


def _taken(part: str, pin: int, device: Any, owner: GpioButtons | GpioLamps) -> Any:
    """The device on that pin; where it is not to be had, what the owner has taken so far is given back."""
    try:
        return device(pin)
    except Exception as error:  # gpiozero's, and those of the library below it
        owner.close()
        raise PanelError(
            f"{part}: GPIO{pin} is not to be had ({error}). Stop what holds it (`gpioinfo` tells), "
            "look into config.txt, or change the wiring."
        ) from None


def _imported(module: str) -> Any:
    """A module of gpiozero. lgpio leaves a pipe where it is imported and moves there: not among our files."""
    here = os.getcwd()
    if "LG_WD" not in os.environ:
        os.environ["LG_WD"] = tempfile.mkdtemp(prefix="fathom-")
        atexit.register(shutil.rmtree, os.environ["LG_WD"], ignore_errors=True)
    try:
        return importlib.import_module(module)
    finally:
        os.chdir(here)
