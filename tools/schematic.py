"""Symbols of circuit diagrams as SVG: wires, resistors, jacks, chips. Knows no circuit and no pin of ours.

Lengths are pixels, y grows downwards, resistors are boxes (IEC 60617). A symbol is drawn from the point
where its first wire ends, and gives back where the next one begins. Every sheet keeps the boxes of its
labels and bodies and the ends of its wires, so that a test can see whether one lies on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

LETTER = 0.6  # width of a letter, of its height: the widest of the fonts that a browser may take
SIZES = {"": 12.0, "name": 13.0, "title": 18.0, "small": 10.5, "mono": 11.5, "value": 10.5, "pin": 9.5}
BODY, THICK = 46, 16  # of a resistor
FLAG = 18  # height of a net's name
LEAD = 22  # of a chip's pin
SHARES = {"start": 0.0, "middle": 0.5, "end": 1.0}

STYLE = """
svg { --paper: #fbfaf7; --ink: #22211f; --soft: #6a655c; --faint: #e9e5dc; --net: #1f5f8b; --hot: #a8401f }
@media (prefers-color-scheme: dark) { svg { --paper: #171614; --ink: #ece7de; --soft: #aaa398;
  --faint: #2c2a26; --net: #7fbbe0; --hot: #f0936f } }
.paper { fill: var(--paper) }
.line, .body, .pen { stroke: var(--ink); stroke-width: 1.5; stroke-linejoin: round; stroke-linecap: round }
.line { fill: none }
.body { fill: var(--paper) }
.pen { fill: var(--ink) }
.dashed { stroke-dasharray: 5 4 }
.flag { fill: var(--faint); stroke: var(--net); stroke-width: 1.2 }
.frame { fill: none; stroke: var(--soft); stroke-width: 1 }
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink) }
.name { font-size: 13px; font-weight: 600 }
.title { font-size: 18px; font-weight: 600 }
.small { font-size: 10.5px; fill: var(--soft) }
.pin { font-size: 9.5px; fill: var(--soft) }
.value { font-size: 10.5px }
.mono { font: 11.5px ui-monospace, "DejaVu Sans Mono", monospace; fill: var(--net) }
.hot { fill: var(--hot) }
"""


class Area(NamedTuple):
    """A rectangle, and what is in it."""

    left: float
    top: float
    right: float
    bottom: float
    what: str

    def meets(self, other: Area) -> bool:
        """Whether two share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


class Sheet:
    """A drawing in the making. `title` and `description` are what a screen reader says of it."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self.width, self.height = width, height
        self.title, self.description = title, description
        self.labels: list[Area] = []
        self.bodies: list[Area] = []
        self.wires: list[Area] = []  # one for each straight piece, without thickness
        self._parts: list[str] = []
        self.text(24, 34, title, "title")

    def svg(self) -> str:
        """The drawing as a file."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img" aria-labelledby="title about">\n'
            f'<title id="title">{escape(self.title)}</title>\n'
            f'<desc id="about">{escape(self.description)}</desc>\n<style>{STYLE}</style>\n'
            f'<rect class="paper" width="{self.width}" height="{self.height}"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )

    # --- lines and letters -------------------------------------------------------------------------------

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """A line of text; y is where it stands."""
        size = SIZES[kind.split()[0] if kind else ""]
        width = len(words) * size * LETTER
        left = x - SHARES[anchor] * width
        self.labels.append(Area(left, y - 0.75 * size, left + width, y + 0.2 * size, words))
        self._text(x, y, words, kind, anchor)

    def wire(self, *points: tuple[float, float], kind: str = "line") -> None:
        """A wire through these points."""
        for (x, y), (to_x, to_y) in pairwise(points):
            self.wires.append(Area(min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y), "wire"))
        self._polyline(points, kind)

    def dot(self, x: float, y: float) -> None:
        """Wires that meet here are joined."""
        self._parts.append(f'<circle class="pen" cx="{x:g}" cy="{y:g}" r="2.6"/>')

    def frame(self, left: float, top: float, width: float, height: float, dashed: bool = False) -> None:
        """A frame around what belongs together."""
        kind = "frame dashed" if dashed else "frame"
        self._parts.append(
            f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="6"/>'
        )

    # --- where a wire ends -------------------------------------------------------------------------------

    def flag(self, x: float, y: float, name: str, points: str = "right", width: float = 0) -> None:
        """The name of a net, beside the end of its wire; it points there ("right") or away ("left")."""
        width = width or len(name) * 7.0 + 24
        sign = -1 if points == "right" else 1
        half, far, neck = FLAG / 2, x + sign * width, x + sign * 9
        corners = [(x, y), (neck, y - half), (far, y - half), (far, y + half), (neck, y + half)]
        shape = " ".join(f"{a:g},{b:g}" for a, b in corners)
        self._parts.append(f'<polygon class="flag" points="{shape}"/>')
        self._body(min(x, far), y - half, max(x, far), y + half, name)
        self._text((neck + far) / 2, y + 4, name, "mono", "middle")

    def ground(self, x: float, y: float) -> None:
        self.wire((x, y), (x, y + 8))
        for step, half in enumerate((10, 6, 2)):
            self._polyline([(x - half, y + 8 + 4 * step), (x + half, y + 8 + 4 * step)])
        self._body(x - 10, y + 8, x + 10, y + 17, "ground")

    def rail(self, x: float, y: float, name: str) -> None:
        """A supply: a bar above the wire, and its name."""
        self.wire((x, y), (x, y - 10))
        self._polyline([(x - 11, y - 10), (x + 11, y - 10)])
        self.text(x, y - 15, name, "small hot", "middle")

    # --- parts with two ends -----------------------------------------------------------------------------

    def resistor(
        self,
        x: float,
        y: float,
        ref: str,
        value: str,
        to: str = "right",
        length: float = 66,
        dashed: bool = False,
        beside: bool = False,
    ) -> tuple[float, float]:
        """A resistor: its value is in it, or beside it where it stands. `dashed`: may be left out."""
        lead = (length - BODY) / 2
        kind = "body dashed" if dashed else "body"
        if to == "down":
            self.wire((x, y), (x, y + length), kind="line dashed" if dashed else "line")
            self._rect(x - THICK / 2, y + lead, THICK, BODY, ref, kind)
            self.text(x + THICK / 2 + 6, y + length / 2 - 3, ref, "small")
            self.text(x + THICK / 2 + 6, y + length / 2 + 10, value, "value")
            return x, y + length
        self.wire((x, y), (x + length, y))
        self._rect(x + lead, y - THICK / 2, BODY, THICK, ref, kind)
        self._text(x + length / 2, y + 4, value, "value", "middle")
        if beside:
            self.text(x + length / 2 + BODY / 2 + 7, y - 3, ref, "small")
        else:
            self.text(x + length / 2, y - THICK / 2 - 4, ref, "small", "middle")
        return x + length, y

    def capacitor(self, x: float, y: float, ref: str, value: str, length: float = 50) -> tuple[float, float]:
        """A capacitor, downwards."""
        middle = y + length / 2
        self.wire((x, y), (x, middle - 4))
        self.wire((x, middle + 4), (x, y + length))
        for plate in (middle - 4, middle + 4):
            self._polyline([(x - 11, plate), (x + 11, plate)], "line plate")
        self._body(x - 11, middle - 5, x + 11, middle + 5, ref)
        self.text(x + 17, middle - 2, ref, "small")
        self.text(x + 17, middle + 11, value, "value")
        return x, y + length

    def diode(
        self,
        x: float,
        y: float,
        ref: str,
        value: str,
        to: str = "down",
        length: float = 50,
        lit: bool = False,
    ) -> tuple[float, float]:
        """A diode from anode to cathode, "down", "up" or "right"; `lit`: an LED."""
        turn = {"down": (0, 1), "up": (0, -1), "right": (1, 0)}[to]

        def at(along: float, across: float) -> tuple[float, float]:
            return x + turn[0] * along - turn[1] * across, y + turn[1] * along + turn[0] * across

        middle, end = length / 2, at(length, 0)
        self.wire((x, y), end)
        corners = " ".join(
            f"{a:g},{b:g}" for a, b in (at(middle - 8, -9), at(middle - 8, 9), at(middle + 8, 0))
        )
        self._parts.append(f'<polygon class="{"body" if lit else "pen"}" points="{corners}"/>')
        self._polyline([at(middle + 8, -9), at(middle + 8, 9)])
        (left, top), (right, bottom) = at(middle - 8, -9), at(middle + 8, 9)
        self._body(min(left, right), min(top, bottom), max(left, right), max(top, bottom), ref)
        if lit:
            for shift in (-4, 5):
                self._arrow(at(middle + shift, -12), at(middle + shift + 7, -21))
        beside = at(middle, 0) if to == "right" else (x + 16, y + turn[1] * middle)
        if to == "right":
            self.text(beside[0], beside[1] + 22, f"{ref} {value}".strip(), "small", "middle")
        else:
            self.text(beside[0], beside[1] - 2, ref, "small")
            self.text(beside[0], beside[1] + 11, value, "value")
        return end

    def button(self, x: float, y: float, name: str, length: float = 70) -> tuple[float, float]:
        """A push button that closes."""
        left, right = x + 16, x + length - 16
        self.wire((x, y), (left, y))
        self.wire((right, y), (x + length, y))
        self._polyline([(left - 2, y - 10), (right + 2, y - 10)])
        self._polyline([((left + right) / 2, y - 10), ((left + right) / 2, y - 19)])
        self._polyline([((left + right) / 2 - 7, y - 19), ((left + right) / 2 + 7, y - 19)])
        for end in (left, right):
            self._parts.append(f'<circle class="body" cx="{end:g}" cy="{y:g}" r="3"/>')
        self._body(left, y - 20, right, y + 4, name)
        self.text(x + length / 2, y - 25, name, "name", "middle")
        return x + length, y

    # --- parts with more ---------------------------------------------------------------------------------

    def pot(self, x: float, y: float, ref: str, value: str, length: float = 70) -> tuple[float, float]:
        """A potentiometer, standing; gives back where its wiper ends, to the right."""
        middle = y + length / 2
        self.wire((x, y), (x, y + length))
        self._rect(x - THICK / 2, middle - BODY / 2, THICK, BODY, ref)
        self._arrow((x + 34, middle), (x + THICK / 2 + 1, middle))
        self.text(x - THICK / 2 - 6, middle - 2, ref, "name", "end")
        self.text(x - THICK / 2 - 6, middle + 12, value, "value", "end")
        return x + 34, middle

    def npn(
        self, x: float, y: float, ref: str, value: str
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """A transistor from its base; gives back collector (above) and emitter (below)."""
        self._parts.append(f'<circle class="body" cx="{x + 24:g}" cy="{y:g}" r="21"/>')
        self.wire((x, y), (x + 16, y))
        self._polyline([(x + 16, y - 12), (x + 16, y + 12)], "line plate")
        self._polyline([(x + 16, y - 6), (x + 32, y - 17)])
        self._arrow((x + 16, y + 6), (x + 32, y + 17))
        collector, emitter = (x + 32, y - 36), (x + 32, y + 36)
        self.wire((x + 32, y - 17), collector)
        self.wire((x + 32, y + 17), emitter)
        self._body(x + 16, y - 17, x + 45, y + 17, ref)
        self.text(x + 52, y - 1, ref, "small")
        self.text(x + 52, y + 12, value, "value")
        return collector, emitter

    def amplifier(self, x: float, y: float, ref: str, pins: Sequence[int]) -> tuple[float, float]:
        """An op-amp as a follower, from its + input; `pins` are those of +, - and the output."""
        top, low, end = y - 17, y + 51, x + 74
        middle = (top + low) / 2
        self._parts.append(f'<polygon class="body" points="{x:g},{top:g} {x:g},{low:g} {end:g},{middle:g}"/>')
        self._body(x, top + 12, x + 50, low - 12, ref)
        self._text(x + 7, y + 5, "+", "name")
        self._text(x + 7, y + 39, "−", "name")
        self._text(x + 24, middle + 4, ref, "value")
        self.wire((x, y + 34), (x - 14, y + 34), (x - 14, low + 14), (end + 12, low + 14), (end + 12, middle))
        self.wire((end, middle), (end + 12, middle))
        self.dot(end + 12, middle)
        for at, pin in (
            ((x - 4, y - 5), pins[0]),
            ((x - 4, y + 29), pins[1]),
            ((end + 2, middle - 5), pins[2]),
        ):
            self._text(*at, str(pin), "pin", "start" if at[0] > x else "end")
        return end + 12, middle

    def jack(
        self, x: float, y: float, name: str, note: str = "", side: str = "right", normal: bool = False
    ) -> None:
        """A 3.5 mm jack at the end of a wire to its tip; `normal`: grounded while no plug is in it."""
        sign = 1 if side == "right" else -1

        def at(along: float) -> float:
            return x + sign * along

        self.wire((x, y), (at(22), y))
        self._polyline([(at(22), y), (at(29), y + 8), (at(36), y)])
        self._rect(min(at(42), at(49)), y - 7, 7, 35, name)
        self.wire((at(42), y + 21), (at(6), y + 21))
        self.ground(at(6), y + 21)
        if normal:
            self._arrow((at(16), y + 21), (at(16), y + 2))
            self.dot(at(16), y + 21)
        anchor = "start" if sign > 0 else "end"
        self.text(at(58), y + 4, name, "name", anchor)
        if note:
            self.text(at(58), y + 19, note, "small", anchor)

    def chip(
        self,
        x: float,
        y: float,
        width: float,
        name: str,
        left: Sequence[tuple[str, str] | None],
        right: Sequence[tuple[str, str] | None],
        pitch: float,
        aside: float = 0,
    ) -> Mapping[str, tuple[float, float]]:
        """A chip with its pins as (number, name), None for a gap; gives back where the pin of a name ends.

        `aside`: how far its own name is moved to the right.
        """
        self._rect(x, y, width, pitch * max(len(left), len(right)), name)
        self.text(x + width / 2 + aside, y - 8, name, "name", "middle")
        ends = {}
        for pins, edge, sign in ((left, x, -1), (right, x + width, 1)):
            for row, pin in enumerate(pins):
                if pin is None:
                    continue
                at = y + pitch * (row + 0.5)
                anchor = "end" if sign > 0 else "start"
                self.wire((edge, at), (edge + sign * LEAD, at))
                self._text(edge + sign * 5, at - 4, pin[0], "pin", "start" if sign > 0 else "end")
                self._text(edge - sign * 6, at + 4, pin[1], "value", anchor)
                ends[pin[1]] = (edge + sign * LEAD, at)
        return ends

    def lead(self, x: float, y: float, pin: str, name: str, to: str = "down") -> tuple[float, float]:
        """A pin at the lower or upper edge of a chip."""
        sign = 1 if to == "down" else -1
        self.wire((x, y), (x, y + sign * LEAD))
        self._text(x, y + (-6 if sign > 0 else 14), name, "value", "middle")
        self._text(x + 4, y + (14 if sign > 0 else -6), pin, "pin")
        return x, y + sign * LEAD

    def block(self, x: float, y: float, width: float, height: float, *lines: str) -> None:
        """A box with lines of text: a part that is bought whole."""
        self._rect(x, y, width, height, lines[0])
        top = y + height / 2 - 8 * (len(lines) - 1) + 4
        for line, words in enumerate(lines):
            self._text(x + width / 2, top + 16 * line, words, "" if line else "name", "middle")

    # --- within ------------------------------------------------------------------------------------------

    def _text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Text that lies in a symbol, where the symbol sees to it that nothing else does."""
        if not words:
            return
        look = f' class="{kind}"' if kind else ""
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._parts.append(f'<text x="{x:g}" y="{y:g}"{look}{place}>{escape(words, quote=False)}</text>')

    def _polyline(self, points: Sequence[tuple[float, float]], kind: str = "line") -> None:
        through = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(f'<polyline class="{kind}" points="{through}"/>')

    def _arrow(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        (x, y), (to_x, to_y) = start, end
        long = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
        along, up = (to_x - x) / long, (to_y - y) / long
        self._polyline([start, end])
        back = [(to_x - 7 * along - s * 3.5 * up, to_y - 7 * up + s * 3.5 * along) for s in (1, -1)]
        corners = " ".join(f"{a:.4g},{b:.4g}" for a, b in (end, *back))
        self._parts.append(f'<polygon class="pen" points="{corners}"/>')

    def _rect(self, x: float, y: float, width: float, height: float, what: str, kind: str = "body") -> None:
        self._parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'
        )
        self._body(x, y, x + width, y + height, what)

    def _body(self, left: float, top: float, right: float, bottom: float, what: str) -> None:
        self.bodies.append(Area(left, top, right, bottom, what))
