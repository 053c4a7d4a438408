"""Decides each step of each track once, a little before it is due, and keeps what it decides in a score.

It sees the scene that is heard, the one that waits for a bar line, and the line of a clock. It knows no
transport, no hands and no pins.
"""

from __future__ import annotations

import math

from device.clock import HAIR, NS_PER_MS, Clock
from device.pattern import BEATS_PER_BAR
from device.scene import Scene
from device.score import Score
from device.sequencer import ACCENT, LATEST, STEP, TRACKS, Hit, lead_of, size_of, track_hits
from hw.timing import Time

HORIZON_NS = 10 * NS_PER_MS  # how far ahead hits are decided, beyond what a step may lean early
HOPELESS_NS = 100 * NS_PER_MS  # what is later than this is not even decided
NEVER = float("inf")  # beats


class Planner:
    """Hits of the steps that come up, up to a last beat. `scene` is heard, `coming` from `line` on."""

    def __init__(self, time: Time, clock: Clock, score: Score, scene: Scene, last_beat: float) -> None:
        self.scene = scene
        self.coming: Scene | None = None
        self.line = NEVER  # the bar line on which the scene that waits comes in
        self.last_beat = last_beat
        self.skipped = 0  # steps, jumped over after a long stall
        self._time = time
        self._clock = clock
        self._score = score
        self._from = -NEVER  # beat from which hits are played: not again what sounded before a stop
        self._edge = NEVER  # beat at which the music begins: what leans before it sounds with it ...
        self._at = NEVER  # ... or at this beat, where it began late
        self._decided = [0.0] * TRACKS  # beat up to which the steps of each track are decided
        self._wake = -NEVER  # beat at which there is something to decide
        self.read_grid()

    @property
    def longest(self) -> float:
        """Beats of the longest step of any track."""
        return max(size for _, size, _ in self._grid)

    def read_grid(self) -> None:
        """The tracks that play, with the size of their steps and how early each must be decided, in beats."""
        settings = self.scene.settings
        voices = max(scene.pattern.voices for scene in (self.scene, self.coming or self.scene))
        tracks = [*range(voices), *range(ACCENT + 1, TRACKS)]
        self._grid = [(track, size_of(settings, track), lead_of(settings, track)) for track in tracks]
        self._wake = -NEVER

    def decide(self) -> bool:
        """Decide what comes up, by the patterns of now. True when the scene that waits is to come in."""
        now = self._time.now()
        horizon = self._clock.beat_at(now + HORIZON_NS)
        if horizon < self._wake:
            return False
        behind = self._clock.beat_at(now - HOPELESS_NS)
        self._wake = NEVER
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
        if horizon >= self.line and self._clock.beat_at(now) >= self.line - HAIR:
            return True
        if self.coming:
            self._wake = min(self._wake, self.line)
        return False

    def afresh(self, beat: float, first: float, edge: float | None = None, at: float | None = None) -> None:
        """Forget what is decided from a beat on; of what is decided anew, play what is due from `first` on.

        `edge` is a beat at which the music begins: no hit of a step from there on is lost for leaning early.
        """
        self._score.unwait()
        self._from = first
        if edge is not None:
            self._edge, self._at = edge, edge if at is None else at
        for track, size, _ in self._grid:
            self._decided[track] = max(0.0, beat // size * size - LATEST * size)
        if self.coming:
            self.wait_from(beat)
        self._wake = -NEVER

    def wait_from(self, beat: float) -> None:
        """Let the scene that waits come in on the first bar line after a beat."""
        self.line = (beat // BEATS_PER_BAR + 1) * BEATS_PER_BAR

    def come_in(self) -> None:
        """Let the scene that waits be the one that is heard."""
        if self.coming:
            self.scene, self.coming = self.coming, None
        self.line = NEVER
        self.read_grid()

    def _add(self, track: int, start: float, until: float) -> None:
        scene, coming, line = self.scene, self.coming, self.line
        hits: list[Hit] = []
        if start < line:
            hits = track_hits(scene.pattern, scene.settings, track, start, min(until, line))
        if coming and until > line:
            hits += track_hits(coming.pattern, coming.settings, track, max(start, line), until)
        if not hits:
            return
        if start <= self._at and self._edge < until:
            hits = [self._not_before_edge(hit) for hit in hits]
        last, first = self._score.sounded(track), self._from
        self._score.add(hit for hit in hits if hit.beat >= first - HAIR and (hit.place, hit.stroke) > last)

    def _not_before_edge(self, hit: Hit) -> Hit:
        """A hit of the beginning that leans before it, or that it has missed, sounds with it."""
        missed = hit.beat < self._edge or (hit.beat < self._at and hit.place <= self._at + HAIR)
        return hit._replace(beat=self._at) if missed and hit.place >= self._edge - HAIR else hit
