"""Tells a clock at a jack from a tone: how fast pulses may come at the most. Decides nothing else.

A tone of some kilohertz on the clock jack would cost more than there is time for, and as one pulse for each
step it would play as fast as the jacks go. So pulses at a rate which no clock has are not looked at.
"""

from __future__ import annotations

from collections import deque

RUN = 16  # pulses in a row that are too fast: bouncing contacts give less
LATEST = 5  # of them, which tell how fast they are: the first may have been a clock's
REST_NS = 250_000_000  # without a pulse after which it is over
SURELY = 2  # a rate so many times below the limit is a clock again


class Flood:
    """Watches the pulses of one jack. `rate` is how many a second came when they became too many; else 0.

    >>> flood = Flood(limit=250)
    >>> [flood.passes(n * 333_333) for n in range(20)].count(True), flood.rate
    (15, 3000)
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.rate = 0
        self._times: deque[int] = deque(maxlen=RUN)

    def passes(self, time: int) -> bool:
        """Whether a pulse at that time may be one of a clock."""
        self._times.append(time)
        if len(self._times) == RUN:
            rate = self._rate(RUN - 1)
            if not self.rate and rate > self.limit:
                self.rate = _round(self._rate(LATEST))
            elif self.rate and rate < self.limit / SURELY:
                self.rate = 0
        return not self.rate

    def _rate(self, pulses: int) -> float:
        """Pulses a second, over so many of the latest."""
        return pulses * 1_000_000_000 / max(self._times[-1] - self._times[-1 - pulses], 1)

    def attend(self, now: int) -> None:
        """Notice that pulses have ended."""
        if self._times and now - self._times[-1] > REST_NS:
            self._times.clear()
            self.rate = 0


def _round(rate: float) -> int:
    """A rate as one says it: two digits of it."""
    unit = 10 ** max(0, len(str(int(rate))) - 2)
    return round(rate / unit) * unit
