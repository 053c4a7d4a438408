"""An environment of its own for each peer, under `build/bench`, made once. Fathom's own never sees a peer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from bench.box import ROOT

FOLDER = ROOT / "build" / "bench"
MOST_S = 600.0  # for one package and what it needs
LAST = -1  # of what a failed command said


class AbsentError(Exception):
    """A peer that cannot be had here, and why."""


def peer_python(name: str, *packages: str) -> Path:
    """The interpreter of a peer's environment; AbsentError where its packages cannot be installed."""
    folder = FOLDER / name
    python, record = folder / "bin" / "python", folder / "packages"
    wanted = "\n".join([sys.version, *packages])
    if record.is_file() and record.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _do(name, sys.executable, "-m", "venv", folder)
    _do(name, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    record.write_text(wanted)
    return python


def _do(name: str, *words: object) -> None:
    try:
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=MOST_S)
    except subprocess.TimeoutExpired:
        raise AbsentError(f"{name} could not be installed in {MOST_S:.0f} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise AbsentError(f"{name} could not be installed: {said[LAST][:200]}")
