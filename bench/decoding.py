"""How long one position of the knobs takes to become a pattern, in this process."""

from __future__ import annotations

import time
from pathlib import Path

from device.slots import SlotFolder

DECODES = 2000

Row = tuple[str, str, str]


def rows(home: Path) -> list[Row]:
    decoder = SlotFolder(home / "slots").load(1).decoder
    knobs = [[n / DECODES, 0.5, 0.5, 0.5] for n in range(DECODES)]
    started = time.perf_counter()
    for position in knobs:
        decoder.decode(position).pattern()
    each = (time.perf_counter() - started) / DECODES * 1e6
    return [("knobs to pattern, one slot of three voices", f"{each:.0f} us", "")]
