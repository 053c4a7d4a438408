"""The music that is going on: scenes to hits in beats. Writes nothing, sees no pins, hears no clock itself.

It decides each step once, from the pattern of that moment, and keeps what is decided in its score; the
engine writes it when it is due. A change comes in where a player expects it: a knob with the next step,
another slot with the next bar, a setting as the setting `change` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from device.clock import HAIR, NS_PER_MINUTE, NS_PER_MS, Clock
from device.decoder import KNOBS, to_positions
from device.ensemble import Ensemble
from device.errors import ModelError
from device.pattern import BEATS_PER_BAR, Pattern
from device.scene import Scene
from device.score import Score
from device.sequencer import (
    ACCENT,
    LATEST,
    STEP,
    TRACKS,
    Hit,
    hits_in,
    lead_of,
    silent,
    size_of,
    track_hits,
)
from device.settings import Settings
from device.slot import Slot
from device.specs import SLOTS, VOICES
from hw.timing import Time

HORIZON_NS = 10 * NS_PER_MS  # how far ahead hits are decided, beyond what a step may lean early
HOPELESS_NS = 100 * NS_PER_MS  # what is later than this is not even decided
START_NS = 2 * NS_PER_MS  # from PLAY to the first event
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
        self.skipped = 0  # steps, jumped over after a long stall
        self.played = 0.0  # beats, before the last start
        self.line = float("inf")  # the bar line on which the scene that waits comes in
        self._scene = Scene(ensemble, settings, _positions(knobs))
        self._coming: Scene | None = None
        self._stopped_at = 0.0
        self._started = 0.0
        self._from = float("-inf")  # beat from which hits are played: not again what sounded before a stop
        self._edge = float("inf")  # beat at which it begins anew: what leans before it sounds with it
        self._decided = [0.0] * TRACKS  # beat up to which the steps of each track are decided
        self._wake = float("-inf")  # beat at which there is something to decide
        self._read_grid()

    @property
    def beat(self) -> float:
        """Where the music is; where it stopped, when it is stopped."""
        return self.clock.beat_at(self.time.now()) if self.playing else self._stopped_at

    @property
    def settings(self) -> Settings:
        """The settings as the player has set them, though some may wait for the bar line."""
        return (self._coming or self._scene).settings

    @property
    def ensemble(self) -> Ensemble:
        """The slots that are heard."""
        return self._scene.ensemble

    @property
    def pattern(self) -> Pattern:
        """The pattern that is heard."""
        return self._scene.pattern

    @property
    def waiting(self) -> list[str]:
        """Names of the slots that come in on the next bar line."""
        coming = self._coming.ensemble if self._coming else self.ensemble
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
            scene = self._scene
            first = hits_in(scene.pattern, scene.settings, 0.0, max(size for _, size, _ in self._grid))
            begin = min([0.0, *(hit.beat - hit.lead for hit in first)])
        time = self.time.now() + START_NS + round((beat - begin) * NS_PER_MINUTE / self.settings.bpm)
        self.clock.limit = float("inf")
        self.clock.refer(beat, align(time, beat) if align else time, self.settings.bpm)
        self._edge = float("inf")
        self._begin(beat, float("-inf") if beat == 0.0 else beat)

    def begin(self, beat: float, time: int, bpm: float) -> None:
        """Play from a beat that falls at `time`. What leans before it sounds with it."""
        self.clock.limit = float("inf")
        self.clock.refer(beat, time, bpm)
        self._edge = beat
        self._begin(beat, beat)

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
        self.score.forget()
        self._come_in()

    def rewind(self, align: Callable[[int, float], int] | None = None) -> None:
        """Back to the top; playing goes on from there."""
        was_playing = self.playing
        self.stop()
        self._stopped_at = 0.0
        if was_playing:
            self.start(align)

    def locate(self, beat: float, time: int | None = None) -> None:
        """Go on from another beat, which falls at `time`. What sounds goes on to its end."""
        if not self.playing:
            self._stopped_at = max(0.0, beat)
            return
        time = self.time.now() if time is None else time
        before = self.clock.beat_at(time)
        self.played += max(0.0, before - self._started)
        self._started = beat
        self.clock.limit = float("inf")
        self.clock.refer(beat, time)
        self.score.unwait(move=beat - before)
        self._come_in()
        self._edge = beat
        self._decide_from(beat, beat)

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
            self._decide_from(there, min(there, beat))  # what falls on the pulse itself is not too late
        elif abs(self._timed_at / bpm - 1) > RETIMED:
            self._retime(tempo, beat)

    # --- deciding ----------------------------------------------------------------------------------------

    def decide(self) -> None:
        """Turn the steps that come up into hits, each once, from the pattern of this moment."""
        if not self.playing:
            return
        now = self.time.now()
        horizon = self.clock.beat_at(now + HORIZON_NS)
        if horizon < self._wake:
            return
        behind = self.clock.beat_at(now - HOPELESS_NS)
        self._wake = float("inf")
        for track, size, lead in self._grid:
            start, until = self._decided[track], min(horizon + lead, self.last_beat)
            if until > start:
                self._decided[track] = until
                hopeless = behind // size * size - LATEST * size
                if start < hopeless:  # a stall: what is long past is not even decided
                    self.skipped += round((hopeless - start) / STEP) if track == 0 else 0
                    start = hopeless
                self._add(track, start, until)
            place = math.ceil(max(start, until) / size - HAIR) * size  # as the sequencer counts them
            if place < self.last_beat:
                self._wake = min(self._wake, place - lead)
        if horizon >= self.line and self.clock.beat_at(now) >= self.line - HAIR:
            self._come_in()
        elif self._coming:
            self._wake = min(self._wake, self.line)

    def _add(self, track: int, start: float, until: float) -> None:
        scene, coming, line = self._scene, self._coming, self.line
        hits: list[Hit] = []
        if start < line:
            hits = track_hits(scene.pattern, scene.settings, track, start, min(until, line))
        if coming and until > line:
            hits += track_hits(coming.pattern, coming.settings, track, max(start, line), until)
        if not hits:
            return
        if start <= self._edge < until:
            edge = self._edge
            early = [hit.beat < edge and hit.place >= edge - HAIR for hit in hits]
            hits = [
                hit._replace(beat=edge) if is_early else hit
                for hit, is_early in zip(hits, early, strict=True)
            ]
        last = self.score.sounded(track)
        first = self._from
        self.score.add(hit for hit in hits if hit.beat >= first and (hit.place, hit.stroke) > last)

    def _begin(self, beat: float, first: float) -> None:
        self.playing = True
        self._started = beat
        self._decide_from(beat, first)

    def _decide_from(self, beat: float, first: float) -> None:
        """Decide anew from a beat on what sounds at `first` or later."""
        self.score.unwait()
        self._from = first
        for track, size, _ in self._grid:
            self._decided[track] = max(0.0, beat // size * size - LATEST * size)
        if self._coming:
            self.line = self._bar_line(beat)
        self._wake = float("-inf")
        self.decide()

    def _anew(self, since: float = float("inf")) -> None:
        """Decide anew what has not sounded yet: from now on, or since a beat that has just been."""
        if self.playing:
            beat = self.clock.beat_at(self.time.now())
            self._decide_from(beat, min(beat, since) if beat > 0.0 else float("-inf"))

    # --- what hands and messages ask for -----------------------------------------------------------------

    def turn(self, knobs: Sequence[float]) -> None:
        """Decode anew where a knob, 0..1, has moved by a position: the pattern changes from the next step."""
        positions = _positions(knobs)
        for scene in filter(None, (self._scene, self._coming)):
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
        before = self._scene.settings
        if self._coming:
            self._coming.take(wanted)
        self._scene.take(changed(before) if self._coming else wanted)
        self._read_grid()
        now = self._scene.settings
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
        slots = (self._coming or self._scene).ensemble.slots
        return [number_of[id(slot)] for slot in slots if id(slot) in number_of]

    def load(self, number: int, slot: Slot) -> str:
        """Take a new slot in and say when it is heard. Where its number plays, on the next bar line."""
        if not 1 <= number <= SLOTS:
            raise ModelError(f"slot {number}: expected a number from 1 to {SLOTS}.")
        former = self.library.get(number)
        self.library[number] = slot
        playing = (self._coming or self._scene).ensemble.slots
        if former is None or not any(other is former for other in playing):
            return f"slot {number} is in the box that plays; choose it to hear it."
        self._use(Ensemble([slot if other is former else other for other in playing]))
        return f"slot {number} comes in on the next bar line of the box that plays."

    # --- within ------------------------------------------------------------------------------------------

    def _use(self, ensemble: Ensemble) -> None:
        if self.playing:
            self._wait().use(ensemble)
            self._anew()
        else:
            self._scene.use(ensemble)
            self._read_grid()

    def _wait(self) -> Scene:
        """The scene that comes in on the next bar line."""
        if self._coming is None:
            self._coming = self._scene.copy()
            self.line = self._bar_line(self.beat)
            self._anew()
        return self._coming

    def _come_in(self) -> None:
        """Let the scene that waits be the one that is heard."""
        if self._coming:
            before = self._scene.settings
            self._scene, self._coming = self._coming, None
            bpm = self._scene.settings.bpm
            if bpm != before.bpm and not self.slaved:
                tempo = self.clock.bpm
                at = min(self.line, self.clock.beat_at(self.time.now()))
                self.clock.refer(at, self.clock.time_at(at), bpm)
                self.line = float("inf")
                self._read_grid()
                self._retime(tempo)
            self._silence_muted()
        self.line = float("inf")
        self._read_grid()

    def _read_grid(self) -> None:
        """The tracks that play, with the size of their steps and how early each must be decided, in beats."""
        settings = self._scene.settings
        voices = max(self._scene.pattern.voices, self._coming.pattern.voices if self._coming else 0)
        tracks = [*range(voices), *range(ACCENT + 1, TRACKS)]
        self._grid = [(track, size_of(settings, track), lead_of(settings, track)) for track in tracks]
        self._wake = float("-inf")
        self._timed_at = self.clock.bpm if self.slaved else settings.bpm

    def _silence_muted(self) -> None:
        if self.playing:
            for voice in range(self.pattern.voices):
                if silent(self._scene.settings, voice):
                    self.score.end(voice, self.beat)

    def _retempo(self, bpm: float) -> None:
        """Tell the settings the tempo of the clock that leads."""
        for scene in filter(None, (self._scene, self._coming)):
            scene.settings = replace(scene.settings, bpm=bpm)

    def _retime(self, before: float, since: float = float("inf")) -> None:
        """The tempo was `before`: give what is timed in milliseconds its length again."""
        beat = self.clock.beat_at(self.time.now())
        self.score.retime(beat, self.clock.bpm / before, self._beats(RETRIGGER_NS))
        self._read_grid()
        self._anew(since)

    def _bar_line(self, beat: float) -> float:
        return (beat // BEATS_PER_BAR + 1) * BEATS_PER_BAR

    def _beats(self, ns: int) -> float:
        return ns * self.clock.bpm / NS_PER_MINUTE


def _positions(knobs: Sequence[float]) -> list[int]:
    return to_positions(np.asarray(knobs[:KNOBS], float)).tolist()
