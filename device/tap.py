"""Tap tempo: times of taps in, beats per minute out. Reads no clock, no key and no pin.

The tempo is the mean over the run of taps. A beat that was not tapped is counted, a tap too many is not:
the median interval tells about how long a beat is, and that tells how many beats each interval holds.
"""

from __future__ import annotations

from statistics import median

from device.clock import BPM_HIGH, BPM_LOW, NS_PER_MINUTE

TAPS = 16  # the mean reaches back so far, so that a player who drifts is followed
BOUNCE_NS = 60_000_000  # a tap sooner than that after another is the same one: no finger is faster
PAUSE_NS = 2_200_000_000  # a silence that ends a run, unless its beats are about that long ...
PAUSE_BEATS = 2.5  # ... and so many beats of any length: one may be missing
ALIKE = 1.25  # two silences this close are the beats of a slow tempo


class Tap:
    """The tempo of a run of taps; a pause begins a new one. A beat above the pause takes a third tap to tell.

    >>> tap = Tap()
    >>> [tap.tap(second * 1_000_000_000) for second in (0, 1, 2)]
    [None, 60.0, 60.0]
    """

    def __init__(self) -> None:
        self.bpm: float | None = None
        self._taps: list[int] = []  # times of the run
        self._silence = 0  # before the first tap of the run

    def tap(self, time: int) -> float | None:
        """Take in a tap, in nanoseconds; the tempo so far, None where this tap is the first of a run."""
        if not self._taps:
            self._taps = [time]
            return None
        interval = time - self._taps[-1]
        if 0 <= interval < BOUNCE_NS:
            return self.bpm
        if self._ends_run(interval):
            before = self._taps[-1]
            slow = len(self._taps) == 1 and _alike(self._silence, interval)
            self._taps = [before - self._silence, before, time] if slow else [time]
            self._silence = interval
        else:
            self._taps = [*self._taps[-TAPS + 1 :], time]
        self.bpm = self._tempo() if len(self._taps) > 1 else None
        return self.bpm

    def _ends_run(self, interval: int) -> bool:
        if interval < 0:
            return True
        if len(self._taps) == 1:
            return interval > PAUSE_NS
        beat = self._beat()
        return interval > PAUSE_BEATS * beat or interval > max(PAUSE_NS, ALIKE * beat)

    def _beat(self) -> float:
        """About how long a beat is, in nanoseconds."""
        return median(after - before for before, after in zip(self._taps, self._taps[1:], strict=False))

    def _tempo(self) -> float:
        beat = self._beat()
        beats, last = 0, self._taps[0]
        for time in self._taps[1:]:
            passed = round((time - last) / beat)
            if passed:  # none: a tap too many
                beats += passed
                last = time
        return min(max(NS_PER_MINUTE * beats / (last - self._taps[0]), BPM_LOW), BPM_HIGH)


def _alike(one: int, other: int) -> bool:
    """Whether two silences are beats of one tempo, which is not far below the slowest."""
    return max(one, other) < ALIKE * min(one, other, NS_PER_MINUTE / BPM_LOW)
