"""Clocks that arrive: MIDI clock at a port, pulses at the jack. What each says of tempo, place and transport.

They keep count and judge nothing: which of them leads, and what the box does then, is the business of sync.
"""

from __future__ import annotations

from device.clock import BPM_LOW, NS_PER_MINUTE, NS_PER_MS, playable
from device.follower import Follower
from device.leader import CLOCK, CLOCKS, CLOCKS_PER_POSITION, CONTINUE, POSITION, START, STOP

HAIR = 1e-6  # pulses: what floats may be apart and still mean the same place
SENSING = 0xFE  # active sensing (MIDI 1.0): once heard, silence means that the cable is out
SENSING_NS = 330 * NS_PER_MS  # the standard's 300 ms, and a tenth for what jitters
RESET_NS = 8 * NS_PER_MS  # a reset so soon after a pulse means that pulse
PATIENCE = 4  # pulses that may be missing before a clock is lost
STEPS_PER_BEAT = 4.0  # of a clock that pulses once for each step


class Source:
    """A train of pulses, and where each of them is in the music."""

    def __init__(self, name: str, per_beat: float, batched: bool) -> None:
        """`batched`: pulses may come several at once, as through a sound card's buffer."""
        self.name = name
        self.per_beat = per_beat
        self.follower = Follower(per_beat, batched=batched)
        self.place = 0  # of the latest pulse in the music, in pulses
        self.next = 0  # of the one that comes next
        self.heard = False  # whether there was a pulse since the clock was lost
        self.waiting = False  # the next pulse begins the music, or moves it to another place
        self.running: bool | None = None  # what the sender said of its transport; None: nothing

    @property
    def ready(self) -> bool:
        """Whether its tempo is known well enough to play from."""
        return self.heard and self.follower.locked

    @property
    def beat(self) -> float:
        """The place of the latest pulse."""
        return self.place / self.per_beat

    @property
    def time(self) -> int:
        """When the latest pulse was, its jitter taken away."""
        return round(self.follower.time)

    @property
    def limit(self) -> float:
        """The beat that waits for its pulse; infinite where pulses only give the tempo."""
        return float("inf")

    def bpm(self, otherwise: float) -> float:
        """The tempo, within what Fathom plays; another where it is not known yet."""
        return playable(self.follower.bpm) if self.follower.locked else otherwise

    def pulse(self, time: int) -> bool:
        """Count a pulse; False for one that is none (a double trigger)."""
        before = self.follower.count
        self.follower.pulse(time)
        steps = self.follower.count - before
        if steps <= 0 and self.heard:
            return False
        self.heard = True
        self._count(max(1, steps))
        return True

    def lost(self, now: int) -> bool:
        """Whether it has been silent for longer than four pulses."""
        return self.heard and self.follower.lost(now)

    def lose(self) -> None:
        """Take it as gone: what comes next begins anew, at the place that comes next."""
        self.heard = False
        self.running = self.running and None  # it may have gone on unheard
        self.follower.reset()

    def free(self, beat: float) -> None:
        """Count on from a beat of the box's own: the next pulse is the first that is not before it."""
        self.next = -int(-(beat * self.per_beat - HAIR) // 1)

    def nearest(self, beat: float) -> None:
        """Let the latest pulse be the one that is nearest to a beat of the box's own."""
        self.place = round(beat * self.per_beat)
        self.next = self.place + 1

    def _count(self, steps: int) -> None:
        self.place = self.next + steps - 1
        self.next = self.place + 1


class MidiClock(Source):
    """MIDI clock, start, stop, continue and song position at one port (MIDI 1.0)."""

    def __init__(self, name: str) -> None:
        super().__init__(name, CLOCKS, batched=True)
        self.hand_started = False  # the box plays though the sender has stopped
        self._sensed = -1  # when anything came, once active sensing was heard

    def hear(self, message: bytes, time: int) -> str:
        """Take a message in; "pulse", "stop", "locate" or "" say what came of it."""
        status = message[0]
        if self._sensed >= 0 or status == SENSING:
            self._sensed = time
        if status == CLOCK:
            return "pulse" if self.pulse(time) else ""
        if status in (START, CONTINUE):
            if status == START:
                self.next = 0
            self.running = self.waiting = True
            self.hand_started = False
        elif status == STOP:
            self.running = self.waiting = self.hand_started = False
            return "stop"
        elif status == POSITION:
            self.next = (message[1] | message[2] << 7) * CLOCKS_PER_POSITION
            self.waiting = bool(self.running)
            return "locate"
        return ""

    def lost(self, now: int) -> bool:
        unplugged = self._sensed >= 0 and now - self._sensed > SENSING_NS
        return super().lost(now) or (unplugged and self.heard)

    def lose(self) -> None:
        super().lose()
        self._sensed = -1

    def _count(self, steps: int) -> None:
        if self.running is not False or self.hand_started or self.waiting:
            super()._count(steps)


class JackClock(Source):
    """Pulses at the clock jack, with resets at the reset jack."""

    def __init__(self, per_beat: float) -> None:
        super().__init__("jack", per_beat, batched=False)
        self._latest = -RESET_NS

    def pulse(self, time: int) -> bool:
        counted = super().pulse(time)
        if counted:
            self._latest = time
        return counted

    def reset(self, time: int) -> bool:
        """A reset. True where it means the pulse that has just been; else the next pulse is the top."""
        soon = RESET_NS
        if self.follower.locked:
            soon = min(soon, round(self.follower.period / 3))
        self.waiting = not (self.heard and 0 <= time - self._latest <= soon)
        self.next = 0
        if not self.waiting:
            self._count(1)
        return not self.waiting


class StepClock(JackClock):
    """One pulse for each step, evenly or not: a step waits for its pulse, and nothing is smoothed.

    How long a step lasts is what the one before has lasted; it only says where within a step a hit leans.
    """

    def __init__(self) -> None:
        super().__init__(STEPS_PER_BEAT)
        self._period = 0

    @property
    def ready(self) -> bool:
        return self.heard

    @property
    def time(self) -> int:
        return self._latest

    @property
    def limit(self) -> float:
        return self.next / self.per_beat

    def bpm(self, otherwise: float) -> float:
        if not self._period:
            return otherwise
        return playable(NS_PER_MINUTE / self._period / self.per_beat)

    def pulse(self, time: int) -> bool:
        gap = time - self._latest
        if self.heard and gap < NS_PER_MS:
            return False  # a contact that bounces
        self._period = gap if self.heard else 0
        self._latest, self.heard = time, True
        self._count(1)
        return True

    def lost(self, now: int) -> bool:
        period = self._period or NS_PER_MINUTE / BPM_LOW / self.per_beat
        return self.heard and now - self._latest > PATIENCE * period

    def lose(self) -> None:
        super().lose()
        self._period = 0
