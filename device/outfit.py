"""What a box is made of, as settings.toml says it: `[wiring]` and `[calibration]`. Opens nothing.

[wiring]                  # where the parts are, where they are not as in the reference
gpiochip = "/dev/gpiochip0"
[wiring.out]
gate1 = 16
[calibration]             # counts of the converter
A = [10, 1013]            # knob A fully left and fully right
cv_volts = [0, 5]         # two voltages ...
cv_A = [0, 656]           # ... and what CV A gives at them

These are no settings of the music: they are read once, when the box starts. Wiring that cannot be is not used
in part: pins that are driven where nobody expects it may do harm.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from device.settings import shown
from device.specs import KNOB_NAMES
from hw.calibration import (
    APART,
    MOST_VOLTS,
    REFERENCE,
    VOLTS_APART,
    Calibration,
    Points,
    at_0_and_5_volts,
    reference,
)
from hw.errors import PanelError
from hw.table import BUTTONS, COUNTS, JACKS_IN, JACKS_OUT, LEDS, Wiring

GROUPS: dict[str, tuple[str, Mapping[str, int]]] = {  # table: field of the wiring, and its parts
    "out": ("jacks_out", JACKS_OUT),
    "in": ("jacks_in", JACKS_IN),
    "buttons": ("buttons", BUTTONS),
    "leds": ("leds", LEDS),
}
PATHS = ("gpiochip", "serial")
CV_KEYS = tuple(f"cv_{name}" for name in KNOB_NAMES)
VOLTS_KEY = "cv_volts"
REFERENCE_WIRING = Wiring()
REFERENCE_PLAYS = "the reference wiring is used"


@dataclass(frozen=True)
class Outfit:
    """Wiring and calibration of a box; without a word those of the reference panel."""

    wiring: Wiring = REFERENCE_WIRING
    calibration: Calibration = REFERENCE


def read_outfit(text: str, name: str = "settings", cv: Sequence[str] = ()) -> tuple[Outfit, list[str]]:
    """The outfit that a settings file tells, and a sentence for each thing that cannot be used.

    `cv` is the setting of that name: a CV that is not calibrated is taken to be built for it.

    >>> read_outfit("[wiring.out]\\ngate1 = 9")[1]
    ['settings: wiring: jack gate1 out is on GPIO9, which belongs to SPI0, the MCP3008. Give it another pin; \
the reference wiring is used.']
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError):  # what is wrong with it, the settings say
        return Outfit(calibration=reference(cv)), []
    wiring, wrong = _wiring(table.get("wiring", {}))
    calibration, uncalibrated = calibrated(table.get("calibration", {}), cv)
    if wrong:
        wiring = Wiring()
    said = [f"{one.rstrip('.')}; {REFERENCE_PLAYS}." for one in wrong]
    return Outfit(wiring, calibration), [f"{name}: {one}" for one in [*said, *uncalibrated]]


def calibrated(table: Any, cv: Sequence[str] = ()) -> tuple[Calibration, list[str]]:
    """What a table `calibration` says, and what of it cannot be used: each knob and each CV is for itself."""
    calibration, wrong = reference(cv), []
    if not isinstance(table, dict):
        return calibration, [f"calibration = {shown(table)}: expected a table."]
    volts: tuple[float, float] | None = None
    try:
        volts = _pair(VOLTS_KEY, table.get(VOLTS_KEY, [0, 5]), -MOST_VOLTS, MOST_VOLTS, VOLTS_APART)
    except PanelError as error:
        wrong.append(f"{error}.")
    for key, value in table.items():
        try:
            if key in KNOB_NAMES:
                points = _put(calibration.knobs, KNOB_NAMES.index(key), _pair(key, value, 0, COUNTS, APART))
                calibration = replace(calibration, knobs=points)
            elif key in CV_KEYS:
                counts = _pair(key, value, 0, COUNTS, APART)
                if volts is not None:
                    ends = at_0_and_5_volts(volts, counts)
                    calibration = replace(calibration, cv=_put(calibration.cv, CV_KEYS.index(key), ends))
            elif key != VOLTS_KEY:
                names = ", ".join((*KNOB_NAMES, *CV_KEYS, VOLTS_KEY))
                raise PanelError(f"calibration.{shown(key)} is not known; expected one of {names}")
        except PanelError as error:
            wrong.append(f"{error}.")
    return calibration, wrong


def _wiring(table: Any) -> tuple[Wiring, list[str]]:
    wrong: list[str] = []
    if not isinstance(table, dict):
        return Wiring(), [f"wiring = {shown(table)}: expected a table"]
    changed: dict[str, Any] = {}
    for key, value in table.items():
        if key in PATHS:
            if isinstance(value, str) and (value.startswith("/dev/") or not value):
                changed |= {key: value} if value else {}
            else:
                wrong.append(f"wiring.{key} = {shown(value)}: expected a path that begins with /dev/")
        elif key in GROUPS and isinstance(value, dict):
            field, parts = GROUPS[key]
            wrong += list(_wrong_pins(key, value, parts))
            changed[field] = {**parts, **value}
        elif key in GROUPS:
            wrong.append(f"wiring.{key} = {shown(value)}: expected a table of parts and their pins")
        else:
            wrong.append(
                f"wiring.{shown(key)} is not known; expected {', '.join(PATHS)}, or one of the tables "
                f"{', '.join(f'wiring.{group}' for group in GROUPS)}"
            )
    if wrong:
        return Wiring(), wrong
    try:
        return Wiring(**changed), []
    except PanelError as error:
        return Wiring(), [f"wiring: {error}"]


def _wrong_pins(group: str, pins: Mapping[str, Any], parts: Mapping[str, int]) -> Iterator[str]:
    for name, pin in pins.items():
        if name not in parts:
            yield f"wiring.{group}.{shown(name)} is no part of the panel; expected one of {', '.join(parts)}"
        elif not isinstance(pin, int) or isinstance(pin, bool) or not 0 <= pin <= 27:
            yield f"wiring.{group}.{name} = {shown(pin)}: expected a whole number from 0 to 27, GPIO's"


def _put(points: tuple[Points, ...], place: int, new: Points) -> tuple[Points, ...]:
    return (*points[:place], new, *points[place + 1 :])


def _pair(key: str, value: Any, low: float, high: float, apart: float) -> tuple[Any, Any]:
    """Two numbers within a range and far enough apart: whole ones, but for volts. PanelError otherwise."""
    volts = key == VOLTS_KEY
    kinds = int | float if volts else int
    good = isinstance(value, list | tuple) and len(value) == 2
    good = good and all(isinstance(one, kinds) and not isinstance(one, bool) for one in value)
    if not good or not all(low <= one <= high for one in value) or abs(value[1] - value[0]) < apart:
        what = "voltages" if volts else "counts, whole numbers"
        raise PanelError(
            f"calibration.{key} = {shown(value)}: expected two {what} from {low:g} to {high:g}, at least "
            f"{apart:g} apart"
        )
    return value[0], value[1]
