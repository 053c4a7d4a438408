"""Starts Fathom's processes as a player would, and reads what they leave. Measures nothing."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEARNED = ((1, "drums", 3), (2, "bass", 1))  # slot, folder of the demo loops, voices: four in all
UNTIL_TRAINING_S = 3.0  # loops are heard by then
ENDLESS = 1_000_000  # trainings


def prepare(home: Path) -> None:
    """Make a box with the demo loops in two slots; what `learn` said of them is kept beside."""
    run(home, "demo", home / "loops")
    for number, folder, voices in LEARNED:
        words = ("--eager", "--slot", number, "--voices", voices, "--seed", 1, "--json")
        report = run(home, "learn", home / "loops" / folder, *words)
        (home / f"learned-{number}.json").write_text(report)


def start(home: Path, *words: object) -> subprocess.Popen[bytes]:
    """A Fathom of this box, running."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command(*words), env=environment(home), stdin=quiet, stdout=quiet, stderr=quiet)


def run(home: Path, *words: object, most_s: float = 300.0) -> str:
    """What a Fathom of this box says until it ends."""
    return subprocess.run(
        command(*words), env=environment(home), check=True, capture_output=True, text=True, timeout=most_s
    ).stdout


def command(*words: object) -> list[str]:
    return [sys.executable, str(ROOT / "fathom.py"), *map(str, words)]


def environment(home: Path) -> dict[str, str]:
    names = {name: value for name, value in os.environ.items() if name != "FATHOM_SOCKET"}
    return {**names, "FATHOM_HOME": str(home)}


@contextlib.contextmanager
def training(home: Path) -> Iterator[None]:
    """A `fathom learn` that trains without end beside whatever is measured."""
    words = ("learn", "--eager", home / "loops", "--slot", home / "other.safetensors", "--trainings", ENDLESS)
    trainer = start(home, *words)
    try:
        time.sleep(UNTIL_TRAINING_S)
        yield
        if trainer.poll() is not None:
            raise RuntimeError(f"the training ended by itself, with status {trainer.returncode}")
    finally:
        trainer.kill()
        trainer.wait()


def read_tape(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
