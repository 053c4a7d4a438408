"""Drawings in SVG: steps, strips, planes, curves, bars. Knows nothing of loops, networks and slots.

Conventions: lengths are units of the drawing, as wide as the screen of a phone (WIDTH), so that letters stay
legible there; y grows downwards. Colours are classes of the page's style. Every drawing has a title and a
description for those who hear the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from training.markup import Markup, joined, tag

WIDTH = 340.0
STEPS_PER_BEAT, STEPS_PER_BAR = 4, 16
SHADES = 5  # of velocity
COLOURS = 7  # of the ramp
LETTERS = 11.0  # height of a line of text
VOICES = 4  # colours of voices
GAP = 0.15  # of a step, between two hits
LOWEST = 0.3  # height of the softest hit
EDGE = 8.0  # between a field and what stands beside it


@dataclass(frozen=True)
class Scale:
    """From values to places: `low` is drawn at `start`, `high` at `end`; one value alone in the middle."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values along the scale, two to six of them where there is room.

        >>> [round(tick, 1) for tick in Scale(0.0, 1.0, 0.0, 100.0).ticks()]
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        >>> Scale(0.02, 3.0, 0.0, 100.0, log=True).ticks()
        [0.1, 1.0]
        """
        if self.high <= self.low:
            return [self.low]
        if self.log:
            decades = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            found = [10.0**power for power in decades]
            return found if len(found) > 1 else [self.low, *found, self.high]
        span = self.high - self.low
        unit = 10.0 ** math.floor(math.log10(span))
        step = next(unit * part for part in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0) if span / (unit * part) <= 5)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A length with one decimal at most.

    >>> number(12.04), number(-0.01), number(2.25)
    ('12', '0', '2.2')
    """
    text = f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def svg(height: float, title: str, description: str, *inside: str, width: float = WIDTH) -> Markup:
    """A drawing; for a screen reader it is one picture with a title and a description."""
    return tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *inside,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def label(
    x: float, y: float, text: str, anchor: str = "start", class_: str = "soft", **more: object
) -> Markup:
    return tag("text", text, x=number(x), y=number(y), text_anchor=anchor, class_=class_ or None, **more)


def box(left: float, top: float, width: float, height: float) -> str:
    """A rectangle as a piece of a path: a third of what an element of its own takes."""
    return f"M{number(left)} {number(top)}h{number(width)}v{number(height)}h{number(-width)}z"


def field(left: float, top: float, width: float, height: float) -> Markup:
    return tag("path", d=box(left, top, width, height), class_="field")


def curve(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    return tag("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in points), class_=class_)


def beats(left: float, top: float, cell: float, height: float, steps: int) -> Markup:
    """Lines at every beat, stronger ones at every bar."""
    lines: dict[str, list[str]] = {"rule": [], "bar": []}
    for step in range(0, steps + 1, STEPS_PER_BEAT):
        kind = "rule" if step % STEPS_PER_BAR else "bar"
        lines[kind].append(f"M{number(left + step * cell)} {number(top)}v{number(height)}")
    return joined(tag("path", d="".join(parts), class_=kind) for kind, parts in lines.items())


@dataclass(frozen=True)
class Row:
    """Where the hits of one voice are drawn; `rising`: the louder, the taller."""

    left: float
    top: float
    cell: float  # width of a step
    height: float
    voice: int
    rising: bool = False


def hits_in(row: Row, hits: np.ndarray, velocities: np.ndarray, offsets: np.ndarray) -> Markup:
    """The hits of one voice, arrays of shape (steps,): shade is velocity, a shift is the offset."""
    paths: dict[int, list[str]] = {}
    gap = row.cell * GAP
    for step in np.flatnonzero(hits):
        shade = min(SHADES - 1, int(velocities[step] * SHADES))
        x = row.left + (step + offsets[step]) * row.cell + gap / 2
        height = row.height * (LOWEST + (1 - LOWEST) * velocities[step] if row.rising else 1.0)
        piece = box(x, row.top + row.height - height, row.cell - gap, height)
        paths.setdefault(shade, []).append(piece)
    classes = f"v{row.voice % VOICES}"
    return joined(
        tag("path", d="".join(paths[shade]), class_=f"{classes} s{shade}") for shade in sorted(paths)
    )


def take_row(
    hits: np.ndarray, velocities: np.ndarray, offsets: np.ndarray, title: str, description: str
) -> Markup:
    """One pattern, arrays of shape (voices, steps), the last voice at the top as in a drum part."""
    voices, steps = hits.shape
    cell = WIDTH / (steps + 1)  # half a step at either side, for hits that lean out
    thick = 18.0 if voices == 1 else 10.0
    height = (thick + 1) * voices
    parts = [field(cell / 2, 0, cell * steps, height), beats(cell / 2, 0, cell, height, steps)]
    for voice in range(voices):
        row = Row(cell / 2, (voices - 1 - voice) * (thick + 1) + 0.5, cell, thick, voice, rising=True)
        parts.append(hits_in(row, hits[voice], velocities[voice], offsets[voice]))
    return svg(height, title, description, *parts)


@dataclass(frozen=True)
class Lane:
    """A curve beside a strip, over the same travel.

    values : float, shape (n,), at even places along the travel
    band : float, shape (2, n), what lies around it, or None
    """

    name: str
    values: np.ndarray
    band: np.ndarray | None = None
    class_: str = "curve"
    ends: tuple[str, str] = ("", "")  # what its lowest and highest value are called


LANES_LEFT, LANE, LANE_GAP = 226.0, 54.0, 6.0
STRIP_LEFT, STRIP_TOP = 26.0, 16.0


def strip(
    hits: np.ndarray, velocities: np.ndarray, lanes: Sequence[Lane], title: str, description: str
) -> Markup:
    """Patterns along a travel from 0 (top) to 1, arrays of shape (n, voices, steps); lanes beside them."""
    count, voices, steps = hits.shape
    cell = (LANES_LEFT - LANE_GAP - STRIP_LEFT) / steps
    thick = 9.0 if voices == 1 else 5.0
    pitch = thick * voices + (1.0 if voices == 1 else 4.0)
    height = pitch * count
    tops = [STRIP_TOP + place * pitch for place in range(count)]
    grounds = (box(STRIP_LEFT, top, cell * steps, thick * voices + 0.5) for top in tops)
    parts = [
        tag("path", d="".join(grounds), class_="field"),
        beats(STRIP_LEFT, STRIP_TOP, cell, height, steps),
    ]
    still = np.zeros(steps)
    for place, top in enumerate(tops):
        for voice in range(voices):
            row = Row(STRIP_LEFT, top + (voices - 1 - voice) * thick + 0.5, cell, thick - 0.5, voice)
            parts.append(hits_in(row, hits[place, voice], velocities[place, voice], still))
    for share, says in ((0.0, "0"), (0.25, ".25"), (0.5, ".5"), (0.75, ".75"), (1.0, "1")):
        y = STRIP_TOP + pitch / 2 + share * (height - pitch) + LETTERS / 3
        parts.append(label(STRIP_LEFT - 3, y, says, "end"))
    parts += [
        label(STRIP_LEFT, STRIP_TOP - 5, "bar 1"),
        label(STRIP_LEFT + cell * steps / 2, STRIP_TOP - 5, "bar 2"),
    ]
    for index, lane in enumerate(lanes):
        left = LANES_LEFT + index * (LANE + LANE_GAP)
        parts.append(_lane(lane, left, STRIP_TOP, height, STRIP_TOP + pitch / 2, height - pitch))
    return svg(STRIP_TOP + height + LETTERS + 5, title, description, *parts)


def _lane(lane: Lane, left: float, top: float, height: float, first: float, travel: float) -> Markup:
    """A curve that runs down: values to the right, the travel downwards from `first`."""
    shown = lane.values if lane.band is None else np.concatenate([lane.values[None], lane.band])
    across = Scale(float(shown.min()), float(shown.max()), left + 2, left + LANE - 2)
    down = [first + travel * i / max(1, lane.values.size - 1) for i in range(lane.values.size)]
    parts = [field(left, top, LANE, height), label(left, top - 5, lane.name)]
    if lane.band is not None:
        low, high = ([(across(x), y) for x, y in zip(edge, down, strict=True)] for edge in lane.band)
        outline = " ".join(f"{number(x)},{number(y)}" for x, y in low + high[::-1])
        parts.append(tag("polygon", points=outline, class_="band"))
    parts.append(curve([(across(x), y) for x, y in zip(lane.values, down, strict=True)], lane.class_))
    parts.append(label(left, top + height + LETTERS, lane.ends[0], class_="soft ends"))
    parts.append(label(left + LANE, top + height + LETTERS, lane.ends[1], "end", "soft ends"))
    return joined(parts)


@dataclass(frozen=True)
class Point:
    """A point of a plane, 0..1 each way; `colour` 0..COLOURS-1; `mark` is written in it."""

    x: float
    y: float
    colour: int
    name: str
    mark: str = ""


PLANE_LEFT, PLANE_TOP, PLANE = 40.0, 6.0, 296.0
SHORE = 10.0  # around the places, inside the plane, for points that lie at an end
ACROSS = Scale(0.0, 1.0, PLANE_LEFT + SHORE, PLANE_LEFT + PLANE - SHORE)
UP = Scale(0.0, 1.0, PLANE_TOP + PLANE - SHORE, PLANE_TOP + SHORE)


def plane(
    points: Sequence[Point],
    ground: np.ndarray | None,
    axes: tuple[str, str],
    title: str,
    description: str,
    scales: bool = True,
) -> Markup:
    """Points on a square, x to the right and y upwards; where they are few, each shows its mark.

    ground : int, shape (n, n), colours of the square by y (upwards) and x, or None
    scales : whether 0, 0.5 and 1 stand at the sides, and the middle is marked
    """
    bottom = PLANE_TOP + PLANE
    parts = [field(PLANE_LEFT, PLANE_TOP, PLANE, PLANE)]
    if ground is not None:
        parts.append(tag("g", _ground(ground), class_="ground", shape_rendering="crispEdges"))
    if scales:
        for value in (0.0, 0.5, 1.0):
            parts.append(label(ACROSS(value), bottom + LETTERS + 2, f"{value:g}", "middle"))
            parts.append(label(PLANE_LEFT - 4, UP(value) + LETTERS / 3, f"{value:g}", "end"))
        cross = f"M{number(ACROSS(0.5) - 5)} {number(UP(0.5))}h10m-5 -5v10"
        parts.append(tag("path", d=cross, class_="mark"))
    parts.append(label(ACROSS(0.5), bottom + 2 * LETTERS + 6, axes[0], "middle"))
    parts.append(_turned(UP(0.5), axes[1]))
    parts += [_point(point) for point in points]
    return svg(bottom + 2 * LETTERS + 12, title, description, *parts)


def _point(point: Point) -> Markup:
    x, y = ACROSS(point.x), UP(point.y)
    radius = 6.0 + 1.5 * len(point.mark) if point.mark else 4.5
    look = f"{'ring' if point.mark else 'dot'} b{point.colour}"
    dot = tag("circle", cx=number(x), cy=number(y), r=number(radius), class_=look)
    mark = [label(x, y + LETTERS / 3, point.mark, "middle", "")] if point.mark else []
    return tag("g", tag("title", point.name), dot, *mark)


def _ground(colours: np.ndarray) -> Markup:
    """Neighbours of one colour in a row are one rectangle, and rectangles of one colour one path."""
    size = (PLANE - 2 * SHORE) / len(colours)
    paths: dict[int, list[str]] = {}
    for row, line in enumerate(colours):
        edges = [0, *(np.flatnonzero(np.diff(line)) + 1), len(line)]
        top = UP(0.0) - (row + 1) * size
        for start, end in pairwise(edges):
            piece = box(ACROSS(0.0) + start * size, top, (end - start) * size, size)
            paths.setdefault(int(line[start]), []).append(piece)
    return joined(tag("path", d="".join(paths[colour]), class_=f"ramp b{colour}") for colour in sorted(paths))


def ramp(low: str, high: str, title: str) -> Markup:
    """The colours of the ramp, with what its ends stand for."""
    size = WIDTH / 2 / COLOURS
    cells = [
        tag("path", d=box(WIDTH / 4 + i * size, 2, size, 10), class_=f"ramp b{i}") for i in range(COLOURS)
    ]
    ends = [label(WIDTH / 4 - EDGE, 11, low, "end"), label(WIDTH * 3 / 4 + EDGE, 11, high)]
    return svg(15, title, f"from {low} to {high}", *cells, *ends)


@dataclass(frozen=True)
class Line:
    """A line of a chart, float arrays of one shape."""

    x: np.ndarray
    y: np.ndarray
    class_: str
    name: str


CHART_LEFT, CHART_TOP, CHART_HEIGHT = 40.0, 6.0, 150.0


def chart(lines: Sequence[Line], axes: tuple[str, str], log: bool, title: str, description: str) -> Markup:
    """Lines over one x and one y axis, the last on top."""
    xs, ys = (np.concatenate([getattr(line, axis) for line in lines]) for axis in "xy")
    across = Scale(float(xs.min()), float(xs.max()), CHART_LEFT, WIDTH - 4)
    up = Scale(float(ys.min()), float(ys.max()), CHART_TOP + CHART_HEIGHT, CHART_TOP, log)
    parts = [_frame(across, up, axes)]
    for line in lines:
        points = [(across(x), up(y)) for x, y in zip(line.x, line.y, strict=True)]
        parts.append(tag("g", tag("title", line.name), curve(points, line.class_)))
    return svg(CHART_TOP + CHART_HEIGHT + 2 * LETTERS + 10, title, description, *parts)


def bars(counts: np.ndarray, axes: tuple[str, str], title: str, description: str) -> Markup:
    """Bars for whole numbers from 0 on; counts, shape (kinds, n), a colour of the voices for each kind."""
    across = Scale(-0.5, counts.shape[1] - 0.5, CHART_LEFT, WIDTH - 4)
    up = Scale(0.0, float(counts.max(initial=0)) or 1.0, CHART_TOP + CHART_HEIGHT, CHART_TOP)
    parts = [_frame(across, up, axes)]
    thick = (across(1) - across(0)) / (len(counts) + 0.4)
    for kind, row in enumerate(counts):
        pieces = []
        for value in np.flatnonzero(row):
            left = across(float(value)) + (kind - len(counts) / 2) * thick
            pieces.append(box(left, up(row[value]), thick, up.start - up(row[value])))
        parts.append(tag("path", d="".join(pieces), class_=f"v{kind}"))
    return svg(CHART_TOP + CHART_HEIGHT + 2 * LETTERS + 10, title, description, *parts)


def _frame(across: Scale, up: Scale, axes: tuple[str, str]) -> Markup:
    """The ground of a chart, its ticks and what its axes are called."""
    bottom = CHART_TOP + CHART_HEIGHT
    parts = [field(across.start, CHART_TOP, across.end - across.start, CHART_HEIGHT)]
    for value in up.ticks():
        y = up(value)
        parts.append(
            tag("path", d=f"M{number(across.start)} {number(y)}H{number(across.end)}", class_="rule")
        )
        beside = min(bottom, max(CHART_TOP + LETTERS - 2, y + LETTERS / 3))
        parts.append(label(across.start - 4, beside, f"{value:.6g}", "end"))
    for value in across.ticks():
        if value == int(value):  # epochs and steps are whole
            anchor = "end" if across(value) > across.end - LETTERS else "middle"
            parts.append(label(across(value), bottom + LETTERS + 2, f"{value:g}", anchor))
    parts.append(label((across.start + across.end) / 2, bottom + 2 * LETTERS + 6, axes[0], "middle"))
    parts.append(_turned(CHART_TOP + CHART_HEIGHT / 2, axes[1]))
    return joined(parts)


def _turned(y: float, text: str) -> Markup:
    """The name of an axis that goes up, at the left edge."""
    return label(LETTERS, y, text, "middle", transform=f"rotate(-90 {number(LETTERS)} {number(y)})")
