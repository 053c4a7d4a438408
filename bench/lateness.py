"""How late gates come while a training runs flat out, beside cyclictest and isobar. Judges nothing.

All is measured in short slices in turn, forwards and backwards, so that noise hits all alike. Nobody is
pinned to a core. The engine plays sixteenths on four voices at 120 BPM with learned offsets; its lateness is
from an edge's place in the music to the end of the call that wrote it, of every edge of every jack. What it
played is compared, edge by edge, with the same bars in simulated time. cyclictest wakes as often as the
engine does, at the same priority, and does nothing then; it leaves the system's power management as it is, as
the engine does. isobar plays sixteenths on four tracks; its lateness is from its own earliest note.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import box
from bench.environment import AbsentError, peer_python
from bench.sums import at_share, cyclictest_latencies, lost, off_grid_us, spread
from bench.wakes import SPACING_NS
from device.realtime import PRIORITY

SECONDS = 600.0  # of the engine and of cyclictest
SLICE_S = 8.0  # short, so that a burst of noise is not one contender's alone
SHORT_S = 2.0  # a slice of the others
MARGIN_S = 60.0  # for a process to start and end
ISOBAR = "isobar==0.2.1"  # MIT licence
BPM = 120
BAR_S = 4 * 60 / BPM
WHERE = {"cyclictest": ": apt-get install rt-tests"}
# Table, key, value: every step is a hit with its learned offset, and every fourth is divided in three.
SETTINGS = (
    ("", "bpm", BPM),
    ("voices", "density", 1.0),
    ("voices", "ratchet", 3),
    ("voices", "ratchet_chance", 0.25),
)

Row = tuple[str, str, str]
Slice = Callable[[], list[float]]  # latenesses in us; AbsentError where it cannot be had

GATES, BARE, CYCLIC = "Fathom, every edge", "Fathom, waking alone", "cyclictest, waking alone"
PEER, PEER_FIFO = "isobar, every note", "isobar, every note, at the engine's priority"
COMPARED = ((GATES, CYCLIC), (BARE, CYCLIC), (PEER, GATES), (PEER_FIFO, GATES))


def rows(home: Path, seconds: float = SECONDS) -> list[Row]:
    """Lateness of each, and the ratios between them."""
    slices = max(1, round(seconds / SLICE_S))
    engine = Engine(home, bars=max(1, round(seconds / slices / BAR_S)))
    short = min(SHORT_S, engine.seconds)
    takes: dict[str, Slice] = {
        GATES: engine.play,
        CYCLIC: lambda: cyclictest(engine.seconds),
        BARE: lambda: wake(short),
        PEER: lambda: isobar(short),
        PEER_FIFO: lambda: isobar(short, PRIORITY),
    }
    late, absent = in_turn(home, takes, slices)
    table = [(GATES, spread(late[GATES]), f"{engine.seconds * slices:.0f} s, {engine.losses()}")]
    for name in (CYCLIC, BARE, PEER, PEER_FIFO):
        if name in late:
            table.append((name, spread(late[name]), f"{len(late[name])} times"))
        else:
            table.append((name, absent[name], ""))
    return table + ratios(late)


def in_turn(
    home: Path, takes: dict[str, Slice], slices: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Latenesses of each in so many slices beside a training, and why some cannot be had."""
    late: dict[str, list[float]] = {}
    absent: dict[str, str] = {}
    with box.training(home):
        for number in range(slices):
            order = list(takes) if number % 2 == 0 else list(reversed(takes))
            for name in order:
                if name in absent:
                    continue
                try:
                    late.setdefault(name, []).extend(takes[name]())
                except AbsentError as error:
                    absent[name] = str(error)
    return {name: values for name, values in late.items() if values}, absent


def ratios(late: dict[str, list[float]]) -> list[Row]:
    """What the targets are about: 99 % of one against 99 % of another."""
    p99 = {name: at_share(values, 0.99) for name, values in late.items()}
    return [
        (f"p99, {one}", f"{p99[one] / p99[other]:.2f} times", f"that of {other}")
        for one, other in COMPARED
        if one in p99 and other in p99
    ]


class Engine:
    """Plays the same bars again and again, and counts what was lost of them."""

    def __init__(self, home: Path, bars: int):
        self.home = home
        self.seconds = bars * BAR_S
        settings = home / "lateness.toml"
        settings.write_text(toml(SETTINGS))
        self.words = ("play", "--slot", 1, "--slot", 2, "--settings", settings, "--bars", bars)
        self.edges = self.lost = 0
        self.expected = self._play("--time", "sim")

    def play(self) -> list[float]:
        played = self._play()
        self.edges += len(self.expected)
        self.lost += lost(_edges(self.expected), _edges(played))
        return [(edge["at_ns"] - edge["due_ns"]) / 1000 for edge in played]

    def losses(self) -> str:
        return f"{self.lost} of {self.edges} edges lost"

    def _play(self, *more: object) -> list[dict]:
        tape = self.home / "lateness.tape"
        box.run(self.home, *self.words, "--no-display", "--tape", tape, *more, most_s=self.seconds + MARGIN_S)
        return [entry for entry in box.read_tape(tape) if "jack" in entry]


def _edges(entries: list[dict]) -> list[tuple[str, int]]:
    return [(entry["jack"], entry["level"]) for entry in entries]


def toml(settings: Sequence[tuple[str, str, object]]) -> str:
    """A settings file of (table, key, value).

    >>> print(toml([("", "bpm", 120), ("voices", "gate", 0.5), ("voices", "mute", False)]))
    bpm = 120
    voices.gate = 0.5
    voices.mute = false
    """
    return "\n".join(
        f"{table + '.' if table else ''}{key} = {json.dumps(value)}" for table, key, value in settings
    )


def cyclictest(seconds: float) -> list[float]:
    """Wake-ups of one thread of it, not pinned."""
    interval, whole = SPACING_NS // 1000, max(1, round(seconds))
    words = f"-q -m -t 1 -p {PRIORITY} -i {interval} -h 20000 -D {whole} --default-system".split()
    return cyclictest_latencies(_output(seconds, "cyclictest", *words))


def wake(seconds: float) -> list[float]:
    return json.loads(_output(seconds, sys.executable, "-m", "bench.wakes", seconds))


def isobar(seconds: float, *priority: int) -> list[float]:
    """Its notes, in its own environment; with a priority it is helped to what the engine has."""
    python = peer_python("isobar", ISOBAR)
    script = box.ROOT / "bench" / "peers" / "isobar_sixteenths.py"
    at_ns = json.loads(_output(seconds, python, script, seconds, BPM, *priority))
    return off_grid_us(at_ns, 60e9 / BPM / 4)


def _output(seconds: float, *words: object) -> str:
    """What a command of so many seconds prints; AbsentError, with its last word, where that is nothing."""
    command, most = [*map(str, words)], seconds + MARGIN_S
    try:
        done = subprocess.run(command, cwd=box.ROOT, capture_output=True, text=True, timeout=most)
    except FileNotFoundError:
        raise AbsentError(f"{command[0]} is not here" + WHERE.get(command[0], "")) from None
    except subprocess.TimeoutExpired:
        raise AbsentError(f"{command[0]} did not end in {most:.0f} s") from None
    if done.returncode:
        raise AbsentError((done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:200])
    return done.stdout
