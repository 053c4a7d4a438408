"""The panel of the machine as a player's hands see it: knobs, jacks, buttons, lamps, cables. Boots nothing.

A jack or a button is named; `Wiring` says on which line it is. Levels are those at the jack: 1 is a gate that
is open, a clock that is high, a button that is pressed. Times are the machine's monotonic clock, in
nanoseconds, which is that of the kernel's edges and of the tape.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hw import table

from .channel import MachineError
from .machine import Machine

PARAMETERS = "/sys/module/mcp3008_sim/parameters"
EDGES = "/sys/kernel/tracing/instances/panel/trace"
CHANNELS = 8
FULL = 1023
SET = re.compile(r"-\d+ +\[\d+\] +\S+ +(\d+)\.(\d{6}): gpio_value: (\d+) set ([01])$", re.MULTILINE)
LOST = re.compile(r"CPU:\d+ \[LOST")


@dataclass(frozen=True)
class Wiring:
    """Which line each part is on: the project's own table, where nothing else is said."""

    outputs: Mapping[str, int] = field(default_factory=lambda: table.JACKS_OUT)
    inputs: Mapping[str, int] = field(default_factory=lambda: table.JACKS_IN)
    buttons: Mapping[str, int] = field(default_factory=lambda: table.BUTTONS)
    lamps: Mapping[str, int] = field(default_factory=lambda: table.LEDS)


@dataclass(frozen=True)
class Pi:
    """What a board says of itself."""

    model: str
    revision: int
    chip: str
    label: str  # of its header's GPIO chip


BOARDS = {
    "3B+": Pi("Raspberry Pi 3 Model B Plus Rev 1.3", 0xA020D3, "bcm2837", "pinctrl-bcm2835"),
    "Zero 2 W": Pi("Raspberry Pi Zero 2 W Rev 1.0", 0x902120, "bcm2837", "pinctrl-bcm2835"),
    "4": Pi("Raspberry Pi 4 Model B Rev 1.4", 0xC03114, "bcm2711", "pinctrl-bcm2711"),
    "5": Pi("Raspberry Pi 5 Model B Rev 1.0", 0xD04170, "bcm2712", "pinctrl-rp1"),
}


def hardware(board: str = "4", wiring: Wiring | None = None) -> str:
    """The words for the kernel of a `Machine` that has this board with this panel."""
    pi, wiring = BOARDS[board], wiring or Wiring()
    up = {*range(9), *wiring.inputs.values(), *wiring.buttons.values()} - {*wiring.lamps.values()}
    return (
        f"rig.model={pi.model.replace(' ', '_')} rig.revision={pi.revision:#x} rig.chip={pi.chip} "
        f"rig.label={pi.label} rig.up={','.join(map(str, sorted(up)))}"
    )


def held(*buttons: str, wiring: Wiring | None = None) -> str:
    """The words for `Machine.power_on` with these buttons held down from the first moment."""
    wiring = wiring or Wiring()
    return f"rig.pressed={','.join(str(wiring.buttons[name]) for name in buttons)}"


class Edge(NamedTuple):
    """A jack or lamp that changed."""

    ns: int
    name: str
    level: int


class Panel:
    """Hands and eyes at a machine that was booted with `hardware(...)`."""

    def __init__(self, machine: Machine, wiring: Wiring | None = None) -> None:
        self.machine = machine
        self.wiring = wiring or Wiring()
        self._codes = [FULL // 2 + 1] * CHANNELS
        self._base: dict[int, int] = {}

    # --- knobs and CV --------------------------------------------------------------------------------------

    def codes(self, codes: Sequence[int]) -> None:
        """What the MCP3008 reads on its channels, from channel 0 on; also after a power cut."""
        self._codes[: len(codes)] = codes
        text = self.machine.kept["rig.codes"] = ",".join(map(str, self._codes))
        self.machine.write(f"{PARAMETERS}/codes", text)

    def turn(self, knob: str, position: float) -> int:
        """Turn knob A, B, C or D to a position 0..1; gives the code that the chip reads now."""
        return self._channel("ABCD".index(knob), position)

    def cv(self, jack: str, position: float) -> int:
        """Put a voltage on CV A, B, C or D; 0..1 of what the chip can read."""
        return self._channel(4 + "ABCD".index(jack), position)

    def _channel(self, channel: int, position: float) -> int:
        codes = [*self._codes]
        codes[channel] = round(position * FULL)
        self.codes(codes)
        return codes[channel]

    def chip(
        self, *, absent: bool = False, floats: int = 0, stuck: int | None = None, noise: int = 0
    ) -> None:
        """Faults of the MCP3008, until this is called again: without words it is sound.

        `absent`: nobody answers and the line stays where it floats to. `stuck`: this code on every channel.
        `noise`: a reading is off by up to so many counts.
        """
        parameters = {"absent": "Y" if absent else "N", "miso_pull": floats, "noise": noise}
        parameters["stuck"] = -1 if stuck is None else stuck
        for name, value in parameters.items():
            self.machine.write(f"{PARAMETERS}/{name}", str(value))

    def chip_counters(self) -> dict[str, int]:
        """`frames` and `malformed` ones since the start, and `max_hz`, the fastest clock asked for."""
        names = ("frames", "malformed", "max_hz")
        return {name: int(self.machine.read(f"{PARAMETERS}/{name}")) for name in names}

    # --- buttons and jacks in ------------------------------------------------------------------------------

    def press(self, button: str) -> int:
        """Hold a button down; gives the time."""
        return self._set(self.wiring.buttons[button], 0)

    def release(self, button: str) -> int:
        return self._set(self.wiring.buttons[button], 1)

    def tap(self, *buttons: str, seconds: float = 0.15) -> None:
        """Press and release; several are pressed one after the other and released the other way round."""
        lines = [self.wiring.buttons[name] for name in buttons]
        ns = round(seconds * 1e9)
        steps = [(40_000_000 * n, line, 0) for n, line in enumerate(lines)]
        last = steps[-1][0] + ns
        steps += [(last + 40_000_000 * n, line, 1) for n, line in enumerate(reversed(lines))]
        self.pulses(steps)

    def jack(self, name: str, level: int) -> int:
        """Set the clock or reset jack; gives the time."""
        return self._set(self.wiring.inputs[name], 1 - level)

    def pulse_train(
        self, name: str = "clock", *, period_s: float, count: int, width_s: float = 0.005, wait: bool = True
    ) -> list[int]:
        """Pulses at a jack in; gives when each rose. With `wait=False` they go on in the machine and
        nothing is given; `stop_pulses` ends them and says.
        """
        line = self.wiring.inputs[name]
        steps = [(0, line, 0), (round(width_s * 1e9), line, 1)]
        self.machine.call("jacks", "begin", steps, count, round(period_s * 1e9))
        return self.stop_pulses(period_s * count + 10.0)[::2] if wait else []

    def pulses(self, steps: Iterable[tuple[int, int, int]]) -> list[int]:
        """Write `(ns, line, level at the pin)` at these times; gives when each was written."""
        steps = sorted(steps, key=lambda step: step[0])
        self.machine.call("jacks", "begin", steps)
        return self.stop_pulses(steps[-1][0] / 1e9 + 10.0)

    def stop_pulses(self, after_s: float = 0.0) -> list[int]:
        """End what `pulse_train` began, after so many seconds at most; gives when each level was written."""
        return self.machine.call("jacks", "end", after_s, timeout=after_s + 30)

    def jumper(self, output: str, jack: str) -> Jumper:
        """A cable from an output to a jack in, for `with`."""
        gpio = self._gpio_base() + self.wiring.outputs[output]
        return Jumper(self.machine, gpio, self.wiring.inputs[jack])

    def _set(self, line: int, level: int) -> int:
        return self.machine.call("jacks", "set", line, level)

    # --- jacks out and lamps -------------------------------------------------------------------------------

    def level(self, output: str) -> int:
        return self.levels([output])[output]

    def levels(self, names: Iterable[str] | None = None) -> dict[str, int]:
        """Levels of outputs, of all where none is named."""
        names = [*(names or self.wiring.outputs)]
        lines = [self.wiring.outputs[name] for name in names]
        return dict(zip(names, self.machine.call("jacks", "levels", lines), strict=True))

    def lamps(self) -> dict[str, int]:
        """Which lamps are lit, by their line's level."""
        lines = [*self.wiring.lamps.values()]
        return dict(zip(self.wiring.lamps, self.machine.call("jacks", "levels", lines), strict=True))

    def edges(self, *names: str, since_ns: int = 0, until_ns: int | None = None) -> list[Edge]:
        """Every change of outputs (of these, or of all) since the machine was switched on, oldest first.

        The kernel stamps each as it sets the line, to a microsecond. What changes in one call of the kernel
        still has a stamp for each line.
        """
        return [e for e in self._changes(self.wiring.outputs, names) if _within(e, since_ns, until_ns)]

    def lamp_edges(self, *names: str, since_ns: int = 0, until_ns: int | None = None) -> list[Edge]:
        """The same for lamps."""
        return [e for e in self._changes(self.wiring.lamps, names) if _within(e, since_ns, until_ns)]

    def wait_for_edge(self, name: str, level: int = 1, *, since_ns: int = 0, timeout: float = 30.0) -> Edge:
        """The first such edge since then, waited for."""
        deadline = time.monotonic() + timeout
        while True:
            for edge in self.edges(name, since_ns=since_ns):
                if edge.level == level:
                    return edge
            if time.monotonic() > deadline:
                raise MachineError(f"{name} did not go to {level} within {timeout:.0f} s")
            time.sleep(0.2)

    def _changes(self, lines: Mapping[str, int], names: Sequence[str]) -> list[Edge]:
        text = self.machine.run(["cat", EDGES]).stdout
        if LOST.search(text):
            raise MachineError("edges were lost: the kernel's log of them is full. Ask for them earlier.")
        base = self._gpio_base()
        wanted = {base + lines[name]: name for name in (names or lines)}
        levels = dict.fromkeys(wanted.values(), 0)
        found = []
        for seconds, fraction, gpio, level in SET.findall(text):
            name = wanted.get(int(gpio))
            if name and levels[name] != int(level):
                levels[name] = int(level)
                found.append(Edge(int(seconds) * 10**9 + int(fraction) * 1000, name, int(level)))
        return found

    def _gpio_base(self) -> int:
        """The kernel's number of the header's line 0: it may be another after each start."""
        start = self.machine.starts
        if start not in self._base:
            label = self.machine.read("/sys/kernel/config/gpio-sim/header/bank0/label").decode().strip()
            command = f"for c in /sys/class/gpio/gpiochip*; do grep -qx {label} $c/label && cat $c/base; done"
            self._base[start] = int(self.machine.run(command + "; true").stdout)
        return self._base[start]


class Jumper:
    """A cable from one jack of the box to another, as long as the `with` lasts."""

    def __init__(self, machine: Machine, gpio: int, line: int) -> None:
        self._machine, self._gpio, self._line = machine, gpio, line

    def __enter__(self) -> Jumper:
        self._machine.call("jacks", "join", self._gpio, self._line, True)
        return self

    def __exit__(self, *why: object) -> None:
        self._machine.call("jacks", "part", self._gpio, self._line)


def _within(edge: Edge, since_ns: int, until_ns: int | None) -> bool:
    return edge.ns >= since_ns and (until_ns is None or edge.ns < until_ns)
