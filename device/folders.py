"""Puts whole folders in place: a power cut leaves the old one or the new one. Knows not what they hold."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

from device.disk import flush_folder

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # renameat2(2)


def flush(folder: Path) -> None:
    """Let all that was written to the disk under a folder be on it. Raises OSError where that fails."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(handle)


def exchange(a: Path, b: Path) -> bool:
    """Swap two files or folders in one step, so that a power cut loses neither; False where it cannot be."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2  # Linux, glibc 2.28
    except AttributeError:
        return False
    return renameat2(AT_FDCWD, bytes(a), AT_FDCWD, bytes(b), RENAME_EXCHANGE) == 0


def put(new: Path, place: Path) -> None:
    """Let a folder take a place beside it, in one step; what was there is removed after that."""
    flush(new)
    if not place.exists():
        os.rename(new, place)
    elif not exchange(new, place):  # a file system that cannot: for a moment there is neither
        former = place.with_name(f".{place.name}.former")
        shutil.rmtree(former, ignore_errors=True)
        os.rename(place, former)
        os.rename(new, place)
        new = former
    flush_folder(place.parent)
    shutil.rmtree(new, ignore_errors=True)
