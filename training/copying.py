"""Copies the loops of a stick to the box, whole or not at all. Hears none, and follows nothing outside.

What is copied: audio files and the notes beside them, at the place that they have on the stick, under names
that are fit to be shown. Content that the box has already is linked, not written once more. Where the stick
is pulled, cannot be read or holds too much, nothing is taken, and what was there before stays.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from training.errors import LoopError
from training.files import (
    GONE,
    MAX_BYTES,
    MAX_ENTRIES,
    MAX_LOOPS,
    SUFFIXES,
    advice,
    clean,
    find_loops,
    open_plain,
    reason,
)
from training.overrides import FOLDER_NOTE
from training.overrides import LARGEST as LARGEST_NOTE

MARK = ".stick.json"  # in each folder of loops that came from a stick: what it holds
LARGEST_MARK = 4 * 2**20  # bytes
MOST_BYTES = 1_000_000_000  # of one stick
LEAST_FREE = 100_000_000  # bytes that stay free for slots and what is remembered
LONGEST_S = 180.0  # a stick that is slower than that is not waited for
PIECE = 1_000_000  # bytes read at once: between two pieces it is looked whether there is time left
LONGEST_NAME = 120  # bytes of a name, without its ending
LONGEST_LABEL = 40  # characters of a stick's name
TAMED = "~"  # what a name that was changed ends in, before letters that tell it from others
NOTE = ".toml"
OWN_NAMES = (".", "-", " ")  # what no folder of a stick begins with


@dataclass
class Copied:
    """What came of a stick: its folder, how many loops that holds, how many of them the box did not have."""

    folder: Path
    files: int = 0
    fresh: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)  # each with a sentence


class Mark(msgspec.Struct):
    """What a folder of loops says of itself: the SHA-256 of each file."""

    format: int
    files: dict[str, str]


def copy_loops(
    stick: Path,
    place: Path,
    put: Callable[[Path, Path], None],
    tell: Callable[[int, int], None] = lambda done, of: None,
    now: Callable[[], float] = time.monotonic,
) -> Copied:
    """Copy what a stick holds into the folder `place`, which then holds that and nothing else.

    put : lets a folder take the place of another in one step
    tell : is told how many loops are copied, and of how many

    LoopError says in a sentence why nothing was taken; so does OSError where the box's own disk fails.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place.parent):
        until = now() + LONGEST_S
        _sweep(place.parent)
        loops, left_out = _loops_of(stick)
        copied = Copied(place, left_out=left_out)
        before, known = _known(place)
        new = place.with_name(f".{place.name}.new")
        writer = _Writer(stick, new, known, lambda: now() > until)
        new.mkdir()
        try:
            for done, path in enumerate(loops):
                tell(done, len(loops))
                sentence = writer.copy(path)
                if sentence:
                    copied.left_out.append((clean(str(path.relative_to(stick))), sentence))
                copied.files += not sentence
            if not copied.files:
                name, sentence = copied.left_out[-1]
                raise LoopError(f"none of its loops can be read ({name} {sentence})")
            copied.fresh = writer.fresh
            if writer.files != before:
                (new / MARK).write_bytes(msgspec.json.encode(Mark(1, writer.files)))
                put(new, place)
            tell(len(loops), len(loops))
        except _OverError as over:
            raise LoopError(str(over)) from None
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return copied


def has_loops(stick: Path) -> bool:
    """Whether there is anything to copy."""
    return bool(find_loops([stick])[0])


def folder_name(label: str, known_by: str) -> str:
    """What the loops of a stick are kept under: its name, and letters that tell it from others so called.

    >>> folder_name("KICKS/..", "4A21-0B7F")
    'KICKS_..-gaaeeg'
    """
    name = tame(label.replace("/", "_"))[:LONGEST_LABEL].strip()
    while name.startswith(OWN_NAMES):
        name = name[1:]
    return f"{name or 'stick'}-{letters(known_by)}"


def tame(name: str) -> str:
    """A file name that every disk takes and every terminal can show; the same name gives the same again.

    A note keeps the name of its loop.

    >>> tame("break 120bpm.wav"), tame("red" + chr(27) + "[31m.wav.toml")
    ('break 120bpm.wav', 'red_[31m~aggbid.wav.toml')
    """
    if name.lower().endswith(NOTE) and name.lower() != NOTE:
        return tame(name[: -len(NOTE)]) + NOTE
    stem, ending = os.path.splitext(name)
    if ending.lower() not in SUFFIXES:
        stem, ending = name, ""
    shown = clean(stem).replace("?", "_")
    short = os.fsencode(shown)[:LONGEST_NAME].decode("utf-8", "ignore")
    return f"{short}{'' if short == stem else TAMED + letters(stem)}{ending}"


def letters(text: str) -> str:
    """Six letters that stand for a text. No digits: a number in a name may be a tempo."""
    digest = hashlib.sha256(os.fsencode(text)).digest()
    return "".join(chr(ord("a") + byte % 16) for byte in digest[:6])


class _Writer:
    """Copies one loop after the other into a new folder, with the notes beside it."""

    def __init__(self, stick: Path, new: Path, known: dict[str, Path], late: Callable[[], bool]) -> None:
        self.files: dict[str, str] = {}  # SHA-256 by place
        self.fresh = 0
        self._stick = stick
        self._new = new
        self._known = known  # by SHA-256: content that the box has already
        self._had = set(known)
        self._late = late
        self._bytes = 0

    def copy(self, loop: Path) -> str:
        """Copy one loop; a sentence where it is left out. _OverError where that is the end of the stick."""
        try:
            data = self._read(loop, MAX_BYTES)
        except LoopError as error:
            return str(error)
        if len(data) > MAX_BYTES:
            return f"more than {MAX_BYTES // 10**6} MB is too much for a loop: cut it"
        if not data:
            return "the file is empty (0 bytes): copy it again"
        self._write(loop, data)
        for name in (FOLDER_NOTE, f"{loop.stem}{NOTE}", f"{loop.name}{NOTE}"):
            note = loop.with_name(name)
            if self._place(note) in self.files:
                continue
            with contextlib.suppress(LoopError):  # most loops have none
                said = self._read(note, LARGEST_NOTE)
                if len(said) <= LARGEST_NOTE:
                    self._write(note, said)
        return ""

    def _place(self, path: Path) -> str:
        return "/".join(tame(part) for part in path.relative_to(self._stick).parts)

    def _read(self, path: Path, most: int) -> bytearray:
        """A file's bytes, one piece more than `most` at the most. LoopError: it is left out."""
        data = bytearray()
        try:
            with open_plain(path, follow=False) as file:
                while len(data) <= most and (piece := file.read(PIECE)):
                    data += piece
                    self._keep_time()
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            if getattr(error, "errno", None) in GONE and getattr(error, "errno", None) != errno.ENOENT:
                where = clean(str(path.relative_to(self._stick)))
                raise _OverError(f"{where} cannot be read ({reason(error)}): {advice(error)}") from None
            raise LoopError(f"cannot be read ({reason(error)}): {advice(error)}") from None
        return data

    def _keep_time(self) -> None:
        if self._late():
            raise _OverError(f"copying takes longer than {LONGEST_S:.0f} s: put fewer loops on it")

    def _write(self, path: Path, data: bytearray) -> None:
        self._keep_time()
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            raise _OverError(f"holds more than {MOST_BYTES // 10**6} MB of loops: put fewer on it")
        place, content = self._place(path), hashlib.sha256(data).hexdigest()
        target = self._new / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self._link(content, target):
            free = shutil.disk_usage(self._new).free - len(data)
            if free < LEAST_FREE:
                raise _OverError(
                    f"less than {LEAST_FREE // 10**6} MB would stay free on the box: remove loops that "
                    "it no longer needs"
                )
            target.write_bytes(data)
            self._known[content] = target
        self.fresh += path.suffix.lower() in SUFFIXES and content not in self._had
        self.files[place] = content

    def _link(self, content: str, target: Path) -> bool:
        """Whether the box has that content, and now has it under this name as well."""
        there = self._known.get(content)
        try:
            if there is None:
                return False
            digest = hashlib.sha256()
            with open_plain(there, follow=False) as file:
                while piece := file.read(PIECE):
                    digest.update(piece)
            if digest.hexdigest() != content:  # it was changed on the box since
                return False
            os.link(there, target)
        except OSError:
            return False
        return True


class _OverError(Exception):
    """The end of the whole stick, in a sentence: nothing of it is taken."""


def _loops_of(stick: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """The loops of a stick, and what is left out of it; LoopError where it is no stick to learn from."""
    loops, refused = find_loops([stick])
    if len(loops) >= MAX_LOOPS and any(path == stick for path, _ in refused):
        raise LoopError(f"holds more than {MAX_LOOPS} loops, expected at most so many: put fewer on it")
    for path, sentence in refused:
        if path == stick and sentence.startswith("more than"):
            raise LoopError(f"holds more than {MAX_ENTRIES} files: put the loops on a stick of their own")
        if path == stick or sentence.endswith(advice(OSError(errno.EIO, ""))):
            where = "" if path == stick else f"{clean(str(path.relative_to(stick)))}: "
            raise LoopError(f"{where}{sentence}")
    return loops, [(clean(str(path.relative_to(stick))), sentence) for path, sentence in refused]


def _known(place: Path) -> tuple[dict[str, str], dict[str, Path]]:
    """What the folder of this stick holds, and where the box has which content, of every stick."""
    before: dict[str, str] = {}
    known: dict[str, Path] = {}
    for mark in sorted(place.parent.glob(f"*/{MARK}")):
        with contextlib.suppress(OSError, msgspec.MsgspecError, ValueError):
            with open_plain(mark, follow=False) as file:
                files = msgspec.json.decode(file.read(LARGEST_MARK), type=Mark).files
            known |= {content: mark.parent / name for name, content in files.items()}
            if mark.parent == place and all((place / name).is_file() for name in files):
                before = files
    return before, known


def _sweep(folder: Path) -> None:
    """Remove what a copying that was cut off has left; what it was about to replace comes back."""
    for left in [*folder.glob(".*.new"), *folder.glob(".*.former")]:
        place = folder / left.name.removeprefix(".").removesuffix(".former")
        if left.suffix == ".former" and not place.exists():
            os.rename(left, place)
        shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While this lasts no other stick is copied."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
