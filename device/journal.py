"""Tells the journal what is wrong with the box while it plays, in sentences on stderr. Never waits.

A line is written only where the pipe or socket behind it takes one without waiting. The engine's own notes
are said before the music; these are the complaints that come and go.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections import deque
from collections.abc import Callable, Sequence

from device.clock import NS_PER_MS

LONGEST = 500  # bytes of a line: a pipe that is ready takes 4096 without waiting
AGAIN_NS = 60_000 * NS_PER_MS  # what comes and goes is told once a minute
MOST_WAITING = 32  # lines


class Journal:
    """`attend` is a slack job: tells the next thing that is new, or that is no more."""

    def __init__(
        self,
        complaints: Callable[[], Sequence[str]],
        now: Callable[[], int],
        write: Callable[[bytes], bool] | None = None,
    ) -> None:
        """`write` takes a line, and says whether it went."""
        self._complaints = complaints
        self._now = now
        self._write = write or write_error
        self._open: list[str] = []  # told, and not yet told to be no more
        self._told: dict[str, int] = {}  # when each was told last
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)

    def attend(self) -> None:
        """Compare what is wrong now with what was told; write a line of the difference."""
        now, there = self._now(), self._complaints()
        for sentence in there:
            if sentence not in self._open and now - self._told.get(sentence, now - AGAIN_NS) >= AGAIN_NS:
                self._told[sentence] = now
                self._open.append(sentence)
                self._tell(sentence)
        for sentence in [sentence for sentence in self._open if sentence not in there]:
            self._open.remove(sentence)
            self._tell(f"no more: {sentence}")
        if len(self._told) > MOST_WAITING:
            self._told = {sentence: self._told[sentence] for sentence in self._open}
        if self._waiting and self._write(self._waiting[0]):
            self._waiting.popleft()

    def _tell(self, sentence: str) -> None:
        self._waiting.append(sentence.encode(errors="replace")[:LONGEST] + b"\n")


def write_error(line: bytes) -> bool:
    """Write a line to stderr, if that takes it at once."""
    with contextlib.suppress(OSError, ValueError):
        ready = select.poll()
        ready.register(2, select.POLLOUT)
        if any(event & select.POLLOUT for _, event in ready.poll(0)):
            os.write(2, line)
            return True
    return False
