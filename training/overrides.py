"""The player's word on a loop: what it may say, and the notes beside loops that say it. Hears nothing.

A note is a TOML file: `break.wav.toml` or `break.toml` beside break.wav, and `fathom.toml` for all loops
of its folder. What cannot be used in one is said in a sentence, and the rest holds.
"""

from __future__ import annotations

import errno
import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.errors import LoopError
from training.files import advice, clean, open_plain, reason

FOLDER_NOTE = "fathom.toml"
LARGEST = 65536  # bytes of a note
RANGES: dict[str, tuple[type, float, float]] = {  # kind, lowest, highest
    "bpm": (float, 30.0, 300.0),
    "bars": (int, 1, 32),
    "shift": (int, -64, 64),  # steps
    "sensitivity": (float, 0.0, 1.0),
    "reject": (bool, 0, 1),
}


@dataclass(frozen=True)
class Word:
    """What the player says of a loop; None where nothing is said.

    shift : steps by which every hit is moved, round the end of the loop; later is positive
    by : who says each of it
    """

    bpm: float | None = None
    bars: int | None = None
    shift: int | None = None
    sensitivity: float | None = None
    reject: bool | None = None
    by: Mapping[str, str] = field(default_factory=dict, compare=False)

    def values(self) -> dict[str, Any]:
        """What is said, by key."""
        said = {key: getattr(self, key) for key in RANGES}
        return {key: value for key, value in said.items() if value is not None}

    def over(self, other: Word) -> Word:
        """Both, key by key; this one wins.

        >>> Word(bpm=120.0).over(Word(bpm=90.0, bars=2)).values()
        {'bpm': 120.0, 'bars': 2}
        """
        said = self.values()
        by = {key: who for key, who in self.by.items() if key in said}
        return Word(**{**other.values(), **said}, by={**other.by, **by})

    def lines(self) -> tuple[str, ...]:
        """Who says how it is to be heard, for a reader."""
        how = {key: value for key, value in self.values().items() if key != "reject"}
        return tuple(f"{self.by[key]} says {key} {shown(value)}" for key, value in how.items())


def word(table: Mapping[str, Any], by: str, where: str = "") -> tuple[Word, list[str]]:
    """What a table says, and a sentence for each key that cannot be used.

    by, where : who says it, in short and, for the sentences, in full

    >>> word({"bpm": 1000, "bars": 2}, "a.toml")[1]
    ['a.toml: bpm is 1000, expected 30 to 300.']
    """
    values, complaints = {}, []
    for key, value in table.items():
        try:
            values[key] = checked(key, value)
        except LoopError as error:
            complaints.append(f"{where or by}: {error}.")
    return Word(**values, by=dict.fromkeys(values, by)), complaints


def checked(key: str, value: Any) -> Any:
    """A value fit to be used; LoopError names key, value and range."""
    if key not in RANGES:
        raise LoopError(f"a loop has no {clean(key)[:40]!r}, expected one of {', '.join(RANGES)}")
    kind, low, high = RANGES[key]
    if kind is bool:
        if not isinstance(value, bool):
            raise LoopError(f"{key} is {shown(value)}, expected true or false")
        return value
    good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not good or (kind is int and not isinstance(value, int)):
        whole = "a whole number from " if kind is int else ""
        raise LoopError(f"{key} is {shown(value)}, expected {whole}{low:g} to {high:g}")
    return kind(value)


def shown(value: Any) -> str:
    """A value as a player would write it, and not too much of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of many digits"
    return clean(reprlib.repr(value))


def beside(path: Path) -> tuple[Word, list[str]]:
    """What the notes beside a loop say of it, and what cannot be used in them."""
    said, complaints = Word(), []
    for name in (FOLDER_NOTE, f"{path.stem}.toml", f"{path.name}.toml"):  # the later wins
        note = path.with_name(name)
        try:
            found, complained = _read(note)
        except LoopError as error:
            complaints.append(f"{clean(str(note))}: {error}.")
            continue
        said = found.over(said)
        complaints += complained
    return said, complaints


def _read(note: Path) -> tuple[Word, list[str]]:
    """What a note says, nothing where it is not there; LoopError where it is no note."""
    try:
        with open_plain(note, follow=False) as file:
            data = file.read(LARGEST + 1)
    except (FileNotFoundError, ValueError):
        return Word(), []
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return Word(), []
        raise LoopError(f"cannot be read ({reason(error)}): {advice(error)}") from None
    if len(data) > LARGEST:
        raise LoopError(f"more than {LARGEST} bytes: no note is as long")
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise LoopError("not a text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise LoopError(f"not TOML ({clean(str(error))[:80]})") from None
    except (ValueError, RecursionError):
        raise LoopError("holds a number or a nesting that no note has") from None
    return word(table, clean(note.name), clean(str(note)))
