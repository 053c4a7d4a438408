"""The music that is going on: scenes to hits in beats. Writes nothing, sees no pins, hears no clock itself.

The planner decides each step once, from the pattern of that moment, and keeps what is decided in the score;
the engine writes it when it is due. A change comes in where a player expects it: a knob with the next step,
another slot with the next bar, a setting as the setting `change` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from device.clock import NS_PER_MINUTE, NS_PER_MS, Clock
from device.decoder import KNOBS, to_positions
from device.ensemble import Ensemble
from device.errors import ModelError
from device.pattern import Pattern
from device.planner import Planner
from device.scene import Scene
from device.score import Score
from device.sequencer import hits_in, silent
from device.settings import Settings
from device.slot import Slot
from device.specs import SLOTS, VOICES
from hw.timing import Time

START_NS = 2 * NS_PER_MS  # from PLAY to the first event
PAST_NS = 20 * NS_PER_MS  # a beginning longer ago than this is one that nobody can play on time any more
RETRIGGER_NS = 2 * NS_PER_MS  # a jack that must rise again is low for so long
RETIMED = 0.02  # a tempo that has moved by this share makes what is timed in ms be decided anew
SHOWN = 0.002  # a tempo that has moved by this share is told to the settings
LEAP = 0.02  # beats: a clock that leads has jumped when it moves on by more at once
MIDDLE = (0.5,) * KNOBS
# Settings of the box that are heard; the others hold at once, whatever `change` says.
HEARD = frozenset({"bpm", "clock_out", "clock_divide", "reset_out", "trigger_ms", "settle_ms", "seed"})


class Player:
    """What plays, where it is and what comes next. `library` holds the slots that can be chosen by number."""

    def __init__(
        self,
        time: Time,
        ensemble: Ensemble,
        settings: Settings,
        library: dict[int, Slot] | None = None,
        knobs: Sequence[float] = MIDDLE,
        last_beat: float = float("inf"),
    ):
        self.time = time
        self.library = {} if library is None else library
        self.last_beat = last_beat
        self.clock = Clock(settings.bpm)
        self.score = Score(self._beats(RETRIGGER_NS))
        self.playing = False
        self.slaved = False  # whether another's clock leads
        self.tempo = settings.bpm  # as hands have set it, whoever leads
        self.played = 0.0  # beats, before the last start
        self._stopped_at = 0.0
        self._started = 0.0
        scene = Scene(ensemble, settings, _positions(knobs))
        self.planner = Planner(time, self.clock, self.score, scene, last_beat)
        self._read_grid()

    @property
    def beat(self) -> float:
        """Where the music is; where it stopped, when it is stopped."""
        return self.clock.beat_at(self.time.now()) if self.playing else self._stopped_at

    @property
    def settings(self) -> Settings:
        """The settings as the player has set them, though some may wait for the bar line."""
        return self._latest.settings

    @property
    def ensemble(self) -> Ensemble:
        """The slots that are heard."""
        return self.planner.scene.ensemble

    @property
    def pattern(self) -> Pattern:
        """The pattern that is heard."""
        return self.planner.scene.pattern

    @property
    def waiting(self) -> list[str]:
        """Names of the slots that come in on the next bar line."""
        coming = self._latest.ensemble
        same = [id(slot) for slot in coming.slots] == [id(slot) for slot in self.ensemble.slots]
        return [] if same else coming.names

    @property
    def finished(self) -> bool:
        """Whether the last beat is reached and nothing is pending."""
        return self.beat >= self.last_beat and self.score.next_beat() is None

    # --- transport ---------------------------------------------------------------------------------------

    def start(self, align: Callable[[int, float], int] | None = None) -> None:
        """Play on from where it stopped; at the top, the first hit sounds at once, however early it leans.

        `align(time, beat)` may put it off: it says when that beat falls, at `time` or later.
        """
        if self.playing:
            return
        beat = self._stopped_at
        begin = beat
        if beat == 0.0:
            first = hits_in(self.pattern, self.planner.scene.settings, 0.0, self.planner.longest)
            begin = min([0.0, *(hit.beat - hit.lead for hit in first)])
        time = self.time.now() + START_NS + round((beat - begin) * NS_PER_MINUTE / self.settings.bpm)
        self.clock.limit = float("inf")
        self.clock.refer(beat, align(time, beat) if align else time, self.settings.bpm)
        self._begin(beat, float("-inf") if beat == 0.0 else beat, edge=float("inf"))

    def begin(self, beat: float, time: int, bpm: float) -> None:
        """Play from a beat that falls at `time`. What leans before it sounds with it, or now if past."""
        self.clock.limit = float("inf")
        self.clock.refer(beat, time, bpm)
        now = self.time.now()
        at = self.clock.beat_at(now) if now - time > PAST_NS else beat
        self._begin(beat, beat, edge=beat, at=at)

    def join(self) -> None:
        """Play along with the clock that leads, from where that is."""
        if not self.playing:
            beat = self.clock.beat_at(self.time.now())
            self._begin(max(0.0, beat), beat)

    def stop(self) -> None:
        """Forget what is pending; the next start goes on from this beat."""
        if not self.playing:
            return
        self._stopped_at = max(0.0, self.beat)
        self.playing = False
        self.played += max(0.0, min(self._stopped_at, self.last_beat) - self._started)
        self.score.drop_all()
        self._come_in()

    def rewind(self, align: Callable[[int, float], int] | None = None) -> None:
        """Back to the top; playing goes on from there."""
        was_playing = self.playing
        self.stop()
        self._stopped_at = 0.0
        self.score.forget()
        if was_playing:
            self.start(align)

    def locate(self, beat: float, time: int | None = None) -> None:
        """Go on from another beat, which falls at `time`. What sounds goes on to its end."""
        if not self.playing:
            self._elsewhere(beat)
            self._stopped_at = max(0.0, beat)
            return
        time = self.time.now() if time is None else time
        self._come_in()
        before = self.clock.beat_at(time)
        self.played += max(0.0, before - self._started)
        self._started = beat
        self.clock.limit = float("inf")
        self.clock.refer(beat, time)
        self.score.unwait(move=beat - before)
        self._afresh(beat, beat, edge=beat)

    def follow(self, beat: float, time: int, bpm: float, limit: float = float("inf")) -> None:
        """Let a clock that leads say where the music is: `beat` falls at `time`, at that tempo."""
        now = self.time.now()
        before, tempo = self.clock.beat_at(now), self.clock.bpm
        self.clock.limit = limit
        self.clock.refer(beat, time, bpm)
        if abs(bpm / self.settings.bpm - 1) > SHOWN:
            self._retempo(bpm)
        if self.playing and abs(self.clock.beat_at(now) - before) > LEAP and limit == float("inf"):
            there = self.clock.beat_at(now)
            self._afresh(there, min(there, beat))  # what falls on the pulse itself is not too late
        elif abs(self._timed_at / bpm - 1) > RETIMED:
            self._retime(tempo, beat)

    def go_on_alone(self) -> None:
        """No clock leads any more: the box keeps its tempo, and what waited for a pulse goes on now."""
        now = self.time.now()
        beat = self.clock.beat_at(now)
        self.slaved = False
        if self.clock.limit < float("inf"):
            self.clock.limit = float("inf")
            self.clock.refer(beat, now)

    def decide(self) -> None:
        """Turn the steps that come up into hits."""
        if self.playing and self.planner.decide():
            self._come_in()

    @property
    def skipped(self) -> int:
        """Steps that were jumped over after a long stall."""
        return self.planner.skipped

    @property
    def line(self) -> float:
        """The bar line on which what waits comes in; infinite where nothing does."""
        return self.planner.line

    # --- what hands and messages ask for -----------------------------------------------------------------

    def turn(self, knobs: Sequence[float]) -> None:
        """Decode anew where a knob, 0..1, has moved by a position: the pattern changes from the next step."""
        positions = _positions(knobs)
        for scene in self._scenes:
            scene.turn(positions)

    def change(self, key: str, value: object) -> None:
        """Change one setting; SettingsError says what is wrong with it. Other slots wait for the bar line."""
        self.apply(lambda settings: settings.changed(key, value), key)

    def nudge(self, key: str, by: float) -> None:
        """Change one setting by so much, within its range; `voices.NAME` moves that of every voice."""
        self.apply(lambda settings: settings.nudged(key, by), key)

    def apply(self, changed: Callable[[Settings], Settings], key: str = "") -> None:
        """Change settings by a function; when that is heard, the setting `change` says."""
        wanted = changed(self.settings)
        if wanted.bpm != self.settings.bpm:
            self.tempo = wanted.bpm
        if wanted.slots != self.settings.slots:
            self.choose(wanted.slots)
        when = wanted.change if key in HEARD or key.startswith(("voice", "edit")) or not key else "step"
        if when == "bar" and self.playing:
            self._wait().take(wanted)
            return
        scene, coming = self.planner.scene, self.planner.coming
        before = scene.settings
        if coming:
            coming.take(wanted)
        scene.take(changed(before) if coming else wanted)
        self._read_grid()
        now = scene.settings
        if now.bpm != before.bpm and not self.slaved:
            tempo = self.clock.bpm
            self.clock.set_tempo(now.bpm, self.time.now())
            self._retime(tempo)
        elif when == "now" or before.settle_ms != now.settle_ms:
            self._silence_muted()
            self._anew()

    def choose(self, numbers: Sequence[int]) -> None:
        """Let other slots play from the next bar line on. ModelError where one of them is empty."""
        if not 1 <= len(numbers) <= VOICES:
            raise ModelError(f"slots: {len(numbers)} of them, expected 1 to {VOICES}.")
        for number in numbers:
            if not 1 <= number <= SLOTS:
                raise ModelError(f"slot {number}: expected a number from 1 to {SLOTS}.")
            if number not in self.library:
                there = ", ".join(map(str, sorted(self.library))) or "none"
                raise ModelError(f"slot {number}: empty; filled slots: {there}.")
        self._use(Ensemble([self.library[number] for number in numbers]))

    def choose_next(self) -> None:
        """Let the filled slot after those that play, or that wait to, come in on the next bar line."""
        playing = self.numbers
        after = [n for n in sorted(self.library) if playing and n > max(playing)]
        self.choose([*after, *sorted(self.library)][:1])

    @property
    def numbers(self) -> list[int]:
        """Numbers of the slots that play or wait to, in their order; of a file that plays, none."""
        number_of = {id(slot): number for number, slot in self.library.items()}
        slots = self._latest.ensemble.slots
        return [number_of[id(slot)] for slot in slots if id(slot) in number_of]

    def load(self, number: int, slot: Slot) -> str:
        """Take a new slot in and say when it is heard. Where its number plays, on the next bar line."""
        if not 1 <= number <= SLOTS:
            raise ModelError(f"slot {number}: expected a number from 1 to {SLOTS}.")
        former = self.library.get(number)
        self.library[number] = slot
        playing = self._latest.ensemble.slots
        if former is None or not any(other is former for other in playing):
            return f"slot {number} is in the box that plays; choose it to hear it."
        self._use(Ensemble([slot if other is former else other for other in playing]))
        return f"slot {number} comes in on the next bar line of the box that plays."

    # --- within ------------------------------------------------------------------------------------------

    @property
    def _scenes(self) -> list[Scene]:
        """The scene that is heard, and the one that waits if one does."""
        return [scene for scene in (self.planner.scene, self.planner.coming) if scene]

    @property
    def _latest(self) -> Scene:
        """The scene as the player has set it: the one that waits, else the one that is heard."""
        return self._scenes[-1]

    def _use(self, ensemble: Ensemble) -> None:
        if self.playing:
            self._wait().use(ensemble)
            self._read_grid()
            self._anew()
        else:
            self.planner.scene.use(ensemble)
            self._read_grid()

    def _wait(self) -> Scene:
        """The scene that comes in on the next bar line."""
        planner = self.planner
        if planner.coming is None:
            planner.coming = planner.scene.copy()
            self._anew()
        return planner.coming

    def _come_in(self) -> None:
        """Let the scene that waits be the one that is heard; its tempo holds from the bar line on."""
        planner = self.planner
        if planner.coming is None:
            return
        before, line = planner.scene.settings, planner.line
        planner.come_in()
        self._read_grid()
        bpm = planner.scene.settings.bpm
        if bpm != before.bpm and not self.slaved:
            tempo = self.clock.bpm
            at = min(line, self.clock.beat_at(self.time.now()))
            self.clock.refer(at, self.clock.time_at(at), bpm)
            self._retime(tempo)
        self._silence_muted()

    def _elsewhere(self, beat: float) -> None:
        """Where the music goes on from before the beat it stopped at, what sounded last may sound again."""
        if beat <= 0.0 or beat < self._stopped_at - LEAP:
            self.score.forget()

    def _begin(self, beat: float, first: float, edge: float | None = None, at: float | None = None) -> None:
        self._elsewhere(beat)
        self.playing = True
        self._started = beat
        self._afresh(beat, first, edge, at)

    def _afresh(self, beat: float, first: float, edge: float | None = None, at: float | None = None) -> None:
        self.planner.afresh(beat, first, edge, at)
        self.decide()

    def _anew(self, since: float = float("inf")) -> None:
        """Decide anew what has not sounded yet: from now on, or since a beat that has just been."""
        if self.playing:
            beat = self.clock.beat_at(self.time.now())
            self._afresh(beat, min(beat, since) if beat > 0.0 else float("-inf"))

    def _read_grid(self) -> None:
        self.planner.read_grid()
        self._timed_at = self.clock.bpm if self.slaved else self.planner.scene.settings.bpm

    def _silence_muted(self) -> None:
        if self.playing:
            for voice in range(self.pattern.voices):
                if silent(self.planner.scene.settings, voice):
                    self.score.end(voice, self.beat)

    def _retempo(self, bpm: float) -> None:
        """Tell the settings the tempo of the clock that leads."""
        for scene in self._scenes:
            scene.settings = replace(scene.settings, bpm=bpm)

    def _retime(self, before: float, since: float = float("inf")) -> None:
        """The tempo was `before`: give what is timed in milliseconds its length again."""
        beat = self.clock.beat_at(self.time.now())
        self.score.retime(beat, self.clock.bpm / before, self._beats(RETRIGGER_NS))
        self._read_grid()
        self._anew(since)

    def _beats(self, ns: int) -> float:
        return ns * self.clock.bpm / NS_PER_MINUTE


def _positions(knobs: Sequence[float]) -> list[int]:
    return to_positions(np.asarray(knobs[:KNOBS], float)).tolist()
