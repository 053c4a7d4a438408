"""A process beside the engine: whatever it does, nobody waits for it, and nothing is left of it."""

import os
import signal
import socket
import sys
import time

import pytest
from process_helpers import child_of, command_of, wait_until

from device.beside import AGAIN_S, LONGEST_LINE, Child, Lines, Service

ECHO = "for line in sys.stdin: print(line.strip()[::-1], flush=True)"
SLEEP = "time.sleep(60)"


@pytest.fixture
def make_child():
    """Makes processes that do a few lines of Python; all are ended."""
    made = []

    def make(code):
        made.append(Child([sys.executable, "-c", f"import os, sys, time\n{code}", f"child {len(made)}"]))
        pid = child_of(os.getpid(), f"child {len(made) - 1}")
        assert pid is not None
        return made[-1], pid

    yield make
    for child in made:
        child.close(0.0)


def heard(child, count=1):
    """The first so many lines that it says, or all until it ends."""
    found = []
    wait_until(lambda: found.extend(child.lines()) or len(found) >= count or child.ended)
    return found


def test_lines_go_in_and_come_out_whole(make_child):
    child, _ = make_child(ECHO)

    assert child.lines() == []
    assert child.tell(b"one\n")
    assert child.tell(b"two\n")

    assert heard(child, 2) == [b"eno", b"owt"]
    assert (child.refused, child.ended) == (None, False)


def test_what_it_said_last_is_heard_before_its_end_is_known_and_nothing_is_left_of_it(make_child):
    child, pid = make_child("sys.stdin.readline(); os.write(1, b'first\\nlast\\nhalf a l')")

    assert child.tell(b"speak\n")
    assert heard(child, 9) == [b"first", b"last"]

    assert child.ended
    assert not os.path.exists(f"/proc/{pid}"), "not even a zombie"
    assert not child.tell(b"anybody there?\n")
    assert child.lines() == []


def test_one_that_is_killed_has_ended(make_child):
    child, pid = make_child(SLEEP)

    os.kill(pid, signal.SIGKILL)

    assert heard(child) == []
    assert child.ended


def test_one_that_hears_nothing_is_told_whole_lines_or_nothing(make_child):
    child, pid = make_child("for line in sys.stdin: print(len(line), flush=True)")
    line = b"x" * (LONGEST_LINE - 1) + b"\n"

    os.kill(pid, signal.SIGSTOP)
    told = sum(child.tell(line) for _ in range(100))
    os.kill(pid, signal.SIGCONT)

    assert 0 < told < 100, "a pipe is full some time"
    assert heard(child, told) == [b"%d" % LONGEST_LINE] * told


def test_one_that_closes_its_output_and_lives_on_is_not_waited_for(make_child):
    child, pid = make_child(f"os.write(1, b'enough\\n'); os.close(1); {SLEEP}")

    assert heard(child) == [b"enough"]
    for _ in range(100):
        assert child.lines() == []
        time.sleep(0.001)
    child.close(0.0)

    assert not command_of(pid)


@pytest.mark.parametrize("code", ["sys.stdin.read()", SLEEP])
def test_closed_it_ends_by_itself_or_is_killed(make_child, code):
    child, pid = make_child(code)

    child.close(0.2)
    child.close(0.2)

    assert child.ended
    assert not os.path.exists(f"/proc/{pid}")
    assert not child.tell(b"late\n")


def test_who_has_the_time_to_end_by_itself_is_not_killed(make_child, tmp_path):
    child, _ = make_child(f"sys.stdin.read(); open({str(tmp_path / 'end')!r}, 'w').close()")

    child.close(20.0)

    assert (tmp_path / "end").exists()


def test_a_command_that_is_not_there_has_ended_and_why_is_known():
    child = Child(["/nowhere/fathom"])

    assert child.ended
    assert child.refused.strerror == "No such file or directory"
    assert not child.tell(b"hello\n")
    assert child.lines() == []
    child.close(1.0)


def test_a_line_without_end_is_kept_no_longer_than_a_line():
    lines = Lines()

    for _ in range(100):
        assert lines.take(b"x" * 1000) == []
        assert len(lines.rest) <= LONGEST_LINE
    garbled, *rest = lines.take(b"\nwhole\npart")

    assert garbled == b"x" * LONGEST_LINE
    assert (rest, lines.rest) == ([b"whole"], b"part")


# --- a service ----------------------------------------------------------------------------------------------


class Door:
    """A service's end: it listens at a path, and hears and says what a test wants."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.path = path
        self.guest = None

    def meet(self):
        self.guest, _ = self.listener.accept()
        return self.guest

    def close(self):
        for end in (self.listener, *([self.guest] if self.guest else [])):
            end.close()
        self.path.unlink()


@pytest.fixture
def open_door(tmp_path):
    made = []

    def make():
        made.append(Door(tmp_path / "service"))
        return made[-1]

    yield make
    for door in made:
        if door.listener.fileno() >= 0:
            door.close()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def looking(tmp_path):
    """A service as the engine sees it, and the clock by which it looks again."""
    clock = Clock()
    service = Service(tmp_path / "service", clock)
    yield service, clock
    service.close()


def test_a_service_that_is_not_there_is_away_and_found_when_it_begins(looking, open_door):
    service, clock = looking
    assert (service.lines(), service.away, service.ended, service.refused) == ([], True, False, None)
    assert not service.tell(b"hello\n")

    door = open_door()
    assert service.lines() == []
    assert service.away, "it is not looked for all the time"
    clock.now += AGAIN_S
    assert service.lines() == []

    assert not service.away
    assert service.tell(b"one\n")
    guest = door.meet()
    assert guest.recv(100) == b"one\n"
    guest.send(b"eno\nha")
    assert service.lines() == [b"eno"]
    guest.send(b"lf\n")
    assert service.lines() == [b"half"]


def test_a_service_that_ends_and_begins_again_is_found_again_and_what_was_half_said_is_forgotten(
    looking, open_door
):
    service, clock = looking
    door = open_door()
    service.lines()
    door.meet().send(b"last\nhalf")
    assert service.lines() == [b"last"]
    door.close()

    assert service.lines() == []
    assert service.away
    assert not service.tell(b"anybody there?\n")
    clock.now += AGAIN_S
    assert service.lines() == []
    assert service.away

    again = open_door()
    clock.now += AGAIN_S
    service.lines()
    again.meet().send(b"new\n")
    assert service.lines() == [b"new"]


def test_a_service_that_hears_nothing_is_left_and_looked_for_again(looking, open_door):
    service, _ = looking
    open_door()
    service.lines()
    line = b"x" * (LONGEST_LINE - 1) + b"\n"

    told = sum(service.tell(line) for _ in range(1000))

    assert 0 < told < 1000
    assert service.away


def test_a_service_is_left_alone_in_the_end(looking, open_door):
    service, clock = looking
    door = open_door()
    service.lines()
    guest = door.meet()

    service.close()
    service.close(1.0)

    assert service.ended
    assert guest.recv(100) == b"", "it knows, and goes on"
    clock.now += AGAIN_S
    assert service.lines() == []
    assert not service.tell(b"late\n")


def test_a_path_that_can_be_none_is_away(tmp_path):
    service = Service(tmp_path / ("x" * 200))

    assert service.lines() == []
    assert service.away
