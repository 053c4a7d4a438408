"""The drawn chapters of the report: knobs, map of takes, randomiser, takes. Measures nothing.

A chapter is its title and what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from device.decoder import POSITIONS
from device.pattern import Pattern
from device.slot import Slot
from training import drawing
from training.markup import Markup, given_name, joined, short, table, tag
from training.playability import NEAR
from training.survey import BETWEEN, Projection, Survey, Sweep, project
from training.wording import LETTERS, away, better, chosen, counted, does, followed, part_of, value_of

SHOWN_TAKES = 200  # drawn one by one; of more, evenly many
SHOWN_POINTS = 600  # on a map
NUMBERED = 30  # takes on a map, up to which each shows its number
NAMED = 4  # names in one sentence
PLACES = 50  # each way on a map: takes nearer to each other are one point


def knobs(slot: Slot, seen: Survey) -> tuple[str, ...]:
    """For each knob: patterns along its travel, what it changes, and the takes that it comes near to."""
    take, distance = seen.middle
    middle = (f"With all knobs in the middle the nearest take is {take + 1} ", _take(slot, take))
    low = "; low, middle and high hits one above the other" if slot.about.voices == 3 else ""
    how = (
        "Each drawing is one knob turned from 0 (top) to 1 (bottom) while the others stay in the middle. A "
        f"row is a pattern of two bars, a block a hit, the stronger the louder{low}. Beside it, a red curve "
        "shows what the knob is to change; the shade around it is where most go when the other knobs stand "
        "anywhere. The blue curve is the distance to the nearest take."
    )
    figures = (_knob(slot, knob, sweep) for knob, sweep in enumerate(seen.sweeps))
    says = tag("p", *middle, f", {counted(distance, 'step')} away.")
    return ("What the knobs do", tag("p", how), says, tag("div", *figures, class_="knobs"))


def _knob(slot: Slot, knob: int, sweep: Sweep) -> Markup:
    letter = LETTERS[knob]
    says = does(letter, sweep, slot.about.playability)
    way = followed(sweep.attribute)
    around = np.concatenate([sweep.values[None], sweep.band])
    ends = (value_of(sweep.attribute, around.min()), value_of(sweep.attribute, around.max()))
    far = (f"{sweep.distance.min()}", f"{sweep.distance.max()}")
    ends, far = ((low, high if high != low else "") for low, high in (ends, far))
    lanes = [
        drawing.Lane(way.called, sweep.values, sweep.band, "curve", ends),
        drawing.Lane("nearest", sweep.distance.astype(float), None, "other", far),
    ]
    rows = slice(None, None, BETWEEN)
    title = f"Knob {letter} from 0 to 1: patterns, {way.called}, distance to the nearest take"
    below = f"{says} The table below has it in numbers."
    picture = drawing.strip(sweep.hits[rows], sweep.velocities[rows], lanes, title, below)
    caption = tag("figcaption", f"Red: {way.means}. Blue: steps to the nearest take. ", _near(slot, sweep))
    head = tag("h3", f"Knob {letter}: {sweep.attribute}")
    return tag("figure", head, tag("p", says), picture, caption, _sweep_table(slot, letter, sweep))


def _near(slot: Slot, sweep: Sweep) -> Markup:
    """The takes that a sweep comes near to, each where it is nearest; or the nearest of all."""
    best: dict[int, int] = {}
    for at, take in enumerate(sweep.nearest.tolist()):
        if take not in best or sweep.distance[at] < sweep.distance[best[take]]:
            best[take] = at
    near = [(take, at) for take, at in best.items() if sweep.distance[at] <= NEAR]
    if not near:
        at = int(sweep.distance.argmin())
        take = int(sweep.nearest[at])
        return joined(("Nearest take: ", _at(slot, sweep, take, at), "."))
    near = sorted(sorted(near, key=lambda pair: sweep.distance[pair[1]])[:NAMED], key=lambda pair: pair[1])
    more = sum(sweep.distance[at] <= NEAR for at in best.values()) - len(near)
    parts: list[str] = ["Takes on the way: "]
    for index, (take, at) in enumerate(near):
        parts += ["; " if index else "", _at(slot, sweep, take, at)]
    return joined((*parts, f"; and {more} more." if more else "."))


def _at(slot: Slot, sweep: Sweep, take: int, at: int) -> Markup:
    place = at / (len(sweep.values) - 1)
    return joined((f"{take + 1} ", _take(slot, take), f" at {place:.2f}, {away(int(sweep.distance[at]))}"))


def _sweep_table(slot: Slot, letter: str, sweep: Sweep) -> Markup:
    way = followed(sweep.attribute)
    rows = []
    for at in range(0, len(sweep.values), BETWEEN):
        take = int(sweep.nearest[at])
        row = (
            f"{at / (len(sweep.values) - 1):.2f}",
            value_of(sweep.attribute, sweep.values[at]),
            f"{sweep.distance[at]}",
            joined((f"{take + 1} ", _take(slot, take))),
        )
        rows.append(row)
    heads = (f"Knob {letter}", way.called.capitalize(), "Steps", "Nearest take")
    caption = f"Knob {letter}, the others in the middle, and the steps to the nearest take"
    made = table(caption, heads, rows, class_="many")
    return tag("details", tag("summary", f"Knob {letter} in numbers"), made)


def map_of_takes(slot: Slot, seen: Survey) -> tuple[str, ...]:
    """The takes by knobs A and B, and seen from the side on which the positions of all knobs differ most."""
    shown = chosen(len(slot.hits), SHOWN_POINTS)
    hits = slot.hits.sum(axis=(1, 2))
    low, high = int(hits.min()), int(hits.max())
    alive = np.array([sweep.alive for sweep in seen.sweeps])
    what = f"{counted(len(shown), 'take')}{part_of(len(shown), len(slot.hits))}"
    a, b = (f"{LETTERS[knob]}: {seen.sweeps[knob].attribute}" for knob in (0, 1))
    first = drawing.plane(
        _points(slot, slot.positions[:, :2] / (POSITIONS - 1), shown, low, high),
        _colour(seen.ground, low, high),
        (a, b),
        "Takes by knob A and knob B",
        f"{what}, each where knobs A and B give it back. The list of takes has their positions.",
    )
    rest = "the other knobs in the middle" if alive[2:].any() else "the other knobs change nothing"
    below = tag("figcaption", f"The ground is coloured by the hits that play there; {rest}. + is the middle.")
    figures = [tag("figure", tag("h3", "Knobs A and B"), first, below)]
    projection = project(slot.positions * alive) if alive[2:].any() else None
    if projection:
        says = _components(projection)
        second = drawing.plane(
            _points(slot, projection.points, shown, low, high),
            None,
            ("first principal component", "second principal component"),
            "Takes by the two principal components of their knob positions",
            f"{what}, seen from the side on which their knob positions differ most. {says}",
            scales=False,
        )
        head = tag("h3", "All knobs at once")
        figures.append(tag("figure", head, second, tag("figcaption", says)))
    says = (
        f"{what}, each where the knobs give it back best. Takes of similar colour are similarly busy: "
        f"{counted(low, 'hit') if low == high else f'{low} to {high} hits'}. "
    )
    few = len(slot.hits) <= NUMBERED
    says += (
        "The numbers are those of the list of takes." if few else "A point that is pointed at says its name."
    )
    ends = (f"{low} hits", f"{high} hits")
    ramp = drawing.ramp(*ends, "Colours of takes by their number of hits")
    key = tag("figure", ramp, class_="key") if low < high else Markup("")
    return ("Where the takes lie", tag("p", says), key, tag("div", *figures, class_="pair"))


def _components(projection: Projection) -> str:
    """Which knobs a principal component follows, in words."""
    says = []
    for axis, share, way in zip(projection.axes, projection.shares, ("To the right", "upwards"), strict=True):
        main = [
            f"{LETTERS[knob]} {'rises' if axis[knob] > 0 else 'falls'}"
            for knob in np.argsort(-np.abs(axis), kind="stable")
            if abs(axis[knob]) >= 0.4
        ]
        says.append(f"{way} {' and '.join(main)} ({share:.0%} of all that differs)")
    return "; ".join(says) + "."


def _points(slot: Slot, places: np.ndarray, shown: Sequence[int], low: int, high: int) -> list[drawing.Point]:
    """A point for each place; takes at one place share it, since only one of them could be seen."""
    groups: dict[tuple[int, int], list[int]] = {}
    for take in shown:
        x, y = np.rint(places[take] * PLACES).astype(int).tolist()
        groups.setdefault((x, y), []).append(take)
    points = []
    for (x, y), takes in sorted(groups.items()):
        hits = slot.hits[takes].sum(axis=(1, 2))
        names = [
            f"{take + 1} {short(slot.about.takes[take])}, {counted(h, 'hit')}"
            for take, h in zip(takes, hits, strict=True)
        ]
        more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
        mark = f"{takes[0] + 1}{'+' if len(takes) > 1 else ''}" if len(slot.hits) <= NUMBERED else ""
        colour = int(_colour(hits.mean(), low, high))
        points.append(drawing.Point(x / PLACES, y / PLACES, colour, "; ".join(names[:NAMED]) + more, mark))
    return points


def _colour(hits: np.ndarray, low: int, high: int) -> np.ndarray:
    """Colours of the ramp, for numbers of hits."""
    share = (hits - low) / max(1, high - low) if high > low else np.full(np.shape(hits), 0.5)
    return np.clip(np.rint(share * (drawing.COLOURS - 1)), 0, drawing.COLOURS - 1).astype(int)


def randomiser(seen: Survey) -> tuple[str, ...]:
    """How far random positions of the knobs are from the takes, beside their own patterns shuffled."""
    most = int(max(seen.places.max(), seen.shuffled.max())) + 1
    counts = np.stack([np.bincount(part, minlength=most) for part in (seen.places, seen.shuffled)])
    answer = better(seen)
    picture = drawing.bars(
        counts,
        ("steps to the nearest take", "positions"),
        "Distance to the nearest take: the knobs and a randomiser",
        answer,
    )
    key = tag(
        "figcaption", "Red: the knobs. Blue: the randomiser. The further left, the more like your loops."
    )
    near = float((seen.places <= NEAR).mean())
    how = (
        f"The knobs were put to {len(seen.places)} random positions, and what played was held against every "
        "take. The randomiser plays the same patterns with their steps shuffled, so it has as many hits. "
        f"{near:.0%} of the positions are within {NEAR} steps of a take; the others lie between takes, or "
        "are new."
    )
    sides = tag("div", tag("figure", picture, key), tag("p", how), class_="pair")
    return ("Is it better than a randomiser?", tag("p", answer), sides)


def takes_heard(
    slot: Slot, takes: Sequence[Pattern], heard: Mapping[str, str], seen: Survey
) -> tuple[str, ...]:
    """What was heard in the loops: the steps of each take, and where the knobs give it back."""
    shown = chosen(len(slot.hits), SHOWN_TAKES)
    whole = len(takes) == len(slot.hits)
    says = "A take is two bars of a loop: 32 steps, a block for each hit"
    says += ", the taller and stronger the louder, moved to where it leans. " if whole else ". "
    if not whole:
        says += "A slot keeps the steps of its takes alone, not how loud they were and how they leaned. "
    says += "Below it, at which positions the knobs give it back, and in how many steps that differs."
    if len(shown) < len(slot.hits):
        says += f" {len(shown)} takes of {len(slot.hits)} are shown, evenly chosen."
    items = []
    for take in shown:
        tempo = heard.get(slot.about.takes[take], "")
        items.append(_heard(slot, take, takes[take] if whole else None, tempo, int(seen.off[take])))
    listed = tag("ol", *items, class_="takes", role="list")
    return ("What was heard", tag("p", says), listed)


def _heard(slot: Slot, take: int, pattern: Pattern | None, tempo: str, off: int) -> Markup:
    hits = slot.hits[take]
    pattern = pattern or Pattern(hits, hits * 1.0, hits * 0.0)
    called = short(slot.about.takes[take])
    title = f"Take {take + 1}: {called}"
    picture = drawing.take_row(pattern.hits, pattern.velocities, pattern.offsets, title, _notation(hits))
    places = slot.positions[take] / (POSITIONS - 1)
    where = " ".join(f"{letter} {place:.2f}" for letter, place in zip(LETTERS, places, strict=True))
    differs = f", but for {counted(off, 'step')}" if off else ""
    below = tag("small", f"{counted(int(hits.sum()), 'hit')}, at {where}{differs}")
    above = tag("div", f"{take + 1} ", given_name(called), " ", tag("small", short(tempo)))
    return tag("li", above, picture, below)


def _notation(hits: np.ndarray) -> str:
    """Hits in words: the steps of each voice, counted from 1."""
    said = []
    for voice, row in enumerate(hits):
        steps = ", ".join(str(step + 1) for step in np.flatnonzero(row)) or "none"
        said.append(f"steps {steps}" if len(hits) == 1 else f"voice {voice + 1}: {steps}")
    return "; ".join(said)


def _take(slot: Slot, take: int) -> Markup:
    return given_name(slot.about.takes[take])
