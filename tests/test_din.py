"""MIDI over a serial line: a real pair of terminals stands for the cable."""

import errno
import fcntl
import os
import pty
import struct
import termios
import tty

import pytest

from hw import din
from hw.din import BAUD, BYTE_NS, MOST_WAITING, TERMIOS2, DinIn, DinOut, Serial

S = 1_000_000_000


class Clock:
    """Time that a test moves."""

    def __init__(self):
        self.ns = S

    def __call__(self):
        return self.ns


class Cable:
    """The far end: what it has heard, and what it says."""

    def __init__(self):
        self.far, near = pty.openpty()
        tty.setraw(self.far)
        os.set_blocking(self.far, False)
        self.path = os.ttyname(near)
        os.close(near)

    def heard(self):
        heard = b""
        while True:
            try:
                heard += os.read(self.far, 4096)
            except (BlockingIOError, OSError):
                return heard

    def say(self, data):
        os.write(self.far, bytes(data))

    def close(self):
        if self.far >= 0:
            os.close(self.far)
        self.far = -1


@pytest.fixture
def cable():
    cable = Cable()
    yield cable
    cable.close()


@pytest.fixture
def line(cable):
    line = Serial(cable.path, Clock())
    yield line
    line.close()


def test_the_line_is_raw_at_the_rate_of_midi(line):
    held = bytearray(TERMIOS2.size)
    fcntl.ioctl(line._fd, din.TCGETS2, held)
    _, oflag, cflag, lflag, _, _, come, go = TERMIOS2.unpack(held)

    assert (come, go) == (BAUD, BAUD)
    assert oflag & termios.OPOST == lflag & (termios.ICANON | termios.ECHO) == 0
    assert cflag & termios.CSIZE == termios.CS8
    assert cflag & termios.PARENB == 0
    assert line.complaint == ""


@pytest.mark.parametrize(
    ("clock", "rate"), [(48_000_000, 31250), (50_000_000, 31250), (58_982_400, 38400), (61_440_000, 38400)]
)
def test_where_an_overlay_bends_the_clock_the_rate_is_called_otherwise(cable, monkeypatch, clock, rate):
    monkeypatch.setattr(din, "clock_of", lambda fd: clock)
    line = Serial(cable.path)

    held = bytearray(TERMIOS2.size)
    fcntl.ioctl(line._fd, din.TCGETS2, held)
    assert TERMIOS2.unpack(held)[-2:] == (rate, rate)
    line.close()


def test_a_line_without_a_clock_has_the_plain_rate(line):
    assert din.clock_of(line._fd) == 0


def test_what_is_sent_arrives_byte_for_byte(cable, line):
    out = DinOut(line)
    messages = [[0x90, 36, 100], [0xF8], [0xC3, 7], [0x80, 36, 64], [0xB0, 10, 13], list(range(0x10, 0x7F))]

    assert all(out.send(message) for message in messages[:-1])

    assert cable.heard() == b"".join(map(bytes, messages[:-1]))
    assert (out.errors, out.complaint, out.sounding) == (0, "", set())


def test_messages_arrive_whole_however_they_are_cut_and_with_running_status(cable, line):
    into = DinIn(line)
    received = []

    for piece in (
        [0x90, 36],
        [100, 38, 0xF8, 90],
        [0xF0, 1, 2],
        [3, 0xF7, 0xFA],
        [0xF2, 16, 0],
        [7, 0xE1, 1, 2],
    ):
        cable.say(piece)
        received += [message.hex(" ") for _, message in into.receive()]

    assert received == ["90 24 64", "f8", "90 26 5a", "fa", "f2 10 00", "e1 01 02"]
    assert into.errors == 1


def test_bytes_that_are_read_at_once_came_one_after_the_other(cable, line):
    into = DinIn(line)
    line.now.ns = 10 * S
    cable.say([0xF8, 0x90, 36, 100, 0xF8])

    times = [at for at, _ in into.receive()]
    assert times == [10 * S - 4 * BYTE_NS, 10 * S - BYTE_NS, 10 * S]

    line.now.ns += BYTE_NS
    cable.say([0xF8] * 3)
    times = [at for at, _ in into.receive()]
    assert times == [10 * S, 10 * S, 10 * S + BYTE_NS], "none before the last that was heard"


def test_a_cable_that_takes_nothing_never_holds_up_the_music_and_that_is_said_for_a_while(cable, line):
    out = DinOut(line)
    sent = sum(out.send([0x90, n % 128, 100]) for n in range(20_000))

    assert out.errors == 20_000 - sent > 0
    assert "more messages than the cable carries" in out.complaint
    heard = cable.heard()
    while more := cable.heard():
        heard += more
    assert len(heard) in range(3 * sent - 3, 3 * sent + 1)
    assert all(status == 0x90 for status in heard[: 3 * (len(heard) // 3) : 3]), "no message is torn"
    line.now.ns += 11 * S
    assert out.complaint == ""


def test_where_the_cable_is_busy_note_offs_and_clock_go_before_notes(cable, line, monkeypatch):
    out = DinOut(line)
    monkeypatch.setattr(line, "_waiting", lambda: MOST_WAITING + 1)

    assert not out.send([0x90, 36, 100])
    assert not out.send([0xB0, 10, 100])
    for message in ([0x80, 36, 64], [0x90, 36, 0], [0xF8], [0xFC]):
        assert out.send(message)
    assert out.errors == 2


def test_the_kernel_is_asked_how_much_waits(line):
    assert line._waiting() == 0
    assert struct.calcsize("i") == 4


def test_closing_ends_what_sounds(cable, line):
    out = DinOut(line)
    out.send([0x91, 40, 100])
    cable.heard()

    out.close()
    out.close()
    DinIn(line).close()

    assert cable.heard() == bytes([0x81, 40, 64])
    assert not out.send([0xF8])


def test_a_line_that_goes_is_said_and_had_again_when_it_is_back(cable, tmp_path):
    link = tmp_path / "serial0"
    link.symlink_to(cable.path)
    clock = Clock()
    line = Serial(str(link), clock)
    out, into = DinOut(line), DinIn(line)

    cable.close()
    out.send([0xF8])
    into.receive()
    assert f"MIDI DIN: {link} is gone" in line.complaint
    assert out.complaint == into.complaint == line.complaint
    assert (out.send([0xF8]), into.receive(), out.errors) == (False, [], 0)

    other = Cable()
    link.unlink()
    link.symlink_to(other.path)
    line.mend(resting=False)
    assert line.complaint, "not so soon"
    clock.ns += 2 * S
    line.mend(resting=False)
    assert line.complaint == ""
    assert out.send([0xFA])
    assert other.heard() == b"\xfa"
    line.close()
    other.close()


def test_a_machine_without_a_uart_is_told_what_to_do(tmp_path):
    line = Serial(str(tmp_path / "serial0"))

    for part in (
        "serial0 does not open (No such file or directory)",
        "enable_uart=1",
        "console=serial0",
        "dialout",
    ):
        assert part in line.complaint


def test_what_is_no_serial_line_is_refused_in_words(tmp_path):
    (tmp_path / "file").touch()

    line = Serial(str(tmp_path / "file"))

    assert f"is no UART of 31250 baud ({os.strerror(errno.ENOTTY)})" in line.complaint
