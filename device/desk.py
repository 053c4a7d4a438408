"""All that a player can change, by its name, with undo: knobs, settings, slots. Knows no panel and no MIDI.

Whoever asks (a knob, a control change, a message) goes through here, so that one hand can undo another's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from device.clock import NS_PER_MS, playable
from device.errors import ModelError, SettingsError
from device.history import GESTURE_NS, History
from device.learner import Learner
from device.learning import Wanted
from device.pitch import LANE, MIDDLE_C, OCTAVE
from device.player import Player
from device.settings import ACTIONS, FREE, Settings, shown, spec_of
from device.specs import GATES, KNOB_NAMES, SLOTS, TRAININGS, VOICES
from device.stick import Sticks
from device.tap import Tap
from device.travel import ON, place_at, share_at, share_of, value_at
from device.undone import sentence

AT_ONCE = 0  # of a change that is one by itself, however soon after another
TAPS_NS = 4000 * NS_PER_MS  # taps that follow each other so soon are one change
HIGHEST_SEED = 2**32 - 1
ALWAYS = 2**62  # ns: the notes of one recording are one change


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
        self.undone = ""  # what undo or redo has brought back, in a sentence, until the next change
        self.learner: Learner | None = None  # beside the music, where there is one
        self.sticks = Sticks(player.time)
        self._history: History[Moment] = History()
        self._tap = Tap()
        self._seed: int | None = None  # of the places that `generate` goes through
        self._cv = [0.0] * len(KNOB_NAMES)
        self._recorded: list[int] = []  # semitones, since the recording began or the lane began again
        self._actions: dict[str, Callable[[], Any]] = {
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
            "train": self.press_learn,
            "cancel": self.cancel,
            "backup": lambda: self.sticks.ask("backup"),
            "restore": lambda: self.sticks.ask("restore"),
        }

    # --- by name -----------------------------------------------------------------------------------------

    def change(self, key: str, value: object) -> None:
        """Set one setting, `slot` or the edited `voice`; SettingsError says what is wrong with it."""
        if key in ("slot", "slots"):
            wanted = [value] if key == "slot" else value
            self.choose(self.player.settings.changed("slots", wanted).slots)
        elif key == "voice":
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= VOICES:
                raise SettingsError(f"voice = {shown(value)}: expected a whole number from 1 to {VOICES}")
            self.voice = value - 1
        else:
            key = self._of_voice(key)
            self._apply(key, lambda settings: settings.changed(key, value))

    def nudge(self, key: str, by: float) -> None:
        """Move one setting by so much, as far as its range goes."""
        key = self._of_voice(key)
        self._apply(key, lambda settings: settings.nudged(key, by))

    def value(self, key: str) -> Any:
        """What is set now, by its name; of `voices.NAME` that of every voice where they differ."""
        if key in KNOB_NAMES:
            return self.knobs[KNOB_NAMES.index(key)]
        if key in ("slot", "slots"):
            return self.player.numbers
        if key == "voice":
            return self.voice + 1
        settings = self.player.settings
        value = settings.value(self._of_voice(key))
        if key.startswith("voices."):
            each = [getattr(voice, key.removeprefix("voices.")) for voice in settings.voices]
            return each if any(one != value for one in each) else value
        return value

    def parts(self, target: str) -> list[str]:
        """What a target stands for: `voices.NAME` for a setting of each voice, `edit.NAME` for one of one."""
        if target.startswith("voices."):
            return [f"voice.{voice + 1}.{target.removeprefix('voices.')}" for voice in range(VOICES)]
        return [self._of_voice(target)]

    def move(self, target: str, share: float) -> None:
        """Put a knob, a setting, the slot or the edited voice where a share 0..1 of its travel is."""
        if target in KNOB_NAMES:
            self.turn(KNOB_NAMES.index(target), share)
        elif target == "slot":
            filled = sorted(self.player.library)
            if filled and not self.same(target, share):
                self.choose([filled[place_at(share, len(filled))]], GESTURE_NS)
        elif target == "voice":
            self.voice = place_at(share, self._voices())
        elif target in ACTIONS:
            if share >= ON:
                self.act(target)
        elif target != FREE:
            self.change(target, value_at(spec_of(target), share))

    def move_each(self, target: str, shares: Mapping[str, float]) -> None:
        """Put some settings of those that a target `voices.NAME` stands for each where its share is."""
        name = target.removeprefix("voices.")
        values = {int(key.split(".")[1]) - 1: value_at(spec_of(key), share) for key, share in shares.items()}
        self._apply(target, lambda settings: settings.changed_each(name, values))

    def share_of(self, target: str) -> float | None:
        """Where something is, as a share 0..1 of its travel; None where it has no place."""
        if target in KNOB_NAMES:
            return self.knobs[KNOB_NAMES.index(target)]
        if target == "slot":
            filled, playing = sorted(self.player.library), self.player.numbers
            return share_at(filled.index(playing[0]), len(filled)) if playing else None
        if target == "voice":
            return share_at(min(self.voice, self._voices() - 1), self._voices())
        if target in ACTIONS or target == FREE:
            return None
        key = self._of_voice(target)
        return share_of(spec_of(key), self.player.settings.value(key))

    def same(self, target: str, share: float) -> bool:
        """Whether a share of the travel of something is where it is already, as near as it can tell."""
        if target in KNOB_NAMES:
            return self.share_of(target) == share
        if target == "slot":
            filled, playing = sorted(self.player.library), self.player.numbers
            return bool(filled and playing) and filled[place_at(share, len(filled))] == playing[0]
        if target == "voice":
            return place_at(share, self._voices()) == self.voice
        if target in ACTIONS or target == FREE:
            return True
        key = self._of_voice(target)
        return value_at(spec_of(key), share) == self.player.settings.value(key)

    def act(self, action: str) -> None:
        """Do one of `ACTIONS`, or ask a stick for a backup."""
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
        """What the CV inputs give, each -1..1 for -5 to 5 V, is added to the knobs."""
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
            share = {"off": 0.0, "unipolar": max(0.0, cv), "bipolar": cv}[mode]
            added.append(min(1.0, max(0.0, knob + amount * share)))
        return added

    def generate(self) -> None:
        """Four knobs anywhere: the same seed goes through the same places."""
        if self._seed != self.player.settings.seed:
            self._seed = self.player.settings.seed
            self._random = random.Random(self._seed)
        self._about_to("generate", within=AT_ONCE)
        self.knobs = [self._random.random() for _ in KNOB_NAMES]
        self._turn()

    def go_home(self) -> None:
        """The knobs where the setting `home` says."""
        self._about_to("home", within=AT_ONCE)
        self.knobs = list(self.player.settings.home)
        self._turn()

    def hold(self, held: bool | None = None) -> None:
        """Freeze the pattern while knobs turn, or let it go where they are."""
        self.held = not self.held if held is None else held
        self._turn()

    # --- slots, tempo, pitch -----------------------------------------------------------------------------

    def choose(self, numbers: Sequence[int], within: int = AT_ONCE) -> None:
        """Let other slots play from the next bar line on."""
        before, playing = self._now(), self.player.waiting or self.player.ensemble.names
        if list(numbers) == self.player.numbers and len(numbers) == len(playing):
            return
        self.player.choose(numbers)
        self._about_to("slots", before, within)

    def choose_next(self) -> None:
        """The filled slot after the one that plays."""
        if not self.player.library:
            raise ModelError("next: no slot is filled; learn some loops first.")
        before = self._now()
        self.player.choose_next()
        if tuple(self.player.numbers) != before.slots:
            self._about_to("slots", before, AT_ONCE)

    def tap(self, now: int | None = None) -> None:
        """Tap the tempo: from the second tap on it is heard."""
        bpm = self._tap.tap(self.player.time.now() if now is None else now)
        if bpm is not None:
            wanted = playable(round(bpm, 2))
            self._apply("bpm", lambda settings: settings.changed("bpm", wanted), TAPS_NS)

    def map(self, number: str, target: str) -> str:
        """Let a control change move this, and no other one; return what it moved until now."""

        def mapped(settings: Settings) -> Settings:
            for known, moved in settings.cc:
                if moved == target:
                    settings = settings.changed(f"cc.{known}", "")
            return settings.changed(f"cc.{number}", target)

        former = moved_by(self.player.settings, number)
        self._apply(f"cc.{number}", mapped, AT_ONCE)
        return former

    def record(self, voice: int | None) -> None:
        """Let the notes that come in be the pitch lane of a voice; None: no longer."""
        if voice is not None and not 0 <= voice < VOICES:
            raise SettingsError(f"record: voice {voice + 1}, expected 1 to {VOICES}")
        self.recording = voice
        self._recorded = []
        self._history.rest()

    def note(self, note: int) -> None:
        """A note has come in: the next of the lane that is recorded. After eight it begins again."""
        if self.recording is None:
            return
        how = self.player.settings.voices[self.recording]
        above = note - MIDDLE_C - how.key - OCTAVE * how.octave
        while abs(above) > 4 * OCTAVE:
            above -= OCTAVE if above > 0 else -OCTAVE
        lane = [*(self._recorded if len(self._recorded) < LANE else []), above]
        self._recorded = lane
        voice = f"voice.{self.recording + 1}"
        self._apply(
            f"{voice}.pitch",
            lambda settings: settings.changed(f"{voice}.pitch", lane).changed(
                f"{voice}.pitch_length", len(lane)
            ),
            ALWAYS,
        )

    # --- learning ----------------------------------------------------------------------------------------

    def train(
        self,
        paths: Sequence[str] = (),
        slot: int | None = None,
        voices: int | None = None,
        seed: int = 1,
        trainings: int | None = None,
        eager: bool = False,
    ) -> str:
        """Begin to learn loops beside the music, and say so; what is left out, the settings say.

        ModelError says why that cannot be, SettingsError which word is wrong.
        """
        if self.learner is None:
            raise ModelError("train: this box has no control socket, through which it is handed a slot.")
        settings = self.player.settings
        given = {"voices": voices, "slot": slot, "seed": seed, "trainings": trainings}
        for name, low, high in (("slot", 1, SLOTS), ("seed", 0, HIGHEST_SEED), ("trainings", 1, TRAININGS)):
            value = given[name]
            if value is not None and not low <= value <= high:
                raise SettingsError(f"train: {name} = {shown(value)}: expected {low} to {high}")
        if voices not in (None, 1, 3):
            raise SettingsError(f"train: voices = {shown(voices)}: expected 1 or 3")
        for path in paths:
            if not path or "\0" in path:
                raise SettingsError(f"train: {shown(path)}: expected a folder or a loop")
        return self.learner.start(
            Wanted(
                list(paths) or [self.sticks.source(settings)],
                settings.learn_slot if slot is None else slot,
                voices or int(settings.learn_voices),
                seed,
                trainings or settings.learn_trainings,
                eager,
            )
        )

    def cancel(self) -> str:
        """Learn no longer; where something that was learned is offered, let it lie. Says what comes of it."""
        return self.learner.cancel() if self.learner else "nothing is being learned."

    def press_learn(self) -> None:
        """Learn loops; while that goes on cancel it; after it let come in what was learned."""
        self.sticks.seen()
        if self.learner and self.learner.busy:
            self.cancel()
        elif self.learner and self.learner.learning.offered is not None:
            self.choose([self.learner.learning.offered])
        elif not self.sticks.learn():  # else as soon as they are copied
            self.train()

    def attend_learning(self) -> None:
        """Take in how far the learning is, and begin with what a stick brought. Never waits."""
        learner, sticks = self.learner, self.sticks
        if learner is None:
            return
        offered = learner.learning.offered
        learner.attend(self.player.numbers, self.player.library)
        now = learner.learning.offered
        if now is not None and now != offered and self.player.settings.learn_plays:
            self.choose([now])
        if sticks.wants and not learner.busy:
            folder, sticks.wants = sticks.wants, ""
            self.train([folder])

    # --- undo --------------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take the last change back."""
        self._recall("undo", "undone", self._history.undo(self._now()))

    def redo(self) -> None:
        """Make again what was taken back last."""
        self._recall("redo", "done again", self._history.redo(self._now()))

    def adopt(self, settings: Settings, knobs: Sequence[float] | None, voice: int) -> None:
        """Be set as another memory says: what plays by then comes in on the bar. One undo takes it back."""
        before, player = self._now(), self.player
        there = [number for number in settings.slots if number in player.library]
        tempo = player.settings.bpm if player.slaved else settings.bpm
        player.apply(lambda now: replace(settings, bpm=tempo, slots=now.slots))
        player.choose(there or [min(player.library)])
        self.knobs = list(knobs or self.knobs)
        self.voice = voice
        self._turn()
        self._about_to("restore", before, AT_ONCE)

    def _recall(self, verb: str, done: str, moment: Moment | None) -> None:
        if moment is None:
            self.undone = f"nothing to {verb}."
            return
        self.changes += 1
        before, now = self._now(), self.player.settings
        tempo = now.bpm if self.player.slaved else moment.settings.bpm
        wanted = replace(moment.settings, bpm=tempo, slots=now.slots)
        self.player.apply(lambda _: wanted)
        self.knobs = list(moment.knobs)
        self._recorded = []
        there = [number for number in moment.slots if number in self.player.library]
        if there and there != self.player.numbers:
            self.player.choose(there)
        self._turn()
        self.undone = sentence(done, before, self._now())

    def _now(self) -> Moment:
        player = self.player
        return Moment(replace(player.settings, bpm=player.tempo), tuple(self.knobs), tuple(player.numbers))

    def _about_to(self, what: str, before: Moment | None = None, within: int = GESTURE_NS) -> None:
        self.changes += 1
        self.undone = ""
        self._history.changed(what, before or self._now(), self.player.time.now(), within)

    # --- within ------------------------------------------------------------------------------------------

    def _apply(self, key: str, changed: Callable[[Settings], Settings], within: int | None = None) -> None:
        """Change settings by a function, as what is told by a key; nothing where it makes no difference."""
        now = self.player.settings
        wanted = changed(now)
        if wanted == now:
            return
        if within is None:
            within = AT_ONCE if not key.startswith("cc.") and spec_of(key).kind is bool else GESTURE_NS
        self._about_to(key, within=within)
        self.player.apply(lambda settings: wanted if settings is now else changed(settings), key)
        if key in ("cv", "cv_amount"):
            self._turn()

    def _turn(self) -> None:
        if not self.held:
            self.player.turn(self.places)

    def _of_voice(self, key: str) -> str:
        return f"voice.{self.voice + 1}.{key.removeprefix('edit.')}" if key.startswith("edit.") else key

    def _voices(self) -> int:
        return max(GATES, min(VOICES, self.player.ensemble.voices))


def moved_by(settings: Settings, number: str) -> str:
    """What a control change "CHANNEL.NUMBER" moves; "" where it moves nothing."""
    mapped = dict(settings.cc)
    return mapped.get(number) or mapped.get(number.rpartition(".")[2], "")
