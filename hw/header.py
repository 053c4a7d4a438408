"""Finds the chip that the header of a Raspberry Pi hangs on, by its label: the numbers differ by kernel.

Takes no line and moves no pin.
"""

from __future__ import annotations

import contextlib
import glob
import re
from pathlib import Path
from typing import Any

from hw.errors import PanelError

HEADER_CHIPS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")  # Pi 5; Pi 4; Pi 3, Zero 2 W
MODELS = ("/proc/device-tree/model", "/sys/firmware/devicetree/base/model")
CHIPS = "/dev/gpiochip*"
INSTALL = "Run `pip install 'gpiod>=2.2.2,<3'`."


def chips() -> list[str]:
    """Paths of all the chips of this machine."""
    return sorted(glob.glob(CHIPS))


def board_name() -> str:
    """What this machine calls itself, "Raspberry Pi 4 Model B" say; "this machine" where it does not."""
    for path in MODELS:
        with contextlib.suppress(OSError):
            return Path(path).read_text(errors="replace").strip("\0\n ") or "this machine"
    return "this machine"


def header_chip(gpiod: Any, named: str = "") -> str:
    """Path of the header's chip, or of the one that was named in the wiring.

    Raises PanelError with what was found where it is not to be had.
    """
    if named:
        return named
    paths = chips()
    if not paths:
        raise PanelError(
            "jacks: no /dev/gpiochip* on this machine; the header of a Raspberry Pi was expected. "
            "Play without it: `fathom play --panel sim`."
        )
    labels, refused = [], []
    for path in paths:
        try:
            with gpiod.Chip(path) as chip:
                label = chip.get_info().label
        except OSError as error:
            refused.append(f"{path} does not open ({error.strerror or error})")
            continue
        if label in HEADER_CHIPS:
            return path
        labels.append(f"{path} is {label}")
    if refused:
        raise PanelError(f"jacks: {', '.join(refused)}. Put this user in the group gpio, log in again.")
    raise PanelError(
        f"jacks: {board_name()} is not a board that is known: {', '.join(labels)}; expected "
        f"{' or '.join(HEADER_CHIPS)}. Name the header's chip in the wiring (`gpiochip`), or play with "
        "`--panel sim`."
    )


def number_of(path: str) -> int | None:
    """The number of a chip by its path, which libraries that know no paths want; None where it has none.

    >>> number_of("/dev/gpiochip4"), number_of("/dev/header")
    (4, None)
    """
    found = re.fullmatch(r"/dev/gpiochip(\d+)", path)
    return int(found[1]) if found else None


def import_gpiod() -> Any:
    """The library, of the version that is spoken here, or a sentence on how to get it."""
    try:
        import gpiod
    except ImportError as error:
        raise PanelError(f"jacks: gpiod cannot be used ({error}). {INSTALL}") from None
    if not hasattr(gpiod, "request_lines"):
        raise PanelError(f"jacks: this gpiod is of version 1, expected 2. {INSTALL}")
    return gpiod
