"""Undo and redo: what a player changed, in order. Keeps what it is given; changes nothing itself."""

from __future__ import annotations

from typing import Generic, TypeVar

KEPT = 32  # changes that can be undone
GESTURE_NS = 1_000_000_000  # turns of a thing with no longer pause between them are one change

State = TypeVar("State")


class History(Generic[State]):
    """States before each change, the latest last, and those that were undone.

    >>> history = History[str]()
    >>> history.changed("bpm", before="120", now=0)
    >>> history.undo("130"), history.redo("120"), history.redo("130")
    ('120', '130', None)
    """

    def __init__(self) -> None:
        self._before: list[State] = []
        self._undone: list[State] = []
        self._gesture: set[str] = set()  # what is being turned: two hands may turn two things at once
        self._when = 0

    def changed(self, what: str, before: State, now: int, within: int = GESTURE_NS) -> None:
        """Something is about to change at `now` (ns); again `within` a while, it is still the same change."""
        if now - self._when >= within:
            self._gesture.clear()
        if what not in self._gesture:
            self._before.append(before)
            del self._before[:-KEPT]
        self._gesture.add(what)
        self._when = now
        self._undone.clear()

    def rest(self) -> None:
        """What comes next is another change, however soon."""
        self._gesture.clear()

    def undo(self, now: State) -> State | None:
        """The state before the last change; None where there is none."""
        return self._step(self._before, self._undone, now)

    def redo(self, now: State) -> State | None:
        """The state that was undone last; None where there is none."""
        return self._step(self._undone, self._before, now)

    def _step(self, source: list[State], target: list[State], now: State) -> State | None:
        self.rest()
        while source and source[-1] == now:  # turned there and back: nobody would notice
            source.pop()
        if not source:
            return None
        target.append(now)
        return source.pop()
