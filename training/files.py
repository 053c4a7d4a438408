"""Finds loops on a stick and reads their bytes. Trusts no name, no link and no size; decodes nothing."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from training.errors import LoopError

SUFFIXES = (".wav", ".wave", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".mp3")
SYSTEM_FOLDERS = ("system volume information", "$recycle.bin", "__macosx")  # what computers leave on sticks
MAX_LOOPS = 5000  # in one call; more would take minutes on a Pi
MAX_ENTRIES = 100_000  # names looked at in one folder tree
MAX_DEPTH = 16  # folders within folders
MAX_BYTES = 50_000_000

# What to do about an error of the system; the rest is left to the player.
GONE = (errno.ENOENT, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM, errno.ESTALE, errno.ENOTCONN)
FORBIDDEN = (errno.EACCES, errno.EPERM)


def clean(name: str) -> str:
    """A file name fit to be shown: what a terminal would obey, or cannot show, becomes `?`.

    >>> clean("red" + chr(27) + "[31m loop.wav")
    'red?[31m loop.wav'
    """
    return "".join("?" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in name)


def find_loops(paths: Iterable[Path | str]) -> tuple[list[Path], list[tuple[Path, str]]]:
    """The audio files that the paths name or hold, and the paths refused, each with a sentence.

    A folder is searched to its depth, sorted by name; hidden files, what computers leave on sticks,
    links and whatever is no regular file are passed over. A file that is named itself is taken even
    when hidden or a link. A file that is named twice is heard once.
    """
    loops: dict[Path, None] = {}
    refused: list[tuple[Path, str]] = []
    for path in map(Path, paths):
        try:
            kind = path.stat().st_mode
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            refused.append((path, f"cannot be opened ({reason(error)}): check the name"))
            continue
        if stat.S_ISDIR(kind):
            before = len(refused)
            found = list(_walk(path, refused))
            if not found and len(refused) == before:
                refused.append((path, f"no audio files in this folder, expected {', '.join(SUFFIXES)}"))
        elif path.suffix.lower() in SUFFIXES:
            found = [path]
        else:
            ending = clean(path.suffix) or "nothing"
            refused.append((path, f"its name ends in {ending}, expected {', '.join(SUFFIXES)}: convert it"))
            continue
        room = MAX_LOOPS - len(loops)
        if len(found) > room:
            refused.append(
                (path, f"{room} of {len(found)} loops are heard, at most {MAX_LOOPS} at once: take fewer")
            )
        loops.update(dict.fromkeys(found[:room]))
    return list(loops), refused


def _walk(folder: Path, refused: list[tuple[Path, str]]) -> Iterator[Path]:
    left = MAX_ENTRIES
    todo = [(folder, 0)]
    while todo:
        here, depth = todo.pop()
        try:
            with os.scandir(here) as entries:
                names = sorted((e for e, _ in zip(entries, range(left), strict=False)), key=lambda e: e.name)
            folders = [e for e in names if _is_searched(e) and e.is_dir(follow_symlinks=False)]
            loops = [e for e in names if _is_loop(e) and e.is_file(follow_symlinks=False)]
        except OSError as error:
            refused.append((here, f"this folder cannot be read ({reason(error)}): {advice(error)}"))
            continue
        left -= len(names)
        yield from (Path(entry.path) for entry in loops)
        if folders and depth == MAX_DEPTH:
            refused.append((here, f"folders deeper than {MAX_DEPTH} are not searched: move the loops up"))
            continue
        todo += [(Path(entry.path), depth + 1) for entry in reversed(folders)]
    if left == 0:
        refused.append((folder, f"more than {MAX_ENTRIES} files: not all of them were looked at"))


def _is_searched(entry: os.DirEntry[str]) -> bool:
    hidden = entry.name.startswith(".") and not entry.name.startswith("..")
    return not hidden and entry.name.lower() not in SYSTEM_FOLDERS


def _is_loop(entry: os.DirEntry[str]) -> bool:
    return _is_searched(entry) and entry.name.lower().endswith(SUFFIXES)


class NotRegularError(OSError):
    """A folder, a pipe or a device, where a file was expected."""


def open_plain(path: Path, follow: bool) -> BinaryIO:
    """A regular file, open; OSError for anything else. A pipe cannot hold who opens it.

    follow : False for what was found in a folder: what has become a link by now leads elsewhere.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegularError(errno.EINVAL, "not a regular file")
    return open(handle, "rb")


def read_bytes(path: Path, follow: bool = True) -> bytes:
    """All bytes of an audio file; LoopError says in a sentence why not. `follow`: see `open_plain`."""
    try:
        file = open_plain(path, follow)
    except NotRegularError as error:
        raise LoopError("is not a regular file, expected an audio file: leave it out") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise LoopError(f"cannot be opened ({reason(error)}): {advice(error)}") from error
    with file:
        try:
            size = os.fstat(file.fileno()).st_size
            data = b"" if size > MAX_BYTES else file.read(MAX_BYTES + 1)
        except OSError as error:
            raise LoopError(f"reading stopped ({reason(error)}): {advice(error)}") from error
    size = max(size, len(data))
    if size > MAX_BYTES:
        most = f"{MAX_BYTES / 1e6:.0f} MB"
        raise LoopError(f"{size / 1e6:.0f} MB is too much for a loop, expected at most {most}: cut it")
    if not data:
        raise LoopError("the file is empty (0 bytes): copy it again")
    return data


def reason(error: Exception) -> str:
    """What the system says of an error, in small letters."""
    if getattr(error, "errno", None) == errno.ELOOP:
        return "a link that is not followed"
    return clean(getattr(error, "strerror", None) or str(error)).lower()


def advice(error: Exception) -> str:
    """What to do about an error of the system."""
    number = getattr(error, "errno", None)
    if number in GONE:
        return "is the stick still in?"
    return "check its rights" if number in FORBIDDEN else "leave it out"
