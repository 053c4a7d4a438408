"""Cuts a stream of bytes into whole MIDI messages. Knows no port and no time, and what no message means."""

from __future__ import annotations

NOTE_OFF, SYSEX, END_OF_SYSEX, REALTIME = 0x80, 0xF0, 0xF7, 0xF8  # the first status byte of each kind
UNDEFINED_REALTIME = (0xF9, 0xFD)
LONGEST_SYSEX = 256  # bytes, with the F0 and the F7; a longer one is skipped whole


def _length(status: int) -> int:
    """Bytes of a message that begins so; 0 for what begins none: undefined, or an F7 alone."""
    if status < SYSEX:
        return 2 if 0xC0 <= status < 0xE0 else 3
    return {0xF1: 2, 0xF2: 3, 0xF3: 2, 0xF6: 1}.get(status, 0)


LENGTHS = [_length(status) if status >= NOTE_OFF else 0 for status in range(REALTIME)]


class MidiStream:
    """Whole messages from bytes that may be cut anywhere. Never raises, and holds 256 bytes at the most.

    Running status is filled in, so that every message begins with its status byte. Realtime bytes come out
    at once, also from within another message. What is not whole, undefined or too long is left out.

    >>> stream = MidiStream()
    >>> [message.hex(" ") for message in stream.feed(bytes([0x90, 36, 0xF8, 100, 38]))]
    ['f8', '90 24 64']
    >>> [message.hex(" ") for message in stream.feed(bytes([0]))]
    ['90 26 00']
    """

    def __init__(self) -> None:
        self.stray = 0  # bytes that were no part of a whole message
        self.skipped = 0  # system exclusive messages that were too long or broke off
        self._status = 0  # what data bytes belong to; 0: nothing
        self._data = bytearray()  # of the message that has begun, status byte first

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """The messages that these bytes complete, in order."""
        messages: list[bytes] = []
        held = self._data
        for byte in data:
            if byte < NOTE_OFF:
                if not self._status:
                    self.stray += 1
                elif self._status == SYSEX:
                    if len(held) < LONGEST_SYSEX:  # the rest of a longer one goes nowhere
                        held.append(byte)
                else:
                    if not held:
                        held.append(self._status)
                    held.append(byte)
                    if len(held) == LENGTHS[self._status]:
                        messages.append(bytes(held))
                        held.clear()
                        if self._status > SYSEX:
                            self._status = 0
            elif byte >= REALTIME:
                if byte not in UNDEFINED_REALTIME:
                    messages.append(bytes((byte,)))
            elif byte == END_OF_SYSEX and self._status == SYSEX and len(held) < LONGEST_SYSEX:
                held.append(byte)
                messages.append(bytes(held))
                held.clear()
                self._status = 0
            else:
                self._begin(byte, messages)
        return messages

    def _begin(self, status: int, messages: list[bytes]) -> None:
        """Give up what had begun, and begin a message of that status, or none."""
        if self._status == SYSEX:
            self.skipped += 1
        else:
            self.stray += len(self._data)
        self._data.clear()
        self._status = status if status == SYSEX or LENGTHS[status] > 1 else 0
        if status == SYSEX:
            self._data.append(status)
        elif LENGTHS[status] == 1:
            messages.append(bytes((status,)))
