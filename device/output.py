"""Writes what is due to the jacks and the MIDI ports, in one go, and keeps it on the tape.

Order at one instant: what ends, control changes, notes, then the jacks, all in one call. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from device.health import Health
from device.score import END, GATE, NOTE, Event
from device.sequencer import ACCENT, CLOCK, RESET, TRACKS
from device.specs import GATES
from device.tape import Tape
from hw.panel import Panel
from hw.table import JACKS_OUT
from hw.timing import Time

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0  # MIDI 1.0, with the channel in the lower half
RELEASE_VELOCITY = 64  # the standard's middle, for notes that have none
ALL_NOTES_OFF = 123
CHANNELS = 16
EVERY = -1  # of the outputs

# The jack of a track; a voice past the last gate has none.
JACK_OF = dict(zip((*range(GATES), ACCENT, CLOCK, RESET), JACKS_OUT, strict=True))

Key = tuple[int, int, int]  # output, channel, note


class Plan(NamedTuple):
    """What one instant writes: messages by output, levels by track, and what sounds on a track after it."""

    messages: list[tuple[int, bytes]]
    levels: dict[int, int]
    notes: dict[int, Key | None]


class Output:
    """The jacks and MIDI ports of a panel, and what sounds on them, so that it can be ended."""

    def __init__(self, panel: Panel, time: Time, health: Health, tape: Tape | None = None):
        self.panel = panel
        self.time = time
        self.health = health
        self.tape = tape
        self.levels = [0] * TRACKS
        self._notes: list[Key | None] = [None] * TRACKS  # what sounds on each track
        self._players: dict[Key, int] = {}  # on how many tracks a note sounds

    def prepare(self, events: Iterable[Event]) -> Plan:
        """What the events of one instant come to; nothing is written yet."""
        offs: list[tuple[int, bytes]] = []
        controls: list[tuple[int, bytes]] = []
        ons: list[tuple[int, bytes]] = []
        levels: dict[int, int] = {}
        notes: dict[int, Key | None] = {}
        players = dict(self._players) if self._players else {}

        def end(key: Key, into: list[tuple[int, bytes]]) -> None:
            left = players.get(key, 0) - 1
            if left > 0:
                players[key] = left  # another voice holds it
            else:
                players.pop(key, None)
                into.append((key[0], bytes((NOTE_OFF | key[1], key[2], RELEASE_VELOCITY))))

        for event in events:
            track, hit = event.track, event.hit
            if event.order == END:
                if (key := notes.get(track, self._notes[track])) is not None:
                    end(key, offs)
                    notes[track] = None
                levels[track] = 0
            elif event.order == NOTE:
                port = hit.port if hit.port < len(self.panel.midi) else EVERY
                new = (port, hit.channel, hit.note)
                if hit.cc >= 0:
                    controls.append((port, bytes((CONTROL | hit.channel, hit.cc, hit.velocity))))
                held = notes.get(track, self._notes[track])
                if held == new:
                    continue  # tied to the same note: it goes on
                if players.get(new):
                    ons.append((port, bytes((NOTE_OFF | hit.channel, hit.note, RELEASE_VELOCITY))))
                ons.append((port, bytes((NOTE_ON | hit.channel, hit.note, hit.velocity))))
                players[new] = players.get(new, 0) + 1
                notes[track] = new
                if held is not None:
                    end(held, ons)  # tied: the old note ends when the new one sounds
            elif event.order == GATE:
                levels[track] = 1
        levels = {track: level for track, level in levels.items() if level != self.levels[track]}
        return Plan(offs + controls + ons, levels, notes)

    def commit(self, plan: Plan, beat: float, due: int) -> None:
        """Write a plan, now."""
        for port, message in plan.messages:
            self._send(message, beat, due, port)
        for track, key in plan.notes.items():
            self._hold(track, key)
        self._set(plan.levels, beat, due)
        self.health.wrote(self.time.now() - due)

    def silence(self, beat: float) -> None:
        """Every note off and every jack low, now."""
        now = self.time.now()
        for port, channel, note in self._players:
            self._send(bytes((NOTE_OFF | channel, note, RELEASE_VELOCITY)), beat, now, port)
        self._players.clear()
        self._notes = [None] * TRACKS
        self._set({track: 0 for track, level in enumerate(self.levels) if level}, beat, now)

    def panic(self, beat: float) -> None:
        """Silence, and All Notes Off on every channel for what hangs elsewhere."""
        self.silence(beat)
        now = self.time.now()
        for channel in range(CHANNELS):
            self._send(bytes((CONTROL | channel, ALL_NOTES_OFF, 0)), beat, now)

    def send(self, message: bytes, beat: float, due: int) -> None:
        """Send a message that belongs to no track to every output: clock, transport, a program change."""
        self._send(message, beat, due)

    def _hold(self, track: int, key: Key | None) -> None:
        if (before := self._notes[track]) is not None:
            self._players[before] -= 1
            if not self._players[before]:
                del self._players[before]
        if key is not None:
            self._players[key] = self._players.get(key, 0) + 1
        self._notes[track] = key

    def _set(self, changes: dict[int, int], beat: float, due: int) -> None:
        if not changes:
            return
        jacks = {JACK_OF[track]: level for track, level in changes.items() if track in JACK_OF}
        if jacks:
            self.panel.jacks.write(jacks)
        at = self.time.now()
        for track, level in changes.items():
            self.levels[track] = level
        if self.tape:
            for name, level in jacks.items():
                self.tape.jack(beat, due, at, name, level)

    def _send(self, message: bytes, beat: float, due: int, port: int = EVERY) -> None:
        ports = self.panel.midi if port == EVERY else self.panel.midi[port : port + 1]
        for one in ports:
            one.send(message)
            if self.tape:
                self.tape.midi(beat, due, self.time.now(), one.name, message)
