"""The music that is going on: settings, slots and knobs to hits in beats. Writes nothing, sees no pins.

It decides each step once, from the pattern of that moment, and keeps what is decided in its score; the
engine writes it when it is due. A change comes in where a player expects it: a knob and a setting with the
next step, another slot with the next bar.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.clock import NS_PER_MINUTE, Clock
from device.decoder import KNOBS, POSITIONS, to_positions
from device.ensemble import Ensemble
from device.errors import ModelError
from device.pattern import BEATS_PER_BAR
from device.score import Score
from device.sequencer import CLOCK, EARLIEST, LATEST, NS_PER_MS, RESET, STEP, hits_in
from device.settings import SLOTS, VOICES, Settings
from device.slot import Slot
from hw.timing import Time

HORIZON_NS = 10 * NS_PER_MS  # how far ahead hits are decided, beyond half a step
HOPELESS_NS = 100 * NS_PER_MS  # what is later than this is not even decided
START_NS = 2 * NS_PER_MS  # from PLAY to the first event
RETRIGGER_NS = 2 * NS_PER_MS  # a jack that must rise again is low for so long
MIDDLE = (0.5,) * KNOBS


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
        self.settings = settings
        self.library = {} if library is None else library
        self.last_beat = last_beat
        self.clock = Clock(settings.bpm)
        self.score = Score(self._beats(RETRIGGER_NS))
        self.playing = False
        self.decided = 0.0  # beat up to which hits are decided, a whole number of steps
        self._stopped_at = 0.0
        self.played = 0.0  # beats, before the last start
        self.skipped = 0  # steps, jumped over after a long stall
        self._started = 0.0
        self._from = float("-inf")  # beat from which hits are played: not again what sounded before a stop
        self._positions = _positions(knobs)
        self._swap: tuple[float, Ensemble] | None = None  # bar line, and what plays from there
        self._use(ensemble)

    @property
    def beat(self) -> float:
        """Where the music is; where it stopped, when it is stopped."""
        return self.clock.beat_at(self.time.now()) if self.playing else self._stopped_at

    @property
    def waiting(self) -> list[str]:
        """Names of the slots that come in on the next bar line."""
        return self._swap[1].names if self._swap else []

    @property
    def finished(self) -> bool:
        """Whether the last beat is reached and nothing is pending."""
        return self.beat >= self.last_beat and self.score.next_beat() is None

    # --- transport -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Play on from where it stopped; at the top, the first hit sounds at once, however early it leans."""
        if self.playing:
            return
        beat = self._from = self._stopped_at
        self.decided = max(0.0, beat // STEP * STEP - LATEST)
        if beat == 0.0:
            first = hits_in(self.pattern, self.settings, 0.0, STEP)
            beat = min([0.0, *(hit.beat for hit in first)])
            self._from = float("-inf")
        self.clock.refer(beat, self.time.now() + START_NS, self.settings.bpm)
        self.playing = True
        self._started = self._stopped_at
        self.decide()

    def stop(self) -> None:
        """Forget what is pending; the next start goes on from this beat."""
        if not self.playing:
            return
        self._stopped_at = max(0.0, self.beat)
        self.playing = False
        self.played += max(0.0, min(self._stopped_at, self.last_beat) - self._started)
        self.score.forget()
        if self._swap:
            self._use(self._swap[1])

    def rewind(self) -> None:
        """Back to the top; playing goes on from there."""
        was_playing = self.playing
        self.stop()
        self._stopped_at = 0.0
        if was_playing:
            self.start()

    def decide(self) -> None:
        """Turn the steps that come up into hits, each once, from the pattern of this moment."""
        if not self.playing:
            return
        now = self.time.now()
        horizon = self.clock.beat_at(now + HORIZON_NS) + EARLIEST
        until = min(-(-horizon // STEP) * STEP, self.last_beat)
        if until <= self.decided:
            return
        start, self.decided = self.decided, until
        behind = min(self.clock.beat_at(now - HOPELESS_NS), until) // STEP * STEP - LATEST
        if start < behind:  # a stall: what is long past is not even decided
            self.skipped += round((behind - start) / STEP)
            start = behind
        if self._swap and self._swap[0] < until:
            line, ensemble = self._swap
            self._add(start, line)
            self._use(ensemble)
            start = max(start, line)
        self._add(start, until)

    # --- what hands and messages ask for -----------------------------------------------------------------

    def turn(self, knobs: Sequence[float]) -> None:
        """Decode anew where a knob, 0..1, has moved by a position: the pattern changes from the next step."""
        positions = _positions(knobs)
        if positions != self._positions:
            self._positions = positions
            self._decode()

    def change(self, key: str, value: object) -> None:
        """Change one setting; SettingsError says what is wrong with it. Other slots wait for the bar line."""
        self._take(self.settings.changed(key, value), key)

    def nudge(self, key: str, by: float) -> None:
        """Change one setting by so much, within its range; `voices.NAME` moves that of every voice."""
        self._take(self.settings.nudged(key, by), key)

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
        self._swap_on_bar(Ensemble([self.library[number] for number in numbers]))

    def choose_next(self) -> None:
        """Let the filled slot after those that play, or that wait to, come in on the next bar line."""
        playing = [
            n for n, slot in self.library.items() if any(slot is other for other in self._coming.slots)
        ]
        after = [n for n in sorted(self.library) if playing and n > max(playing)]
        self.choose([*after, *sorted(self.library)][:1])

    def load(self, number: int, slot: Slot) -> str:
        """Take a new slot in and say when it is heard. Where its number plays, on the next bar line."""
        if not 1 <= number <= SLOTS:
            raise ModelError(f"slot {number}: expected a number from 1 to {SLOTS}.")
        former = self.library.get(number)
        self.library[number] = slot
        if former is None or not any(playing is former for playing in self._coming.slots):
            return f"slot {number} is in the box that plays; choose it to hear it."
        slots = [slot if playing is former else playing for playing in self._coming.slots]
        self._swap_on_bar(Ensemble(slots))
        return f"slot {number} comes in on the next bar line of the box that plays."

    # --- within ------------------------------------------------------------------------------------------

    @property
    def _coming(self) -> Ensemble:
        """What plays, or what will from the bar line on."""
        return self._swap[1] if self._swap else self.ensemble

    def _add(self, start: float, end: float) -> None:
        hits = hits_in(self.pattern, self.settings, start, end)
        self.score.add(hit for hit in hits if hit.beat >= self._from)

    def _take(self, settings: Settings, key: str) -> None:
        if key == "slots":
            self.choose(settings.slots)
        self.settings = settings
        if settings.bpm != self.clock.bpm:
            now, factor = self.time.now(), settings.bpm / self.clock.bpm
            self.clock.set_tempo(settings.bpm, now)
            self.score.rescale(self.clock.beat_at(now), factor, self._beats(RETRIGGER_NS), (CLOCK, RESET))
        self._make_pattern()

    def _swap_on_bar(self, ensemble: Ensemble) -> None:
        if not self.playing:
            self._use(ensemble)
            return
        line = -(-self.decided // BEATS_PER_BAR) * BEATS_PER_BAR
        self._swap = (line, ensemble)

    def _use(self, ensemble: Ensemble) -> None:
        self._swap = None
        self.ensemble = ensemble
        self._decode()

    def _decode(self) -> None:
        self._scores = self.ensemble.decode([place / (POSITIONS - 1) for place in self._positions])
        self._make_pattern()

    def _make_pattern(self) -> None:
        self.pattern = self.ensemble.pattern(self._scores, self.settings)

    def _beats(self, ns: int) -> float:
        return ns * self.settings.bpm / NS_PER_MINUTE


def _positions(knobs: Sequence[float]) -> list[int]:
    return to_positions(np.asarray(knobs[:KNOBS], float)).tolist()
