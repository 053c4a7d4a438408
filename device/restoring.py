"""Lets what was restored take the place of what is there: all of it or nothing, whenever the power is cut.

What is restored is made ready in a folder of its own, which then gets the name that says that it counts: that
one step decides. Whoever comes next brings it to its end. What was there before is kept, and comes back the
same way. Knows no backup and reads none of the files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from device.disk import flush_folder
from device.errors import ModelError
from device.folders import flush

ENTRIES = ("settings.toml", "state.json", "library.json", "slots", "loops")
READY, DECIDED = "restore.new", "restore"  # what is restored: being made ready, and to be brought to its end
BACK = "restore.back"  # what was there before is being made ready to come back
BEFORE = "before-restore"  # what was there before
NEW, OLD = "new", "old"  # in there: what comes, and what goes
ABSENT, KEPT = ".absent", ".kept"  # endings of marks: not there afterwards; there as it was


def ready(home: Path) -> Path:
    """An empty folder, in which what shall be restored is put under the names of `ENTRIES`."""
    shutil.rmtree(home / READY, ignore_errors=True)
    (home / READY / NEW).mkdir(parents=True)
    return home / READY / NEW


def restore(home: Path, kept: Collection[str] = ()) -> None:
    """Let what was made ready take its place; `kept` names what stays as it is."""
    with _alone(home):
        _decide(home, READY, kept)
        _complete(home)


def undo(home: Path) -> None:
    """Let what was there before come back; what is there now can come back the same way."""
    if not (home / BEFORE).is_dir():
        raise ModelError("restore: nothing to undo, nothing was restored here yet.")
    with _alone(home):
        (home / BACK).mkdir()
        os.rename(home / BEFORE, home / BACK / NEW)
        kept = [name for name in ENTRIES if (home / BACK / NEW / f"{name}{KEPT}").exists()]
        _decide(home, BACK, kept)
        _complete(home)


def pending(home: Path) -> bool:
    """Whether something was cut off that is to be brought to its end."""
    return os.path.isdir(home / DECIDED) or os.path.isdir(home / BACK)


def complete(home: Path) -> None:
    """Bring to its end what was decided. It can be cut off anywhere, and be done again."""
    with _alone(home):
        _complete(home)


def _complete(home: Path) -> None:
    back, decided = home / BACK, home / DECIDED
    if (back / NEW).is_dir() and not decided.is_dir():  # cut off before it was decided
        for mark in (back / NEW).glob(f"*{ABSENT}"):
            mark.unlink()
        os.rename(back / NEW, home / BEFORE)
    shutil.rmtree(back, ignore_errors=True)
    new, old = decided / NEW, decided / OLD
    if new.is_dir():
        old.mkdir(exist_ok=True)
        for name in ENTRIES:
            _replace(home / name, new / name, old / name)
        flush(home)
        shutil.rmtree(new)  # from here on what is in `old` is whole
    if old.is_dir():
        _remove(home / BEFORE)
        os.rename(old, home / BEFORE)
        flush_folder(home)
    if decided.is_dir():
        shutil.rmtree(decided)
        flush_folder(home)


def _decide(home: Path, folder: str, kept: Collection[str]) -> None:
    """Write what is to be there afterwards, and then take the one step that counts."""
    for name in ENTRIES:
        if name in kept:
            (home / folder / NEW / f"{name}{KEPT}").touch()
        elif not (home / folder / NEW / name).exists():
            (home / folder / NEW / f"{name}{ABSENT}").touch()
    flush(home)
    os.rename(home / folder, home / DECIDED)
    flush_folder(home)


def _replace(place: Path, new: Path, old: Path) -> None:
    """Let what is new take a place, and keep what is there; `new` is gone when that is done."""
    absent, kept = (new.with_name(f"{new.name}{ending}") for ending in (ABSENT, KEPT))
    if kept.exists():
        os.rename(kept, old.with_name(kept.name))
    if not new.exists() and not absent.exists():
        return
    if os.path.lexists(place):
        if os.path.lexists(old):  # written by somebody since it was cut off
            _remove(place)
        else:
            os.rename(place, old)
    if new.exists():
        os.rename(new, place)
    absent.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """While this lasts nobody else restores here, nor changes the library."""
    handle = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
