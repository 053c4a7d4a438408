"""MIDI over the header's UART, as it comes and goes at DIN sockets. Knows not what a message means.

The rate is set by the kernel's own call for rates that have no name (termios2), so no library is needed, and
no overlay that bends the UART's clock. With such a one in config.txt (`midi-uart0`) the kernel believes in
another clock than there is, and 38400 is what it calls 31250: that is seen by the clock, and allowed for.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence

from hw.sounding import NOTE_OFF, NOTE_ON, Sounding
from hw.stream import SYSEX, MidiStream
from hw.table import SERIAL

BAUD = 31250
BENT_BAUD = 38400  # what 31250 is called where the clock is bent ...
BENT_HZ = (58_982_400, 61_440_000)  # ... from the 48 MHz of a Pi up to 4, and the 50 MHz of a Pi 5
BYTE_NS = 320_000  # ten bits on the cable
MOST_WAITING = 320  # bytes in the kernel before ours: a tenth of a second of the cable
MOST_READ = 256  # bytes of one call
RETRY_NS = 1_000_000_000
SAID_NS = 10_000_000_000  # how long it is said that messages were too many

# termios2 of Linux (asm-generic: x86, ARM): four flags, the line discipline, 19 characters, two rates.
TERMIOS2 = struct.Struct("4I B 19s 2I")
TCGETS2, TCSETS2 = 0x802C542A, 0x402C542B
BOTHER, IBSHIFT = 0o010000, 16
TIOCGSERIAL, SERIAL_STRUCT, BAUD_BASE = 0x541E, 128, 28  # call, bytes enough for its answer, place in that
ADVICE = (
    "On a Raspberry Pi put `enable_uart=1` and `dtoverlay=disable-bt` into config.txt, take "
    "`console=serial0,115200` out of cmdline.txt, put this user in the group dialout and start it anew."
)


class Serial:
    """A UART that is open both ways, at 31250 baud. `complaint` is a sentence while it is not."""

    def __init__(self, path: str = SERIAL, now: Callable[[], int] = time.monotonic_ns) -> None:
        self.path = path
        self.complaint = ""
        self.now = now
        self._fd = -1
        self._tried = now()
        self._rest = b""  # of a message that went only in part
        self._closed = False
        self._open()

    def mend(self, resting: bool) -> None:
        """Open it again where it is not, once a second."""
        if self._fd < 0 and not self._closed and self.now() - self._tried >= RETRY_NS:
            self._tried = self.now()
            self._open()

    def write(self, message: bytes, urgent: bool) -> bool:
        """Hand a whole message to the kernel; False where it goes nowhere. Never waits.

        What is not `urgent` goes nowhere where the cable is busy for a tenth of a second to come: late notes
        are no music.
        """
        if self._fd < 0:
            return False
        try:
            if not urgent and self._waiting() > MOST_WAITING:
                return False
            if self._rest:
                self._rest = self._rest[os.write(self._fd, self._rest) :]
                if self._rest:
                    return False
            self._rest = message[os.write(self._fd, message) :]
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(error)
            return False
        return True

    def read(self) -> bytes:
        """What has arrived. Never waits."""
        if self._fd < 0:
            return b""
        try:
            data = os.read(self._fd, MOST_READ)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._lose(error)
            return b""
        if not data:
            self._lose(OSError(errno.EIO, os.strerror(errno.EIO)))
        return data

    def close(self) -> None:
        """Give it back. Safe to call twice."""
        self._closed = True
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _open(self) -> None:
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.complaint = f"MIDI DIN: {self.path} does not open ({error.strerror}). {ADVICE}"
            return
        try:
            set_up(fd)
        except OSError as error:
            os.close(fd)
            self.complaint = f"MIDI DIN: {self.path} is no UART of {BAUD} baud ({error.strerror}). {ADVICE}"
            return
        self._fd, self._rest, self.complaint = fd, b"", ""

    def _waiting(self) -> int:
        """Bytes that the kernel has and the cable has not had yet."""
        return struct.unpack("i", fcntl.ioctl(self._fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0]

    def _lose(self, error: OSError) -> None:
        fd, self._fd = self._fd, -1
        with contextlib.suppress(OSError):
            os.close(fd)
        self.complaint = f"MIDI DIN: {self.path} is gone ({error.strerror}); it is tried again."


class DinOut:
    """The DIN output. Its twin is `hw.sim.SimMidi`.

    Note-offs, clock, start and stop go out as long as the kernel takes anything; what else finds the cable
    busy is let go and counted.
    """

    name = "DIN"
    system = "DIN"
    listed = ""  # no system of ports knows it

    def __init__(self, serial: Serial) -> None:
        self.errors = 0  # messages for which the cable was too slow
        self._serial = serial
        self._notes = Sounding()
        self._full_at = 0  # when the cable was too slow for one

    @property
    def complaint(self) -> str:
        """A sentence while something is wrong, or empty."""
        if self._serial.complaint or not self.errors or self._serial.now() - self._full_at > SAID_NS:
            return self._serial.complaint
        return (
            "MIDI DIN: more messages than the cable carries, a thousand a second; route fewer voices to it."
        )

    @property
    def sounding(self) -> set[tuple[int, int]]:
        """The notes that have begun and not ended, as (channel, note)."""
        return set(self._notes.now)

    def send(self, message: Sequence[int]) -> bool:
        """Send one whole message now. False where it went nowhere; never raises, never waits."""
        data = bytes(message)
        kind = data[0] & 0xF0
        off = kind == NOTE_OFF or (kind == NOTE_ON and len(data) > 2 and not data[2])
        if self._serial.write(data, urgent=off or data[0] >= SYSEX):
            self._notes.follow(data)
            return True
        if not self._serial.complaint:
            self.errors += 1
            self._full_at = self._serial.now()
        return False

    def missed(self) -> list[bytes]:
        """What ends all that may hang in something that missed its note-offs."""
        return self._notes.old_endings()

    def close(self) -> None:
        """End what still sounds and give the UART back. Safe to call twice."""
        for message in self._notes.endings():
            self.send(message)
        self._serial.close()


class DinIn:
    """The DIN input. Its twin is `hw.sim.SimMidiIn`.

    The kernel does not say when a byte came. But bytes follow each other on the cable in no less than 320 us,
    so of several that are read at once each came so much earlier than the one after it.
    """

    name = "DIN"
    system = "DIN"
    listed = ""

    def __init__(self, serial: Serial) -> None:
        self._serial = serial
        self._stream = MidiStream()
        self._latest = 0  # when the latest byte came

    @property
    def complaint(self) -> str:
        """A sentence while nothing can arrive, or empty."""
        return self._serial.complaint

    @property
    def errors(self) -> int:
        """Bytes that belonged to no message."""
        return self._stream.stray

    def receive(self) -> list[tuple[int, bytes]]:
        """What has arrived since the last call, oldest first: (ns, whole message). Never waits, never raises.

        System exclusive messages do not come out.
        """
        data = self._serial.read()
        if not data:
            return []
        now = self._serial.now()
        received = []
        for place, byte in enumerate(data):
            at = max(self._latest, now - (len(data) - 1 - place) * BYTE_NS)
            self._latest = at
            for message in self._stream.feed(bytes((byte,))):
                if message[0] != SYSEX:
                    received.append((at, message))
        return received

    def close(self) -> None:
        """Give the UART back. Safe to call twice."""
        self._serial.close()


def set_up(fd: int) -> None:
    """Let a serial line carry MIDI: raw bytes, eight bits, no parity, 31250 baud both ways.

    Raises OSError where it cannot: not a serial line, or a UART without that rate.
    """
    held = bytearray(TERMIOS2.size)
    fcntl.ioctl(fd, TCGETS2, held)
    _, _, _, _, discipline, characters, _, _ = TERMIOS2.unpack(held)
    characters = bytearray(characters)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    rate = BENT_BAUD if any(abs(clock_of(fd) - bent) < bent // 100 for bent in BENT_HZ) else BAUD
    kept = termios.CS8 | termios.CREAD | termios.CLOCAL | BOTHER | BOTHER << IBSHIFT
    iflag = termios.IGNBRK | termios.IGNPAR  # a cable that is pulled out is no message
    fcntl.ioctl(fd, TCSETS2, TERMIOS2.pack(iflag, 0, kept, 0, discipline, bytes(characters), rate, rate))
    fcntl.ioctl(fd, TCGETS2, held)
    made = TERMIOS2.unpack(held)[-1]
    if abs(made - rate) > rate // 50:  # MIDI 1.0 allows a hundredth, and the receiver as much
        raise OSError(errno.EINVAL, f"it makes {made} baud of {rate}")
    termios.tcflush(fd, termios.TCIOFLUSH)


def clock_of(fd: int) -> int:
    """The clock that the kernel believes a UART has, in Hz; 0 where a line has none, as a pseudo-terminal."""
    answer = bytearray(SERIAL_STRUCT)
    try:
        fcntl.ioctl(fd, TIOCGSERIAL, answer)
    except OSError:
        return 0
    return int.from_bytes(answer[BAUD_BASE : BAUD_BASE + 4], sys.byteorder) * 16
