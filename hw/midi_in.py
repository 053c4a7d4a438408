"""MIDI inputs: what arrived and when. Knows not what a message means, and calls nobody back.

RtMidi hears on a thread of its own and keeps what it hears until it is asked. A callback instead would take
the interpreter from the engine at any time, and closing such a port can wait for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hw.arrivals import Arrivals
from hw.midi_port import IN, MidiPort, open_midi_port
from hw.stream import REALTIME, SYSEX, MidiStream

MOST_GIVEN = 64  # messages of one call
MOST_TAKEN = 128  # from RtMidi in one call: what is more than 64 is let go, but for clock, start and stop
WATCH_NS = 1_000_000_000  # between two looks at the JACK server


class MidiIn:
    """A virtual input that others connect to; `open_midi_in` makes one. Its twin is `hw.sim.SimMidiIn`.

    System exclusive messages do not come out: to take a dump of a megabyte would hold up the music.
    """

    def __init__(self, port: MidiPort, now: Callable[[], int] = time.monotonic_ns) -> None:
        self.name = port.name
        self.system = port.system
        self.listed = port.listed
        self.complaint = ""  # a sentence while nothing can arrive
        self._port: MidiPort | None = port
        self._rtmidi = port.rtmidi
        self._server = port.server
        # Over JACK RtMidi loses the time that passed before a message it ignores, so all are taken there.
        self._rtmidi.ignore_types(sysex=port.system != "JACK", timing=False, active_sense=False)
        self._now = now
        self._arrivals = Arrivals()
        self._stream = MidiStream()
        self._let_go = 0
        self._emptied = now()  # when nothing waited
        self._watched = self._emptied

    @property
    def errors(self) -> int:
        """Messages that were let go in a flood, and bytes that belonged to no message."""
        return self._let_go + self._stream.stray

    def receive(self) -> list[tuple[int, bytes]]:
        """What has arrived since the last call, oldest first: (ns, whole message), 64 at the most.

        The time is that of CLOCK_MONOTONIC when it arrived, however late this is called. Never waits, never
        raises.
        """
        if self._rtmidi is None:
            return []
        asked = self._now()
        if self._server is not None and asked - self._watched > WATCH_NS:
            self._watched = asked
            stopped = not self._server.went_on()
            self.complaint = f"MIDI in: JACK stopped, so {self.listed} hears nothing." if stopped else ""
        events = []
        try:
            while (event := self._rtmidi.get_message()) is not None:
                events.append(event)
                if len(events) == MOST_TAKEN:
                    break
            if not events:
                self._emptied = asked
                return []
            since, now = self._emptied, self._now()
            if len(events) < MOST_TAKEN:
                self._emptied = asked
            received: list[tuple[int, bytes]] = []
            times = self._arrivals.times([delta for _, delta in events], since, now)
            for at, (data, _) in zip(times, events, strict=True):
                for message in self._stream.feed(bytes(data)):
                    if message[0] == SYSEX:
                        continue
                    if len(received) < MOST_GIVEN or (message[0] >= REALTIME and len(received) < MOST_TAKEN):
                        received.append((at, message))
                    else:
                        self._let_go += 1
        except Exception as error:
            self.complaint = f"MIDI in: {self.listed} cannot be read ({error}); start again."
            return []
        return received

    def close(self) -> None:
        """Take the port away. Safe to call twice."""
        if self._port is not None:
            self._port.close()
            self._port = self._rtmidi = self._server = None


def open_midi_in(name: str, number: int = 0) -> MidiIn:
    """A virtual input called `name`, for others to connect to; of several, that number from 1 on.

    Raises PanelError with a sentence that says what is missing and what to install.
    """
    return MidiIn(open_midi_port(IN, name, number))
