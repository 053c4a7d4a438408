"""Clocks for a box in time that stands still: what arrives, when, and what the box makes of it."""

import random

from device.clock import NS_PER_MS

CLOCK, START, CONTINUE, STOP = b"\xf8", b"\xfa", b"\xfb", b"\xfc"
S = 1_000_000_000


def position(sixteenths):
    return bytes((0xF2, sixteenths & 0x7F, sixteenths >> 7))


def feed(box, schedule, until=0):
    """Let messages `(ns, bytes)` or edges `(ns, jack)` arrive when they are due, while the box plays.

    They are there with the pass after: that is how late a box sees them.
    """
    time = box.engine.time
    for at, what in schedule:
        while time.now() < at:
            box.engine.step()
        if isinstance(what, bytes):
            box.panel.inputs[0].feed(what, at)
        else:
            box.panel.jacks.feed(what, True, at)
    while time.now() < until:
        box.engine.step()


def clocks(bpm, count, first=0, jitter_ms=0.0, seed=1, per_beat=24, what=CLOCK):
    noise = random.Random(seed)
    period = 60e9 / bpm / per_beat
    return [
        (round(first + n * period + noise.uniform(-jitter_ms, jitter_ms) * NS_PER_MS), what)
        for n in range(count)
    ]


def rises(box, jack="gate1"):
    return [
        entry["at_ns"]
        for entry in box.engine.output.tape.entries
        if entry.get("jack") == jack and entry["level"] == 1
    ]
