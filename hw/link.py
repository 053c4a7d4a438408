"""Ableton Link: a tempo, a beat and a start shared over the local network. Publishes no beat to the clock.

Whoever leads asks for the session's line and hands it on. Times are nanoseconds of CLOCK_MONOTONIC here as
everywhere; Link's own clock stays in this file. LinkPython-extern is imported inside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from hw.errors import PanelError

BAR = 4.0  # beats: Link's quantum. Peers agree on the place in the bar, not on which bar it is
READS = 8  # of both clocks; the closest pair counts, which nothing came between
REROOT_NS = 100_000_000  # a tenth of a second
STEERING = 500e-6  # the kernel steers CLOCK_MONOTONIC by no more than that: 50 us between two looks


class Session(Protocol):
    """What Link and its twin provide."""

    enabled: bool

    @property
    def peers(self) -> int: ...

    @property
    def playing(self) -> bool: ...

    @property
    def turned_ns(self) -> int: ...

    def line(self, now_ns: int) -> tuple[float, float]: ...

    def set_tempo(self, bpm: float) -> None: ...

    def start(self, ns: int | None = None) -> None: ...

    def stop(self, ns: int | None = None) -> None: ...

    def enable(self, enabled: bool) -> None: ...

    def close(self) -> None: ...


class Link:
    """A peer of the session on this network. Its twin is `hw.sim.SimLink`.

    Construct it before realtime is claimed, also where it is enabled only later: that takes some 15 ms, reads
    the library from disk and starts two threads, "Link Main" and "Link Dispatcher". Made before, they stay at
    normal priority; made after, only SCHED_RESET_ON_FORK keeps SCHED_FIFO from them. Neither enters Python.

    Where two sessions meet, the older gives the tempo. In the younger the beat jumps to its place in the bar:
    by half a bar at most, also back and below zero. A tempo can be 20..999, more than what Fathom plays.
    """

    def __init__(self, bpm: float, enabled: bool) -> None:
        """Alone at that tempo from beat 0, and on the network if `enabled`. Raises PanelError."""
        self._link: Any = _library().Link(bpm)
        self._clock = LinkTime(self._link.clock().micros)
        self._link.startStopSyncEnabled = True
        self.enabled = False
        self.enable(enabled)

    @property
    def peers(self) -> int:
        """How many others are in the session."""
        return 0 if self._link is None else self._link.numPeers()

    @property
    def playing(self) -> bool:
        """Whether the session plays, or has been told to: `turned_ns` says from when on."""
        return self._link.captureAppSessionState().isPlaying()

    @property
    def turned_ns(self) -> int:
        """When `playing` became, or will become, what it is. A peer may start at its next bar."""
        return self._clock.ns_at(self._link.captureAppSessionState().timeForIsPlaying())

    def line(self, now_ns: int) -> tuple[float, float]:
        """The beat at that time, and the tempo.

        Link copies its state under a lock for it: 1 us in a row, 10 us after a sleep, 40 us with a new root.
        """
        state = self._link.captureAppSessionState()
        return state.beatAtTime(self._clock.micros_at(now_ns), BAR), state.tempo()

    def set_tempo(self, bpm: float) -> None:
        """Change everybody's tempo from now on. It travels as whole microseconds per beat."""
        state = self._link.captureAppSessionState()
        state.setTempo(bpm, self._clock.micros())
        self._link.commitAppSessionState(state)

    def start(self, ns: int | None = None) -> None:
        """Let the session play, from now or from `ns` on. The beat goes on as it was."""
        self._turn(True, ns)

    def stop(self, ns: int | None = None) -> None:
        """Let the session stop, now or at `ns`."""
        self._turn(False, ns)

    def enable(self, enabled: bool) -> None:
        """Go on the network or leave it. Does not wait: peers come and go within seconds."""
        self._link.enabled = enabled
        self.enabled = enabled

    def close(self) -> None:
        """Leave the session and end Link's threads, in less than 1 ms. Only `peers` can be asked after it.

        Safe to call twice.
        """
        if self._link is not None:
            self.enable(False)
            self._link = None  # the only reference: Link goes, and waits for its threads

    def _turn(self, playing: bool, ns: int | None) -> None:
        state = self._link.captureAppSessionState()
        state.setIsPlaying(playing, self._clock.micros() if ns is None else self._clock.micros_at(ns))
        self._link.commitAppSessionState(state)


class LinkTime:
    """Translates between CLOCK_MONOTONIC and the clock that Link counts its microseconds on.

    On Linux that is CLOCK_MONOTONIC_RAW, which nobody steers. So the two drift apart while the time of day
    is corrected, and how far they are from each other is measured now and then, by reading them in turn.
    """

    def __init__(self, micros: Callable[[], int], now: Callable[[], int] = time.monotonic_ns) -> None:
        self.micros = micros
        self._now = now
        _, self._ahead, self._rooted = self._look()

    def micros_at(self, ns: int) -> int:
        """Link's time at a time; never below zero, where Link has none."""
        if ns - self._rooted > REROOT_NS:
            self._root()
        return max((ns - self._ahead) // 1000, 0)

    def ns_at(self, micros: int) -> int:
        """The time at a time of Link's."""
        return micros * 1000 + self._ahead

    def _root(self) -> None:
        """Measure again; keep what was known where that is surer, as on a machine that is held up."""
        width, ahead, now = self._look()
        if width <= STEERING * (now - self._rooted):
            self._ahead, self._rooted = ahead, now

    def _look(self) -> tuple[int, int, int]:
        """How wide the closest pair of readings is, how far ahead CLOCK_MONOTONIC is, and when that was."""
        best = (0, 0, 0)
        for read in range(READS):
            before = self._now()
            micros = self.micros()
            after = self._now()
            if read == 0 or after - before < best[0]:
                ahead = (before + after) // 2 - micros * 1000 - 500  # Link cuts off, by half a us on average
                best = (after - before, ahead, after)
        return best


def _library() -> Any:
    """The library, or a sentence on how to get it."""
    install = "Run `pip install LinkPython-extern` or `make setup EXTRAS=link`, then `make play` again."
    try:
        import link
    except ModuleNotFoundError:
        raise PanelError(f"Ableton Link: LinkPython-extern is not installed. {install}") from None
    except ImportError as error:
        if "libatomic" in str(error):
            install = "Run `sudo apt install libatomic1`, then `make play` again."
        raise PanelError(f"Ableton Link: {error}. {install}") from None
    if not hasattr(getattr(link, "Link", None), "captureAppSessionState"):
        where = getattr(link, "__file__", None) or "a folder of that name"
        raise PanelError(f"Ableton Link: the module `link` ({where}) is another package's. {install}")
    return link
