"""What the counts of a knob or a CV mean: two points of each, measured once. Reads no chip and no file.

>>> at_0_and_5_volts((-5, 5), (1000, 20))
(510.0, 20.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw.table import COUNTS, CV_COUNTS, CV_VOLTS, CVS, KNOBS

APART = 100  # counts: two points that are nearer tell noise, not travel
VOLTS_APART = 1.0
MOST_VOLTS = 12.0  # either way: what a rack gives

Points = tuple[float, float]  # counts


@dataclass(frozen=True)
class Calibration:
    """Counts of each knob fully left and fully right, and of each CV at 0 V and at 5 V. Either may fall."""

    knobs: tuple[Points, ...] = ((0, COUNTS),) * len(KNOBS)
    cv: tuple[Points, ...] = (CV_COUNTS["unipolar"],) * len(CVS)

    def ends(self, channel: int) -> Points:
        """The counts of a channel that mean 0 and 1."""
        return self.knobs[channel] if channel < len(KNOBS) else self.cv[channel - len(KNOBS)]


def reference(circuits: Sequence[str] = ()) -> Calibration:
    """What the reference circuit gives, where nothing was measured; each CV as it is built, "bipolar" say."""
    named = [CV_COUNTS.get(circuit, CV_COUNTS["unipolar"]) for circuit in circuits]
    return Calibration(cv=tuple(named)) if named else Calibration()


def at_0_and_5_volts(volts: tuple[float, float], counts: Points) -> Points:
    """The counts of a CV at 0 V and at 5 V, from its counts at two other voltages."""
    slope = (counts[1] - counts[0]) / (volts[1] - volts[0])
    return counts[0] - volts[0] * slope, counts[0] + (CV_VOLTS - volts[0]) * slope


REFERENCE = Calibration()
