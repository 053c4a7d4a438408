"""Writes what is due to the jacks and the MIDI ports, in one go, and keeps it on the tape.

Order at one instant: what ends, control changes, notes, then the jacks, all in one call. The messages are
begun earlier, by the longest that they have taken of late and a little more, so that the jacks change on
time; those are never early. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from device.health import Health
from device.notes import CONTROL, Notes, Plan
from device.score import Event
from device.sequencer import ACCENT, CLOCK, RESET
from device.specs import GATES
from device.tape import Tape
from hw.panel import Panel
from hw.table import JACKS_OUT
from hw.timing import Time

ALL_NOTES_OFF = 123
CHANNELS = 16
EVERY = -1  # of the outputs
MESSAGE_NS = 150_000  # the longest that one message is expected to take, however slow the last ones were
MESSAGES_NS = 400_000  # and all of an instant together
FORGETS = 32  # instants in which a slow message is forgotten, about

# The jack of a track; a voice past the last gate has none.
JACK_OF = dict(zip((*range(GATES), ACCENT, CLOCK, RESET), JACKS_OUT, strict=True))


class Output:
    """The jacks and MIDI ports of a panel, and what sounds on them, so that it can be ended."""

    def __init__(self, panel: Panel, time: Time, health: Health, tape: Tape | None = None):
        self.panel = panel
        self.time = time
        self.health = health
        self.tape = tape
        self._notes = Notes(len(panel.midi))
        self.rose: set[int] = set()  # tracks whose jack has risen since the lamps looked, who take them away
        self._message_ns = 0  # the longest that a message took of late

    @property
    def levels(self) -> list[int]:
        """Which gates are up, by track."""
        return self._notes.levels

    def prepare(self, events: Iterable[Event]) -> Plan:
        """What the events of one instant come to; nothing is written yet."""
        return self._notes.prepare(events)

    def lead_ns(self, plan: Plan) -> int:
        """How long before its instant a plan is to be begun, for its jacks to change at that instant."""
        return min(MESSAGES_NS, len(plan.messages) * self._message_ns)

    def commit(self, plan: Plan, beat: float, due: int) -> None:
        """Write a plan: its messages now, its jacks when it is due."""
        if plan.messages:
            begun = self.time.now()
            for port, message in plan.messages:
                self._send(message, beat, due, port)
            each = min(MESSAGE_NS, (self.time.now() - begun) // len(plan.messages))
            self._message_ns = max(each, self._message_ns - self._message_ns // FORGETS)
        if plan.levels:
            self.time.sleep_until(due)
        self._set(plan.levels, beat, due)
        self._notes.take(plan)
        self.health.wrote(self.time.now() - due)

    def silence(self, beat: float) -> None:
        """Every note off and every jack low, now."""
        now = self.time.now()
        plan = self._notes.end()
        for port, message in plan.messages:
            self._send(message, beat, now, port)
        self._set(plan.levels, beat, now)

    def panic(self, beat: float) -> None:
        """Silence, and All Notes Off on every channel for what hangs elsewhere."""
        self.silence(beat)
        now = self.time.now()
        for channel in range(CHANNELS):
            self._send(bytes((CONTROL | channel, ALL_NOTES_OFF, 0)), beat, now)

    def hush(self, port: int, beat: float) -> None:
        """End what may hang in something that came back to an output; what sounds now sounds on."""
        now = self.time.now()
        for message in self.panel.midi[port].missed():
            self._send(message, beat, now, port)

    def send(self, message: bytes, beat: float, due: int) -> None:
        """Send a message that belongs to no track to every output: clock, transport, a program change."""
        self._send(message, beat, due)

    def _set(self, changes: dict[int, int], beat: float, due: int) -> None:
        if not changes:
            return
        jacks = {JACK_OF[track]: level for track, level in changes.items() if track in JACK_OF}
        if jacks:
            self.panel.jacks.write(jacks)
        at = self.time.now()
        self.rose.update(track for track, level in changes.items() if level)
        if self.tape:
            for name, level in jacks.items():
                self.tape.jack(beat, due, at, name, level)

    def _send(self, message: bytes, beat: float, due: int, port: int = EVERY) -> None:
        ports = self.panel.midi if port == EVERY else self.panel.midi[port : port + 1]
        for one in ports:
            one.send(message)
            if self.tape:
                self.tape.midi(beat, due, self.time.now(), one.name, message)
