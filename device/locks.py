"""Locks between processes: one engine in a folder, one hand at its files. Reads and writes no file.

The system lifts them with the process. A lock that cannot be had for want of rights, or where a file system
has none, holds nobody up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from hw.errors import PanelError

LOOK_S = 0.02  # between two looks at a lock that another holds
MINE = "playing.lock"  # empty; who plays holds a lock on it


@contextlib.contextmanager
def playing_alone(folder: Path) -> Iterator[None]:
    """Be the engine of a box's folder. PanelError where another one is.

    Where nothing can be written there, the folder of the slots stands for the file.
    """
    handle = _handle(folder)
    if handle is None:
        yield
        return
    try:
        if not _locks(handle):
            raise PanelError(
                f"{folder}: a Fathom plays with this folder already. End it first (`fathom ctl quit`), "
                "or name another folder for this one in FATHOM_HOME."
            )
        yield
    finally:
        os.close(handle)


def _handle(folder: Path) -> int | None:
    """What stands for a folder, opened; None where nothing can be."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    for path, flags in (
        (folder / MINE, os.O_RDWR | os.O_CREAT),
        (folder / MINE, os.O_RDONLY),
        (folder / "slots", os.O_RDONLY | os.O_DIRECTORY),
    ):
        with contextlib.suppress(OSError):
            return os.open(path, flags | os.O_CLOEXEC, 0o666)
    return None


@contextlib.contextmanager
def alone(folder: Path, patience_s: float) -> Iterator[None]:
    """While this lasts no other process changes the files of a folder. Waits so long for one that hangs."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        give_up = time.monotonic() + patience_s
        while not _locks(handle) and time.monotonic() < give_up:
            time.sleep(LOOK_S)
        yield
    finally:
        os.close(handle)


def _locks(handle: int) -> bool:
    """Lock what is open until it is closed; False where another process has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
