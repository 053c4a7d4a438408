"""Speaks with a player at a terminal: says what to do, waits for it, asks. Knows no panel."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable

LOOK_S = 0.005  # between two looks at what is waited for


class Guide:
    """Hands and eyes of a player. Where the terminal is closed, nobody answers, and nothing waits."""

    def __init__(self, stdin: int = 0) -> None:
        self._stdin = stdin
        self._typed = b""
        self.there = True  # somebody answers

    def say(self, text: str) -> None:
        """A sentence, on stderr: stdout is for results."""
        print(text, file=sys.stderr, flush=True)

    def ask(self, text: str) -> str:
        """What the player types after a question, in small letters; nothing where Enter is all."""
        self.say(text)
        while self.there and b"\n" not in self._typed:
            self._read(None)
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(errors="replace").strip().lower()

    def agrees(self, text: str) -> bool:
        """Whether the player says yes, or only Enter."""
        return self.there and self.ask(f"{text} [Y/n]") in ("", "y", "yes") and self.there

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Look again and again whether it is so, until then, until Enter, or for so long."""
        end = time.monotonic() + seconds
        while not until():
            if not self.there or time.monotonic() > end:
                return False
            self._read(LOOK_S)
            if b"\n" in self._typed:
                _, _, self._typed = self._typed.partition(b"\n")
                return until()
        return True

    def _read(self, seconds: float | None) -> None:
        if select.select([self._stdin], [], [], seconds)[0]:
            data = os.read(self._stdin, 1024)
            self._typed += data
            self.there = bool(data)
