"""Wakes as the engine does, with its claims, and prints how late each wake-up was in us. Writes no gate.

A process of its own: `python -m bench.wakes SECONDS`.
"""

from __future__ import annotations

import json
import sys

from device.doctor import wakes
from device.realtime import claim
from hw.timing import RealTime

SPACING_NS = 5_000_000  # the engine's longest wait


def main() -> None:
    claim()
    count = round(float(sys.argv[1]) * 1e9 / SPACING_NS)
    print(json.dumps([late / 1000 for late in wakes(RealTime(), count, SPACING_NS)]))


if __name__ == "__main__":
    main()
