"""Writes what is due to the jacks and the MIDI ports, in one go, and keeps it on the tape.

Order at one instant: what ends, then notes, then the jacks, all in one call. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from device.health import Health
from device.score import END, GATE, NOTE, Event
from device.sequencer import TRACKS
from device.tape import Tape
from hw.panel import Panel
from hw.table import JACKS_OUT
from hw.timing import Time

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0  # MIDI 1.0, with the channel in the lower half
RELEASE_VELOCITY = 64  # the standard's middle, for notes that have none
ALL_NOTES_OFF = 123
CHANNELS = 16


class Output:
    """The jacks and MIDI ports of a panel, and what sounds on them, so that it can be ended."""

    def __init__(self, panel: Panel, time: Time, health: Health, tape: Tape | None = None):
        self.panel = panel
        self.time = time
        self.health = health
        self.tape = tape
        self.levels = [0] * TRACKS
        self.names = list(JACKS_OUT)  # tracks and jacks have one order
        self._notes: list[tuple[int, int] | None] = [None] * TRACKS  # (channel, note) that sounds

    def write(self, events: Iterable[Event], beat: float, due: int) -> None:
        """Write the events of one instant."""
        changes: dict[int, int] = {}
        for event in events:
            if event.order == END:
                self._end_note(event.track, beat, due)
                changes[event.track] = 0
            elif event.order == NOTE:
                hit = event.hit
                self._end_note(event.track, beat, due)
                self._send(bytes((NOTE_ON | hit.channel, hit.note, hit.velocity)), beat, due)
                self._notes[event.track] = (hit.channel, hit.note)
            elif event.order == GATE:
                changes[event.track] = 1
        self._set(changes, beat, due)
        self.health.wrote(self.time.now() - due)

    def silence(self, beat: float) -> None:
        """Every note off and every jack low, now."""
        now = self.time.now()
        for track in range(TRACKS):
            self._end_note(track, beat, now)
        self._set(dict.fromkeys(range(TRACKS), 0), beat, now)

    def panic(self, beat: float) -> None:
        """Silence, and All Notes Off on every channel for what hangs elsewhere."""
        self.silence(beat)
        now = self.time.now()
        for channel in range(CHANNELS):
            self._send(bytes((CONTROL | channel, ALL_NOTES_OFF, 0)), beat, now)

    def _set(self, changes: dict[int, int], beat: float, due: int) -> None:
        changes = {track: level for track, level in changes.items() if level != self.levels[track]}
        if not changes:
            return
        self.panel.jacks.write({self.names[track]: level for track, level in changes.items()})
        at = self.time.now()
        for track, level in changes.items():
            self.levels[track] = level
            if self.tape:
                self.tape.jack(beat, due, at, self.names[track], level)

    def _end_note(self, track: int, beat: float, due: int) -> None:
        sounding = self._notes[track]
        if sounding is not None:
            channel, note = sounding
            self._notes[track] = None
            self._send(bytes((NOTE_OFF | channel, note, RELEASE_VELOCITY)), beat, due)

    def _send(self, message: bytes, beat: float, due: int) -> None:
        for port in self.panel.midi:
            port.send(message)
            if self.tape:
                self.tape.midi(beat, due, self.time.now(), port.name, message)
