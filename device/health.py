"""How late the engine writes: counts and a histogram of fixed size. Prints nothing, allocates nothing."""

from __future__ import annotations

PART_BITS = 3  # eight buckets an octave: what is read off is at most an eighth too high
PARTS = 1 << PART_BITS
BUCKETS = 29 * PARTS  # the last begins above half an hour


class Health:
    """Lateness of every write, and what had to be dropped.

    The histogram is log-linear, as HdrHistogram's: a bucket a microsecond below 16 us, from there on eight
    of one width to every doubling.
    """

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
        late_us = late_ns // 1000 if late_ns > 0 else 0
        octave = late_us.bit_length() - PART_BITS - 1
        bucket = late_us if octave <= 0 else octave * PARTS + (late_us >> octave)
        self._buckets[bucket if bucket < BUCKETS else -1] += 1

    @property
    def worst_us(self) -> int:
        """The latest of all writes, in microseconds, rounded up."""
        return -(-self.worst_ns // 1000)

    def below_us(self, share: float) -> int:
        """Microseconds within which this share of the writes stayed; 0 before the first.

        The upper edge of the bucket in which the share is reached, and never above the worst.
        """
        wanted, seen = share * self.writes, 0
        for bucket, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return min(_upper_us(bucket), self.worst_us)
        return 0

    def histogram(self) -> list[tuple[int, int]]:
        """(upper edge in microseconds, writes) of every bucket that is not empty."""
        return [(_upper_us(bucket), count) for bucket, count in enumerate(self._buckets) if count]

    def summary(self) -> dict[str, int]:
        return {
            "writes": self.writes,
            "p50_us": self.below_us(0.5),
            "p99_us": self.below_us(0.99),
            "p999_us": self.below_us(0.999),
            "worst_us": self.worst_us,
            "late": self.late,
            "dropped": self.dropped,
            "overruns": self.overruns,
        }


def _upper_us(bucket: int) -> int:
    octave = max(0, bucket // PARTS - 1)
    return (bucket - octave * PARTS + 1) << octave
