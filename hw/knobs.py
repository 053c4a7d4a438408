"""Knobs and CV inputs: eight channels of an MCP3008, smoothed, still when nobody turns, exact at the ends."""

from __future__ import annotations

import math
import os
from typing import Any

from hw.errors import PanelError
from hw.table import ADC_HZ, CHANNELS, COUNTS, CVS, KNOBS
from hw.timing import RealTime, Time

KNOB_S = 0.02  # time constant: a hand is slower, the noise of a wire is faster
CV_S = 0.002  # a sequencer steps; a smoothed step is a wrong note
HYSTERESIS = 2  # counts: what a resting knob wanders, one count of noise and one of rounding
END_ZONE = 10  # counts, one in a hundred: a pot that stops short of its end still reaches 0 and 1
LEAP = 64  # counts: nobody turns so far between two readings, but a wire that comes off does
SPIDEV = "/dev/spidev0.0"
NULL_BIT = 0x04  # of the second byte of a reply; a chip that is there drives it low
WIRING_ADVICE = "Look at its wiring and that config.txt has `dtparam=spi=on` and `gpio=9=pu`."


class KnobFilter:
    """From the counts of one channel to a value in 0..1.

    One pole smooths; then the value is dragged along behind with a little play, as a cup is by its handle:
    a resting knob rests, and a slow turn has no stairs. `end_zone` counts at both ends are 0 and 1.

    >>> knob = KnobFilter()
    >>> knob.feed(1023, seconds=0.01), knob.feed(1021, seconds=0.01), knob.feed(0, seconds=1.0)
    (1.0, 1.0, 0.0)
    """

    def __init__(self, time_constant: float = KNOB_S, end_zone: int = END_ZONE) -> None:
        self.value = 0.0
        self._time_constant = time_constant
        self._end_zone = max(end_zone, HYSTERESIS)  # with less, the play would keep the ends out of reach
        self._smooth: float | None = None
        self._held = 0.0

    def feed(self, counts: int, seconds: float) -> float:
        """The value after a reading, `seconds` after the one before. The first is taken as it is."""
        if self._smooth is None:
            self._smooth = self._held = float(counts)
        self._smooth += (counts - self._smooth) * -math.expm1(-seconds / self._time_constant)
        self._held = min(max(self._held, self._smooth - HYSTERESIS), self._smooth + HYSTERESIS)
        travel = COUNTS - 2 * self._end_zone
        self.value = min(max((self._held - self._end_zone) / travel, 0.0), 1.0)
        return self.value


class ChipWatch:
    """Tells the readings of a chip from those of a loose wire. `complaint` is a sentence, or empty.

    A reply without its null bit comes from no chip. A chip without power answers 0 everywhere: so a fall to
    exactly 0 from afar is believed when it is seen again, unless another channel fell too and nothing but 0
    was heard in a whole round.
    """

    def __init__(self) -> None:
        self.complaint = ""
        self._believed: dict[int, int] = {}
        self._fallen: set[int] = set()  # channels whose fall to 0 was seen once
        self._zeros = 0  # readings of 0 in a row, over all channels

    def believes(self, channel: int, counts: int, answered: bool) -> bool:
        """True where a reading is the chip's own word."""
        if not answered:
            self.complaint = f"knobs: no MCP3008 answers on SPI0 (channel {channel}). {WIRING_ADVICE}"
            return False
        self._zeros = 0 if counts else self._zeros + 1
        if counts:
            self._fallen.discard(channel)
        elif self._believed.get(channel, 0) > LEAP and not self._seen_again(channel):
            return False
        if counts or not self._fallen:
            self.complaint = ""
        self._believed[channel] = counts
        return True

    def _seen_again(self, channel: int) -> bool:
        if channel not in self._fallen:
            self._fallen.add(channel)
            return False
        if self._zeros >= CHANNELS and len(self._fallen) > 1:
            self.complaint = f"knobs: the MCP3008 answers 0 on every channel. {WIRING_ADVICE}"
            return False
        self._fallen.discard(channel)
        return True


class Mcp3008Knobs:
    """The chip on SPI0, chosen by the kernel's own chip select. Its twin is `hw.sim.SimKnobs`.

    While it does not answer, `complaint` says so and the values stay as they were.
    """

    channels = CHANNELS

    def __init__(self, time: Time | None = None, spi: Any = None, cs: Any = None) -> None:
        """`spi` and `cs` are a bus and a chip select as Adafruit's libraries know them; none: the box's own.

        Raises PanelError where there is no bus, or nothing answers on it.
        """
        self.values = [0.0] * len(KNOBS)
        self.cv = [0.0] * len(CVS)
        self.complaint = ""
        self._time = time or RealTime()
        self._watch = ChipWatch()
        self._filters = [KnobFilter() for _ in KNOBS] + [KnobFilter(CV_S, end_zone=0) for _ in CVS]
        self._counts = [0] * CHANNELS
        self._read_at = [self._time.now()] * CHANNELS
        driver = _mcp3008()
        self._own = _open_bus() if spi is None else None
        self._bus = _WatchedBus(spi or self._own)
        self._chip = driver(self._bus, cs, baudrate=ADC_HZ)
        for channel in range(CHANNELS):
            self.read(channel)
            if self.complaint:
                self.close()
                raise PanelError(self.complaint)

    def read(self, channel: int) -> int:
        """Read one channel, 0..1023, and move its value; the counts before where the chip does not answer."""
        try:
            counts = self._chip.read(channel)
        except OSError as error:
            self.complaint = f"knobs: the bus of the MCP3008 fails ({error}). {WIRING_ADVICE}"
            return self._counts[channel]
        if self._watch.believes(channel, counts, answered=not self._bus.reply[1] & NULL_BIT):
            self._move(channel, counts)
        self.complaint = self._watch.complaint
        return self._counts[channel]

    def close(self) -> None:
        """Give the bus back. Safe to call twice."""
        own, self._own = self._own, None
        if own is not None:
            own.deinit()

    def _move(self, channel: int, counts: int) -> None:
        now = self._time.now()
        value = self._filters[channel].feed(counts, (now - self._read_at[channel]) / 1e9)
        self._read_at[channel] = now
        self._counts[channel] = counts
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
        raise PanelError(
            f"knobs: no {SPIDEV} on this machine; the MCP3008 was expected there. On a Raspberry Pi put "
            "`dtparam=spi=on` into config.txt and start again; elsewhere play with `--panel sim`."
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
