"""How a knob takes over a value that has been set elsewhere. Knows no settings and no panel.

After a recall, at power-on and when a layer changes, a knob does not stand where its value is. It may not
make the value jump, and no part of its travel may be dead.
"""

from __future__ import annotations

SAME = 1 / 1024  # of the travel, a position of the converter: a knob that is so near to its value has it
SLOWEST, FASTEST = 0.1, 10.0  # how fast a value may move against its knob (Plaits clamps its skew alike)


def taken_over(value: float, before: float, now: float, mode: str = "catch-up") -> float:
    """The value 0..1 after a knob has been turned from `before` to `now`, both 0..1.

    "catch-up": the value moves with the knob, faster or slower, so that both reach the end of the travel
    together, and are one from where they meet. "pick-up": it waits until the knob passes it. "jump": it
    is where the knob is.

    >>> taken_over(0.5, before=0.75, now=0.875)
    0.75
    >>> taken_over(0.5, before=0.75, now=0.875, mode="pick-up")
    0.5
    """
    if now == before:
        return value
    together = abs(value - before) <= SAME
    if mode == "jump" or together:
        return now
    if mode == "pick-up":
        return now if min(before, now) <= value <= max(before, now) else value
    up = now > before
    room, travel = (1.0 - value, 1.0 - before) if up else (value, before)
    pace = min(FASTEST, max(SLOWEST, room / travel if travel > 0 else FASTEST))
    moved = value + (now - before) * pace
    if (value < before) != (moved < now) and value != before:  # they have met
        return now
    return min(1.0, max(0.0, moved))
