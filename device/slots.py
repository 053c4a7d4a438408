"""Where slots live: numbered files in one folder, each with its previous generation. Knows no tensors."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from device.disk import flush_folder, write_safely
from device.errors import ModelError
from device.slot import LARGEST, Slot, unpack
from device.specs import SLOTS

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # renameat2(2)
FACTORY = Path(__file__).with_name("factory.safetensors")


class SlotFolder:
    """Slots 1..16 of one box. A file is written whole or not at all; the last good one stays beside it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.claims = folder.with_suffix(".claims")  # beside it: the folder holds slots alone

    def path(self, number: int) -> Path:
        if not 1 <= number <= SLOTS:
            raise ModelError(f"slot {number}: expected a number from 1 to {SLOTS}, or a file.")
        return self.folder / f"slot-{number:02d}.safetensors"

    def previous(self, number: int) -> Path:
        return self.path(number).with_suffix(".previous")

    def filled(self) -> list[int]:
        """Numbers of the slots that hold a file, good or bad."""
        return [number for number in range(1, SLOTS + 1) if self.path(number).exists()]

    @contextlib.contextmanager
    def claimed(self, number: int | None = None) -> Iterator[int]:
        """A number that is being learned: this one, or the first that is empty and that nobody else claims.

        Who names a number has it, claimed or not. A claim is a lock on a byte of `slots.claims`, which the
        system lifts with the process, so that none is left behind.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.claims.open("ab") as claims:
            if number is not None:
                _lock(claims.fileno(), number)
                yield number
                return
            for free in range(1, SLOTS + 1):
                if not self.path(free).exists() and _lock(claims.fileno(), free):
                    if not self.path(free).exists():  # it may have been written before the lock was ours
                        yield free
                        return
                    fcntl.lockf(claims, fcntl.LOCK_UN, 1, free)
        raise ModelError(
            f"slot free: all {SLOTS} slots are filled or being learned; name one: what it holds is kept "
            "beside it."
        )

    def load(self, number: int) -> Slot:
        """The slot of a number. Raises ModelError where it is empty or refused."""
        path = self.path(number)
        if not path.exists():
            raise ModelError(f"slot {number}: empty. Learn into it: fathom learn FOLDER --slot {number}")
        return load_file(path, f"slot {number}")

    def last_good(self, number: int) -> tuple[Slot, str | None]:
        """A number's slot, or the one before, or the factory's; and a sentence where it is not its own."""
        try:
            return self.load(number), None
        except ModelError as error:
            complaint = str(error)
        try:
            before = load_file(self.previous(number), f"slot {number} (the one before)")
            return before, f"{complaint} The one before plays."
        except ModelError:
            return load_file(FACTORY, f"slot {number} (factory)"), f"{complaint} The factory slot plays."

    def save(self, number: int, blob: bytes) -> Path:
        """Write a slot so that a power cut leaves the old one or the new one; keep the old as previous."""
        path = self.path(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(ModelError):  # a damaged one must not replace the last good one
            self.load(number)
            write_safely(self.previous(number), path.read_bytes())
        write_safely(path, blob)
        return path

    def undo(self, number: int) -> None:
        """Swap a slot with the one before. Doing it twice changes nothing."""
        path, previous = self.path(number), self.previous(number)
        if not previous.exists():
            raise ModelError(f"slot {number}: nothing to undo, it was written once or never.")
        load_file(previous, f"slot {number} before")
        if not path.exists():
            os.replace(previous, path)
        elif not _exchange(path, previous):
            former = path.read_bytes()
            write_safely(path, previous.read_bytes())
            write_safely(previous, former)
        flush_folder(self.folder)


def _lock(file: int, place: int) -> bool:
    """Lock a byte of a file until it is closed; False where another process has it."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True


def load_file(path: Path, name: str) -> Slot:
    """The slot in a file; ModelError where it cannot be read or is refused."""
    return unpack(read_blob(path, name), name)


def read_blob(path: Path, name: str) -> bytes:
    """The bytes of a slot file, of bounded size; ModelError where it cannot be read."""
    try:
        if not path.is_file():
            raise ModelError(f"{name}: {path} is not there, expected a slot file.")
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise ModelError(f"{name}: {path} cannot be read ({error.strerror}).") from None


def _exchange(a: Path, b: Path) -> bool:
    """Swap two files in one step, so that a power cut loses neither; False where the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2  # Linux, glibc 2.28
    except AttributeError:
        return False
    return renameat2(AT_FDCWD, bytes(a), AT_FDCWD, bytes(b), RENAME_EXCHANGE) == 0


def free_bytes(folder: Path) -> int:
    """Bytes left where slots are kept, for the doctor."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
