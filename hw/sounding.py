"""Which notes sound, told from the messages that were sent. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence

NOTE_OFF, NOTE_ON = 0x80, 0x90
RELEASE_VELOCITY = 64


class Sounding:
    """Which notes sound, as (channel, note), from the messages that were sent; and which ever did."""

    def __init__(self) -> None:
        self.now: set[tuple[int, int]] = set()
        self.ever: set[tuple[int, int]] = set()

    def follow(self, message: Sequence[int]) -> None:
        if len(message) == 3 and message[0] & 0xE0 == NOTE_OFF:  # a note on or off
            note = (message[0] & 0x0F, message[1])
            if message[0] >= NOTE_ON and message[2]:
                self.now.add(note)
                self.ever.add(note)
            else:
                self.now.discard(note)

    def endings(self) -> list[bytes]:
        """A note-off for every note that sounds."""
        return _note_offs(self.now)

    def old_endings(self) -> list[bytes]:
        """A note-off for every note that has sounded and does so no more."""
        return _note_offs(self.ever - self.now)


def _note_offs(notes: set[tuple[int, int]]) -> list[bytes]:
    return [bytes((NOTE_OFF | channel, note, RELEASE_VELOCITY)) for channel, note in sorted(notes)]
