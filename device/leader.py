"""MIDI clock, start, stop, continue and song position out: what is sent, and when. Sends nothing itself.

24 clocks a beat, also while the box is stopped if the setting says so. Start and continue come 2 ms before
the clock on which they take effect; the standard asks that a receiver has 1 ms. A clock that comes late is
sent late and never left out, since those who follow count them; after a long stall they are told where it is.
"""

from __future__ import annotations

from device.clock import HAIR, NEVER, NS_PER_MINUTE, NS_PER_MS, Clock

CLOCKS = 24  # a beat (MIDI 1.0)
CLOCK, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
CLOCKS_PER_POSITION = 6  # a song position counts sixteenths
POSITIONS = 2**14  # that can be told: 4,096 beats
BEFORE_NS = 2 * NS_PER_MS  # from start or continue to its first clock
CLOCK_BYTES = bytes((CLOCK,))
APART_NS = NS_PER_MS  # between clocks that catch up
HOPELESS_NS = 100 * NS_PER_MS  # later than this a clock is not sent: those who follow are told where it is


class Leader:
    """Follows the line of a clock; `due` gives what is to be sent by now, `next_time` when there is more."""

    def __init__(self, clock: Clock, mode: str = "always"):
        self.clock = clock
        self.mode = mode  # "off", "playing" or "always"
        self.playing = False
        self._tick = 0  # the next clock, counted from beat 0
        self._sent = -BEFORE_NS  # when the last clock was sent
        self._line = (0.0, -1, 0.0)  # of the clock, when `_tick` was found
        self._first: tuple[int, int] | None = None  # clock that the start takes effect on, message before it
        self._told = False  # whether that message has been sent
        self._moved = False  # the music has leapt, and those who follow have not been told
        self._resume = 0  # the clock after the last that those who follow have counted, while stopped

    def align(self, time: int, beat: float) -> int:
        """When a beat may fall, at `time` or later, so that clocks stay evenly spaced."""
        if self.mode != "always" or self._line[1] < 0:
            return time
        self._find()
        period = self._period()
        tick = self._first_tick(beat)
        to_tick = round((tick / CLOCKS - beat) * CLOCKS * period)  # from the beat to its next clock
        begun = self.clock.time_at(self._tick / CLOCKS)
        late = max(0, time + to_tick - begun)
        return begun + round(-(-late // period) * period) - to_tick

    def started(self, beat: float) -> None:
        """The music goes on from a beat, as the clock's line says. At the top it is a start."""
        first = self._first_tick(beat)
        self._resume = 0
        running = self.mode == "always" and self._line[1] >= 0
        self._tick = min(first, self._after_sent()) if running else first
        self._first = (first, START if beat <= 0.0 else CONTINUE)
        self._told = False
        self._line = self._now()
        self.playing = True

    def stopped(self) -> list[bytes]:
        """The music has stopped; what is to be sent at once."""
        was, self.playing = self.playing, False
        if was:
            self._resume = self._tick
            if self._first:  # they wait for that clock, and have not counted any yet
                self._resume = self._first[0] if self._first[1] == CONTINUE else 0
        self._first = None
        return [bytes((STOP,))] if was and self.mode != "off" else []

    def located(self, beat: float, joined: bool = False) -> list[bytes]:
        """The music goes on elsewhere, or will; what is to be sent at once. Positions are sixteenths.

        `joined`: it has not played before, and begins in the middle.
        """
        messages = [bytes((STOP,))] if self.playing else []
        self.playing = self.playing or joined
        if not self.playing:
            sixteenth = -(-_tick_at(beat) // CLOCKS_PER_POSITION)
            self._resume = sixteenth * CLOCKS_PER_POSITION
        else:
            self._resume = 0
            sixteenth = _tick_at(beat) // CLOCKS_PER_POSITION + 1  # far enough for the message before it
            self._first = (sixteenth * CLOCKS_PER_POSITION, CONTINUE)
            self._told = False
            self._line = (0.0, -1, 0.0)
        if sixteenth < POSITIONS:
            messages.append(bytes((POSITION, sixteenth & 0x7F, sixteenth >> 7)))
        return messages if self.mode != "off" else []

    def next_time(self) -> int:
        """When there is something to send; NEVER where nothing is."""
        if self.mode == "off" or (self.mode == "playing" and not self.playing):
            return NEVER
        self._find()
        if self._moved:
            return self._sent
        due = self.clock.time_at(self._tick / CLOCKS)
        if self._first and not self._told and self._tick >= self._first[0]:
            return self.clock.time_at(self._first[0] / CLOCKS) - BEFORE_NS
        return max(due, self._sent + APART_NS)

    def due(self, now: int) -> list[tuple[bytes, float, int]]:
        """What is to be sent by now, with its beat and when it was due; never more than one clock."""
        if self.next_time() > now:
            return []
        if self._moved:
            self._moved = False
            there = self.clock.beat_at(now)
            return [(message, there, now) for message in self.located(there)]
        messages = []
        beat = self._tick / CLOCKS
        time = self.clock.time_at(beat)
        if self._first and not self._told:
            first, message = self._first
            told = self.clock.time_at(first / CLOCKS) - BEFORE_NS
            if told <= now and self._tick >= first:
                messages.append((bytes((message,)), first / CLOCKS, told))
                self._told = True
                self._sent = now  # its clock comes a millisecond later at the earliest
                return messages
        if time > now:
            return messages
        if now - time > HOPELESS_NS:
            there = self.clock.beat_at(now)
            self._tick = _tick_at(there)
            self._sent = now
            located = self.located(there) if self.playing else []
            return messages + [(message, there, now) for message in located]
        messages.append((CLOCK_BYTES, beat, time))
        if self._first and self._told and self._tick >= self._first[0]:
            self._first = None
        self._tick += 1
        self._sent = now
        return messages

    def _find(self) -> None:
        """After the line has moved, the next clock: half a clock or more after the one sent last."""
        line = self._now()
        if line == self._line:
            return
        apart = abs(self.clock.time_at(self._tick / CLOCKS) - self._sent)
        if self._line[1] < 0 or apart > HOPELESS_NS + 2 * self._period():
            self._moved = self.playing and self._line[1] >= 0
            self._tick = self._after_sent()
        self._line = line

    def _first_tick(self, beat: float) -> int:
        """The clock with which those who follow begin: none that they have counted already."""
        return max(_tick_at(beat), self._resume) if beat > 0.0 else _tick_at(beat)

    def _after_sent(self) -> int:
        """The first clock of the line at least half a clock after the one sent last."""
        return _tick_at(self.clock.beat_at(self._sent + round(self._period() / 2)))

    def _period(self) -> float:
        """Nanoseconds between clocks."""
        return NS_PER_MINUTE / self.clock.bpm / CLOCKS

    def _now(self) -> tuple[float, int, float]:
        return (self.clock.beat, self.clock.time, self.clock.bpm)


def _tick_at(beat: float) -> int:
    """The first clock at a beat or after it."""
    return -int(-(beat * CLOCKS - HAIR) // 1)
