"""Writes a file so that a power cut leaves the old one or the new one. Knows nothing of what is in it."""

from __future__ import annotations

import contextlib
import glob
import os
from pathlib import Path


def write_safely(path: Path, blob: bytes) -> None:
    """Write beside, flush, rename, flush the folder: the name always leads to a whole file.

    A link is followed; a pipe or a device is written to, not replaced. Raises OSError where the disk is
    full or read-only; the file of that name is then as it was.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_bytes(blob)
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")  # two writers do not meet
    _sweep(path)
    try:
        with beside.open("wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:  # also where it is cancelled
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    flush_folder(path.parent)


def _sweep(path: Path) -> None:
    """Remove what writers of that file began and a power cut ended: there would be one more with each."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.new"):
        with contextlib.suppress(OSError, ValueError, OverflowError):
            if not _lives(int(left.name.split(".")[-2])):
                left.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def flush_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
