"""`make bench`: takes every figure and writes docs/figures.md. Asserts nothing.

A room is a module with `rows(home)`: what was measured, what was found, and what it is to be read against,
taken in the same run. Its first line stands above its table.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in every Fathom

import argparse
import platform
import tempfile
from pathlib import Path

from bench import (
    box,
    cost,
    decoding,
    engine,
    following,
    hearing,
    lateness,
    learning,
    library,
    playability,
    together,
)

FIGURES = box.ROOT / "docs" / "figures.md"
MODULES = (hearing, learning, playability, library, decoding, engine, following, together, cost, lateness)
ROOMS = {room.__name__.rpartition(".")[2]: room for room in MODULES}

Row = tuple[str, str, str]


def main() -> None:
    """Take the figures of the rooms that are named and print them, or of all and write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measures, side by side with peers.")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"only print these: {', '.join(ROOMS)}")
    parser.add_argument(
        "--seconds", type=float, default=lateness.SECONDS, help="of play that lateness looks at"
    )
    parser.add_argument("--loops", type=int, metavar="N", help="of the labelled ones that hearing looks at")
    words = parser.parse_args()
    if words.loops is not None and words.loops < hearing.FEWEST:
        parser.error(f"--loops is {words.loops}, expected {hearing.FEWEST} or more")
    for name in words.rooms:
        if name not in ROOMS:
            parser.error(f"no room {name!r}; there are {', '.join(ROOMS)}")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        box.prepare(home)
        tables = [table(name, figures(name, home, words)) for name in words.rooms or ROOMS]
    if not words.rooms:
        said = [f"--seconds {words.seconds:g}"] if words.seconds != lateness.SECONDS else []
        said += [f"--loops {words.loops}"] if words.loops is not None else []
        command = "make bench" + (f' ARGS="{" ".join(said)}"' if said else "")
        FIGURES.write_text(PAGE.format(command=command, machine=machine(), tables="\n\n".join(tables)))
    print("\n\n".join(tables))


def figures(name: str, home: Path, words: argparse.Namespace) -> list[Row]:
    if name == "lateness":
        return lateness.rows(home, words.seconds)
    return hearing.rows(home, words.loops) if name == "hearing" else ROOMS[name].rows(home)


def table(name: str, rows: list[Row]) -> str:
    """A room's heading, its first line and its figures."""
    first = (ROOMS[name].__doc__ or "").splitlines()[0]
    lines = [f"| {what} | {found} | {beside} |" for what, found, beside in rows]
    return "\n".join(
        [f"## {name.capitalize()}", "", first, "", "| what | found | beside |", "| --- | --- | --- |", *lines]
    )


def machine() -> str:
    model = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


PAGE = """# Figures

Taken by `{command}` on
{machine}; not measured on a Pi yet.

Absolute times are this machine's, and others may have worked on it; read the ratios. What one table holds was
measured in one run, in turn. How, stands at the head of each file in `bench/`; `make bench ARGS="lateness"`
prints one table and writes nothing.

{tables}
"""

if __name__ == "__main__":
    main()
