"""Keeps what a running box remembers, in a process of its own: a slow disk never meets the clock.

It asks the box once a second, and writes some seconds after the last change, or when the box is gone; what
the box says last comes through stdin. Two generations are kept. It plays nothing and decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from device.client import call
from device.memory import Memory, pack, unpack
from device.slots import write_safely
from hw.errors import PanelError

ASK_S = 1.0
QUIET_S = 3.0  # after the last change
LONGEST_S = 15.0  # a player who turns without end is written down all the same
NICE = 10


def run(socket: Path, file: Path) -> None:
    """Keep the memory of the box at `socket` in `file` until stdin ends."""
    for number in (signal.SIGINT, signal.SIGTSTP, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the box ends first, and then this
    os.nice(NICE)
    keeper = Keeper(lambda data: save(file, data))
    last = b""
    stdin = sys.stdin.fileno()
    while True:
        ready, _, _ = select.select([stdin], [], [], ASK_S)
        if ready:
            piece = os.read(stdin, 65536)
            last += piece
            if piece:
                continue
            break
        with contextlib.suppress(PanelError):
            answer = call(socket, {"do": "memory"}, wait=2 * ASK_S)
            if isinstance(memory := answer.get("memory"), dict):
                keeper.saw(memory, time.monotonic())
    with contextlib.suppress(msgspec.DecodeError):
        keeper.saw(msgspec.json.decode(last), time.monotonic())
    keeper.end()


class Keeper:
    """Decides when what was seen is written."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._written: dict[str, Any] | None = None
        self._seen: dict[str, Any] | None = None
        self._changed = self._dirty = 0.0

    def saw(self, memory: dict[str, Any], now: float) -> None:
        """The box remembers this at `now`, in seconds."""
        if self._written is None:
            self._written = memory  # as it began
        if memory != self._seen:
            if self._seen is None or self._seen == self._written:
                self._dirty = now
            self._seen, self._changed = memory, now
        if now - self._changed >= QUIET_S or now - self._dirty >= LONGEST_S:
            self.end()

    def end(self) -> None:
        """Write what is not written yet."""
        if self._seen is not None and self._seen != self._written:
            self._write(pack(self._seen))
            self._written = self._seen


def save(file: Path, data: bytes) -> None:
    """Write a state file, whole or not at all; the one before is kept beside it if it was good."""
    with contextlib.suppress(OSError, ValueError):
        before = file.read_bytes()
        unpack(before, file.name)
        write_safely(previous(file), before)
    with contextlib.suppress(OSError):  # a full disk: the next change tries again
        write_safely(file, data)


def recall(file: Path) -> tuple[Memory, list[str]]:
    """What is remembered in a file, or in the one before it; and what is to be said of that."""
    notes = []
    for path in (file, previous(file)):
        try:
            memory = unpack(path.read_bytes(), path.name)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            notes.append(str(error) if isinstance(error, ValueError) else f"{path.name}: {error.strerror}.")
            continue
        if notes:
            notes[-1] += " What was remembered before it is used."
        return memory, notes
    if notes:
        notes[-1] += " The box begins with its settings file."
    return Memory(), notes


def previous(file: Path) -> Path:
    return file.with_suffix(".previous")
