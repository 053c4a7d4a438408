"""What has been decided and not yet written: events in beats, in order. Sees no clock and no pins.

One track sounds one hit at a time. A hit that would still sound when the next begins is cut short by a
gap, so that the jack falls before it rises again; two hits closer than the gap are one, the louder.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import NamedTuple

from device.sequencer import TRACKS, Hit

# Order at one instant: what ends, ends first; then pitch; then gates.
END, NOTE, GATE = 0, 1, 2


class Event(NamedTuple):
    """One edge of one track. `order` sorts events of one instant; END lowers the gate and ends the note."""

    beat: float
    order: int
    track: int
    hit: Hit


class Score:
    """Pending hits of every track, each with the beat at which it ends."""

    def __init__(self, gap: float):
        self.gap = gap  # beats
        self._waiting: list[list[tuple[float, float, Hit]]] = [[] for _ in range(TRACKS)]  # (begin, end, hit)
        self._sounding: list[tuple[float, Hit] | None] = [None] * TRACKS  # (end, hit)

    def add(self, hits: Iterable[Hit]) -> None:
        """Take hits in; a hit that begins before its neighbour has ended cuts the neighbour short."""
        for hit in hits:
            queue = self._waiting[hit.track]
            twin = next((i for i, other in enumerate(queue) if abs(other[0] - hit.beat) < self.gap), None)
            if twin is not None:
                if queue[twin][2].velocity >= hit.velocity:
                    continue
                del queue[twin]
            insort(queue, (hit.beat, hit.beat + hit.length, hit))
            self._trim(hit.track)

    def next_beat(self) -> float | None:
        """The beat of the next event; None when nothing is pending."""
        beats = [queue[0][0] for queue in self._waiting if queue]
        beats += [sounding[0] for sounding in self._sounding if sounding]
        return min(beats, default=None)

    def take(self, until: float) -> list[Event]:
        """Remove and return the events up to and including a beat, in order."""
        events: list[Event] = []
        for track, queue in enumerate(self._waiting):
            while True:
                sounding = self._sounding[track]
                begin = queue[0][0] if queue else float("inf")
                if sounding and sounding[0] <= min(until, begin):
                    events.append(Event(sounding[0], END, track, sounding[1]))
                    self._sounding[track] = None
                elif queue and begin <= until:
                    begin, end, hit = queue.pop(0)
                    if hit.note >= 0:
                        events.append(Event(begin, NOTE, track, hit))
                    events.append(Event(begin, GATE, track, hit))
                    self._sounding[track] = (end, hit)
                else:
                    break
        return sorted(events)

    def forget(self) -> None:
        """Drop everything that is pending, ends included: for a stop that silences all by itself."""
        for queue in self._waiting:
            queue.clear()
        self._sounding = [None] * TRACKS

    def _trim(self, track: int) -> None:
        """Let every hit of a track end before the next begins."""
        queue = self._waiting[track]
        for i in range(len(queue) - 1):
            begin, end, hit = queue[i]
            queue[i] = (begin, max(begin, min(end, queue[i + 1][0] - self.gap)), hit)
        sounding = self._sounding[track]
        if sounding and queue:
            self._sounding[track] = (min(sounding[0], queue[0][0] - self.gap), sounding[1])
