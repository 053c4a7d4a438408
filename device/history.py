"""Undo and redo: what a player changed, in order. Keeps what it is given; changes nothing itself."""

from __future__ import annotations

from typing import Generic, TypeVar

KEPT = 32  # changes that can be undone
GESTURE_NS = 1_000_000_000  # turns of one thing with no longer pause between them are one change

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
        self._what = ""
        self._when = 0

    def changed(self, what: str, before: State, now: int) -> None:
        """Something is about to change at `now` (ns); turns that follow each other closely are one change."""
        gesture = what == self._what and now - self._when < GESTURE_NS and bool(self._before)
        self._what, self._when = what, now
        self._undone.clear()
        if not gesture:
            self._before.append(before)
            del self._before[:-KEPT]

    def undo(self, now: State) -> State | None:
        """The state before the last change; None where there is none."""
        return self._step(self._before, self._undone, now)

    def redo(self, now: State) -> State | None:
        """The state that was undone last; None where there is none."""
        return self._step(self._undone, self._before, now)

    def _step(self, source: list[State], target: list[State], now: State) -> State | None:
        self._what = ""
        if not source:
            return None
        target.append(now)
        return source.pop()
