"""When messages arrived, from the time between one and the next. Knows no port and no message."""

from __future__ import annotations

from collections.abc import Sequence

LEAK = 10_000  # one part in so many: 100 ppm, more than two clocks of one machine drift apart
LONGEST_LEAK_NS = 1_000_000_000  # of a pause, so that an hour of silence makes no hour's worth of error
TARDY_NS = 10_000_000  # what a message may take from its stamp to the queue: another thread puts it there


class Arrivals:
    """Turns deltas into times of the clock that `now` is read from.

    The sum of all deltas is the arrival on a clock whose zero is not known. A message arrived before it was
    taken, so `taken - sum` is never less than that zero, and comes near it when one is taken soon after it
    arrived: the smallest so far is the zero. It leaks upwards slowly, so that a drift of the clocks is
    followed. Where deltas were lost (in a flood) the sum falls short, and messages seem to be older than the
    last look, which found none: then the zero is sought anew.
    """

    def __init__(self) -> None:
        self._sum = 0
        self._zero: int | None = None
        self._zero_at = 0  # when that was last leaked
        self._last = 0

    def times(self, deltas: Sequence[float], since: int, now: int) -> list[int]:
        """When messages arrived that are so many seconds apart, in ns: after `since`, up to `now`.

        `since` is when nothing had waited last. Times never run backwards.
        """
        sums = []
        for delta in deltas:
            self._sum += max(round(delta * 1e9), 0)
            sums.append(self._sum)
        if not sums:
            return []
        latest = now - sums[-1]
        if self._zero is not None:
            self._zero += min(now - self._zero_at, LONGEST_LEAK_NS) // LEAK
        if self._zero is None or self._zero > latest or self._zero + sums[0] < since - TARDY_NS:
            self._zero = latest
        self._zero_at = now
        times = []
        for at in sums:
            self._last = min(max(self._zero + at, self._last), now)
            times.append(self._last)
        return times
