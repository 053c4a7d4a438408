"""Sends at one end of a cable and listens at the other: what came, and how much later. Asks nobody."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from hw.din import DinIn, DinOut, Serial
from hw.errors import PanelError
from hw.midi_in import open_midi_in
from hw.midi_out import open_midi_out
from hw.panel import Jacks, Midi, MidiInput
from hw.patch_systems import open_ports
from hw.timing import RealTime, Time

COUNT = 50  # pulses, or messages
UP_NS = DOWN_NS = 5_000_000  # of a pulse
MESSAGE_NS = 5_000_000  # from one message to the next
SETTLE_NS = 50_000_000
NOTE = 0x90


@dataclass
class Heard:
    """What came of so many that were sent; `delays` in ns, of those that came."""

    sent: int = 0
    seen: int = 0
    delays: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.delays:
            return f"{self.sent} sent, {self.seen} seen"
        half, worst = statistics.median(self.delays) / 1000, max(self.delays) / 1000
        return f"{self.sent} sent, {self.seen} seen: half within {half:.0f} us, worst {worst:.0f} us"


def over_jumper(jacks: Jacks, time: Time, out: str, into: str) -> Heard:
    """Pulses from an output jack to an input jack, timed by the kernel's stamps."""
    heard = Heard()
    jacks.arrived()  # what came before is not ours
    for _ in range(COUNT):
        begun = time.now()
        jacks.write({out: 1})
        time.sleep_until(begun + UP_NS)
        jacks.write({out: 0})
        time.sleep_until(begun + UP_NS + DOWN_NS)
        edges = [at for name, at, rising in jacks.arrived() if name == into and rising]
        heard.sent += 1
        heard.seen += len(edges)
        heard.delays += [edges[0] - begun] if edges else []
    return heard


def over_ports() -> Heard:
    """Notes from a port of ours to another of ours, through the system that MIDI goes through here.

    PanelError where there is none, or it connects nothing.
    """
    out = open_midi_out("Fathom doctor")
    try:
        into = open_midi_in("Fathom doctor")
        try:
            _connect(out.system, out.listed, into.listed)
            return _play(out, into, RealTime())
        finally:
            into.close()
    finally:
        out.close()


def over_din(serial: Serial, time: Time) -> Heard:
    """Notes from the DIN output to the DIN input."""
    return _play(DinOut(serial), DinIn(serial), time)


def _connect(system: str, source: str, sink: str) -> None:
    ports = open_ports(system, os.getpid())
    try:
        there = ports.ports([source, sink])
        ours = {port.name: port for port in there if port.own}
        if source not in ours or sink not in ours:
            raise PanelError(f"MIDI: {system} does not list {source if source not in ours else sink}.")
        ports.connect(ours[source], ours[sink])
    finally:
        ports.close()


def _play(out: Midi, into: MidiInput, time: Time) -> Heard:
    heard = Heard()
    sent: dict[int, int] = {}
    _wait(time, SETTLE_NS)
    into.receive()

    def listen(until: int, enough: Callable[[], bool]) -> None:
        while time.now() < until and not enough():
            for at, message in into.receive():
                if message[0] & 0xF0 == NOTE and len(message) == 3 and message[1] in sent:
                    heard.seen += 1
                    heard.delays.append(max(0, at - sent.pop(message[1])))
            _wait(time, MESSAGE_NS // 10)

    for note in range(COUNT):
        sent[note] = time.now()
        out.send(bytes((NOTE, note, 0)))  # without a sound, should something else listen
        heard.sent += 1
        listen(sent[note] + MESSAGE_NS, enough=lambda: False)
    listen(time.now() + SETTLE_NS * 4, enough=lambda: not sent)
    return heard


def _wait(time: Time, ns: int) -> None:
    time.sleep_until(time.now() + ns, exact=False)
