"""Musical time: one reference (beat, time, tempo) and the straight line through it. Reads no clock itself.

Positions are beats, as floats; times are integer nanoseconds of the kernel's monotonic clock. There is no
resolution to round to: an offset is played where it was learned.
"""

from __future__ import annotations

NS_PER_MS = 1_000_000
MS_PER_MINUTE = 60_000
NS_PER_MINUTE = NS_PER_MS * MS_PER_MINUTE
BPM_LOW, BPM_HIGH = 20.0, 300.0
NEVER = 2**62  # ns: a time that does not come, 146 years on
HAIR = 1e-9  # beats: what floats may be apart and still mean the same place


def playable(bpm: float) -> float:
    """A tempo, held within what Fathom plays."""
    return min(BPM_HIGH, max(BPM_LOW, bpm))


class Clock:
    """Answers `time_at(beat)` and `beat_at(time)`. A source publishes references into it.

    >>> clock = Clock(bpm=120)
    >>> clock.refer(beat=0.0, time=1_000_000_000)
    >>> clock.time_at(4.0)
    3000000000
    """

    def __init__(self, bpm: float = 120.0):
        self.bpm = bpm
        self.beat = 0.0
        self.time = 0
        self.limit = float("inf")  # the beat that waits for a pulse: what lies from there on has no time yet

    def refer(self, beat: float, time: int, bpm: float | None = None) -> None:
        """Let `beat` fall at `time`; the tempo holds from there."""
        self.beat = beat
        self.time = time
        if bpm is not None:
            self.bpm = bpm

    def set_tempo(self, bpm: float, now: int) -> None:
        """Change the tempo from `now` on, without a jump of the beat."""
        self.refer(self.beat_at(now), now, bpm)

    def time_at(self, beat: float) -> int:
        """When a beat falls, in nanoseconds; NEVER where it waits for a pulse."""
        if beat >= self.limit - HAIR:
            return NEVER
        return self.time + round((beat - self.beat) * (NS_PER_MINUTE / self.bpm))

    def beat_at(self, time: int) -> float:
        """Which beat it is at a time; none past the limit."""
        return min(self.beat + (time - self.time) * (self.bpm / NS_PER_MINUTE), self.limit)
