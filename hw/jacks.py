"""The jacks: gates, accent, clock and reset out, clock and reset in. When is the engine's business."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from typing import Any

from hw.errors import PanelError
from hw.table import Wiring

HEADER_CHIPS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")  # Pi 5; Pi 4; Pi 3, Zero 2 W
INSTALL = "Run `pip install 'gpiod>=2.2.2,<3'`."
CONSUMER = "fathom"  # what `gpioinfo` shows beside our lines
WAITING_EDGES = 64  # kept by the kernel: a tenth of a second of 24 pulses a beat at 300 BPM is 12


class GpiodJacks:
    """3.3 V at the pin, 5 V at the jack. Its twin is `hw.sim.SimJacks`.

    All outputs are one request of the kernel, so that what changes together changes in one call. Inputs are
    stamped by the kernel, on the same clock as `RealTime`, and kept there until they are asked for.
    """

    def __init__(self, wiring: Wiring | None = None, gpiod: Any = None) -> None:
        """Take the lines, outputs low. Raises PanelError where there is no chip, or a line is taken."""
        self._wiring = wiring or Wiring()
        self._gpiod = gpiod or _gpiod()
        self._out: Any = None
        self._in: Any = None
        line = self._gpiod.line
        self._values = (line.Value.INACTIVE, line.Value.ACTIVE)
        self._pins = dict(self._wiring.jacks_out)
        self._names = {pin: name for name, pin in self._wiring.jacks_in.items()}
        self._rising = self._gpiod.EdgeEvent.Type.RISING_EDGE
        self.levels = dict.fromkeys(self._pins, 0)
        outputs = self._gpiod.LineSettings(direction=line.Direction.OUTPUT, output_value=line.Value.INACTIVE)
        inputs = self._gpiod.LineSettings(
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.BOTH,
            bias=line.Bias.PULL_UP,
            active_low=True,  # the input's transistor turns the signal over
            event_clock=line.Clock.MONOTONIC,
        )
        chip = self._wiring.gpiochip or self._header_chip()
        self._out = self._request(chip, outputs, self._pins.values())
        try:
            self._in = self._request(chip, inputs, self._names, event_buffer_size=WAITING_EDGES)
        except PanelError:
            self.close()
            raise

    def write(self, levels: Mapping[str, int]) -> None:
        """Set these jacks at one instant; the others stay."""
        pins, values = self._pins, self._values
        self._out.set_values({pins[name]: values[level] for name, level in levels.items()})
        self.levels.update(levels)

    def arrived(self) -> list[tuple[str, int, bool]]:
        """Edges since the last call as `(name, ns, rising)`, oldest first. Never waits."""
        if self._in is None or not self._in.wait_edge_events(0):
            return []
        events = self._in.read_edge_events(WAITING_EDGES)
        return [(self._names[e.line_offset], e.timestamp_ns, e.event_type is self._rising) for e in events]

    def close(self) -> None:
        """Pull every jack low and give the lines back. Safe to call twice.

        The kernel of a Pi leaves a line as it was when it is given back, so low is how it stays.
        """
        out, inputs = self._out, self._in
        self._out = self._in = None
        if out is not None:
            try:
                out.set_values(dict.fromkeys(self._pins.values(), self._values[0]))
                self.levels = dict.fromkeys(self._pins, 0)
            finally:
                out.release()
        if inputs is not None:
            inputs.release()

    def _header_chip(self) -> str:
        """Path of the chip that the header hangs on, by its label: the numbers differ by kernel."""
        paths = sorted(glob.glob("/dev/gpiochip*"))
        if not paths:
            raise PanelError(
                "jacks: no /dev/gpiochip* on this machine; the header of a Raspberry Pi was expected. "
                "Play without it: `fathom play --panel sim`."
            )
        labels = []
        for path in paths:
            try:
                with self._gpiod.Chip(path) as chip:
                    label = chip.get_info().label
            except OSError as error:
                raise PanelError(
                    f"jacks: {path} does not open ({error}). Put this user in the group gpio, log in again."
                ) from None
            if label in HEADER_CHIPS:
                return path
            labels.append(f"{path} is {label}")
        raise PanelError(
            f"jacks: {', '.join(labels)}; expected {' or '.join(HEADER_CHIPS)}, the header of a Raspberry "
            "Pi. Name the chip in the wiring, or play with `--panel sim`."
        )

    def _request(self, chip: str, settings: Any, pins: Any, **options: Any) -> Any:
        try:
            return self._gpiod.request_lines(chip, {tuple(pins): settings}, consumer=CONSUMER, **options)
        except OSError as error:
            wanted = ", ".join(f"GPIO{pin}" for pin in pins)
            raise PanelError(
                f"jacks: {chip} does not give {wanted} ({error}). Stop what holds them (`gpioinfo` tells), "
                "or change the wiring."
            ) from None


def _gpiod() -> Any:
    try:
        import gpiod
    except ImportError as error:
        raise PanelError(f"jacks: gpiod cannot be used ({error}). {INSTALL}") from None
    if not hasattr(gpiod, "request_lines"):
        raise PanelError(f"jacks: this gpiod is of version 1, expected 2. {INSTALL}")
    return gpiod
