"""The words of the report: counts, values and sentences that its chapters share. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from device.slot import NOT_MEANT, Report
from training.attributes import BEYOND_HITS
from training.survey import CHANGE, Survey, Sweep

LETTERS = "ABCD"  # of the knobs
ONE_PATTERN = "this network makes next to one pattern of all these takes. Learn them without --architecture."
NEAR_ONE = 1.05  # times nearer than a randomiser, below which it is no better


class Followed(NamedTuple):
    """How an attribute that is followed along a knob is told."""

    called: str  # above its curve, which is narrow
    does: str  # what turning the knob up does
    means: str  # what its values are
    told: str = "{:.0f}"  # how a value is written,
    factor: float = 1.0  # times this,
    after: str = ""  # and what comes after it in a sentence


FOLLOWED = {
    "busy": Followed("busy", "makes it busier", "number of hits", after=" hits"),
    "off-beat": Followed(
        "off-beat",
        "moves it off the beat",
        "mean place of the hits, from 0 on the bar to 4 between the eighths",
        "{:.1f}",
        after=" of 4",
    ),
    "fill": Followed(
        "fill %",
        "puts hits into the second bar",
        "hits of bar 2 less those of bar 1, in % of all",
        "{:+.0f}",
        100.0,
        " %",
    ),
    "syncopated": Followed(
        "synco. %",
        "syncopates it",
        "hits before a rest on a stronger step",
        "{:.0f}",
        100.0,
        " %",
    ),
    "late in the bar": Followed(
        "place %",
        "moves it later in the bar",
        "mean place in the bar",
        "{:.0f}",
        100.0,
        " %",
    ),
    "uneven": Followed(
        "uneven", "makes it uneven", "how much the distances from hit to hit differ", "{:.2f}"
    ),
    "late": Followed("change", "lays it back", "steps that differ from the middle"),
    "contrast": Followed("change", "makes loud and soft differ more", "steps that differ from the middle"),
    "no attribute": Followed("change", "changes it", "steps that differ from the middle"),
    "A, finely": Followed("change", "turns A finely", "steps that differ from the middle"),
    "B, finely": Followed("change", "turns B finely", "steps that differ from the middle"),
}
# What has no attribute, or one that is not known here.
CHANGES = Followed("change", "changes what remains", "steps that differ from the middle")
# Words for a meaning, from which figure on.
SURE = (
    (0.9, "surely"),
    (0.7, "mostly"),
    (0.4, "somewhat"),
    (float("-inf"), "hardly"),
)


def followed(attribute: str) -> Followed:
    """How an attribute is told; one that has no words here is shown as what changes.

    >>> followed("busy").does, followed("push").does, followed("push").called
    ('makes it busier', 'raises push', 'change')
    """
    told = FOLLOWED.get(attribute, CHANGES)
    known = attribute in FOLLOWED or attribute == CHANGE
    return told if known else told._replace(does=f"raises {attribute}")


def does(knob: str, sweep: Sweep, report: Report) -> str:
    """What turning a knob does, in a sentence."""
    way = followed(sweep.attribute)
    if _dead(sweep):
        return f"{knob} changes nothing."
    if sweep.attribute in NOT_MEANT or sweep.attribute not in FOLLOWED or knob not in report.meaning:
        most = int(sweep.values.max())
        if not most:
            return f"{knob} {way.does}, but only where the others are not in the middle."
        return f"{knob} {way.does}: up to {counted(most, 'step')}."
    sure = next(word for least, word in SURE if report.meaning[knob] >= least)
    start, end = (value_of(sweep.attribute, sweep.values[at]) for at in (0, -1))
    if way.called == CHANGES.called or start == end:
        return f"{knob} {sure} {way.does}."
    return f"{knob} {sure} {way.does} (from {start} to {end}{way.after})."


def _dead(sweep: Sweep) -> bool:
    """Whether a knob changes nothing that is heard; of some attributes no hit tells."""
    return not sweep.alive and sweep.attribute not in BEYOND_HITS


def do_all(seen: Survey, report: Report, ours: bool = True) -> str:
    """What the knobs do, a sentence for each; those that do nothing share one. `ours`: the usual network."""
    says = [does(LETTERS[knob], sweep, report) for knob, sweep in enumerate(seen.sweeps) if not _dead(sweep)]
    dead = [LETTERS[knob] for knob, sweep in enumerate(seen.sweeps) if _dead(sweep)]
    if not says and not ours:
        return f"No knob changes a hit: {ONE_PATTERN}"
    if not says:
        return "No knob changes a hit: these takes are too few or too much alike. Give it more loops."
    if dead:
        says.append(f"{_and(dead)} {'change' if len(dead) > 1 else 'changes'} nothing.")
    return " ".join(says)


def better(seen: Survey) -> str:
    """Whether what the knobs give is nearer to the takes than chance, in a sentence."""
    ours, theirs = float(seen.places.mean()), float(seen.shuffled.mean())
    where = f"at random positions what plays is {in_steps(ours)} from the nearest take"
    if theirs == 0:
        return f"There is nothing to compare: {where}, and so it is with its steps shuffled."
    shuffled = f"with its steps shuffled it is {in_steps(theirs)}"
    if ours == 0:
        return f"Yes: {where}; {shuffled}."
    ratio = theirs / ours
    if ratio > NEAR_ONE:
        return f"Yes, {ratio:.1f} times nearer to your loops: {where}; {shuffled}."
    return f"No: {where}; {shuffled}."


def value_of(attribute: str, value: float) -> str:
    """A value of an attribute, as a player would say it.

    >>> value_of("busy", 12.0), value_of("fill", 0.25), value_of("fill", -0.001)
    ('12', '+25', '0')
    """
    way = followed(attribute)
    text = way.told.format(value * way.factor).replace("-", "−")
    return text[1:] if text in ("+0", "−0") else text


def _and(letters: list[str]) -> str:
    return " and ".join(part for part in (", ".join(letters[:-1]), letters[-1]) if part)


def counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def in_steps(steps: float) -> str:
    return f"{steps:.1f} steps"


def away(steps: int) -> str:
    return f"{counted(steps, 'step')} away" if steps else "exactly"


def listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def chosen(count: int, most: int) -> list[int]:
    """Which of so many are shown: all, or evenly many.

    >>> chosen(3, 5), chosen(9, 3)
    ([0, 1, 2], [0, 4, 8])
    """
    return (
        list(range(count)) if count <= most else np.rint(np.linspace(0, count - 1, most)).astype(int).tolist()
    )


def part_of(shown: int, all_: int) -> str:
    return f" of {all_}" if shown < all_ else ""
