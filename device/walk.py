"""Walks over the parts of a panel, one line each: what answers by itself, and what a hand makes it do.

Repairs nothing, and plays nothing but what it says. Without a guide only what needs no hands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from device.finding import Finding
from device.guide import Guide
from device.loopback import COUNT, over_jumper
from device.outfit import Outfit
from device.specs import KNOB_NAMES
from hw.calibration import APART, Calibration
from hw.errors import PanelError
from hw.header import board_name
from hw.knobs import END_ZONE
from hw.panel import Panel
from hw.table import CV_VOLTS, CVS, JACKS_IN, JACKS_OUT, KNOBS
from hw.timing import Time

TURN_S = 20.0  # for a hand to find the knob and turn it both ways
PRESS_S = 10.0
LIT_NS = 700_000_000
LOOK_NS = 200_000_000  # at inputs, where no hand is
PULL_UP = "Put `gpio=9=pu` into config.txt, or 10 kΩ from GPIO9 to 3.3 V: then a loose wire is told at once."
OF_KNOB = "Look at its three legs: 3.3 V, the converter's channel {}, ground."

Read = Callable[[], Sequence[int]]


def jumper_of(word: str) -> tuple[str, str]:
    """The two ends of a cable from a jack to a jack.

    >>> jumper_of("gate1:clock")
    ('gate1', 'clock')
    """
    out, _, into = word.partition(":")
    if out not in JACKS_OUT or into not in JACKS_IN:
        raise PanelError(
            f"jumper {word!r}: expected an output and an input, as gate1:clock; outputs are "
            f"{', '.join(JACKS_OUT)}, inputs {', '.join(JACKS_IN)}."
        )
    return out, into


def walk(
    panel: Panel, time: Time, outfit: Outfit, guide: Guide | None, jumpers: Sequence[tuple[str, str]]
) -> Iterator[Finding]:
    """Every part of a panel that is open."""
    yield Finding("board", not panel.jacks.complaint, panel.jacks.complaint or board_name())
    knobs = panel.knobs

    def read() -> Sequence[int]:
        for channel in range(knobs.channels):
            knobs.read(channel)
        return knobs.counts

    read()
    yield from converter(read, knobs.complaint, knobs.pulled_up, outfit.calibration, guide)
    yield from _outputs(panel, time, outfit, guide)
    yield from _inputs(panel, time, outfit, guide)
    for out, into in jumpers or _asked_for(guide):
        yield _jumper(panel, time, out, into)
    yield from _buttons(panel, outfit, guide)
    yield from _lamps(panel, time, outfit, guide)


def converter(
    read: Read, complaint: str, pulled_up: bool, calibration: Calibration, guide: Guide | None
) -> Iterator[Finding]:
    """The chip of the knobs, each knob and each CV; `read` gives the counts of all its channels."""
    if complaint:
        found, _, advice = complaint.removeprefix("knobs: ").partition(". ")
        yield Finding("converter", False, f"{found}.", advice)
        return
    if pulled_up:
        yield Finding("converter", True, "the MCP3008 answers, and its wire is pulled up")
    else:
        yield Finding(
            "converter", False, "the MCP3008 answers, but its wire is not pulled up.", PULL_UP, needed=False
        )
    for name in KNOB_NAMES:
        yield _channel(f"knob {name}", KNOBS[name], read, calibration, guide)
    for name in KNOB_NAMES:
        yield _channel(f"CV {name}", CVS[name], read, calibration, guide)


def _channel(what: str, channel: int, read: Read, calibration: Calibration, guide: Guide | None) -> Finding:
    is_knob = channel in KNOBS.values()
    zero, one = calibration.ends(channel)
    if guide is None:
        counts = read()[channel]
        share = (counts - zero) / (one - zero)
        at = f"{min(max(share, 0.0), 1.0):.2f}" if is_knob else f"{share * CV_VOLTS:.2f} V"
        return Finding(what, True, f"stands at {counts} counts, {at}")
    low, high = list(read()), list(read())
    ends = sorted((zero, one))

    def moved() -> bool:
        for number, counts in enumerate(read()):
            low[number], high[number] = min(low[number], counts), max(high[number], counts)
        reached = low[channel] <= ends[0] + END_ZONE and high[channel] >= ends[1] - END_ZONE
        return reached if is_knob else high[channel] - low[channel] >= APART

    guide.say(
        f"Turn {what} to both ends (Enter goes on)."
        if is_knob
        else f"Patch something that moves into {what} (Enter goes on)."
    )
    well = guide.wait(moved, TURN_S)
    span = [above - below for below, above in zip(low, high, strict=True)]
    found = f"went from {low[channel]} to {high[channel]} counts"
    if span[channel] >= APART:
        advice = "" if well else "It does not reach its ends: `fathom calibrate`, or look at its outer legs."
        return Finding(what, well or not is_knob, found, advice)
    most = max(range(len(span)), key=lambda other: span[other])
    if span[most] >= APART:
        return Finding(what, False, f"{found}, but channel {most} moved.", "Change the wires of the two.")
    advice = OF_KNOB.format(channel) if is_knob else "Nothing came: is a cable in, and is its voltage moving?"
    return Finding(what, False, f"{found}.", advice, needed=is_knob)


def _outputs(panel: Panel, time: Time, outfit: Outfit, guide: Guide | None) -> Iterator[Finding]:
    for name, pin in outfit.wiring.jacks_out.items():
        what, found = f"jack {name} out", f"GPIO{pin}"
        if f"{name} out" in panel.jacks.missing:
            yield Finding(what, False, f"{found} is not to be had.", _advice(panel.jacks.complaint))
        elif guide is None:
            yield Finding(what, True, f"{found} is ours and low")
        else:
            panel.jacks.write({name: 1})
            good = guide.agrees(f"{name} out is high now: is there a voltage at the jack?")
            panel.jacks.write({name: 0})
            advice = f"Look at the buffer, its supply of 5 V and its input from GPIO{pin}."
            yield Finding(
                what, good, f"{found} {'gives' if good else 'gives no'} voltage", "" if good else advice
            )


def _inputs(panel: Panel, time: Time, outfit: Outfit, guide: Guide | None) -> Iterator[Finding]:
    for name, pin in outfit.wiring.jacks_in.items():
        what, found = f"jack {name} in", f"GPIO{pin}"
        if f"{name} in" in panel.jacks.missing:
            yield Finding(what, False, f"{found} is not to be had.", _advice(panel.jacks.complaint))
            continue
        panel.jacks.arrived()
        edges: list[int] = []

        def came(name: str = name, edges: list[int] = edges) -> bool:
            edges += [at for jack, at, rising in panel.jacks.arrived() if jack == name and rising]
            return len(edges) > 1

        if guide is None:
            time.sleep_until(time.now() + LOOK_NS, exact=False)
            came()
            yield Finding(what, True, f"{found} is ours, {len(edges)} pulses in {LOOK_NS // 10**6} ms")
            continue
        guide.say(f"Patch pulses into {name} in (Enter goes on).")
        good = guide.wait(came, PRESS_S)
        rate = f", {1e9 / max(edges[-1] - edges[-2], 1):.1f} a second" if good else ""
        advice = "" if good else "Is a cable in? Look at the transistor between jack and pin."
        yield Finding(what, bool(edges), f"{found}: {len(edges)} pulses{rate}", advice, needed=False)


def _asked_for(guide: Guide | None) -> list[tuple[str, str]]:
    """The jumper that the player puts in when asked to."""
    if guide is None or not guide.agrees("Put a cable from gate1 to clock in. Is it there?"):
        return []
    return [("gate1", "clock")]


def _jumper(panel: Panel, time: Time, out: str, into: str) -> Finding:
    what = f"jumper {out}:{into}"
    gone = {f"{out} out", f"{into} in"} & set(panel.jacks.missing)
    if gone:
        return Finding(what, False, f"{', '.join(sorted(gone))} is not to be had.", "See above.")
    heard = over_jumper(panel.jacks, time, out, into)
    advice = ""
    if not heard.seen:
        advice = f"Is the cable from {out} to {into} in? Then look at buffer and transistor."
    elif heard.seen != COUNT:
        advice = "Look for a loose cable, and for a transistor's input that floats."
    return Finding(what, heard.seen == COUNT, str(heard), advice)


def _buttons(panel: Panel, outfit: Outfit, guide: Guide | None) -> Iterator[Finding]:
    for name, pin in outfit.wiring.buttons.items():
        what, found = f"button {name}", f"GPIO{pin}"
        if name in panel.buttons.missing:
            yield Finding(what, False, f"{found} is not to be had.", _advice(panel.buttons.complaint))
        elif guide is None:
            yield Finding(what, True, f"{found} is ours")
        else:
            panel.buttons.presses()
            others: set[str] = set()

            def pressed(name: str = name, others: set[str] = others) -> bool:
                others |= {button for button, kind in panel.buttons.presses() if kind == "press"}
                return name in others

            guide.say(f"Press {name} (Enter goes on).")
            good = guide.wait(pressed, PRESS_S)
            instead = f", but {' and '.join(sorted(others))} was pressed" if others and not good else ""
            advice = "" if good else f"Look at its wires: from GPIO{pin} to ground."
            yield Finding(what, good, f"{found} was {'' if good else 'not '}pressed{instead}", advice)


def _lamps(panel: Panel, time: Time, outfit: Outfit, guide: Guide | None) -> Iterator[Finding]:
    for name, pin in outfit.wiring.leds.items():
        what, found = f"LED {name}", f"GPIO{pin}"
        if name in panel.lamps.missing:
            yield Finding(what, False, f"{found} is not to be had.", _advice(panel.lamps.complaint))
            continue
        panel.lamps.set(name, "on")
        if guide is None:
            time.sleep_until(time.now() + LIT_NS, exact=False)
            yield Finding(what, True, f"{found} was lit for {LIT_NS // 10**6} ms")
        else:
            good = guide.agrees(f"LED {name} is lit now: is it?")
            advice = "" if good else "Look at its resistor, and which way round it is."
            yield Finding(what, good, f"{found} {'shines' if good else 'is dark'}", advice)
        panel.lamps.set(name, "off")


def _advice(complaint: str) -> str:
    """What a complaint says is to be done."""
    return complaint.partition(". ")[2] or complaint
