"""How exactly a clock with jitter is followed: tempo, phase, and how soon. In simulated time.

MIDI clock at 24 pulses a beat; each pulse comes up to so many milliseconds early or late, evenly. Phase is
where the box believes a pulse to be against where it was before the jitter. Beside it stands the mean of the
last 24 intervals, which is how a common sequencer follows, with the latest pulse as its phase.
"""

from __future__ import annotations

import random
import statistics
from collections import deque
from pathlib import Path

from bench.sums import at_share
from device.clock import NS_PER_MINUTE, NS_PER_MS
from device.follower import Follower

PULSES = 24
BEATS = 120
SEEDS = 8
CASES = ((120, 0.0), (120, 1.0), (120, 3.0), (60, 1.0), (240, 1.0), (300, 1.0))  # BPM, jitter in ms

Row = tuple[str, str, str]


def rows(home: Path) -> list[Row]:
    """Spread of the tempo, phase and lock, of each case over several seeds."""
    return [row(bpm, jitter) for bpm, jitter in CASES]


def row(bpm: float, jitter_ms: float) -> Row:
    found: dict[str, list[float]] = {"tempo": [], "phase": [], "lock": [], "mean tempo": [], "mean phase": []}
    period = NS_PER_MINUTE / bpm / PULSES
    for seed in range(SEEDS):
        noise = random.Random(seed)
        follower, last, intervals = Follower(PULSES), 0, deque[int](maxlen=PULSES)
        tempi, mean_tempi, locked = [], [], None
        for number in range(BEATS * PULSES):
            true = (number + PULSES) * period
            time = round(true + noise.uniform(-jitter_ms, jitter_ms) * NS_PER_MS)
            follower.pulse(time)
            if number:
                intervals.append(time - last)
            last = time
            if follower.locked and locked is None:
                locked = number / PULSES
            if locked is not None and number > 2 * PULSES:
                tempi.append(follower.bpm)
                found["phase"].append(abs(follower.time - true) / NS_PER_MS)
                mean_tempi.append(NS_PER_MINUTE / statistics.fmean(intervals) / PULSES)
                found["mean phase"].append(abs(time - true) / NS_PER_MS)
        found["tempo"].append(statistics.pstdev(tempi))
        found["mean tempo"].append(statistics.pstdev(mean_tempi))
        found["lock"].append(BEATS if locked is None else locked)
    phase, beside = at_share(sorted(found["phase"]), 0.99), at_share(sorted(found["mean phase"]), 0.99)
    return (
        f"{bpm:g} BPM, jitter of {jitter_ms:g} ms",
        f"tempo spread {max(found['tempo']):.3f} BPM, phase p99 {phase:.3f} ms, lock in "
        f"{max(found['lock']):.2f} beats",
        f"mean of 24: tempo spread {max(found['mean tempo']):.3f} BPM, phase p99 {beside:.3f} ms",
    )
