"""How a box plays: the values of all settings, and how one is changed. Reads TOML; writes nothing.

bpm = 120
slots = [1, 2]
[voices]        # every voice
density = 0.5
[voice.1]       # one voice, counted as on the panel
note = 36
[cc]            # what MIDI control changes move
16 = "A"        # on any channel
"10.74" = "voice.1.density"
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from device.errors import SettingsError
from device.specs import BOX_SPECS, CONTROLLERS, KNOB_NAMES, SLOTS, VOICE_SPECS, VOICES, Spec
from device.steps import STEPS

VOICE_NUMBERS = tuple(str(voice + 1) for voice in range(VOICES))
# General MIDI's drum map: kick, snare, closed and open hi-hat; then low tom, high tom, clap, side stick,
# crash, ride, tambourine, cowbell, high and low bongo, maracas, claves.
NOTES = (36, 38, 42, 46, 45, 50, 39, 37, 49, 51, 54, 56, 60, 61, 70, 75)
ACTIONS = (
    *("start", "stop", "rewind", "panic", "next", "generate", "home", "hold", "undo", "redo", "tap"),
    *("train", "cancel"),
)
CHANNEL_NUMBERS = tuple(str(channel) for channel in range(1, 17))
LONGEST_WORD = 100  # characters of a name in the settings
FREE = "-"  # a place of a layer that turns nothing
MOST_MAPPED = 128  # control changes
OUTFIT = ("wiring", "calibration")  # tables of the same file that are no music: `device.outfit` reads them


@dataclass(frozen=True)
class VoiceSettings:
    """How one voice plays. Channel and output count from 1, as on the panel."""

    density: float = 0.5
    length: int = STEPS
    rotate: int = 0
    divide: int = 1
    multiply: int = 1
    swing: float = 0.5
    groove: float = 1.0
    gate: float = 0.5
    gate_ms: float = 0.0
    tie: bool = False
    probability: float = 1.0
    ratchet: int = 1
    ratchet_chance: float = 1.0
    ratchet_decay: float = 0.3
    accent: float = 0.75  # Grids' 192 of 255
    delay_ms: float = 0.0
    output: int = 0
    channel: int = 1
    note: int = NOTES[0]
    velocity_low: int = 1
    velocity_high: int = 127
    velocity_curve: float = 1.0
    cc: int = -1
    mute: bool = False
    solo: bool = False
    pitch: tuple[int, ...] = ()
    pitch_length: int = 8
    pitch_by: str = "step"
    scale: str = "chromatic"
    key: int = 0
    octave: int = 0


@dataclass(frozen=True)
class Settings:
    """How the box plays. Never changed in place: a change makes another one."""

    bpm: float = 120.0
    clock: str = "auto"
    clock_in: str = "4"
    clock_lost: str = "auto"
    sync_ms: float = 0.0
    clock_out: int = 4
    clock_divide: int = 1
    reset_out: int = 0
    midi_clock: str = "always"
    trigger_ms: float = 5.0
    settle_ms: float = 0.0
    change: str = "step"
    seed: int = 1
    control_channel: int = 0
    program_in: bool = True
    program_out: int = 0
    program_early_ms: float = 100.0
    takeover: str = "catch-up"
    shift: tuple[str, ...] = ("voices.density", "voices.length", "voices.groove", "bpm")
    play_layer: tuple[str, ...] = ("voice", "edit.length", "edit.divide", "edit.gate")
    slot_layer: tuple[str, ...] = ("slot", "edit.rotate", "edit.probability", "edit.ratchet")
    learn_layer: tuple[str, ...] = ("learn_slot", "learn_trainings", "learn_voices", "-")
    learn_slot: int = 0
    learn_trainings: int = 1
    learn_voices: str = "1"
    learn_from: str = "stick"
    learn_plays: bool = False
    stick_learns: str = "auto"
    home: tuple[float, ...] = (0.5,) * 4
    cv: tuple[str, ...] = ("unipolar",) * 4
    cv_amount: tuple[float, ...] = (1.0,) * 4
    midi_out: tuple[str, ...] = ("",)
    midi_in: tuple[str, ...] = ("",)
    slots: tuple[int, ...] = ()  # none named: the first that is filled, or the factory's
    cc: tuple[tuple[str, str], ...] = (("16", "A"), ("17", "B"), ("18", "C"), ("19", "D"))
    voices: tuple[VoiceSettings, ...] = tuple(VoiceSettings(note=note) for note in NOTES)

    def value(self, key: str) -> Any:
        """The value of one setting; of `voices.NAME` the first voice's. SettingsError where it is not one."""
        group, _, name = key.rpartition(".")
        if key.startswith("cc."):
            return dict(self.cc).get(key.removeprefix("cc."), "")
        if not group:
            if name != "slots":
                _known(name, BOX_SPECS, key)
            return getattr(self, name)
        _known(name, VOICE_SPECS, key)
        return getattr(self.voices[_voices_of(group, key)[0]], name)

    def changed(self, key: str, value: Any) -> Settings:
        """These settings with one changed: `bpm`, `voices.density` (every voice), `voice.1.note`, `cc.16`."""
        group, _, name = key.rpartition(".")
        if key.startswith("cc."):
            return _with(self, cc=_mapped(self.cc, key.removeprefix("cc."), value))
        if not group:
            if name == "slots":
                return _with(self, slots=_slots(value))
            _known(name, BOX_SPECS, name)
            checked = _checked(key, value, BOX_SPECS[name])
            if name in ("shift", "play_layer", "slot_layer", "learn_layer"):
                for target in checked:
                    check_target(target, key)
            return _with(self, **{name: checked})
        _known(name, VOICE_SPECS, key)
        chosen = _voices_of(group, key)
        checked = _checked(key, value, VOICE_SPECS[name])
        voices = list(self.voices)
        for voice in chosen:
            voices[voice] = _with(voices[voice], **{name: checked})
        return _with(self, voices=tuple(voices))

    def nudged(self, key: str, by: float) -> Settings:
        """These settings with one moved by so much, as far as its range goes; of `voices.NAME` each voice.

        Of words the next or the one before is taken, of true and false the other.
        """
        spec = spec_of(key)
        if spec.most or not math.isfinite(by):
            raise SettingsError(f"{key} by {by!r}: expected a number, and a setting that is one")

        def moved(value: Any) -> Any:
            if spec.kind is bool:
                return not value
            if spec.choices:
                place = spec.choices.index(value) + (1 if by > 0 else -1)
                return spec.choices[min(len(spec.choices) - 1, max(0, place))]
            return spec.kind(round(min(spec.high, max(spec.low, value + by)), 6))

        group, _, name = key.rpartition(".")
        if not group:
            return self.changed(key, moved(getattr(self, name)))
        settings = self
        for voice in _voices_of(group, key):
            value = moved(getattr(self.voices[voice], name))
            settings = settings.changed(f"voice.{voice + 1}.{name}", value)
        return settings

    def changed_each(self, name: str, values: Mapping[int, Any]) -> Settings:
        """These settings with one setting of some voices changed, each to a value of its own."""
        voices = list(self.voices)
        for voice, value in values.items():
            checked = _checked(f"voice.{voice + 1}.{name}", value, VOICE_SPECS[name])
            voices[voice] = _with(voices[voice], **{name: checked})
        return _with(self, voices=tuple(voices))

    def differences(self, other: Settings) -> Iterator[tuple[str, Any, Any]]:
        """Keys whose value differs, with the value here and the value there."""
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if field.name == "voices":
                for number, voice, before in zip(VOICE_NUMBERS, mine, theirs, strict=True):
                    for name in VOICE_SPECS:
                        if getattr(voice, name) != getattr(before, name):
                            yield f"voice.{number}.{name}", getattr(voice, name), getattr(before, name)
            elif field.name == "cc":
                here, there = dict(mine), dict(theirs)
                for number in sorted(here.keys() | there.keys()):
                    if here.get(number, "") != there.get(number, ""):
                        yield f"cc.{number}", here.get(number, ""), there.get(number, "")
            elif mine != theirs:
                yield field.name, mine, theirs


def _with(settings: Any, **changes: Any) -> Any:
    """Settings with some fields changed: what dataclasses.replace gives, ten times as fast."""
    other = object.__new__(type(settings))
    other.__dict__.update(settings.__dict__, **changes)
    return other


def spec_of(key: str) -> Spec:
    """What is known of a setting, by its key; SettingsError where there is none of that name."""
    group, _, name = key.rpartition(".")
    specs = VOICE_SPECS if group else BOX_SPECS
    _known(name, specs, key)
    if group and group != "edit":
        _voices_of(group, key)
    return specs[name]


def check_target(target: str, where: str) -> None:
    """Raise SettingsError where a word is nothing that a knob or a control change can move."""
    if target in (*KNOB_NAMES, *ACTIONS, FREE, "slot", "voice"):
        return
    try:
        spec = spec_of(target)
    except SettingsError:
        spec = None
    if spec is None or spec.most:
        raise SettingsError(
            f"{where} = {shown(target)}: expected a setting that is a number, a word or a switch (bpm, "
            f"voices.density, voice.1.note, edit.length), A to D, slot, voice, {', '.join(ACTIONS)} or {FREE}"
        )


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
    mapped = table.get("cc", {})
    table = {key: value for key, value in table.items() if key not in ("cc", *OUTFIT)}
    pairs = sorted(_flat(table), key=lambda pair: pair[0].startswith("voice."))
    if isinstance(mapped, dict):
        pairs += [(f"cc.{number}", target) for number, target in _flat(mapped)]
    for key, value in pairs:
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
        raise SettingsError(
            f"{key} is not a setting; expected voices.NAME or voice.1.NAME to voice.{VOICES}.NAME"
        )
    return range(int(number) - 1, int(number))


def _checked(key: str, value: Any, spec: Spec) -> Any:
    """The value as its kind; SettingsError where it is of another kind or out of range."""
    if not spec.most:
        return _one(key, value, spec)
    values = value if isinstance(value, list | tuple) else None
    if values is None or not spec.least <= len(values) <= spec.most:
        count = f"{spec.most}" if spec.least == spec.most else f"{spec.least} to {spec.most}"
        raise SettingsError(f"{key} = {shown(value)}: expected a list of {count}")
    return tuple(_one(key, one, spec) for one in values)


def _one(key: str, value: Any, spec: Spec) -> Any:
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.kind is bool:
        if isinstance(value, bool):
            return value
        raise SettingsError(f"{key} = {shown(value)}: expected true or false")
    if spec.kind is str:
        word = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(word, str) and len(word) <= LONGEST_WORD and (not spec.choices or word in spec.choices):
            return word
        expected = f"one of {', '.join(spec.choices)}" if spec.choices else "a short text"
        raise SettingsError(f"{key} = {shown(value)}: expected {expected}")
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    within = numeric and spec.low <= value <= spec.high  # not a number is not within
    if not within or (spec.kind is int and int(value) != value):
        kind = "a whole number" if spec.kind is int else "a number"
        raise SettingsError(
            f"{key} = {shown(value)}: expected {kind} from {spec.low:g} to {spec.high:g}{unit}"
        )
    return spec.kind(value)


def _mapped(cc: tuple[tuple[str, str], ...], number: str, target: Any) -> tuple[tuple[str, str], ...]:
    """The control changes with one mapped anew; an empty target unmaps it."""
    channel, _, controller = number.rpartition(".")
    good = controller.isdecimal() and controller.isascii() and len(controller) < 4
    if not good or int(controller) >= CONTROLLERS or (channel and channel not in CHANNEL_NUMBERS):
        raise SettingsError(
            f"cc.{shown(number)}: expected a control change from 0 to {CONTROLLERS - 1}, or CHANNEL.NUMBER"
        )
    if target != "":
        if not isinstance(target, str):
            raise SettingsError(f"cc.{number} = {shown(target)}: expected a text")
        check_target(target, f"cc.{number}")
    mapped = {**dict(cc), number: target}
    if target == "":
        del mapped[number]
    if len(mapped) > MOST_MAPPED:
        raise SettingsError(f"cc: more than {MOST_MAPPED} are mapped; unmap one first")
    return tuple(sorted(mapped.items()))


def _slots(value: Any) -> tuple[int, ...]:
    numbers = value[: VOICES + 1] if isinstance(value, list | tuple) else [value]
    good = [isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= SLOTS for n in numbers]
    if not all(good) or not 1 <= len(numbers) <= VOICES:
        raise SettingsError(f"slots = {shown(value)}: expected 1 to {VOICES} slot numbers from 1 to {SLOTS}")
    return tuple(numbers)
