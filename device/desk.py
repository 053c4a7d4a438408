"""All that a player can change, by its name, with undo: knobs, settings, slots. Knows no panel and no MIDI.

Whoever asks (a knob, a control change, a message) goes through here, so that one hand can undo another's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from device.clock import BPM_HIGH, BPM_LOW
from device.errors import SettingsError
from device.history import History
from device.pitch import LANE, MIDDLE_C, OCTAVE
from device.player import Player
from device.settings import ACTIONS, FREE, Settings, shown, spec_of
from device.specs import GATES, KNOB_NAMES, VOICES, Spec
from device.tap import Tap

ON = 0.5  # a share of the travel from which a switch is on


class Moment(NamedTuple):
    """What undo brings back."""

    settings: Settings
    knobs: tuple[float, ...]
    slots: tuple[int, ...]


class Desk:
    """The player's hands, whatever they are on. `transport` starts, stops, toggles, rewinds and panics."""

    def __init__(self, player: Player, transport: Any, knobs: Sequence[float]) -> None:
        self.player = player
        self.transport = transport
        self.knobs = list(knobs)  # where A B C D are, 0..1, whatever the real ones say
        self.held = False  # the pattern is frozen
        self.voice = 0  # the one that is edited
        self.recording: int | None = None  # the voice whose pitch lane takes notes in
        self.changes = 0  # made since the start
        self._history: History[Moment] = History()
        self._tap = Tap()
        self._random = random.Random(player.settings.seed)
        self._cv = [0.0] * len(KNOB_NAMES)
        self._actions: dict[str, Callable[[], None]] = {
            "start": transport.start,
            "stop": transport.stop,
            "rewind": transport.rewind,
            "panic": transport.panic,
            "next": self.choose_next,
            "generate": self.generate,
            "home": self.go_home,
            "hold": self.hold,
            "undo": self.undo,
            "redo": self.redo,
            "tap": self.tap,
        }

    # --- by name -----------------------------------------------------------------------------------------

    def change(self, key: str, value: object) -> None:
        """Set one setting; SettingsError says what is wrong with it."""
        key = self._of_voice(key)
        wanted = self.player.settings.changed(key, value)
        if wanted != self.player.settings:
            self._about_to(key)
            self.player.change(key, value)

    def nudge(self, key: str, by: float) -> None:
        """Move one setting by so much, as far as its range goes."""
        key = self._of_voice(key)
        if self.player.settings.nudged(key, by) != self.player.settings:
            self._about_to(key)
            self.player.nudge(key, by)

    def move(self, target: str, share: float) -> None:
        """Put a knob, a setting, the slot or the edited voice where a share 0..1 of its travel is."""
        if target in KNOB_NAMES:
            self.turn(KNOB_NAMES.index(target), share)
        elif target == "slot":
            filled = sorted(self.player.library)
            number = filled[_place(share, len(filled))] if filled else 0
            if number and self.player.numbers != [number]:
                self.choose([number])
        elif target == "voice":
            self.voice = _place(share, self._voices())
        elif target in ACTIONS:
            if share >= ON:
                self.act(target)
        elif target != FREE:
            self.change(target, _value(spec_of(target), share))

    def share_of(self, target: str) -> float | None:
        """Where something is, as a share 0..1 of its travel; None where it has no place."""
        if target in KNOB_NAMES:
            return self.knobs[KNOB_NAMES.index(target)]
        if target == "slot":
            filled, playing = sorted(self.player.library), self.player.numbers
            return _share(filled.index(playing[0]), len(filled)) if playing else None
        if target == "voice":
            return _share(self.voice, self._voices())
        if target in ACTIONS or target == FREE:
            return None
        key = self._of_voice(target)
        return _share_of_value(spec_of(key), self.player.settings.value(key))

    def same(self, target: str, share: float) -> bool:
        """Whether a share of the travel of something is where it is already, as near as it can tell."""
        if target in KNOB_NAMES or target in ("slot", "voice"):
            return self.share_of(target) == share
        key = self._of_voice(target)
        return _value(spec_of(key), share) == self.player.settings.value(key)

    def act(self, action: str) -> None:
        """Do one of `ACTIONS`."""
        self._actions[action]()

    # --- knobs -------------------------------------------------------------------------------------------

    def turn(self, knob: int, place: float) -> None:
        """Let a knob, 0..3, be at a place 0..1."""
        place = min(1.0, max(0.0, place))
        if place != self.knobs[knob]:
            self._about_to(KNOB_NAMES[knob])
            self.knobs[knob] = place
            self._turn()

    def patch(self, cv: Sequence[float]) -> None:
        """What the CV inputs give, each 0..1, is added to the knobs."""
        if self._cv != cv:
            self._cv = list(cv)
            self._turn()

    @property
    def places(self) -> list[float]:
        """The knobs with their CV added, 0..1: where the pattern is."""
        settings = self.player.settings
        if all(mode == "off" for mode in settings.cv):
            return self.knobs
        added = []
        for knob, cv, mode, amount in zip(self.knobs, self._cv, settings.cv, settings.cv_amount, strict=True):
            volts = {"off": 0.0, "unipolar": cv, "bipolar": 2 * cv - 1}[mode]
            added.append(min(1.0, max(0.0, knob + amount * volts)))
        return added

    def generate(self) -> None:
        """Four knobs anywhere: the same seed goes through the same places."""
        self._about_to("generate")
        self.knobs = [self._random.random() for _ in KNOB_NAMES]
        self._turn()

    def go_home(self) -> None:
        """The knobs where the setting `home` says."""
        self._about_to("home")
        self.knobs = list(self.player.settings.home)
        self._turn()

    def hold(self, held: bool | None = None) -> None:
        """Freeze the pattern while knobs turn, or let it go where they are."""
        self.held = not self.held if held is None else held
        self._turn()

    # --- slots, tempo, pitch -----------------------------------------------------------------------------

    def choose(self, numbers: Sequence[int]) -> None:
        """Let other slots play from the next bar line on."""
        before = self._now()
        self.player.choose(numbers)
        self._about_to("slots", before)

    def choose_next(self) -> None:
        """The filled slot after the one that plays."""
        before = self._now()
        self.player.choose_next()
        self._about_to("slots", before)

    def tap(self, now: int | None = None) -> None:
        """Tap the tempo: from the second tap on it is heard."""
        bpm = self._tap.tap(self.player.time.now() if now is None else now)
        if bpm is not None:
            self.change("bpm", min(BPM_HIGH, max(BPM_LOW, round(bpm, 2))))

    def record(self, voice: int | None) -> None:
        """Let the notes that come in be the pitch lane of a voice; None: no longer."""
        if voice is not None and not 0 <= voice < VOICES:
            raise SettingsError(f"record: voice {voice + 1}, expected 1 to {VOICES}")
        self.recording = voice
        self._recorded: list[int] = []

    def note(self, note: int) -> None:
        """A note has come in: the next of the lane that is recorded. After eight it begins again."""
        if self.recording is None:
            return
        how = self.player.settings.voices[self.recording]
        above = note - MIDDLE_C - how.key - OCTAVE * how.octave
        while abs(above) > 4 * OCTAVE:
            above -= OCTAVE if above > 0 else -OCTAVE
        self._recorded = [*(self._recorded if len(self._recorded) < LANE else []), above]
        voice = f"voice.{self.recording + 1}"
        self.change(f"{voice}.pitch", list(self._recorded))
        self.change(f"{voice}.pitch_length", len(self._recorded))

    # --- undo --------------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take the last change back."""
        self._recall(self._history.undo(self._now()))

    def redo(self) -> None:
        """Make again what was taken back last."""
        self._recall(self._history.redo(self._now()))

    def _recall(self, moment: Moment | None) -> None:
        if moment is None:
            return
        self.changes += 1
        tempo = self.player.settings.bpm if self.player.slaved else moment.settings.bpm
        self.player.apply(lambda _: moment.settings.changed("bpm", tempo))
        self.knobs = list(moment.knobs)
        there = [number for number in moment.slots if number in self.player.library]
        if there and there != self.player.numbers:
            self.player.choose(there)
        self._turn()

    def _now(self) -> Moment:
        player = self.player
        return Moment(player.settings, tuple(self.knobs), tuple(player.numbers))

    def _about_to(self, what: str, before: Moment | None = None) -> None:
        self.changes += 1
        self._history.changed(what, before or self._now(), self.player.time.now())

    # --- within ------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        if not self.held:
            self.player.turn(self.places)

    def _of_voice(self, key: str) -> str:
        return f"voice.{self.voice + 1}.{key.removeprefix('edit.')}" if key.startswith("edit.") else key

    def _voices(self) -> int:
        return max(GATES, min(VOICES, self.player.ensemble.voices))


def _place(share: float, count: int) -> int:
    """Which of so many even pieces of the travel a share lies in."""
    return min(count - 1, max(0, int(share * count)))


def _share(place: int, count: int) -> float:
    """The middle of one of so many even pieces of the travel; the ends where there is but one."""
    return (place + 0.5) / count


def _value(spec: Spec, share: float) -> Any:
    """The value of a setting at a share of its travel."""
    share = min(1.0, max(0.0, share))
    if spec.kind is bool:
        return share >= ON
    if spec.choices:
        return spec.choices[_place(share, len(spec.choices))]
    if spec.most or spec.kind is str:
        raise SettingsError(f"{shown(spec.says)}: cannot be turned, only set")
    if spec.kind is int:
        return int(spec.low) + _place(share, int(spec.high - spec.low) + 1)
    return round(spec.low + share * (spec.high - spec.low), 4)


def _share_of_value(spec: Spec, value: Any) -> float | None:
    if spec.kind is bool:
        return 0.75 if value else 0.25
    if spec.choices:
        return _share(spec.choices.index(value), len(spec.choices))
    if spec.most or spec.kind is str:
        return None
    if spec.kind is int:
        return _share(int(value - spec.low), int(spec.high - spec.low) + 1)
    return (value - spec.low) / (spec.high - spec.low)
