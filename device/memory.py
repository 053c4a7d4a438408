"""What a box remembers over night: settings changed by hand, knobs, slots. Opens no file and no socket.

A setting is kept with the value that settings.toml gave it: where that file says something else by the
next morning, the file was touched last, and it wins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from device.errors import SettingsError
from device.settings import Settings, shown
from device.specs import KNOB_NAMES, SLOTS, VOICES

FORMAT = 1
LARGEST = 256 * 1024  # bytes; all settings of all voices are some 20 kB


@dataclass
class Memory:
    """What was left: `settings` is by key, each as the file gave it and as the player has set it."""

    settings: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    knobs: list[float] | None = None
    slots: list[int] = field(default_factory=list)
    voice: int = 0

    def over(self, settings: Settings) -> tuple[Settings, list[str]]:
        """The settings of the file with what was changed by hand, and what could not be used."""
        complaints = []
        for key, (before, value) in self.settings.items():
            try:
                if _plain(settings.value(key)) == _plain(before):
                    settings = settings.changed(key, value)
            except SettingsError as error:
                complaints.append(f"remembered settings: {error}")
        return settings, complaints

    def kept(self, now: Settings, began: Settings, origin: Settings) -> dict[str, tuple[Any, Any]]:
        """What is to be kept of settings that `began` one way and are `now` another; `origin`: the file's."""
        values = {key: value for key, (_, value) in self.settings.items()}
        values |= {key: value for key, value, _ in now.differences(began)}
        return {
            key: (origin.value(key), value)
            for key, value in values.items()
            if _plain(origin.value(key)) != _plain(value)
        }


def pack(memory: Mapping[str, Any]) -> bytes:
    """The bytes of a state file: one JSON object, with a digest of what it says."""
    body = msgspec.json.encode(memory, order="deterministic").decode()
    digest = hashlib.sha256(body.encode()).hexdigest()
    return msgspec.json.encode({"format": FORMAT, "digest": digest, "memory": body}) + b"\n"


def unpack(data: bytes, name: str) -> Memory:
    """What a state file holds. ValueError says in a sentence what is wrong with it."""
    if len(data) > LARGEST:
        raise ValueError(f"{name}: {len(data)} bytes, expected at most {LARGEST}.")
    try:
        file = msgspec.json.decode(data, type=_File)
        body = msgspec.json.decode(file.memory, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError(f"{name}: not what a box has remembered, or cut off.") from None
    if file.format != FORMAT:
        raise ValueError(f"{name}: of format {file.format}, expected {FORMAT}.")
    if hashlib.sha256(file.memory.encode()).hexdigest() != file.digest:
        raise ValueError(f"{name}: damaged, its digest does not fit.")
    good = len(body.knobs) == len(KNOB_NAMES) and all(0.0 <= knob <= 1.0 for knob in body.knobs)
    good &= all(1 <= slot <= SLOTS for slot in body.slots) and 0 <= body.voice < VOICES
    if not good:
        found = shown([body.knobs, body.slots, body.voice])
        raise ValueError(f"{name}: holds {found}, expected four knobs 0..1, slots and a voice.")
    return Memory(body.settings, body.knobs, body.slots, body.voice)


class _File(msgspec.Struct):
    format: int
    digest: str
    memory: str


class _Body(msgspec.Struct):
    settings: dict[str, tuple[Any, Any]]
    knobs: list[float]
    slots: list[int]
    voice: int


def _plain(value: Any) -> Any:
    """A value as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value
