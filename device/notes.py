"""Which notes sound on which track, and what the events of an instant come to. Writes nothing, sees no port.

Two voices may share a note of an output: it sounds there until the last of them has ended it. A note that is
tied to the next ends when that has begun; tied to an equal one it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from device.score import END, GATE, NOTE, Event
from device.sequencer import TRACKS, Hit

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0  # MIDI 1.0, with the channel in the lower half
RELEASE_VELOCITY = 64  # the standard's middle, for notes that have none

Key = tuple[int, int, int]  # output, channel, note
SILENT: tuple[Key, ...] = ()


class Plan(NamedTuple):
    """What one instant writes: messages by output, levels by track, and what sounds on a track after it."""

    messages: list[tuple[int, bytes]]
    levels: dict[int, int]
    notes: dict[int, tuple[Key, ...]]


class Notes:
    """What sounds on every track of so many outputs, and which gates are up."""

    def __init__(self, outputs: int = 1) -> None:
        self.levels = [0] * TRACKS
        self._outputs = outputs
        self._notes = [SILENT] * TRACKS  # what sounds on each track
        self._players: dict[Key, int] = {}  # on how many tracks a note sounds

    def prepare(self, events: Iterable[Event]) -> Plan:
        """What the events of one instant come to; nothing is written yet."""
        offs: list[tuple[int, bytes]] = []
        controls: list[tuple[int, bytes]] = []
        ons: list[tuple[int, bytes]] = []
        levels: dict[int, int] = {}
        notes: dict[int, tuple[Key, ...]] = {}
        players = dict(self._players) if self._players else {}

        def end(keys: tuple[Key, ...], into: list[tuple[int, bytes]]) -> None:
            for key in keys:
                left = players.get(key, 0) - 1
                if left > 0:
                    players[key] = left  # another voice holds it
                else:
                    players.pop(key, None)
                    into.append((key[0], bytes((NOTE_OFF | key[1], key[2], RELEASE_VELOCITY))))

        for event in events:
            track, hit = event.track, event.hit
            if event.order == END:
                end(notes.get(track, self._notes[track]), offs)
                notes[track] = SILENT
                levels[track] = 0
            elif event.order == NOTE:
                new = self._keys(hit)
                if hit.cc >= 0:
                    change = bytes((CONTROL | hit.channel, hit.cc, hit.velocity))
                    controls += [(key[0], change) for key in new]
                held = notes.get(track, self._notes[track])
                notes[track] = new
                for key in new:
                    if key in held:
                        continue  # tied to the same note: it goes on
                    if players.get(key):
                        ons.append((key[0], bytes((NOTE_OFF | hit.channel, hit.note, RELEASE_VELOCITY))))
                    ons.append((key[0], bytes((NOTE_ON | hit.channel, hit.note, hit.velocity))))
                    players[key] = players.get(key, 0) + 1
                gone = tuple(key for key in held if key not in new) if held != new else SILENT
                end(gone, ons)  # tied: the old note ends when the new one sounds
            elif event.order == GATE:
                levels[track] = 1
        levels = {track: level for track, level in levels.items() if level != self.levels[track]}
        return Plan(offs + controls + ons, levels, notes)

    def take(self, plan: Plan) -> None:
        """The plan has been written."""
        for track, keys in plan.notes.items():
            self._hold(track, keys)
        for track, level in plan.levels.items():
            self.levels[track] = level

    def end(self) -> Plan:
        """What ends all that sounds; it is taken as written."""
        messages = [(key[0], bytes((NOTE_OFF | key[1], key[2], RELEASE_VELOCITY))) for key in self._players]
        levels = {track: 0 for track, level in enumerate(self.levels) if level}
        self._players.clear()
        self._notes = [SILENT] * TRACKS
        self.levels = [0] * TRACKS
        return Plan(messages, levels, {})

    def _keys(self, hit: Hit) -> tuple[Key, ...]:
        """The note of a hit on each output it goes to: its own where that is there, else every one."""
        ports = (hit.port,) if 0 <= hit.port < self._outputs else range(self._outputs)
        return tuple((port, hit.channel, hit.note) for port in ports)

    def _hold(self, track: int, keys: tuple[Key, ...]) -> None:
        for key in self._notes[track]:
            self._players[key] -= 1
            if not self._players[key]:
                del self._players[key]
        for key in keys:
            self._players[key] = self._players.get(key, 0) + 1
        self._notes[track] = keys
