"""What the player has decided about loops, by their content: a decision survives a new name. Hears nothing.

It stands in one small file of the box. The player's own words stand beside the loops instead
(`training.overrides`); what is decided here wins over them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from training.errors import LoopError
from training.files import clean, read_bytes
from training.overrides import FOLDER_NOTE, Word, checked, shown, word

FORMAT = 1
LARGEST = 8 * 2**20  # bytes
MOST = 20_000  # loops
BY = "the library"
SHORT = 8  # digits of a content that are shown, and enough to name it


def content_of(data: bytes) -> str:
    """What a file is known by, whatever its name: its SHA-256."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Decision:
    """What was decided about one loop, and the name that it had then."""

    name: str
    word: Word

    def line(self, content: str) -> str:
        """The decision for a reader."""
        said = ", ".join(f"{key} {shown(value)}" for key, value in self.word.values().items())
        return f"{content[:SHORT]}  {self.name}: {said or 'as it is heard'}"


@dataclass(frozen=True)
class Library:
    """Decisions by content. It is never changed: a change gives another."""

    loops: Mapping[str, Decision] = field(default_factory=dict)

    def word(self, content: str) -> Word:
        """What is decided about a loop."""
        decision = self.loops.get(content)
        return decision.word if decision else Word()

    def decided(self, content: str, name: str, values: Mapping[str, Any]) -> Library:
        """With this about one loop, beside what was decided before; LoopError names what cannot be."""
        said = Word(**{key: checked(key, value) for key, value in values.items()})
        said = said.over(self.word(content))
        said = replace(said, by=dict.fromkeys(said.values(), BY))
        loops = {**self.loops, content: Decision(clean(name), said)}
        if len(loops) > MOST:
            raise LoopError(f"the library holds {MOST} loops, which is all it can: reset some")
        return Library(loops)

    def without(self, content: str) -> Library:
        """With nothing about one loop."""
        return Library({key: decision for key, decision in self.loops.items() if key != content})

    def named(self, beginning: str) -> str | None:
        """The content that begins so, where there is one and only one."""
        if not re.fullmatch(r"[0-9a-f]{8,64}", beginning):
            return None
        found = [content for content in self.loops if content.startswith(beginning)]
        return found[0] if len(found) == 1 else None


def pack(library: Library) -> bytes:
    """The bytes of a library file: one JSON object, loop by loop."""
    loops = {c: {"name": d.name, **d.word.values()} for c, d in sorted(library.loops.items())}
    return msgspec.json.format(msgspec.json.encode({"format": FORMAT, "loops": loops}), indent=1) + b"\n"


def unpack(data: bytes, name: str) -> tuple[Library, list[str]]:
    """A library from its bytes, and a sentence for each decision that cannot be used.

    LoopError says in a sentence where nothing can.
    """
    if len(data) > LARGEST:
        raise LoopError(f"{name}: more than {LARGEST} bytes")
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise LoopError(f"{name}: not a library of loops, or cut off") from None
    if file.format != FORMAT:
        raise LoopError(
            f"{name}: of format {file.format}, expected {FORMAT}: another version of Fathom wrote it"
        )
    loops, complaints = {}, []
    for content, table in file.loops.items():
        called = clean(str(table.pop("name", content[:SHORT])))
        said, complained = word(table, BY, f"{name}: {called}")
        complaints += complained
        if not re.fullmatch(r"[0-9a-f]{64}", content):
            complaints.append(f"{name}: {clean(content)[:80]!r} is no SHA-256 of a file, in small letters.")
        elif said.values():
            loops[content] = Decision(called, said)
    return Library(loops), complaints


class _File(msgspec.Struct):
    format: int
    loops: dict[str, dict[str, Any]]


def previous(path: Path) -> Path:
    """Where the library before stands."""
    return path.with_suffix(".previous")


def unread(path: Path) -> Path:
    """Where a library is laid aside that could not be used, before another takes its place."""
    return path.with_suffix(".unread")


def load(path: Path) -> tuple[Library, list[str]]:
    """The library in a file, or the one before it, or an empty one; and what is to be said of that."""
    notes: list[str] = []
    for place in (path, previous(path)):
        try:
            with place.open("rb") as file:
                library, complaints = unpack(file.read(LARGEST + 1), place.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            notes.append(f"{place.name}: cannot be read ({error.strerror}).")
        except LoopError as error:
            notes.append(f"{error}.")
        else:
            if place != path:
                notes = [*(notes or [f"{path.name}: gone."]), "The library before it is used."]
            return library, notes + complaints
    return Library(), notes


def save(path: Path, library: Library, write: Callable[[Path, bytes], None]) -> None:
    """Write a library, and keep the one before beside it, or aside. `write` writes a file safely."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        before = path.read_bytes()
        try:
            unpack(before, path.name)
        except LoopError:  # of another version, or with a slip of the player's pen
            write(unread(path), before)
        else:
            write(previous(path), before)
    write(path, pack(library))


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """While this lasts no other process changes the library of this folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def decide(
    library: Library, action: str, words: Sequence[str], values: Mapping[str, Any]
) -> tuple[Library, list[tuple[str, Decision]]]:
    """Do what the player says of some loops: the library after it, and what is then decided of each.

    action : "set" (`values`), "reject", "accept" or "reset"
    words : files, or beginnings of contents that the library knows
    """
    values = {"reject": {"reject": True}, "accept": {"reject": False}}.get(action, values)
    rows = []
    for one in words:
        content, name = _meant(one, library)
        again = action == "reset"
        library = library.without(content) if again else library.decided(content, name, values)
        rows.append((content, library.loops.get(content, Decision(name, Word()))))
    return library, rows


def _meant(one: str, library: Library) -> tuple[str, str]:
    """The content and the name of the loop that a word means: a file, or what the list shows."""
    path = Path(one)
    if not path.exists() and (content := library.named(one)):
        return content, library.loops[content].name
    if not os.path.lexists(path):
        raise LoopError(f"{clean(one)}: no such file, and no loop that `fathom loops` shows")
    if path.is_dir():
        raise LoopError(
            f"{clean(one)}: a folder, expected a loop: write what you say of it into {FOLDER_NOTE} in it"
        )
    try:
        return content_of(read_bytes(path)), clean(path.name)
    except LoopError as error:
        raise LoopError(f"{clean(one)}: {error}") from None
