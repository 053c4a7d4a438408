"""What the engine takes while it plays four voices at 120 BPM: start, share of a core, memory."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import box

STARTS = 5
SETTLED_S = 2.0
PLAYED_S = 20.0

Row = tuple[str, str, str]


def rows(home: Path) -> list[Row]:
    return [starting(home), playing(home), playing(home, training=True)]


def starting(home: Path) -> Row:
    """From the command to the first gate, beside what `import numpy` costs, in turn."""
    gates, imports = [], []
    tape = home / "start.tape"
    for _ in range(STARTS):
        started = time.monotonic_ns()
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
        imports.append((time.monotonic_ns() - started) / 1e6)
        started = time.monotonic_ns()
        box.run(home, "play", "--slot", 1, "--slot", 2, "--bars", 1, "--bpm", 300, "--tape", tape)
        first = next(e for e in box.read_tape(tape) if str(e.get("jack", "")).startswith("gate"))
        gates.append((first["at_ns"] - started) / 1e6)
    gate, beside = statistics.median(gates), statistics.median(imports)
    return (
        "command to first gate",
        f"{gate:.0f} ms",
        f"{gate / beside:.1f} times `import numpy` ({beside:.0f} ms)",
    )


def playing(home: Path, training: bool = False) -> Row:
    with box.training(home) if training else contextlib.nullcontext():
        player = box.start(home, "play", "--slot", 1, "--slot", 2, "--bpm", 120)
        try:
            time.sleep(SETTLED_S)
            before, started = box.cpu_seconds(player.pid), time.monotonic()
            time.sleep(PLAYED_S)
            share = (box.cpu_seconds(player.pid) - before) / (time.monotonic() - started)
            memory = box.memory_mb(player.pid)
        finally:
            player.terminate()
            player.wait()
    beside = "beside a training on another core" if training else "alone"
    return f"play, {beside}", f"{share * 100:.1f} % of a core", f"{memory:.0f} MB resident"
