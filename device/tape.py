"""What was written to the panel, one JSON object a line. No file access in the loop: another process writes.

{"beat": 0.0, "due_ns": 5000000, "at_ns": 5000000, "jack": "gate1", "level": 1}
{"beat": 0.0, "due_ns": 5000000, "at_ns": 5000000, "port": "Fathom", "midi": [144, 36, 100]}
"""

from __future__ import annotations

import os
import subprocess
from collections import deque
from pathlib import Path

import msgspec

CHUNK = 16 * 1024  # bytes that one slack job hands over, below what a pipe takes at once


class Tape:
    """Takes entries at once and hands them over later. `entries` is its memory where there is no file."""

    def __init__(self, path: Path | None = None):
        self.entries: list[dict[str, object]] = []
        self._waiting: deque[dict[str, object]] = deque()
        self._bytes = b""
        self._cat: subprocess.Popen[bytes] | None = None
        if path is not None:
            # A pipe to another process, so that a slow disk never stops the clock.
            with path.open("wb") as file:
                self._cat = subprocess.Popen(
                    ["cat"],
                    stdin=subprocess.PIPE,
                    stdout=file,
                    stderr=subprocess.DEVNULL,  # a full disk is said in a sentence of ours
                    start_new_session=True,
                )
            assert self._cat.stdin is not None
            os.set_blocking(self._cat.stdin.fileno(), False)

    def jack(self, beat: float, due: int, at: int, name: str, level: int) -> None:
        self._keep({"beat": beat, "due_ns": due, "at_ns": at, "jack": name, "level": level})

    def midi(self, beat: float, due: int, at: int, port: str, message: bytes) -> None:
        self._keep({"beat": beat, "due_ns": due, "at_ns": at, "port": port, "midi": list(message)})

    def hand_over(self) -> None:
        """Give a bounded piece of what waits to the writing process. A slack job."""
        if self._cat is None or self._cat.stdin is None:
            return
        while self._waiting and len(self._bytes) < CHUNK:
            self._bytes += msgspec.json.encode(self._waiting.popleft()) + b"\n"
        if self._bytes:
            try:
                self._bytes = self._bytes[os.write(self._cat.stdin.fileno(), self._bytes[:CHUNK]) :]
            except BlockingIOError:
                pass  # the disk is slow: the rest waits here
            except BrokenPipeError:
                self._waiting.clear()  # the disk is full: the tape ends, the music does not
                self._bytes = b""

    def close(self) -> bool:
        """Hand over what is left and wait for the writer; False where the file is not whole."""
        if self._cat is None or self._cat.stdin is None:
            return True
        os.set_blocking(self._cat.stdin.fileno(), True)
        while self._waiting or self._bytes:
            self.hand_over()
        try:
            self._cat.stdin.close()
        except BrokenPipeError:
            self._cat.wait()
            return False
        return self._cat.wait() == 0

    def _keep(self, entry: dict[str, object]) -> None:
        (self.entries if self._cat is None else self._waiting).append(entry)
