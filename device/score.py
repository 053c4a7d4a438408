"""What has been decided and not yet written: events in beats, in order. Sees no clock and no pins.

One track sounds one hit at a time. A hit that would still sound when the next begins is cut short by a
gap, so that the jack falls before it rises again, or, where it is tied, held over to it; two hits closer
than two gaps are one, the louder.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from typing import NamedTuple

from device.sequencer import TRACKS, Hit

# Order at one instant: what ends, ends first; then control change and pitch; then gates.
END, NOTE, GATE = 0, 1, 2
NOTHING = (-1.0, 0)  # before the first place and stroke


class Event(NamedTuple):
    """One edge of one track. `order` sorts events of one instant; END lowers the gate and ends the note."""

    beat: float
    order: int
    track: int
    hit: Hit


class Pending(NamedTuple):
    """A hit with the beats at which its note is sent, its gate rises, and both end."""

    begin: float
    gate: float
    end: float
    hit: Hit
    held: bool = False  # does not end where the next begins: that one goes on from it


class Score:
    """Pending hits of every track. `gap` is the shortest time, in beats, that a jack is high or low."""

    def __init__(self, gap: float):
        self.gap = gap
        self._waiting: list[list[Pending]] = [[] for _ in range(TRACKS)]
        self._noted: list[Pending | None] = [None] * TRACKS  # the note is out, the gate is to rise
        self._sounding: list[Pending | None] = [None] * TRACKS
        self._last = [NOTHING] * TRACKS  # place and stroke that sounded last
        self._next: float | None = None  # beat of the next event, as long as `_known`
        self._known = True

    def add(self, hits: Iterable[Hit]) -> None:
        """Take hits in; of those closer than two gaps on a track the louder stays, else the one before."""
        self._known = False
        for hit in hits:
            queue = self._waiting[hit.track]
            begun = self._noted[hit.track] or self._sounding[hit.track]
            if begun and abs(hit.beat - begun.gate) < 2 * self.gap:
                continue
            place = bisect(queue, hit.beat, key=lambda pending: pending.gate)
            first, last = place, place
            while first > 0 and hit.beat - queue[first - 1].gate < 2 * self.gap:
                first -= 1
            while last < len(queue) and queue[last].gate - hit.beat < 2 * self.gap:
                last += 1
            if any(near.hit.velocity >= hit.velocity for near in queue[first:last]):
                continue
            queue[first:last] = [Pending(hit.beat - hit.lead, hit.beat, hit.beat + hit.length, hit)]
            self._trim(hit.track, max(0, first - 1), first + 1)

    def next_beat(self) -> float | None:
        """The beat of the next event; None when nothing is pending."""
        if not self._known:
            beats = []
            for queue, noted, sounding in zip(self._waiting, self._noted, self._sounding, strict=True):
                if noted:
                    beats.append(noted.gate)
                elif queue:
                    beats.append(queue[0].begin)
                if sounding and not (sounding.held and (queue or noted)):
                    beats.append(sounding.end)
            self._next = min(beats, default=None)
            self._known = True
        return self._next

    def next_hit(self, track: int) -> float:
        """The beat of the next hit of a track; infinite when none waits."""
        return self._waiting[track][0].gate if self._waiting[track] else float("inf")

    def sounded(self, track: int) -> tuple[float, int]:
        """Place and stroke that a track has sounded last; (-1, 0) before the first."""
        begun = self._noted[track]
        return (begun.hit.place, begun.hit.stroke) if begun else self._last[track]

    def take(self, until: float) -> list[Event]:
        """Remove and return the events up to and including a beat, in order."""
        self._known = False
        events: list[Event] = []
        for track in range(TRACKS):
            while event := self._take_one(track, until):
                events.append(event)
        events.sort()
        return events

    def shift(self, track: int, begin: float) -> None:
        """Let what sounds on a track count from a later beat on; a next hit then too near moves on."""
        self._known = False
        sounding, queue = self._sounding[track], self._waiting[track]
        if not sounding:
            return
        hit = sounding.hit
        self._sounding[track] = Pending(begin, begin, begin + hit.length, hit)
        if queue and queue[0].gate - begin < 2 * self.gap:
            self.add([queue.pop(0).hit._replace(beat=begin + 2 * self.gap)])
        self._trim(track, 0, 0)

    def drop(self, track: int) -> None:
        """Forget what sounds on a track: it was not written."""
        self._known = False
        self._sounding[track] = None

    def end(self, track: int, beat: float) -> None:
        """Let what sounds on a track end now, and what waits on it not begin."""
        self._known = False
        self._waiting[track].clear()
        if noted := self._noted[track]:
            self._noted[track] = None
            self._sounding[track] = noted
        if sounding := self._sounding[track]:
            end = min(sounding.end, beat)
            hit = sounding.hit._replace(length=max(0.0, end - sounding.gate))
            self._sounding[track] = sounding._replace(end=end, hit=hit, held=False)

    def cut(self) -> None:
        """Forget what sounds, on every track: it has been silenced. What waits, waits on."""
        self._known = False
        self._noted = [None] * TRACKS
        self._sounding = [None] * TRACKS

    def drop_all(self) -> None:
        """Drop everything that is pending, ends included: for a stop that silences all by itself."""
        self.unwait()
        self.cut()

    def forget(self) -> None:
        """Forget what sounded last on every track: the music goes on from elsewhere, and may repeat it."""
        self._last = [NOTHING] * TRACKS

    def unwait(self, move: float = 0.0) -> None:
        """Drop what waits, to be decided anew. What sounds goes on to its end, `move` beats elsewhere."""
        self._known = False
        for track, queue in enumerate(self._waiting):
            queue.clear()
            if sounding := self._sounding[track]:
                begin, gate, _, hit, _ = sounding
                self._sounding[track] = Pending(begin + move, gate + move, gate + move + hit.length, hit)
            if noted := self._noted[track]:
                begin, gate, _, hit, _ = noted
                self._noted[track] = Pending(begin + move, gate + move, gate + move + hit.length, hit)
        if move:
            self.forget()

    def retime(self, now: float, factor: float, gap: float) -> None:
        """After a change of tempo at beat `now`: another gap, and other ends of what is timed in ms."""
        self._known = False
        self.gap = gap
        for track, sounding in enumerate(self._sounding):
            if sounding and sounding.hit.timed:
                left = max(0.0, sounding.end - now) * factor
                hit = sounding.hit._replace(length=now + left - sounding.gate)
                self._sounding[track] = sounding._replace(end=now + left, hit=hit)

    def _take_one(self, track: int, until: float) -> Event | None:
        """The next event of a track up to a beat."""
        queue, noted, sounding = self._waiting[track], self._noted[track], self._sounding[track]
        begin = queue[0].begin if queue and not noted else None
        if (
            sounding
            and not (sounding.held and (queue or noted))
            and sounding.end <= until
            and (begin is None or sounding.end <= begin)
        ):
            self._sounding[track] = None
            return Event(sounding.end, END, track, sounding.hit)
        if begin is not None and begin <= until:
            pending = self._noted[track] = queue.pop(0)
            if pending.hit.note >= 0:
                return Event(begin, NOTE, track, pending.hit)
            noted = pending
        if noted and noted.gate <= until:
            self._noted[track] = None
            self._sounding[track] = noted
            self._last[track] = (noted.hit.place, noted.hit.stroke)
            self._trim(track, 0, 0)
            return Event(noted.gate, GATE, track, noted.hit)
        return None

    def _trim(self, track: int, first: int, last: int) -> None:
        """Let the hits from `first` to `last` of a track, and what sounds, end before the next begins."""
        queue = self._waiting[track]
        for i in range(first, min(last, len(queue) - 1)):
            queue[i], queue[i + 1] = self._one_after_the_other(queue[i], queue[i + 1])
        if not queue:
            return
        if noted := self._noted[track]:
            self._noted[track], queue[0] = self._one_after_the_other(noted, queue[0])
        elif sounding := self._sounding[track]:
            self._sounding[track], queue[0] = self._one_after_the_other(sounding, queue[0])

    def _one_after_the_other(self, pending: Pending, following: Pending) -> tuple[Pending, Pending]:
        """Two hits, the first of which ends before the second begins, or is held over to it."""
        begin, gate, end, hit, _ = pending
        first = min(following.gate, max(following.begin, gate + 2 * self.gap))
        if first != following.begin:  # no room to settle as long
            following = following._replace(begin=first)
        if hit.tie and gate + hit.length >= following.gate - self.gap:
            return Pending(begin, gate, following.gate, hit, held=True), following
        return Pending(begin, gate, min(end, first - self.gap), hit), following
