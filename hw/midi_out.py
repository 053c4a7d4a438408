"""MIDI outputs. Carries bytes; knows of notes only which sound, so that none is left hanging."""

from __future__ import annotations

from collections.abc import Sequence

from hw.midi_port import OUT, MidiPort, open_midi_port
from hw.sounding import NOTE_OFF, Sounding


class MidiOut:
    """A virtual output that others connect to; `open_midi_out` makes one. Its twin is `hw.sim.SimMidi`."""

    def __init__(self, port: MidiPort) -> None:
        self.name = port.name
        self.system = port.system
        self.listed = port.listed
        self.errors = 0  # messages that went nowhere
        self._port: MidiPort | None = port
        self._rtmidi = port.rtmidi
        self._server = port.server
        self._notes = Sounding()

    @property
    def complaint(self) -> str:
        """A sentence where messages are lost, or empty."""
        return (
            f"MIDI: {self.errors} messages went nowhere; does {self.system} still run?" if self.errors else ""
        )

    @property
    def sounding(self) -> set[tuple[int, int]]:
        """The notes that have begun and not ended, as (channel, note)."""
        return set(self._notes.now)

    def send(self, message: Sequence[int]) -> bool:
        """Send one whole message now. False where it went nowhere; never raises, never waits."""
        try:
            ends = message[0] & 0xF0 == NOTE_OFF
            if self._server is not None and not self._server.takes(len(message), ends):
                raise BlockingIOError
            self._rtmidi.send_message(message)
        except Exception:
            self.errors += 1
            return False
        self._notes.follow(message)
        return True

    def missed(self) -> list[bytes]:
        """What ends all that may hang in something that was just plugged in again: it missed its note-offs.

        A port has one stream for all who listen, so the music must not suffer: these are note-offs for the
        notes that it has ever played and that do not sound now. Whoever listened all along hears nothing.
        """
        return self._notes.old_endings()

    def close(self) -> None:
        """End what still sounds and take the port away. Safe to call twice."""
        if self._port is None:
            return
        for message in self._notes.endings():
            self.send(message)
        self._port.close()
        self._port = self._rtmidi = self._server = None


def open_midi_out(name: str, number: int = 0) -> MidiOut:
    """A virtual output called `name`, for others to connect to; of several, that number from 1 on.

    Raises PanelError with a sentence that says what is missing and what to install.
    """
    return MidiOut(open_midi_port(OUT, name, number))
