"""A process beside the engine, told and heard in lines without waiting. Knows nothing of what they mean.

`Beside` is all that its users see. `Child` is one that the box starts itself, and speaks with through two
pipes; the other end takes its input apart with `Lines` as well, and ends when that does. `Service` is one
that systemd starts, and ends and begins again as it likes; it is reached through a Unix socket.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

LONGEST_LINE = 4096  # bytes, with its end: what a pipe takes whole or not at all (PIPE_BUF)
AGAIN_S = 0.25  # between two looks at whether a service is there


class Beside(Protocol):
    """What is asked of a process beside the engine, however it is reached."""

    refused: OSError | None  # why it is not there, where it never was; then it has ended as well
    ended: bool  # whether it is gone, as far as `lines` has found out; it does not come back

    @property
    def away(self) -> bool:
        """Whether nobody is there to be told now; unless it has ended, somebody will be."""

    def tell(self, line: bytes) -> bool:
        """Tell it one line, with its end. False where it would have to wait, or where there is nobody."""

    def lines(self) -> list[bytes]:
        """What it has said since, in whole lines without their ends."""

    def close(self, patience_s: float) -> None:
        """End it, and wait for that: the only thing here that waits. Safe to call twice."""


class Child:
    """A process that the box starts. Do so before realtime priority is claimed: it needs none."""

    def __init__(self, command: Sequence[str]) -> None:
        self.refused: OSError | None = None
        self.ended = False
        self._lines = Lines()
        try:
            child = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries print there, and a display may be on that terminal
                start_new_session=True,  # Ctrl-C is the engine's
            )
        except OSError as error:
            self.refused, self.ended = error, True
            return
        assert child.stdin is not None
        assert child.stdout is not None
        self._child, self._hears, self._says = child, child.stdin, child.stdout
        for pipe in (self._hears, self._says):
            os.set_blocking(pipe.fileno(), False)

    @property
    def away(self) -> bool:
        return self.ended

    def tell(self, line: bytes) -> bool:
        if self.ended:
            return False
        try:
            return self._hears.write(line) == len(line)  # None where it would have to wait
        except OSError:  # it has ended; `lines` finds out
            return False

    def lines(self) -> list[bytes]:
        """One read of one pipe, so that one who talks without end holds nobody up."""
        if self.ended:
            return []
        data = self._says.read(LONGEST_LINE)  # None where there is nothing now
        if data == b"" and self._child.poll() is not None:
            self._leave()
        return self._lines.take(data or b"")

    def close(self, patience_s: float) -> None:
        """End its input, and kill it where it has not ended by then."""
        if self.ended:
            return
        self._leave()
        try:
            self._child.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _leave(self) -> None:
        self.ended = True
        self._hears.close()
        self._says.close()


class Service:
    """A process that others start, found at a Unix socket whenever it is there.

    It may begin after the engine, end, and begin again: `lines` looks for it, and takes no longer for that.
    """

    refused: OSError | None = None

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.ended = False
        self._path = str(path)
        self._now = now
        self._next_s = 0.0  # when it is looked for again
        self._connection: socket.socket | None = None
        self._lines = Lines()

    @property
    def away(self) -> bool:
        return self._connection is None

    def tell(self, line: bytes) -> bool:
        if self._connection is None:
            return False
        try:
            whole = self._connection.send(line) == len(line)
        except OSError:  # it has ended, or hears nothing any more
            whole = False
        if not whole:  # half a line would spoil the next one
            self._leave()
        return whole

    def lines(self) -> list[bytes]:
        """One read at the most, or one look for who is away."""
        if self.ended or (self._connection is None and not self._finds()):
            return []
        assert self._connection is not None
        try:
            data = self._connection.recv(LONGEST_LINE)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._leave()
        return self._lines.take(data)

    def close(self, patience_s: float = 0.0) -> None:
        """Leave it alone: it goes on, and what it does as well."""
        self._leave()
        self.ended = True

    def _finds(self) -> bool:
        if self._now() < self._next_s:
            return False
        self._next_s = self._now() + AGAIN_S
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            connection.connect(self._path)
        except OSError:  # it is not there, has too many at its door, or the path is none
            connection.close()
            return False
        self._connection, self._lines = connection, Lines()
        return True

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class Lines:
    """Makes whole lines of pieces. Of a line that is too long to be one of ours, its beginning is kept.

    >>> lines = Lines()
    >>> lines.take(b"one\\ntw"), lines.take(b"o\\n"), lines.take(b"three")
    ([b'one'], [b'two'], [])
    """

    def __init__(self) -> None:
        self.rest = b""  # what has come of a line that is not whole yet

    def take(self, data: bytes) -> list[bytes]:
        *lines, rest = (self.rest + data).split(b"\n")
        self.rest = rest[:LONGEST_LINE]
        return lines


def line_of(message: msgspec.Struct) -> bytes:
    """A message as a line, with its end."""
    return msgspec.json.encode(message) + b"\n"
