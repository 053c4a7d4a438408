"""MIDI messages of channels that wait to be heard, so that a flood holds nothing up. Means none of them.

A control change that is turned faster than it can be heard is heard where it has got to: what waits takes the
new value. A switch that is pressed and let go stays two messages, and equal values stay two presses.
"""

from __future__ import annotations

from collections import deque

CONTROL, PRESSED = 0xB0, 64  # MIDI 1.0: of a switch, values from 64 on are on
MOST = 1024  # messages that wait; what comes then is let go


class Inbox:
    """Takes whole messages in and gives them back, oldest first.

    >>> inbox = Inbox()
    >>> for value in (1, 2, 3, 127):
    ...     inbox.put(bytes((0xB0, 16, value)))
    >>> [inbox.take().hex(" ") for _ in range(2)], inbox.take()
    (['b0 10 03', 'b0 10 7f'], b'')
    """

    def __init__(self) -> None:
        self._waiting: deque[bytearray] = deque()
        self._latest: dict[bytes, bytearray] = {}  # of each control change that waits

    def put(self, message: bytes) -> None:
        controls, key = message[0] & 0xF0 == CONTROL, message[:2]
        if controls and (held := self._latest.get(key)) is not None:
            before, now = held[2], message[2]
            if before != now and (before >= PRESSED) == (now >= PRESSED):
                held[2] = now
                return
        if len(self._waiting) >= MOST:
            return
        entry = bytearray(message)
        self._waiting.append(entry)
        if controls:
            self._latest[key] = entry

    def take(self) -> bytes:
        """The message that has waited longest; empty where none waits."""
        if not self._waiting:
            return b""
        message = self._waiting.popleft()
        key = bytes(message[:2])
        if self._latest.get(key) is message:
            del self._latest[key]
        return bytes(message)
