"""What has been decided and not yet written: events in beats, in order. Sees no clock and no pins.

One track sounds one hit at a time. A hit that would still sound when the next begins is cut short by a
gap, so that the jack falls before it rises again; two hits closer than two gaps are one, the louder.
"""

from __future__ import annotations

from bisect import bisect
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


class Pending(NamedTuple):
    """A hit with the beats at which it begins and ends."""

    begin: float
    end: float
    hit: Hit


class Score:
    """Pending hits of every track. `gap` is the shortest time, in beats, that a jack is high or low."""

    def __init__(self, gap: float):
        self.gap = gap
        self._waiting: list[list[Pending]] = [[] for _ in range(TRACKS)]
        self._sounding: list[Pending | None] = [None] * TRACKS

    def add(self, hits: Iterable[Hit]) -> None:
        """Take hits in; of those closer than two gaps on a track the louder stays, else the one before."""
        for hit in hits:
            queue, sounding = self._waiting[hit.track], self._sounding[hit.track]
            if sounding and abs(hit.beat - sounding.begin) < 2 * self.gap:
                continue
            place = bisect(queue, hit.beat, key=lambda pending: pending.begin)
            first, last = place, place
            while first > 0 and hit.beat - queue[first - 1].begin < 2 * self.gap:
                first -= 1
            while last < len(queue) and queue[last].begin - hit.beat < 2 * self.gap:
                last += 1
            if any(near.hit.velocity >= hit.velocity for near in queue[first:last]):
                continue
            queue[first:last] = [Pending(hit.beat, hit.beat + hit.length, hit)]
            self._trim(hit.track, max(0, first - 1), first + 1)

    def next_beat(self) -> float | None:
        """The beat of the next event; None when nothing is pending."""
        beats = [queue[0].begin for queue in self._waiting if queue]
        beats += [sounding.end for sounding in self._sounding if sounding]
        return min(beats, default=None)

    def next_hit(self, track: int) -> float:
        """The beat of the next hit of a track; infinite when none waits."""
        return self._waiting[track][0].begin if self._waiting[track] else float("inf")

    def take(self, until: float) -> list[Event]:
        """Remove and return the events up to and including a beat, in order."""
        events: list[Event] = []
        for track, queue in enumerate(self._waiting):
            while True:
                sounding = self._sounding[track]
                begin = queue[0].begin if queue else float("inf")
                if sounding and sounding.end <= min(until, begin):
                    events.append(Event(sounding.end, END, track, sounding.hit))
                    self._sounding[track] = None
                elif queue and begin <= until:
                    pending = queue.pop(0)
                    if pending.hit.note >= 0:
                        events.append(Event(begin, NOTE, track, pending.hit))
                    events.append(Event(begin, GATE, track, pending.hit))
                    self._sounding[track] = pending
                else:
                    break
        return sorted(events)

    def shift(self, track: int, begin: float) -> None:
        """Let what sounds on a track count from a later beat on; a next hit then too near moves on."""
        sounding, queue = self._sounding[track], self._waiting[track]
        if not sounding:
            return
        self._sounding[track] = Pending(begin, begin + sounding.hit.length, sounding.hit)
        if queue and queue[0].begin - begin < 2 * self.gap:
            self.add([queue.pop(0).hit._replace(beat=begin + 2 * self.gap)])
        self._trim(track, 0, 0)

    def drop(self, track: int) -> None:
        """Forget what sounds on a track: it was not written."""
        self._sounding[track] = None

    def cut(self) -> None:
        """Forget what sounds, on every track: it has been silenced. What waits, waits on."""
        self._sounding = [None] * TRACKS

    def forget(self) -> None:
        """Drop everything that is pending, ends included: for a stop that silences all by itself."""
        for queue in self._waiting:
            queue.clear()
        self.cut()

    def rescale(self, now: float, factor: float, gap: float, timed: Iterable[int]) -> None:
        """After a change of tempo at beat `now`: another gap, and other lengths on the tracks timed in ms."""
        self.gap = gap
        for track in timed:
            self._waiting[track] = [
                Pending(begin, begin + hit.length * factor, hit._replace(length=hit.length * factor))
                for begin, _, hit in self._waiting[track]
            ]
            sounding = self._sounding[track]
            if sounding:
                left = max(0.0, sounding.end - now) * factor
                self._sounding[track] = sounding._replace(end=now + left)
        for track, queue in enumerate(self._waiting):
            self._trim(track, 0, len(queue))

    def _trim(self, track: int, first: int, last: int) -> None:
        """Let the hits from `first` to `last` of a track, and what sounds, end before the next begins."""
        queue = self._waiting[track]
        for i in range(first, min(last, len(queue) - 1)):
            begin, end, hit = queue[i]
            queue[i] = Pending(begin, min(end, max(queue[i + 1].begin, begin + 2 * self.gap) - self.gap), hit)
        sounding = self._sounding[track]
        if sounding and queue:
            self._sounding[track] = sounding._replace(end=min(sounding.end, queue[0].begin - self.gap))
