"""HTML that stands alone: tags, tables, the frame and style of a page. Knows no music and draws nothing.

What is not `Markup` is text, and is escaped where it enters a tag: a loop may have any name. The page is
well-formed XML too, refers to nothing outside itself and runs no script; its policy forbids both.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from html import escape

LONGEST = 80  # characters of a name or a word that somebody else has written
EMPTY = ("meta", "br", "circle", "rect", "path", "line", "polyline", "polygon")  # tags that hold nothing
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Markup(str):
    """Text that is markup already."""


def tag(name: str, /, *inside: str, **attributes: object) -> Markup:
    """An element; `class_` is class, `aria_label` is aria-label, and attributes that are None are left out.

    >>> tag("p", "1 < 2", tag("b", "!"), class_="note")
    '<p class="note">1 &lt; 2<b>!</b></p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(plain(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in EMPTY:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{joined(inside)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Parts one after the other; what is text is escaped."""
    return Markup(
        "".join(part if isinstance(part, Markup) else escape(plain(part), quote=False) for part in parts)
    )


def plain(text: str) -> str:
    """Text fit for a page: what a browser would obey or could not show becomes `?`."""
    if text.isprintable():
        return text
    return "".join("?" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Cn", "Co") else c for c in text)


def given_name(text: str) -> Markup:
    """A name that somebody else gave, not longer than fits; its direction of writing does not leak."""
    return tag("bdi", short(text))


def short(text: str, longest: int = LONGEST) -> str:
    """A text of so many characters at most; what is left out is in the middle.

    >>> short("a" * 100)[39:43]
    'a…aa'
    """
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[half + 1 - longest :]}"


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], class_: str = "") -> Markup:
    """A table; the first cell of a row is its head. Where it is wider than the screen it scrolls alone."""
    head = tag("tr", *(tag("th", text, scope="col") for text in heads))
    body = (tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows)
    made = tag(
        "table",
        tag("caption", caption),
        tag("thead", head),
        tag("tbody", *body),
        class_=class_ or None,
    )
    return tag("div", made, class_="wide", role="region", tabindex="0", aria_label=caption)


def section(anchor: str, title: str, *inside: str) -> Markup:
    head = tag("h2", title, id=f"{anchor}-title")
    return tag("section", head, *inside, id=anchor, aria_labelledby=f"{anchor}-title")


def document(title: str, *inside: str) -> str:
    """A whole page. Every block begins a line, so that two pages can be compared."""
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    page = tag("html", *lines((tag("head", *lines(head)), tag("body", *lines(inside)))), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def lines(parts: Iterable[str]) -> Iterator[str]:
    """The parts, each at the beginning of a line."""
    for part in parts:
        yield Markup("\n")
        yield part


# Colours are as in the picture of `fathom hear --plot`. Of a voice one colour, of a velocity its strength;
# of takes a ramp from few hits (b0) to many (b6), told apart without red and green.
STYLE = """
:root { color-scheme: light dark;
  --paper: #faf8f4; --card: #f2eee6; --ink: #2b2a28; --soft: #68635a; --faint: #d9d4ca;
  --v0: #c8502d; --v1: #3b6e8f; --v2: #8a7a2e; --v3: #7b4f8c; --good: #2f6b3a; --bad: #a8401f;
  --b0: #2f4ea3; --b1: #5b50b5; --b2: #8a4db1; --b3: #b3508f; --b4: #cf5f68; --b5: #dd7f3f; --b6: #dba52a }
@media (prefers-color-scheme: dark) { :root {
  --paper: #171614; --card: #211f1c; --ink: #ece7de; --soft: #a9a297; --faint: #45413b;
  --v0: #ee7d57; --v1: #74b0d6; --v2: #cdb95a; --v3: #bf91d1; --good: #85c792; --bad: #f0936f;
  --b0: #6d8df0; --b1: #8f86ef; --b2: #b27fe3; --b3: #d37fc2; --b4: #ea8a98; --b5: #f3a475; --b6: #f5cb68 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 94rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word }
bdi { overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.5rem 0 .5rem; padding-top: 1rem;
  border-top: 1px solid var(--faint) }
h3 { font-size: 1.05rem; margin: 0 0 .25rem }
p, ul.says { max-width: 46rem; margin: .5rem 0 }
ul.says { padding-left: 1.2rem }
a { color: inherit }
small, .soft, caption, figcaption { color: var(--soft); font-size: .875rem }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem }
.wide { overflow-x: auto; max-width: 60rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
caption { text-align: left; padding: .25rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-top: 1px solid var(--faint) }
th { font-weight: 600 }
tbody th { min-width: 7rem }
thead th { border-top: 0; color: var(--soft); font-size: .875rem }
th small { display: block; font-weight: 400 }
.many th, .many td, .short { white-space: nowrap; min-width: 0 }
.many bdi { white-space: normal; display: inline-block; min-width: 8rem; vertical-align: top }
.yes { color: var(--good) }
.no { color: var(--bad) }
.knobs, .pair { display: grid; gap: 1.5rem; grid-template-columns: minmax(0, 1fr) }
@media (min-width: 44rem) {
  .knobs, .pair { grid-template-columns: repeat(2, minmax(0, 1fr)) }
  .knobs figure > p { min-height: 3em }
  .pair { max-width: 64rem } }
@media (min-width: 84rem) { .knobs { grid-template-columns: repeat(4, minmax(0, 1fr)) } }
.takes { display: grid; gap: .5rem 1.5rem; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)) }
.takes li { border-top: 1px solid var(--faint); padding-top: .35rem }
figure { margin: 0 }
.key { margin: .75rem 0 }
details { margin: .25rem 0 }
summary { cursor: pointer; color: var(--soft) }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem; max-width: 60rem }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere }
svg { display: block; width: 100%; height: auto; max-width: 31rem; fill: var(--ink);
  font: 11px system-ui, sans-serif }
svg .soft { fill: var(--soft); font-size: 11px }
svg .ends { font-size: 9.5px }
svg .field { fill: var(--card) }
svg .rule { fill: none; stroke: var(--faint); stroke-width: .6 }
svg .bar { fill: none; stroke: var(--soft); stroke-width: 1 }
svg .mark { fill: none; stroke: var(--ink) }
svg .v0 { fill: var(--v0) }
svg .v1 { fill: var(--v1) }
svg .v2 { fill: var(--v2) }
svg .v3 { fill: var(--v3) }
svg .s0 { opacity: .3 }
svg .s1 { opacity: .48 }
svg .s2 { opacity: .66 }
svg .s3 { opacity: .84 }
svg .curve, svg .other, svg .idle { fill: none; stroke: var(--v0); stroke-width: 1.6; stroke-linejoin: round }
svg .other { stroke: var(--v1); stroke-width: 1.2 }
svg .idle { stroke: var(--soft); stroke-width: .8; opacity: .6 }
svg .dashed { stroke-dasharray: 3 2 }
svg .band { fill: var(--v0); opacity: .18 }
svg .b0 { color: var(--b0) }
svg .b1 { color: var(--b1) }
svg .b2 { color: var(--b2) }
svg .b3 { color: var(--b3) }
svg .b4 { color: var(--b4) }
svg .b5 { color: var(--b5) }
svg .b6 { color: var(--b6) }
svg .ramp { fill: currentColor }
svg .ground { opacity: .3 }
svg .dot { fill: currentColor; stroke: var(--paper); stroke-width: 1 }
svg .ring { fill: var(--paper); stroke: currentColor; stroke-width: 2.5 }
"""
