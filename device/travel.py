"""The travel of a knob, 0..1, as the values of a setting, and back. Sets none of them.

A switch has two halves; what is counted or chosen has as many even pieces as there are values; all else goes
evenly, or by ratio.
"""

from __future__ import annotations

from math import log
from typing import Any

from device.errors import SettingsError
from device.settings import shown
from device.specs import Spec

ON = 0.5  # a share of the travel from which a switch is on


def place_at(share: float, count: int) -> int:
    """Which of so many even pieces of the travel a share lies in.

    >>> [place_at(share, 4) for share in (0.0, 0.3, 1.0)]
    [0, 1, 3]
    """
    return min(count - 1, max(0, int(share * count)))


def share_at(place: int, count: int) -> float:
    """The middle of one of so many even pieces of the travel."""
    return (place + 0.5) / count


def value_at(spec: Spec, share: float) -> Any:
    """The value of a setting at a share of its travel; SettingsError where it has none."""
    share = min(1.0, max(0.0, share))
    if spec.kind is bool:
        return share >= ON
    if spec.choices:
        return spec.choices[place_at(share, len(spec.choices))]
    if spec.most or spec.kind is str:
        raise SettingsError(f"{shown(spec.says)}: cannot be turned, only set")
    if spec.kind is int:
        return int(spec.low) + place_at(share, int(spec.high - spec.low) + 1)
    if spec.by_ratio:
        return round(spec.low * (spec.high / spec.low) ** share, 4)
    return round(spec.low + share * (spec.high - spec.low), 4)


def share_of(spec: Spec, value: Any) -> float | None:
    """Where on its travel a value of a setting is; None where it has none."""
    if spec.kind is bool:
        return 0.75 if value else 0.25
    if spec.choices:
        return share_at(spec.choices.index(value), len(spec.choices))
    if spec.most or spec.kind is str:
        return None
    if spec.kind is int:
        return share_at(int(value - spec.low), int(spec.high - spec.low) + 1)
    if spec.by_ratio:
        return log(value / spec.low) / log(spec.high / spec.low)
    return (value - spec.low) / (spec.high - spec.low)
