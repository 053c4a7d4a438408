"""Sums on what was measured: shares, a foreign histogram, a grid, what is lost. Starts and times nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

SHARES = ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"))


def at_share(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all reaches not above.

    >>> at_share([4, 1, 3, 2], 0.5), at_share([4, 1, 3, 2], 0.99)
    (2, 4)
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(late_us: Sequence[float]) -> str:
    """Latenesses in a few words.

    >>> spread([1.0, 2.0, 300.0])
    'p50 2.0 us, p99 300 us, p99.9 300 us, worst 300 us'
    """
    shown = [(at_share(late_us, share), name) for share, name in SHARES] + [(max(late_us), "worst")]
    return ", ".join(f"{name} {us:.0f} us" if us >= 10 else f"{name} {us:.1f} us" for us, name in shown)


def cyclictest_latencies(text: str) -> list[float]:
    """Every latency in us, ascending, of what `cyclictest -q -h N` prints with one thread.

    What lies above the histogram is counted as the highest of all, which is all that is known of it.

    >>> cyclictest_latencies("# Histogram\\n000007 000002\\n000009 000001\\n# Max Latencies: 00009\\n")
    [7.0, 7.0, 9.0]
    """
    late: list[float] = []
    said: dict[str, int] = {}
    for line in text.splitlines():
        name, colon, number = line.removeprefix("# ").partition(":")
        words = line.split()
        if line.startswith("#"):
            if colon and number.strip().isdigit():
                said[name] = int(number)
        elif len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            late += [float(words[0])] * int(words[1])
    return late + [float(said.get("Max Latencies", 0))] * said.get("Histogram Overflows", 0)


def off_grid_us(at_ns: Sequence[int], period_ns: float) -> list[float]:
    """How much later on an even grid each event lies than the earliest, in us: a constant delay is no fault.

    >>> off_grid_us([1_000_000, 2_003_000, 2_999_000, 5_000_000], 1_000_000)
    [1.0, 4.0, 0.0, 1.0]
    """
    first = at_ns[0]
    off = [at - first - round((at - first) / period_ns) * period_ns for at in at_ns]
    earliest = min(off)
    return [(late - earliest) / 1000 for late in off]


def lost(expected: Iterable[tuple[str, int]], found: Iterable[tuple[str, int]]) -> int:
    """How many of the expected edges, (jack, level), are not among those found.

    >>> lost([("clock", 1), ("clock", 0), ("clock", 1)], [("clock", 1), ("clock", 0), ("gate1", 1)])
    1
    """
    return (Counter(expected) - Counter(found)).total()
