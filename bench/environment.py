"""Peers, each with an environment of its own in `build/bench`, made once. Fathom's own never sees one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from bench.box import ROOT

FOLDER = ROOT / "build" / "bench"
MOST_S = 600.0  # for one package and what it needs
LAST = -1  # of what a failed command said


class AbsentError(Exception):
    """A peer that cannot be had here, and why."""


class Peer:
    """A peer in a process and an environment of its own: it answers a line of JSON with a line of JSON.

    `hello` is the first line, which it says by itself. Raises AbsentError where it cannot be had, or ends.
    """

    def __init__(self, name: str, called: str, packages: Sequence[str], script: Path, *words: object):
        python = peer_python(name, *packages)
        pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
        self._called = called
        self._process = subprocess.Popen(
            [python, script, *map(str, words)], stdin=pipe, stdout=pipe, stderr=quiet, text=True
        )
        try:
            self.hello = self._answer()
        except AbsentError:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """What it answers to a job."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise AbsentError(f"{self._called} does not run here")
        return json.loads(line)


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
