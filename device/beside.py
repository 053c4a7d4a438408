"""A process beside the engine, told and heard in lines without waiting. Knows nothing of what they mean.

`Beside` is all that its users see; `Child` is one that the box starts itself, and speaks with through two
pipes. The other end takes its input apart with `Lines` as well, and ends when that does.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import Protocol

import msgspec

LONGEST_LINE = 4096  # bytes, with its end: what a pipe takes whole or not at all (PIPE_BUF)


class Beside(Protocol):
    """What is asked of a process beside the engine, however it is reached."""

    refused: OSError | None  # why it is not there, where it never was; then it has ended as well
    ended: bool  # whether it is gone, as far as `lines` has found out; it does not come back

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
