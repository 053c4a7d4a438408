"""How late the engine writes: counts and a histogram of fixed size. Prints nothing, allocates nothing."""

from __future__ import annotations

BUCKETS = 32  # powers of two of a microsecond: the last is above half an hour


class Health:
    """Lateness of every write, and what had to be dropped."""

    def __init__(self) -> None:
        self.writes = 0
        self.late = 0  # writes later than what is tolerated
        self.dropped = 0  # hits that did not sound
        self.overruns = 0  # slack jobs that took longer than they state
        self.worst_ns = 0
        self._buckets = [0] * BUCKETS

    def wrote(self, late_ns: int) -> None:
        self.writes += 1
        if late_ns > self.worst_ns:
            self.worst_ns = late_ns
        bucket = (max(late_ns, 0) // 1000).bit_length()
        self._buckets[min(bucket, BUCKETS - 1)] += 1

    def below_us(self, share: float) -> int:
        """Microseconds, a power of two, below which this share of the writes stayed; 0 before the first."""
        wanted, seen = share * self.writes, 0
        for bucket, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return 1 << bucket
        return 0

    def summary(self) -> dict[str, int]:
        return {
            "writes": self.writes,
            "p50_us": self.below_us(0.5),
            "p99_us": self.below_us(0.99),
            "worst_us": self.worst_ns // 1000,
            "late": self.late,
            "dropped": self.dropped,
            "overruns": self.overruns,
        }
