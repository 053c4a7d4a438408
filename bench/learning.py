"""How long learning the demo loops takes, and how the slots turn out."""

from __future__ import annotations

import json
from pathlib import Path

from bench.box import LEARNED

Row = tuple[str, str, str]


def rows(home: Path) -> list[Row]:
    """Two rows a slot: the drums with three voices, the bass lines with one."""
    table = []
    for number, folder, voices in LEARNED:
        report = json.loads((home / f"learned-{number}.json").read_text())
        spent, play = report["seconds"], report["playability"]
        table.append(
            (
                f"learn the {folder} of the demo loops, {report['takes']} takes, {voices} voice(s)",
                f"{spent['total']:.1f} s",
                f"hear {spent['hear']:.1f} s, train {spent['train']:.1f} s, measure {spent['measure']:.1f} s",
            )
        )
        meaning = ", ".join(f"{knob} {value:.2f}" for knob, value in play["meaning"].items())
        table.append(
            (
                f"playability of the {folder}",
                f"reach {play['reach']:.2f}, likeness {play['likeness']:.2f}, silence {play['silence']:.3f}",
                f"meaning {meaning}; travel {', '.join(f'{t:.0f}' for t in play['travel'])}",
            )
        )
    return table
