"""Follows the pulses of one outer clock: times in, a straight line out. Reads no clock, no port and no pin.

The line through the pulses is the growing-memory least-squares line, run as an alpha-beta filter: its gains
after n pulses are those of a fit through all of them, so it holds as early as any fit can; from some beats
on the memory grows no further, and the line tracks. Three things bend that rule:

- Where the pulses lean to one side of the line by more than their own noise, the memory is cut and grows
  again: an accelerando is followed, a steady clock is averaged. The noise is measured between neighbouring
  second differences, which neither a change of tempo nor a long accelerando disturbs.
- A pulse far from where one is expected leaves the line as it is. It may be late, an extra one, or the
  first after one that was lost; the next ones tell, and the count of the sender goes on.
- A second line starts at every such pulse. When pulses keep to it that is the new tempo: a jump.
"""

from __future__ import annotations

import math

from device.clock import BPM_HIGH, BPM_LOW, NS_PER_MINUTE

MEMORY_BEATS = 4  # how far back the line remembers, when nothing leans
MEMORY_FEWEST, MEMORY_MOST = 8, 128  # pulses: bounds on that memory
BATCHED = 24  # pulses per beat from which a clock is taken to be MIDI, which software hands on in batches
AT_ONCE_NS = 500_000  # closer than two bytes can follow on a MIDI cable and be looked at: a batch
SILENCE = 4  # periods without a pulse that make a pause
FAR = 0.2  # of a period: a pulse off by more may be a stray one ...
FAR_NOISE = 4.0  # ... if that is also more than these standard errors
NEAR = 0.12  # of a period: pulses this even make a new line
EVEN_FEWEST = (
    4  # intervals in a row that are even, and a quarter of a beat: the clock, whatever its noise was
)
LOOSE = 0.35  # of a period: pulses less even than this never make one, whatever the noise
LEAN_NOISE = 2.5  # standard errors of a lean that may be one: the memory shrinks ...
LEAN_SHRINK = 0.8  # ... to this part of it with every pulse
LEAN_SURE = 4.0  # standard errors of a lean that is one: the memory is cut
LEAN_ROUGH = 2.0  # the same among batches, where pulses lean by turns
SURE = 0.001  # relative standard error of the period at which the line is good to play from
ENOUGH_BEATS = 1.5  # after which the line is played from, sure or not
MARGIN = 0.03  # of the longest and shortest period: what jitter may add to it
LOOSE_MARGIN = 0.1  # the same for the mean of few pulses
ODD_BEATS = 64  # two pulses lost or too many within so many beats of a batched clock are batches
ROUGH_BEATS = 64  # so long after the last sign of batches
FEW = 8.0  # pulses from which the noise is half known
NOISE_FLOOR_NS = 20_000.0  # no clock is believed to be steadier


class Line:
    """A least-squares line through pulses as they come; `n` is how many it remembers, less one."""

    __slots__ = ("n", "period", "time")

    def __init__(self, time: float, period: float):
        self.time = time
        self.period = period
        self.n = 0

    def start(self, first: float, second: float) -> None:
        """Lie through two pulses."""
        self.time = second
        self.period = second - first
        self.n = 1

    def step(self, error: float, periods: int, memory: int) -> None:
        """Go on by some periods and take in a pulse that was `error` later than expected."""
        n = self.n = min(self.n + periods, memory)
        self.time += periods * self.period + error * (2 * (2 * n + 1) / ((n + 1) * (n + 2)))
        self.period += error * (6 / ((n + 1) * (n + 2)))


class Follower:
    """The line through the pulses of one clock: pulse n is expected at `time + (n - count) * period`.

    `batched` says that two pulses at once are two, as of MIDI through software, and not one that
    bounced, as at a jack; None: from 24 pulses per beat on.

    >>> follower = Follower(pulses_per_beat=4)
    >>> for n in range(5):
    ...     follower.pulse(n * 125_000_000)
    >>> follower.locked, follower.count, round(follower.bpm, 3)
    (True, 4, 120.0)
    """

    def __init__(
        self,
        pulses_per_beat: float,
        bpm_low: float = BPM_LOW,
        bpm_high: float = BPM_HIGH,
        batched: bool | None = None,
    ):
        self.pulses_per_beat = pulses_per_beat
        self.bpm_low, self.bpm_high = bpm_low, bpm_high
        self.batched = pulses_per_beat >= BATCHED if batched is None else batched
        self._shortest = NS_PER_MINUTE / (bpm_high * pulses_per_beat)
        self._longest = NS_PER_MINUTE / (bpm_low * pulses_per_beat)
        self._beat = max(2, round(pulses_per_beat))  # pulses after which a line is good, whatever the noise
        self._memory = round(min(max(MEMORY_BEATS * pulses_per_beat, MEMORY_FEWEST), MEMORY_MOST))
        self._fewest = min(self._beat, 6)  # pulses
        self._fast_run = self._beat if self.batched else 4  # even pulses that make a tempo, though too fast
        self._cut = max(1, min(round(pulses_per_beat / 3), 12))  # pulses left of the memory after a lean
        self._lean_weight = 1 / max(self._cut, 2)  # of one error in their running mean
        self._lean_share = (self._lean_weight / (2 - self._lean_weight)) ** 0.5
        self._double_run = 2 if pulses_per_beat < 2 else 3  # so many, not one extra pulse half-way
        self._even_run = max(EVEN_FEWEST, round(pulses_per_beat / 4))
        self._quick_memory = max(self._cut, 2)
        self._noise_weight = 1 / max(12, min(2 * pulses_per_beat, 48))
        self._many = max(4, self._beat)  # stray pulses that are the clock
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        middle = min(max(120.0, self.bpm_low), self.bpm_high)
        self.count = -1  # the latest pulse in the sender's counting; -1 before the first
        self.jumps = 0  # how often the line was started anew, so that it is not where it was
        self.locked = False  # good enough to play from
        self.complaint = ""  # what the player should know
        self._line = Line(0.0, NS_PER_MINUTE / (middle * self.pulses_per_beat))
        self._number = 0  # of the pulse where the line stands; behind `count` if that went too far
        self._begin = 0  # number with which the line began
        self._following = False
        self._lean = 0.0  # running mean of errors
        self._quick = Line(0.0, self._line.period)  # through the pulses since they last were uneven
        self._quick_run = 0  # intervals in a row that kept to it
        self._quick_even = 0  # the same, whatever the noise
        self._quick_number = 0  # of the pulse it starts with
        self._stray = 0  # pulses since one last fitted
        self._loose, self._since = 0, 0  # pulses, and the time from which, no line held
        self._last = 0  # time of the pulse before
        self._gap = self._bend = 0  # interval and second difference before
        self._gaps = 0  # intervals seen
        self._noise = 0.0  # variance of one pulse's time
        self._rough = 0.0  # standard error that batches add
        self._odd_age = 1 << 30  # pulses since one was last taken for lost or extra
        self._taken = 0  # how many were taken for lost, less those for extra

    @property
    def time(self) -> float:
        """Estimated true time of pulse `count`, in nanoseconds."""
        return self._line.time + (self.count - self._number) * self._line.period

    @property
    def period(self) -> float:
        """Estimated nanoseconds between pulses."""
        return self._line.period

    @property
    def bpm(self) -> float:
        bpm = NS_PER_MINUTE / (self._line.period * self.pulses_per_beat)
        return min(max(bpm, self.bpm_low), self.bpm_high)

    def lost(self, now: int) -> bool:
        """Whether the clock has been silent for more than four pulses."""
        return self.count >= 0 and now - self._last > self._patience()

    def pulse(self, time: int) -> None:
        """Take in a pulse. A time before the last one counts as equal to it."""
        if self.count < 0:
            self.count = 0
            self._line.time = float(time)
            self._last = self._since = time
            return
        time = max(time, self._last)
        gap = time - self._last
        self._run(time)
        self._odd_age += 1
        if gap > self._patience():
            self._pause(time)
        elif not self._plausible():
            self._stray += 1
            self._loose, self._since = 0, time
            self._complain(self._quick.period)
        elif self._following:
            self._follow(time, gap)
        else:
            self._acquire(time)
        if self._number > self.count:
            self.count = self._number
        self._measure(gap)  # last, so that no pulse vouches for itself
        self._last = time

    def _patience(self) -> float:
        """Nanoseconds after a pulse when the clock counts as silent; batches may be far apart."""
        if not self._following:
            return SILENCE * self._longest
        return SILENCE * self._line.period + FAR_NOISE * math.sqrt(max(self._noise, self._rough**2))

    def _measure(self, gap: int) -> None:
        """Learn the noise from third differences of times: white noise gives them 20 times its variance."""
        bend = gap - self._gap
        twist = bend - self._bend
        self._gap, self._bend = gap, bend
        self._gaps += 1
        if self._gaps < 3:
            return
        square = twist * twist / 20
        if self._following:  # one stray pulse is no noise, many are
            square = min(square, max(16 * self._noise, (FAR * self._line.period) ** 2 / 20))
        self._noise += (square - self._noise) * max(1 / (self._gaps - 2), self._noise_weight)

    def _spread(self, n: int) -> float:
        """Standard error of where a line through n + 1 pulses expects the next one, and of that pulse."""
        few = 1 + FEW / max(self._gaps, 1)  # of a noise learned from few pulses, which may be too small
        variance = max(self._noise * few, self._rough**2, NOISE_FLOOR_NS**2)
        return math.sqrt(variance * (1 + (4 * n + 6) / (n * (n + 1))))

    def _slack(self, n: int) -> float:
        """Standard error of the period of a line through n + 1 pulses."""
        return math.sqrt(12 * max(self._noise, self._rough**2) / (n * (n + 1) * (n + 2)))

    def _run(self, time: int) -> None:
        """Carry the quick line on, or start it anew through this pulse and the one before."""
        quick = self._quick
        if self._quick_run:
            error = time - quick.time - quick.period
            even = max(NEAR * quick.period, FAR_NOISE * self._spread(quick.n))
            if abs(error) <= min(even, LOOSE * quick.period):
                quick.step(error, 1, self._quick_memory)
                self._quick_run += 1
                self._quick_even = self._quick_even + 1 if abs(error) <= NEAR * quick.period else 1
                return
        quick.start(self._last, time)
        self._quick_run = self._quick_even = 1
        self._quick_number = self._number + self._stray

    def _plausible(self) -> bool:
        """Whether pulses are within the range, or have not yet been outside for long."""
        period, run = self._quick.period, self._quick_run
        if period > self._longest * (1 + MARGIN):
            return run < 3
        return period > self._shortest * (1 - MARGIN) or run < self._fast_run

    def _is_tempo(self, line: Line) -> bool:
        """Whether a line is within the range, and known well enough to go by."""
        return FAR_NOISE * self._slack(line.n) < FAR * line.period and self._in_range(line.period, MARGIN)

    def _in_range(self, period: float, margin: float) -> bool:
        return self._shortest * (1 - margin) <= period <= self._longest * (1 + margin)

    def _pause(self, time: int) -> None:
        """Go on with the next number where the pulses begin again."""
        self._number += self._stray + 1
        self._line.time = float(time)
        self._begin = self._number
        self._gaps = -1  # the noise is learned again, and not from the pause
        self._following = self.locked = False
        self._stray = self._loose = 0
        self._since = time
        self.jumps += 1
        if not self._plausible():
            self._complain(self._quick.period)

    def _acquire(self, time: int) -> None:
        """Count, and wait until pulses make a line."""
        self._number += self._stray + 1
        self._stray = 0
        self._line.time = float(time)
        quick = self._quick
        if self._quick_even >= 3 and self._in_range(quick.period, MARGIN):
            self._noise = min(self._noise, (NEAR * quick.period) ** 2 / 6)  # what went before is no noise
            self._adopt(quick, self._number)
        elif self._quick_run >= 2 and self._is_tempo(quick):
            self._adopt(quick, self._number)
        else:
            self._wander(time)

    def _follow(self, time: int, gap: int) -> None:
        """Tell whether a pulse is the next one, one after lost ones, a stray one or proof of a new tempo."""
        line, quick = self._line, self._quick
        in_turn = 1 + self._stray
        if not self.batched and self._quick_even >= self._even_run:  # what went before was no noise
            self._noise = min(self._noise, (NEAR * quick.period) ** 2 / 6)
        if self._rough:
            periods = in_turn
            if abs(gap - line.period) > FAR * line.period:
                self._roughen(gap)
            elif self._odd_age > ROUGH_BEATS * self._beat:
                self._rough = 0.0
        elif self.batched and gap < AT_ONCE_NS:
            self._roughen(gap)
            periods = in_turn
        else:
            periods = self._place(time - line.time)
        other = abs(quick.period - line.period) > max(FAR * line.period, FAR_NOISE * self._slack(quick.n))
        runs = self._fast_run if self._rough else self._double_run if periods == 1 else 2
        if (other or not periods) and self._quick_run >= runs and self._is_tempo(quick):
            self.jumps += 1
            if self.batched and not other:
                if self._odd_age < ODD_BEATS * self._beat:
                    self._roughen(gap)
                self._odd_age = 0
            self._adopt(quick, self._quick_number + self._quick_run)
            return
        if not periods:
            self._stray += 1
            self._wander(time)
            return
        taken = periods - in_turn
        if taken and self.batched:
            if self._odd_age < ODD_BEATS * self._beat:
                self._roughen(gap)
                periods = in_turn
            else:
                self._taken = taken
                self._odd_age = 0
        self._stray = 0
        self._fit(time, periods)

    def _place(self, ahead: float) -> int:
        """How many periods after the pulse where the line stands another is; 0 if it is near none."""
        period = self._line.period
        noise = FAR_NOISE * self._spread(self._line.n)
        gate = max(FAR * period, noise)
        if abs(ahead - period) <= gate:
            return 1
        periods = round(ahead / period)
        if noise > NEAR * period and self._stray > 1 and periods != 1 + self._stray:
            return 0  # so wide a gate is met by chance
        if gate > period / 2 or periods < 2 or abs(ahead - periods * period) > gate:
            return 0
        return periods if periods == 2 or self._stray else 0  # that many lost at once: wait for one more

    def _roughen(self, gap: int) -> None:
        """Take pulses as they come for a while: they arrive in batches, so that their number tells more."""
        if self._odd_age < ODD_BEATS * self._beat:
            self._number -= self._taken
        self._taken = self._odd_age = 0
        batch = min(max(gap, self._gap), SILENCE * self._line.period)
        self._rough = max(self._rough, batch / math.sqrt(12))

    def _fit(self, time: int, periods: int) -> None:
        """Take a pulse into the line."""
        line = self._line
        error = time - line.time - periods * line.period
        self._lean += (error - self._lean) * self._lean_weight
        if line.n > self._cut:
            noise = self._lean_share * self._spread(line.n)
            lean = abs(self._lean)
            rough = LEAN_ROUGH * self._rough
            if lean > max(LEAN_SURE * noise, rough):
                line.n = self._cut - 1
                self._lean = 0.0
            elif lean > max(LEAN_NOISE * noise, rough):
                line.n = max(self._cut - 1, int(line.n * LEAN_SHRINK))
        line.step(error, periods, self._memory * 2 if self._rough else self._memory)
        line.period = min(max(line.period, self._shortest), self._longest)
        self._number += periods
        self._loose, self._since = 0, time
        self.complaint = ""
        self._look_whether_sure()

    def _adopt(self, new: Line, number: int) -> None:
        """Go on along another line, which stands at the pulse of that number."""
        line = self._line
        line.time, line.n = new.time, new.n
        line.period = min(max(new.period, self._shortest), self._longest)
        self._number = number
        self._stray = self._loose = 0
        self._since = int(new.time)
        if self._following:
            self._begin = number
        self._following = True
        self.locked = False
        self._lean = 0.0
        self.complaint = ""
        self._look_whether_sure()

    def _look_whether_sure(self) -> None:
        if self.locked:
            return
        n = self._line.n
        self.locked = (
            n >= self._beat
            or self._number - self._begin >= ENOUGH_BEATS * self._beat
            or (n >= self._fewest and self._slack(n) < SURE * self._line.period)
        )

    def _wander(self, time: int) -> None:
        """Where no line holds for many pulses, take their mean, or say that it is out of range."""
        self._loose += 1
        if self._loose < self._many:
            return
        mean = (time - self._since) / self._loose
        if self._in_range(mean, LOOSE_MARGIN):
            self.jumps += self._following
            line = Line(float(time), mean)
            line.n = self._many // 2
            self._adopt(line, self._number + self._stray)
        else:
            self._complain(mean)
            self._loose, self._since = 0, time

    def _complain(self, period: float) -> None:
        bpm = min(NS_PER_MINUTE / (max(period, 1.0) * self.pulses_per_beat), 99_999.0)
        self.complaint = (
            f"the clock's pulses mean {bpm:{'.0f' if bpm >= 100 else '.3g'}} BPM at {self.pulses_per_beat:g} "
            f"a beat, expected {self.bpm_low:g} to {self.bpm_high:g}: check the pulses-a-beat setting"
        )
