"""Draws the wiring of the reference panel, and makes the tables of its page (`make wiring`).

Writes `docs/wiring/*.svg`, and what stands in `docs/panel.md` between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hw.table import CVS, KNOBS, Wiring
from tools import circuit
from tools.sheets import CHANNEL_PINS, SHEETS, net, number_of, physical, sheet_of, uses

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "wiring"
PAGE = ROOT / "docs" / "panel.md"


def pins() -> list[list[str]]:
    """Every part of the table, with the pin or channel it is on."""
    found = [["part", "where", "on the header", "sheet"]]
    for part, pin in Wiring().parts():
        found.append([part, net(pin), f"pin {physical(pin)}", str(number_of(sheet_of(part)))])
    for kind, channels, place in (("knob", KNOBS, "knobs"), ("CV", CVS, "cv")):
        for name, channel in channels.items():
            pin = CHANNEL_PINS[channel]
            found.append([f"{kind} {name}", f"CH{channel} of U2, its pin {pin}", "", str(number_of(place))])
    for pin, (what, place) in sorted(uses().items()):
        if not any(net(pin) == row[1] for row in found):
            found.append(
                [what, net(pin), f"pin {physical(pin)}", str(number_of(place)) if place else "left open"]
            )
    return found


def parts() -> list[list[str]]:
    return [["", "parts", "what", "what for"]] + [[str(one), *rest] for one, *rest in circuit.parts()]


def sums() -> list[list[str]]:
    return [["what", "figure", "from"]] + [list(row) for row in circuit.sums()]


def boards() -> list[list[str]]:
    found = [["board", "supply", "alone", "every core busy", "from +12 V, alone to busy"]]
    for board in circuit.BOARDS:
        drawn = [f"{circuit.from_rack(one):.2f} A" for one in (board.typical, board.busy) if one]
        busy = f"{board.busy} A" if board.busy else "not said"
        found.append([board.name, f"{board.supply:g} A", f"{board.typical} A", busy, " to ".join(drawn)])
    return found


TABLES: dict[str, Callable[[], list[list[str]]]] = {
    "pins": pins,
    "parts": parts,
    "sums": sums,
    "boards": boards,
}


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown, the first one as the head."""
    return "\n".join(_row(row) for row in (rows[0], ["---"] * len(rows[0]), *rows[1:]))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def page(text: str) -> str:
    """The text of a page with its tables made anew."""
    for name, rows in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"docs/panel.md: no {begin} ... {end}; the table of {name} belongs there.")
        text = f"{before}{begin}\n{table(rows())}\n{end}{after}"
    return text


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, draw in SHEETS.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
