"""What a box remembers over night: settings changed by hand, knobs, slots. Opens no file and no socket.

A setting is kept with the value that settings.toml gave it: where that file says something else by the
next morning, the file was touched last, and it wins. What plays is the setting `slots`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from device.errors import SettingsError
from device.settings import Settings, shown
from device.specs import KNOB_NAMES, VOICES

FORMAT = 1
LARGEST = 256 * 1024  # bytes; all settings of all voices are some 20 kB
FINE = 6  # decimals of a knob's place: a thousandth of its smallest move


@dataclass
class Memory:
    """What was left: `settings` is by key, each as the file gave it and as the player has set it."""

    settings: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    knobs: list[float] | None = None  # None: they were never moved
    voice: int = 0  # the one that is edited

    def over(self, settings: Settings) -> tuple[Settings, list[str]]:
        """The settings of the file with what was changed by hand, and what could not be used.

        What could not be used, and what the file says otherwise by now, is forgotten.
        """
        held, complaints = {}, []
        # What was unmapped comes first: it makes room among the control changes.
        for key, (before, value) in sorted(self.settings.items(), key=lambda item: item[1][1] != ""):
            try:
                if _value(settings, key) == before:
                    settings = settings.changed(key, value)
                    held[key] = (before, value)
            except SettingsError as error:
                complaints.append(f"remembered settings: {error}")
        self.settings = held
        return settings, complaints


class Today:
    """Tells what is to be remembered by the end of the day: what was left, and what hands have changed since.

    What began otherwise than it was left (a flag of the command line) counts only once it is changed.
    """

    def __init__(
        self, left: Memory, origin: Settings, began: Settings, slots: Sequence[int], knobs: Sequence[float]
    ) -> None:
        """`origin`: the settings of the file; what follows is what the day began with."""
        self._left, self._origin = left, origin
        self._began = replace(began, slots=tuple(slots))
        self._knobs = _places(knobs)
        self._now: Settings | None = None
        self._kept: dict[str, tuple[Any, Any]] = {}
        self._first = {"settings": self._changed(self._began), "knobs": left.knobs, "voice": left.voice}
        self.touched = False  # whether it was ever another memory than at first

    def memory(
        self, now: Settings, tempo: float, slots: Sequence[int], knobs: Sequence[float], voice: int
    ) -> dict[str, Any]:
        """What is to be remembered if the day ended like this. `tempo` is the player's own."""
        settings = replace(now, bpm=tempo, slots=tuple(slots))
        if settings != self._now:
            self._now, self._kept = settings, self._changed(settings)
        places = _places(knobs)
        memory = {
            "settings": self._kept,
            "knobs": self._left.knobs if places == self._knobs else places,
            "voice": voice,
        }
        self.touched = self.touched or memory != self._first
        return memory

    def _changed(self, now: Settings) -> dict[str, tuple[Any, Any]]:
        values = {key: value for key, (_, value) in self._left.settings.items()}
        values |= {key: _plain(value) for key, value, _ in now.differences(self._began)}
        origins = {key: _value(self._origin, key) for key in values}
        return {key: (origins[key], value) for key, value in values.items() if origins[key] != value}


def pack(memory: Mapping[str, Any]) -> bytes:
    """The bytes of a state file: one JSON object, with a digest of what it says."""
    body = _text(memory)
    return msgspec.json.encode({"format": FORMAT, "digest": digest(memory), "memory": body}) + b"\n"


def digest(memory: Mapping[str, Any]) -> str:
    """SHA-256 of what is remembered: the same for the same memory."""
    return hashlib.sha256(_text(memory).encode()).hexdigest()


def digest_of(data: bytes) -> str:
    """The digest that a good state file gives."""
    return msgspec.json.decode(data, type=_File).digest


def unpack(data: bytes, name: str) -> Memory:
    """What a state file holds. ValueError says in a sentence what is wrong with it."""
    if len(data) > LARGEST:
        raise ValueError(f"{name}: more than {LARGEST} bytes.")
    try:
        file = msgspec.json.decode(data, type=_File)
        if file.format != FORMAT:
            raise ValueError(f"{name}: of format {file.format}, expected {FORMAT}.")
        if hashlib.sha256(file.memory.encode()).hexdigest() != file.digest:
            raise ValueError(f"{name}: damaged, its digest does not fit.")
        body = msgspec.json.decode(file.memory, type=_Body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ValueError(f"{name}: not what a box has remembered, or cut off.") from None
    knobs = body.knobs
    good = knobs is None or (len(knobs) == len(KNOB_NAMES) and all(0.0 <= knob <= 1.0 for knob in knobs))
    if not good or not 0 <= body.voice < VOICES:
        raise ValueError(f"{name}: holds {shown([knobs, body.voice])}, expected four knobs 0..1 and a voice.")
    return Memory(body.settings, knobs, body.voice)


class _File(msgspec.Struct):
    format: int
    digest: str = ""
    memory: str = ""


class _Body(msgspec.Struct):
    settings: dict[str, tuple[Any, Any]]
    knobs: list[float] | None
    voice: int


def _text(memory: Mapping[str, Any]) -> str:
    return msgspec.json.encode(memory, order="deterministic").decode()


def _value(settings: Settings, key: str) -> Any:
    """The value of a setting as JSON gives it back; of a control change what it moves, or ""."""
    controller = key.removeprefix("cc.")
    return _plain(dict(settings.cc).get(controller, "") if controller != key else settings.value(key))


def _plain(value: Any) -> Any:
    """A value as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _places(knobs: Sequence[float]) -> list[float]:
    return [round(knob, FINE) for knob in knobs]
