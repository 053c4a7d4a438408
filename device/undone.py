"""Says in words what an undo or a redo has brought back. Changes nothing and knows no box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from device.settings import Settings, shown
from device.specs import KNOB_NAMES

MOST = 3  # changes that are named; of more the number is said

Change = tuple[str, Any, Any]


def changes(before: Settings, after: Settings) -> list[Change]:
    """Settings that differ, with both values; what differs alike in several voices, once.

    >>> changes(Settings(), Settings().changed("voices.swing", 0.6))
    [('voices.swing', 0.5, 0.6)]
    """
    found: dict[Change, list[str]] = {}
    for key, here, there in before.differences(after):
        group, _, name = key.rpartition(".")
        if key != "slots":  # what plays is told beside the settings
            alike = (f"voices.{name}" if group.startswith("voice.") else key, here, there)
            found.setdefault(alike, []).append(key)
    return [(key if len(keys) > 1 else keys[0], here, there) for (key, here, there), keys in found.items()]


def sentence(what: str, before: Sequence[Any], after: Sequence[Any]) -> str:
    """What was undone, from two moments, each (settings, knobs, slots).

    >>> sentence("undone", (Settings(), (0.6,) * 4, (1, 2)), (Settings(), (0.6, 0.5, 0.6, 0.6), (3,)))
    'undone: B 0.60 -> 0.50, slot 1 + 2 -> 3.'
    """
    knobs = zip(KNOB_NAMES, before[1], after[1], strict=True)
    told = [f"{name} {here:.2f} -> {there:.2f}" for name, here, there in knobs if here != there]
    told += [f"{key} {_word(here)} -> {_word(there)}" for key, here, there in changes(before[0], after[0])]
    if before[2] != after[2]:
        told.append(f"slot {_slots(before[2])} -> {_slots(after[2])}")
    more = [f"{len(told) - MOST} more"] if len(told) > MOST + 1 else []
    return f"{what}: {', '.join([*told[: MOST if more else None], *more]) or 'what it was about is gone'}."


def _word(value: Any) -> str:
    """A value for a reader; a word stands without quotes."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value or "nothing" if isinstance(value, str) else shown(value)


def _slots(numbers: Sequence[int]) -> str:
    return " + ".join(map(str, numbers)) or "by a file"
