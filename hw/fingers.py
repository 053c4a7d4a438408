"""What a finger touches and an eye sees: four buttons, seven lamps."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hw.errors import PanelError
from hw.header import number_of
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


class MissingLibraryError(PanelError):
    """A library is not installed: waiting mends nothing."""


def pin_factory(name: str, chip: int | None = None) -> Any:
    """gpiozero's way to the pins, chosen by name: left to itself, gpiozero takes what it finds.

    `chip` is the number of the header's chip, for lgpio. Raises PanelError where the name is not known, the
    library is missing, or it finds no pins.
    """
    if name not in FACTORIES:
        raise PanelError(f"pin factory {name!r} is not known; expected {', '.join(FACTORIES)}.")
    module, factory, install = FACTORIES[name]
    try:
        made = getattr(_imported(module), factory)
    except Exception as error:  # RPi.GPIO's on a Pi 5 is no ImportError, nor lgpio's where it may not write
        raise MissingLibraryError(
            f"buttons and LEDs: {name} cannot be used ({error}). Run `{install}`."
        ) from None
    try:
        return made(chip=chip) if name == "lgpio" and chip is not None else made()
    except Exception as error:  # each library below has a family of its own
        raise PanelError(
            f"buttons and LEDs: {name} finds no pins here ({error}); the header of a Raspberry Pi was "
            "expected. Play without it: `fathom play --panel sim`."
        ) from None


class Pins:
    """gpiozero's way to the pins of the header, found when it is first asked for: call it.

    lgpio, or the RPi.GPIO of the player's system where lgpio is not installed; `note` says which, if it is
    not the first. `chip` gives the path of the header's chip, or nothing.
    """

    def __init__(self, chip: Callable[[], str] = str) -> None:
        self.note = ""
        self._chip = chip
        self._factory: Any = None
        self._missing = ""  # a library: no waiting mends that

    def __call__(self) -> Any:
        """The factory. Raises PanelError as long as there is none."""
        if self._missing:
            raise PanelError(self._missing)
        if self._factory is None:
            try:
                self._factory = pin_factory("lgpio", number_of(self._chip()))
            except MissingLibraryError as error:
                try:
                    self._factory = pin_factory("rpigpio")
                except PanelError:
                    self._missing = str(error)
                    raise error from None
                self.note = "buttons and LEDs: lgpio is not installed, so RPi.GPIO moves them."
        return self._factory


class _Fingers:
    """Parts with a pin each, through gpiozero: those that can be had, and `complaint` on the others."""

    def __init__(self, kind: str, pins: Mapping[str, int], factory: Any) -> None:
        self.complaint = ""
        self.parts: dict[str, Any] = {}
        self._kind = kind
        self._missing = dict(pins)
        self._factory = factory if callable(factory) else lambda: factory
        self._closed = False
        self._take(list(self._missing))

    @property
    def missing(self) -> list[str]:
        """Names of those that are not to be had."""
        return list(self._missing)

    def mend(self, resting: bool) -> None:
        """Try again to have what is missing: one part at a time."""
        if self._missing and not self._closed:
            name = next(iter(self._missing))
            self._missing[name] = self._missing.pop(name)  # the next time it is another's turn
            self._take([name])

    def close(self) -> None:
        """Give the pins back. Safe to call twice."""
        self._closed = True
        while self.parts:
            self.parts.popitem()[1].close()

    def _make(self, name: str, pin: int, factory: Any) -> Any:
        """The device of gpiozero on that pin."""
        raise NotImplementedError

    def _take(self, names: list[str]) -> None:
        try:
            factory = self._factory()
        except PanelError as error:
            self.complaint = str(error)
            return
        refused = {}
        for name in names:
            try:
                self.parts[name] = self._make(name, self._missing[name], factory)
                del self._missing[name]
            except Exception as error:  # gpiozero's, and those of the library below it
                refused[name] = error
        if not self._missing:
            self.complaint = ""
        elif refused:
            name, why = next(iter(refused.items()))
            which = ", ".join(f"{self._kind} {name}" for name in sorted(self._missing))
            self.complaint = (
                f"{which}: GPIO{self._missing[name]} is not to be had ({why}). Stop what holds it "
                "(`gpioinfo` tells), look into config.txt, or change the wiring."
            )


class GpioButtons(_Fingers):
    """Buttons from pin to ground. Its twin is `hw.sim.SimButtons`.

    gpiozero tells of them on threads of its own; here they wait in line until the engine asks.
    """

    def __init__(self, pins: Mapping[str, int] = BUTTONS, factory: Any = None) -> None:
        """`factory` is gpiozero's, or a function that gives it or raises PanelError."""
        self._presses: deque[tuple[str, str]] = deque(maxlen=WAITING_PRESSES)
        super().__init__("button", pins, factory or Pins())

    def presses(self) -> list[tuple[str, str]]:
        """What fingers did since the last call, as `(name, "press" | "release" | "hold")`, oldest first."""
        return [self._presses.popleft() for _ in range(len(self._presses))]

    def held(self) -> list[str]:
        """Which buttons are down at this moment, also those that were before anybody looked."""
        return [name for name, button in self.parts.items() if button.is_pressed]

    def _make(self, name: str, pin: int, factory: Any) -> Any:
        from gpiozero import Button

        button = Button(pin, bounce_time=BOUNCE_S, hold_time=HOLD_S, pin_factory=factory)
        button.when_pressed = partial(self._presses.append, (name, "press"))
        button.when_released = partial(self._presses.append, (name, "release"))
        button.when_held = partial(self._presses.append, (name, "hold"))
        return button


class GpioLamps(_Fingers):
    """LEDs that show off, on, slow, fast or double. Its twin is `hw.sim.SimLamps`.

    They blink by being looked at: `set` and `refresh` write what has changed since, on the caller's thread. A
    thread for each blinking LED would stand in the engine's way.
    """

    def __init__(self, pins: Mapping[str, int] = LEDS, factory: Any = None, time: Time | None = None) -> None:
        """`factory` is gpiozero's, or a function that gives it or raises PanelError."""
        self._time = time or RealTime()
        self._pins = dict(pins)
        self._lit = dict.fromkeys(pins, False)
        self.states = dict.fromkeys(pins, "off")
        super().__init__("LED", pins, factory or Pins())

    def set(self, name: str, state: str) -> None:
        """Say what a lamp shows from now on. Saying it again keeps it blinking."""
        if name not in self.states or state not in LAMP_STATES:
            raise KeyError(f"no {state} of a lamp {name}; expected one of {LAMP_STATES} of {tuple(LEDS)}")
        self.states[name] = state
        self._show(name)

    def refresh(self) -> None:
        """Let what blinks blink; 20 times a second is enough."""
        for name in self.states:
            self._show(name)

    def close(self) -> None:
        """Every lamp dark, and the pins given back. Safe to call twice."""
        self._lit = dict.fromkeys(self._lit, False)
        super().close()

    def _make(self, name: str, pin: int, factory: Any) -> Any:
        from gpiozero import LED

        self._lit[name] = False
        return LED(pin, initial_value=False, pin_factory=factory)

    def _show(self, name: str) -> None:
        wanted = lit(self.states[name], self._time.now())
        if wanted != self._lit[name] and name in self.parts:
            try:
                self.parts[name].value = wanted
            except Exception as error:  # its line was taken away
                self.complaint = f"LED {name} does not light any more ({error}); it is tried again."
                with contextlib.suppress(Exception):
                    self.parts[name].close()
                del self.parts[name]
                self._missing[name] = self._pins[name]
                return
            self._lit[name] = wanted


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
