"""Keeps what a running box remembers, in a process of its own: a slow disk never meets the clock.

It asks the box once a second, and writes some seconds after the last change, or when the box is gone. Its
stdin brings a line on what the box began with, and in the end what it says last. Two generations are kept.
It plays nothing and decides nothing.
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
from device.disk import write_safely
from device.memory import LARGEST, Memory, digest, digest_of, pack, unpack
from hw.errors import PanelError

ASK_S = 1.0
QUIET_S = 3.0  # after the last change
LONGEST_S = 15.0  # a player who turns without end is written down all the same
NICE = 10
DONE, FAILED = 0, 1  # exit status


def run(socket: Path, file: Path) -> int:
    """Keep the memory of the box at `socket` in `file` until stdin ends; FAILED where it is not kept."""
    for number in (signal.SIGINT, signal.SIGTSTP, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the box ends first, and then this
    os.nice(NICE)
    stdin = sys.stdin.fileno()
    said = b""
    while b"\n" not in said:
        piece = os.read(stdin, 65536)
        if not piece:
            return DONE  # the box was gone before it had said anything
        said += piece
    began, _, last = said.partition(b"\n")
    keeper = Keeper(lambda data: save(file, data), began.decode())
    while True:
        ready, _, _ = select.select([stdin], [], [], ASK_S)
        if ready:
            piece = os.read(stdin, 65536)
            last += piece
            if piece:
                continue
            break
        with contextlib.suppress(PanelError, OSError, msgspec.DecodeError):
            answer = call(socket, {"do": "memory"}, wait=2 * ASK_S)
            if isinstance(memory := answer.get("memory"), dict):
                keeper.saw(memory, time.monotonic())
    with contextlib.suppress(msgspec.DecodeError):
        keeper.saw(msgspec.json.decode(last), time.monotonic())
    return DONE if keeper.end() else FAILED


class Keeper:
    """Decides when what was seen is written. `began`: the digest of what needs no writing.

    `write` may raise OSError: the disk is full, say. It is then asked again later.
    """

    def __init__(self, write: Callable[[bytes], None], began: str) -> None:
        self._write = write
        self._written = began  # digest
        self._seen = began
        self._memory: dict[str, Any] = {}
        self._changed = self._dirty = 0.0

    def saw(self, memory: dict[str, Any], now: float) -> None:
        """The box remembers this at `now`, in seconds."""
        seen = digest(memory)
        if seen != self._seen:
            if self._seen == self._written:
                self._dirty = now
            self._seen, self._memory, self._changed = seen, memory, now
        if (now - self._changed >= QUIET_S or now - self._dirty >= LONGEST_S) and not self.end():
            self._changed = self._dirty = now

    def end(self) -> bool:
        """Write what is not written yet; False where that is refused."""
        if self._seen != self._written:
            try:
                self._write(pack(self._memory))
            except OSError:
                return False
            self._written = self._seen
        return True


def save(file: Path, data: bytes) -> None:
    """Write a state file, whole or not at all; the one before is kept beside it if it was good.

    Nothing is written where the file says the same already: else the one before would be lost for nothing.
    Raises OSError where the disk is full or read-only; both are then as they were.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError, ValueError):
        before = _read(file)
        if before == data:
            return
        unpack(before, file.name)
        write_safely(previous(file), before)
    write_safely(file, data)


def kept(file: Path) -> str:
    """The digest of what a state file holds; "" where it holds nothing that can be used."""
    try:
        data = _read(file)
        unpack(data, file.name)
        return digest_of(data)
    except (OSError, ValueError):
        return ""


def recall(file: Path) -> tuple[Memory, list[str]]:
    """What is remembered in a file, or in the one before it; and what is to be said of that."""
    notes = []
    for path in (file, previous(file)):
        try:
            memory = unpack(_read(path), path.name)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            notes.append(str(error) if isinstance(error, ValueError) else f"{path.name}: {error.strerror}.")
            continue
        if path != file and not notes:
            notes.append(f"{file.name}: gone.")
        if notes:
            notes[-1] += " What was remembered before it is used."
        return memory, notes
    if notes:
        notes[-1] += " The box begins with its settings file."
    return Memory(), notes


def previous(file: Path) -> Path:
    return file.with_suffix(".previous")


def _read(path: Path) -> bytes:
    """The bytes of a state file, one more than it may have at the most."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name}: not a file.")
    with path.open("rb") as file:
        return file.read(LARGEST + 1)
