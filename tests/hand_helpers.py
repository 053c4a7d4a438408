"""Hands for a test: fingers and knobs that take their time, and what a player sees of the box."""

from device.clock import NS_PER_MS

PASS_MS = 12  # within which every job of the box has had its turn


def wait(box, ms=PASS_MS):
    """Let the box go on for so long."""
    until = box.engine.time.now() + ms * NS_PER_MS
    while box.engine.time.now() < until:
        box.engine.step()


def finger(box, button, kind):
    """Let a finger press, hold or release a button, and the box notice it."""
    box.panel.buttons.press(button, kind)
    wait(box)


def tip(box, button, ms=60):
    """A short press."""
    finger(box, button, "press")
    wait(box, ms)
    finger(box, button, "release")


def lean_on(box, button, ms=700):
    """A long press."""
    finger(box, button, "press")
    wait(box, 600)
    finger(box, button, "hold")
    wait(box, ms - 600)
    finger(box, button, "release")


def turn(box, knob, to, steps=16):
    """Turn a knob by hand, "A" to "D", in even movements; it rests before and after."""
    at = "ABCD".index(knob)
    begin = box.panel.knobs.values[at]
    wait(box, 300)
    for step in range(steps):
        box.panel.knobs.turn(at, begin + (to - begin) * (step + 1) / steps)
        wait(box)
    wait(box, 300)


def steps_between(box, knob, to, look, steps=200):
    """What is seen after each of many small movements of a knob."""
    at = "ABCD".index(knob)
    begin = box.panel.knobs.values[at]
    wait(box, 300)
    seen = [look()]
    for step in range(steps):
        box.panel.knobs.turn(at, begin + (to - begin) * (step + 1) / steps)
        wait(box)
        seen.append(look())
    return seen


def control(box, number, value, channel=1):
    """Let a control change arrive, and the box notice it."""
    box.panel.inputs[0].feed([0xB0 | channel - 1, number, value])
    wait(box)


def program(box, number, channel=1):
    """Let a program change arrive, counted from 1."""
    box.panel.inputs[0].feed([0xC0 | channel - 1, number - 1])
    wait(box)


def note(box, number, channel=1):
    """Let a note be struck and let go."""
    box.panel.inputs[0].feed([0x90 | channel - 1, number, 100])
    box.panel.inputs[0].feed([0x80 | channel - 1, number, 0])
    wait(box)
