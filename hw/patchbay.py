"""Keeps our MIDI ports connected, by name, with what is plugged in. Carries no MIDI and opens nothing itself.

The engine opens its ports once and never touches them again; what stands here runs in another process and
connects them as a hand with cables would. Unplugging and plugging in again cannot disturb who plays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

EVERYTHING = "*"  # as a wish: all hardware
Wish = tuple[str, str]  # our port as it is listed, and the name or glob of what it shall be connected with
Event = tuple[str, str, str]  # "connected", "gone" or "refused"; our port; theirs
Cable = tuple[Hashable, Hashable]  # keys of a source and a sink


@dataclass(frozen=True)
class Port:
    """One way of somebody's port: out of it (`source`) or into it."""

    key: Hashable  # what the system knows it by; one that was plugged in again can have another
    client: str
    name: str  # "client:port"
    source: bool
    own: bool
    hardware: bool


class PortSystem(Protocol):
    """A system with ports that a third party may connect: `hw.patch_systems` has two."""

    def ports(self, own: Iterable[str]) -> list[Port]: ...

    def cables(self, port: Port) -> set[Cable]: ...

    def connect(self, source: Port, sink: Port) -> None: ...

    def disconnect(self, source: Port, sink: Port) -> None: ...

    def close(self) -> None: ...


def wanted_by(name: str, port: Port) -> bool:
    """True where a wish means that port of somebody else, whether in capitals or not.

    >>> synth = Port(1, "TR-8S", "TR-8S:TR-8S MIDI 1", source=False, own=False, hardware=True)
    >>> [wanted_by(name, synth) for name in ("tr-8*", "TR-8S", "*midi 1", "*", "TR", "TR-8S:*2")]
    [True, True, True, True, False, False]
    """
    if port.own:
        return False
    if name == EVERYTHING:
        return port.hardware
    name = name.lower()
    return any(name == its or fnmatchcase(its, name) for its in (port.name.lower(), port.client.lower()))


class PatchBay:
    """Connects what is wished for as soon as it is there, and tells what came and went."""

    def __init__(self, system: PortSystem) -> None:
        self._system = system
        self._held: dict[Cable, tuple[Port, Port]] = {}  # cables that were wished for and are there
        self._refused: set[Cable] = set()

    def sync(self, own: Iterable[str], wishes: Iterable[Wish]) -> list[Event]:
        """Look once, and mend what is not as it was wished for. `own` names our ports as they are listed."""
        own = set(own)
        ports = self._system.ports(own)
        ours = [port for port in ports if port.own]
        wanted = _cables(ports, ours, wishes)
        there: set[Cable] = set().union(*map(self._system.cables, ours))
        events: list[Event] = []
        for cable, (source, sink) in list(self._held.items()):
            if cable in there and cable in wanted:
                continue
            if cable in there:
                with contextlib.suppress(Exception):  # it went this very moment
                    self._system.disconnect(source, sink)
            del self._held[cable]
            events.append(_event("gone", source, sink))
        for cable, (source, sink) in wanted.items():
            if cable in self._held:
                continue
            if cable not in there:
                try:
                    self._system.connect(source, sink)
                except Exception:
                    if cable not in self._refused and self._has(own, source, sink):
                        self._refused.add(cable)
                        events.append(_event("refused", source, sink))
                    continue
            self._held[cable] = (source, sink)
            events.append(_event("connected", source, sink))
        self._refused &= wanted.keys()
        self._refused -= self._held.keys()
        return events

    def _has(self, own: set[str], *ports: Port) -> bool:
        """Whether these are there still: what went this very moment refuses nothing."""
        return {port.key for port in ports} <= {port.key for port in self._system.ports(own)}


def _cables(ports: list[Port], ours: list[Port], wishes: Iterable[Wish]) -> dict[Cable, tuple[Port, Port]]:
    """What shall be connected, of the ports that are there."""
    cables = {}
    for name, wanted in wishes:
        for our in ours:
            for port in ports:
                if our.name == name and port.source != our.source and wanted_by(wanted, port):
                    source, sink = (our, port) if our.source else (port, our)
                    cables[(source.key, sink.key)] = (source, sink)
    return cables


def _event(what: str, source: Port, sink: Port) -> Event:
    ours, theirs = (source, sink) if source.own else (sink, source)
    return what, ours.name, theirs.name
