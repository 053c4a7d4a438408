"""Knobs and CV inputs: eight channels of an MCP3008, smoothed, still when nobody turns, exact at the ends.

Whether a reading is to be believed is `hw.chip_watch`'s business.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
from typing import Any

from hw.calibration import REFERENCE, Calibration
from hw.chip_watch import REGAIN, ChipWatch
from hw.errors import PanelError
from hw.table import ADC_HZ, CHANNELS, COUNTS, CVS, KNOBS
from hw.timing import RealTime, Time

KNOB_S = 0.02  # time constant: a hand is slower, the noise of a wire is faster
CV_S = 0.002  # a sequencer steps; a smoothed step is a wrong note
HYSTERESIS = 2  # counts: what a resting knob wanders, one count of noise and one of rounding
END_ZONE = 10  # counts, one in a hundred: a pot that stops short of its end still reaches 0 and 1
SPIDEV = "/dev/spidev0.0"


class KnobFilter:
    """From the counts of one channel to a value in 0..1, or from `least` on, below the count that means 0.

    One pole smooths; then the value is dragged along behind with a little play, as a cup is by its handle:
    a resting knob rests, and a slow turn has no stairs. `ends` are the counts that mean 0 and 1, and
    `end_zone` counts next to them mean that as well.

    >>> knob = KnobFilter()
    >>> knob.feed(1023, seconds=0.01), knob.feed(1021, seconds=0.01), knob.feed(0, seconds=1.0)
    (1.0, 1.0, 0.0)
    """

    def __init__(
        self,
        time_constant: float = KNOB_S,
        end_zone: int = END_ZONE,
        ends: tuple[float, float] = (0, COUNTS),
        least: float = 0.0,
    ) -> None:
        self.value = 0.0
        self._time_constant = time_constant
        self._zone = max(end_zone, HYSTERESIS)  # with less than the play, the ends would be out of reach
        self._zero, self._way = ends[0], math.copysign(1.0, ends[1] - ends[0])
        self._travel = abs(ends[1] - ends[0]) - 2 * self._zone
        self._least = least
        self._smooth: float | None = None
        self._held = 0.0

    def feed(self, counts: int, seconds: float) -> float:
        """The value after a reading, `seconds` after the one before. The first is taken as it is."""
        if self._smooth is None:
            self._smooth = self._held = float(counts)
        self._smooth += (counts - self._smooth) * -math.expm1(-seconds / self._time_constant)
        self._held = min(max(self._held, self._smooth - HYSTERESIS), self._smooth + HYSTERESIS)
        along = (self._held - self._zero) * self._way
        share = min(max((abs(along) - self._zone) / self._travel, 0.0), 1.0)
        self.value = max(share if along > 0 else 0.0 - share, self._least)
        return self.value


class Mcp3008Knobs:
    """The chip on SPI0, chosen by the kernel's own chip select. Its twin is `hw.sim.SimKnobs`.

    While it does not answer, `complaint` says so and the values stay as they were: in the middle, and CV
    without effect, where it never did. When it answers again all values are there in one go, and `returns`
    has grown: no hand has moved them.
    """

    channels = CHANNELS

    def __init__(
        self,
        time: Time | None = None,
        spi: Any = None,
        cs: Any = None,
        calibration: Calibration = REFERENCE,
    ) -> None:
        """`spi` and `cs`: a bus and a chip select as Adafruit's libraries know them; none: the box's own."""
        self.values = [0.5] * len(KNOBS)
        self.cv = [0.0] * len(CVS)
        self.counts = [0] * CHANNELS  # the last that were believed
        self.complaint = ""
        self.returns = 0
        self._time = time or RealTime()
        self._watch = ChipWatch()
        self._seat(calibration)
        self._latest: dict[int, int] = {}  # counts of each channel in a run of good readings
        self._chip: Any = None
        self._own: Any = None
        self._driver: Any = None  # None: the libraries are missing, which no waiting mends
        try:
            self._driver = _mcp3008()
            self._open(spi, cs)
        except PanelError as error:
            self.complaint = str(error)
        for _ in range(REGAIN // CHANNELS if self._chip else 0):
            for channel in range(CHANNELS):
                self.read(channel)

    @property
    def present(self) -> bool:
        """Whether there is a bus at all."""
        return self._chip is not None

    @property
    def pulled_up(self) -> bool:
        """Whether the chip's wire was seen to be pulled up, so that one that comes off is told at once."""
        return self._watch.pulled_up

    def read(self, channel: int) -> int:
        """Read one channel, 0..1023, and move its value; the counts before where the chip does not answer."""
        if self._chip is None:
            return self.counts[channel]
        try:
            counts = self._chip.read(channel)
        except OSError as error:
            self._watch.failed(f"the bus of the MCP3008 fails ({error})")
            self.complaint = self._watch.complaint
            return self.counts[channel]
        believed = self._watch.believes(channel, counts, self._bus.reply)
        if not self._watch.run:
            self._latest.clear()
        self._latest[channel] = counts
        if believed and self._watch.returns != self.returns:
            self._seat(self._calibration)
            for one, its_counts in self._latest.items():
                self._move(one, its_counts)
            self.returns = self._watch.returns
        elif believed:
            self._move(channel, counts)
        self.complaint = self._watch.complaint
        return self.counts[channel]

    def calibrate(self, calibration: Calibration) -> None:
        """Count otherwise from now on. What that moves, no hand has moved: `returns` grows."""
        self._seat(calibration)
        if self._chip is not None and self.returns:
            for channel, counts in enumerate(self.counts):
                self._move(channel, counts)
            self._watch.returns += 1
            self.returns = self._watch.returns

    def mend(self, resting: bool) -> None:
        """Try again what has failed: a bus that was not there. That takes long, so only while it rests."""
        if resting and self._chip is None and self._driver is not None and os.path.exists(SPIDEV):
            try:
                self._open(None, None)
                self.complaint = ""
            except PanelError as error:
                self.complaint = str(error)

    def close(self) -> None:
        """Give the bus back. Safe to call twice."""
        own, self._own, self._chip = self._own, None, None
        if own is not None:
            own.deinit()

    def _open(self, spi: Any, cs: Any) -> None:
        self._own = _open_bus() if spi is None else None
        self._bus = _WatchedBus(spi or self._own)
        self._chip = self._driver(self._bus, cs, baudrate=ADC_HZ)

    def _seat(self, calibration: Calibration) -> None:
        """Begin to smooth anew: the next reading of each channel is taken as it is."""
        ends = [calibration.ends(channel) for channel in range(CHANNELS)]
        knobs, cvs = ends[: len(KNOBS)], ends[len(KNOBS) :]
        self._calibration = calibration
        self._filters = [KnobFilter(ends=each) for each in knobs]
        self._filters += [KnobFilter(CV_S, end_zone=0, ends=each, least=-1.0) for each in cvs]
        self._read_at = [self._time.now()] * CHANNELS

    def _move(self, channel: int, counts: int) -> None:
        now = self._time.now()
        value = self._filters[channel].feed(counts, (now - self._read_at[channel]) / 1e9)
        self._read_at[channel] = now
        self.counts[channel] = counts
        if channel < len(KNOBS):
            self.values[channel] = value
        else:
            self.cv[channel - len(KNOBS)] = value


class _WatchedBus:
    """A bus that keeps its last reply whole: the library drops the bit that tells a chip from a wire."""

    def __init__(self, bus: Any) -> None:
        self.reply = bytearray(3)
        self.try_lock = bus.try_lock
        self.unlock = bus.unlock
        self.configure = bus.configure
        self._exchange = bus.write_readinto

    def write_readinto(self, out: Any, into: Any) -> None:
        self._exchange(out, into)
        self.reply = into


def _open_bus() -> Any:
    if not os.path.exists(SPIDEV):
        with contextlib.suppress(Exception):  # so that it need not be done while music plays
            importlib.import_module("busio")
        raise PanelError(
            f"knobs: no {SPIDEV} on this machine; the MCP3008 was expected there. On a Raspberry Pi put "
            "`dtparam=spi=on` into config.txt and start it anew; elsewhere play with `--panel sim`."
        )
    try:
        import board
        import busio

        return busio.SPI(board.SCK, MOSI=board.MOSI, MISO=board.MISO)
    except (ImportError, NotImplementedError, AttributeError, RuntimeError, OSError, ValueError) as error:
        raise PanelError(
            f"knobs: SPI0 does not open ({error}). Put this user in the group spi and run "
            "`pip install adafruit-blinka 'gpiod>=2.2.2,<3'`."
        ) from None


def _mcp3008() -> Any:
    try:
        from adafruit_mcp3xxx.mcp3008 import MCP3008
    except ImportError as error:
        raise PanelError(
            f"knobs: the driver of the MCP3008 is missing ({error}). "
            "Run `pip install adafruit-circuitpython-mcp3xxx`."
        ) from None
    return MCP3008
