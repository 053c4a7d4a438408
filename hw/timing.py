"""What time it is and waiting for it, in integer nanoseconds. Its twin costs no time at all."""

from __future__ import annotations

import time
from typing import Protocol

SPIN_NS = 150_000  # what a sleep wakes late: timer slack 50 us, the wake-up 80 us. It never wakes early


class Time(Protocol):
    """Whatever waits takes one of these as an argument."""

    def now(self) -> int: ...

    def sleep_until(self, ns: int, exact: bool = True) -> None: ...

    def nap_until(self, ns: int) -> None: ...


class RealTime:
    """CLOCK_MONOTONIC, which is also what the kernel stamps edges with. Its twin is `SimTime`."""

    def now(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, ns: int, exact: bool = True) -> None:
        """Return at `ns` or later, never earlier; at once if it has passed.

        Sleeps until shortly before and spins for the rest, which costs the processor up to 150 us; where
        nothing is due then, `exact=False` sleeps to the end. Signal handlers run meanwhile; the wait goes on.
        """
        rest = ns - time.monotonic_ns() - (SPIN_NS if exact else 0)
        if rest > 0:
            time.sleep(rest / 1e9)
        while time.monotonic_ns() < ns:
            pass

    def nap_until(self, ns: int) -> None:
        """Return up to 150 us before `ns`, or soon after: a sleep without the spin at its end."""
        self.sleep_until(ns - SPIN_NS, exact=False)


class SimTime:
    """Time that stands still until somebody waits, then is there at once.

    >>> time = SimTime()
    >>> time.sleep_until(500)
    >>> time.now()
    500
    """

    def __init__(self) -> None:
        self._now = 0

    def now(self) -> int:
        return self._now

    def sleep_until(self, ns: int, exact: bool = True) -> None:
        self._now = max(self._now, ns)

    def nap_until(self, ns: int) -> None:
        self.sleep_until(ns)

    def stall(self, ns: int) -> None:
        """Let `ns` pass, as when something else held the processor."""
        self._now += ns
