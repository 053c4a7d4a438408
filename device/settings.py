"""What a player can set, in one table: name, range, unit, meaning. Reads TOML; writes nothing.

bpm = 120
slots = [1, 2]
[voices]        # every voice
density = 0.5
[voice.1]       # one voice, counted as on the panel
note = 36
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import tomllib
from dataclasses import dataclass
from typing import Any

from device.clock import BPM_HIGH, BPM_LOW
from device.errors import SettingsError
from device.pattern import STEPS

VOICES = 4
VOICE_NUMBERS = tuple(str(voice + 1) for voice in range(VOICES))
SLOTS = 16  # on the panel
NOTES = (36, 38, 42, 46)  # kick, snare, closed and open hi-hat of the General MIDI drum map


@dataclass(frozen=True)
class Spec:
    """One setting: its kind (int, float or bool), range, unit and meaning."""

    kind: type
    low: float
    high: float
    unit: str
    says: str


BOX_SPECS = {
    "bpm": Spec(float, BPM_LOW, BPM_HIGH, "beats a minute", "tempo of the internal clock"),
    "clock_out": Spec(int, 1, 24, "pulses a beat", "pulses on the clock jack"),
    "seed": Spec(int, 0, 2**32 - 1, "", "seed of everything random while playing"),
    "trigger_ms": Spec(float, 1, 20, "ms", "length of a pulse on the clock and reset jacks"),
}

VOICE_SPECS = {
    "density": Spec(float, 0, 1, "", "how readily steps become hits; 0 none, 1 all"),
    "length": Spec(int, 1, STEPS, "steps", "steps before the voice begins again"),
    "swing": Spec(float, 0.5, 0.75, "", "share of a step pair given to its first step; 0.5 straight"),
    "groove": Spec(float, 0, 1, "", "how much of the learned offsets is played"),
    "gate": Spec(float, 0.02, STEPS, "steps", "length of a gate and of a note"),
    "probability": Spec(float, 0, 1, "", "chance that a hit plays"),
    "accent": Spec(float, 0, 1, "", "velocity from which a hit raises the accent jack"),
    "channel": Spec(int, 1, 16, "", "MIDI channel"),
    "note": Spec(int, 0, 127, "", "MIDI note"),
    "mute": Spec(bool, 0, 1, "", "the voice is silent"),
}


@dataclass(frozen=True)
class VoiceSettings:
    """How one voice plays. The channel counts from 1, as on the panel."""

    density: float = 0.5
    length: int = STEPS
    swing: float = 0.5
    groove: float = 1.0
    gate: float = 0.5
    probability: float = 1.0
    accent: float = 0.75  # Grids' 192 of 255
    channel: int = 1
    note: int = NOTES[0]
    mute: bool = False


@dataclass(frozen=True)
class Settings:
    """How the box plays. Never changed in place: a change makes another one."""

    bpm: float = 120.0
    clock_out: int = 4
    seed: int = 1
    trigger_ms: float = 5.0
    slots: tuple[int, ...] = ()  # none named: the first that is filled, or the factory's
    voices: tuple[VoiceSettings, ...] = tuple(VoiceSettings(note=note) for note in NOTES)

    def changed(self, key: str, value: Any) -> Settings:
        """These settings with one changed: `bpm`, `voices.density` (every voice) or `voice.1.note`."""
        group, _, name = key.rpartition(".")
        if not group:
            if name == "slots":
                return dataclasses.replace(self, slots=_slots(value))
            _known(name, BOX_SPECS, name)
            return dataclasses.replace(self, **{name: _checked(key, value, BOX_SPECS[name])})
        _known(name, VOICE_SPECS, key)
        chosen = _voices_of(group, key)
        checked = _checked(key, value, VOICE_SPECS[name])
        voices = list(self.voices)
        for voice in chosen:
            voices[voice] = dataclasses.replace(voices[voice], **{name: checked})
        return dataclasses.replace(self, voices=tuple(voices))

    def nudged(self, key: str, by: float) -> Settings:
        """These settings with one moved by so much, as far as its range goes; of `voices.NAME` each voice."""
        group, _, name = key.rpartition(".")
        _known(name, VOICE_SPECS if group else BOX_SPECS, key)
        spec = (VOICE_SPECS if group else BOX_SPECS)[name]
        if spec.kind is bool or not math.isfinite(by):
            raise SettingsError(f"{key} by {by!r}: expected a number, and a setting that is one")

        def moved(value: float) -> float:
            return spec.kind(round(min(spec.high, max(spec.low, value + by)), 6))

        if not group:
            return self.changed(key, moved(getattr(self, name)))
        settings = self
        for voice in _voices_of(group, key):
            value = moved(getattr(self.voices[voice], name))
            settings = settings.changed(f"voice.{voice + 1}.{name}", value)
        return settings


def read_settings(text: str, name: str = "settings") -> tuple[Settings, list[str]]:
    """Settings of a TOML text, and a sentence for each key that cannot be used: the others hold.

    >>> settings, complaints = read_settings("bpm = 90\\n[voice.2]\\nnote = 400")
    >>> settings.bpm, complaints
    (90.0, ['settings: voice.2.note = 400: expected a whole number from 0 to 127'])
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Settings(), [f"{name}: not TOML: {error}."]
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets within brackets
        return Settings(), [f"{name}: holds a number or a nesting that no setting has."]
    settings, complaints = Settings(), []
    # Every voice first, so that one voice can differ whatever the order in the file.
    for key, value in sorted(_flat(table), key=lambda pair: pair[0].startswith("voice.")):
        try:
            settings = settings.changed(key, value)
        except SettingsError as error:
            complaints.append(f"{name}: {error}")
    return settings, complaints


def shown(value: object) -> str:
    """A value for a sentence, of bounded length."""
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of many digits"
    return reprlib.repr(value)


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((prefix + key, value))
    return pairs


def _known(name: str, specs: dict[str, Spec], key: str) -> None:
    if name not in specs:
        names = [*specs, "slots"] if specs is BOX_SPECS else list(specs)
        raise SettingsError(f"{key} is not a setting; expected one of {', '.join(names)}")


def _voices_of(group: str, key: str) -> range:
    if group == "voices":
        return range(VOICES)
    word, _, number = group.partition(".")
    if word != "voice" or number not in VOICE_NUMBERS:
        raise SettingsError(f"{key} is not a setting; expected voices.NAME or voice.1.NAME to voice.4.NAME")
    return range(int(number) - 1, int(number))


def _checked(key: str, value: Any, spec: Spec) -> Any:
    """The value as its kind; SettingsError where it is of another kind or out of range."""
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.kind is bool:
        if isinstance(value, bool):
            return value
        raise SettingsError(f"{key} = {shown(value)}: expected true or false")
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    within = numeric and spec.low <= value <= spec.high  # not a number is not within
    if not within or (spec.kind is int and int(value) != value):
        kind = "a whole number" if spec.kind is int else "a number"
        raise SettingsError(
            f"{key} = {shown(value)}: expected {kind} from {spec.low:g} to {spec.high:g}{unit}"
        )
    return spec.kind(value)


def _slots(value: Any) -> tuple[int, ...]:
    numbers = value[: VOICES + 1] if isinstance(value, list | tuple) else [value]
    good = [isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= SLOTS for n in numbers]
    if not all(good) or not 1 <= len(numbers) <= VOICES:
        raise SettingsError(f"slots = {shown(value)}: expected 1 to {VOICES} slot numbers from 1 to {SLOTS}")
    return tuple(numbers)
