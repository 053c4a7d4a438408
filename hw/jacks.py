"""The jacks: gates, accent, clock and reset out, clock and reset in. When is the engine's business."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from hw.errors import PanelError
from hw.header import chips, header_chip, import_gpiod
from hw.table import Wiring

CONSUMER = "fathom"  # what `gpioinfo` shows beside our lines
WAITING_EDGES = 64  # kept by the kernel: a tenth of a second of 24 pulses a beat at 300 BPM is 12


class GpiodJacks:
    """3.3 V at the pin, 5 V at the jack. Its twin is `hw.sim.SimJacks`.

    All outputs are one request of the kernel, so that what changes together changes in one call. Inputs are
    stamped by the kernel, on the same clock as `RealTime`, and kept there until they are asked for.

    What cannot be had is said in `complaint`, and the other jacks play. `mend` tries again what is missing;
    what comes back has a request of its own, since a request that drives gates is not taken apart.
    """

    def __init__(self, wiring: Wiring | None = None, gpiod: Any = None) -> None:
        """Take the lines, outputs low."""
        self._wiring = wiring or Wiring()
        self._out: list[tuple[Any, dict[str, int]]] = []  # requests, with the pin of each jack
        self._in: list[Any] = []
        self._pins = dict(self._wiring.jacks_out)
        self._names = {pin: name for name, pin in self._wiring.jacks_in.items()}
        self._missing_out, self._missing_in = list(self._pins.values()), list(self._names)
        self._heard: dict[int, int] = {}  # number of the latest edge at each pin
        self.levels = dict.fromkeys(self._pins, 0)
        self.missed = 0  # edges that came faster than they were asked for
        self.complaint = ""
        self.chip = ""
        self._values: tuple[Any, ...] = ()
        self._closed = False
        try:
            self._gpiod = gpiod or import_gpiod()
        except PanelError as error:
            self._gpiod = None  # no waiting mends that
            self.complaint = str(error)
            return
        line = self._gpiod.line
        self._values = (line.Value.INACTIVE, line.Value.ACTIVE)
        self._inputs = self._gpiod.LineSettings(
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.RISING,  # nobody asks when a pulse ended
            bias=line.Bias.PULL_UP,
            active_low=True,  # the input's transistor turns the signal over
            event_clock=line.Clock.MONOTONIC,
        )
        self._take()

    @property
    def present(self) -> bool:
        """Whether this machine has any chip with pins."""
        return bool(chips()) or bool(self._out) or bool(self._in)

    @property
    def missing(self) -> list[str]:
        """Jacks that are not to be had, as "gate1 out" or "clock in"."""
        out = [f"{name} out" for name, pin in self._pins.items() if pin in self._missing_out]
        return out + [f"{self._names[pin]} in" for pin in self._missing_in]

    def write(self, levels: Mapping[str, int]) -> None:
        """Set these jacks at one instant; the others stay. Never raises: what fails is said."""
        values = self._values
        for request, pins in self._out:
            wanted = {pins[name]: values[level] for name, level in levels.items() if name in pins}
            if wanted:
                try:
                    request.set_values(wanted)
                except OSError as error:
                    self._lose(request, pins, error)
        self.levels.update(levels)

    def arrived(self) -> list[tuple[str, int, bool]]:
        """Edges since the last call as `(name, ns, rising)`, oldest first. Never waits, never raises."""
        edges: list[tuple[str, int, bool]] = []
        for request in self._in:
            try:
                if not request.wait_edge_events(0):
                    continue
                for event in request.read_edge_events(WAITING_EDGES):
                    pin, number = event.line_offset, event.line_seqno
                    self.missed += max(0, number - self._heard.get(pin, number - 1) - 1)
                    self._heard[pin] = number
                    edges.append((self._names[pin], event.timestamp_ns, True))
            except OSError as error:
                for lost in self._in:
                    with contextlib.suppress(Exception):
                        lost.release()
                self._in, self._missing_in = [], list(self._names)
                self.complaint = f"jacks: the inputs cannot be read any more ({error}); it is tried again."
        if len(self._in) > 1:
            edges.sort(key=lambda edge: edge[1])
        return edges

    def mend(self, resting: bool) -> None:
        """Try again to take what is missing."""
        if self._gpiod is not None and not self._closed and (self._missing_out or self._missing_in):
            self._take()

    def close(self) -> None:
        """Pull every jack low and give the lines back. Safe to call twice.

        The kernel of a Pi leaves a line as it was when it is given back, so low is how it stays.
        """
        self._closed = True
        out, inputs = self._out, self._in
        self._out, self._in = [], []
        for request, pins in out:
            try:
                with contextlib.suppress(OSError):
                    request.set_values(dict.fromkeys(pins.values(), self._values[0]))
            finally:
                request.release()
        self.levels = dict.fromkeys(self._pins, 0)
        for request in inputs:
            request.release()

    # --- taking lines ------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Take all lines that are missing and can be had, and say of the others why not."""
        try:
            self.chip = header_chip(self._gpiod, self._wiring.gpiochip)
            taken = self._held_by_others([*self._missing_out, *self._missing_in])
        except PanelError as error:
            self.complaint = str(error)
            return
        for direction, missing in (("out", self._missing_out), ("in", self._missing_in)):
            free = [pin for pin in missing if pin not in taken]
            got: list[int] = []
            try:
                got = self._request(direction, free)
            except OSError as error:
                if len(free) == 1 or isinstance(error, PermissionError):
                    taken |= dict.fromkeys(free, str(error))
                else:  # one of them spoils it for all: each alone, so that the others are had
                    for pin in free:
                        try:
                            got += self._request(direction, [pin])
                        except OSError as its_own:
                            taken[pin] = str(its_own)
            missing[:] = [pin for pin in missing if pin not in got]
        self.complaint = self._said(taken)

    def _held_by_others(self, pins: Iterable[int]) -> dict[int, str]:
        """The lines that are in use, with who uses them. PanelError where the chip does not open."""
        held = {}
        try:
            with self._gpiod.Chip(self.chip) as chip:
                for pin in pins:
                    with contextlib.suppress(OSError, ValueError):  # asking for it tells what is wrong
                        info = chip.get_line_info(pin)
                        if info.used:
                            held[pin] = f"held by {info.consumer or 'the kernel'}"
        except (OSError, ValueError) as error:
            raise PanelError(
                f"jacks: {self.chip} does not open ({error}). Put this user in the group gpio, log in again, "
                "or change the wiring."
            ) from None
        return held

    def _request(self, direction: str, pins: list[int]) -> list[int]:
        """Take these lines in one request, outputs at the level that they are to have."""
        if not pins:
            return []
        try:
            if direction == "in":
                config = {tuple(pins): self._inputs}
                options = {"consumer": CONSUMER, "event_buffer_size": WAITING_EDGES}
                self._in.append(self._gpiod.request_lines(self.chip, config, **options))
                for pin in pins:
                    self._heard.pop(pin, None)
                return pins
            names = {name: pin for name, pin in self._pins.items() if pin in pins}
            by_level: dict[int, list[int]] = {}
            for name, pin in names.items():
                by_level.setdefault(self.levels[name], []).append(pin)
            output, settings = self._gpiod.line.Direction.OUTPUT, self._gpiod.LineSettings
            wanted = {
                tuple(group): settings(direction=output, output_value=self._values[level])
                for level, group in by_level.items()
            }
            self._out.append((self._gpiod.request_lines(self.chip, wanted, consumer=CONSUMER), names))
        except ValueError as error:  # a chip that has no such line
            raise OSError(str(error)) from None
        return pins

    def _lose(self, request: Any, pins: dict[str, int], error: OSError) -> None:
        """A request that drove jacks is of no use any more."""
        self._out = [held for held in self._out if held[0] is not request]
        self._missing_out += pins.values()
        self.complaint = f"jacks: {self.chip} sets no lines any more ({error}); it is tried again."
        with contextlib.suppress(Exception):
            request.release()

    def _said(self, taken: Mapping[int, str]) -> str:
        """What is missing, in a sentence, or nothing."""
        parts = {pin: f"{name} out" for name, pin in self._pins.items()}
        parts |= {pin: f"{name} in" for pin, name in self._names.items()}
        if not taken:
            return ""
        what = ", ".join(f"GPIO{pin} ({parts[pin]}) {why}" for pin, why in sorted(taken.items()))
        others = "no jack plays" if len(taken) == len(parts) else "the other jacks play"
        return (
            f"jacks: {self.chip} does not give {what}; {others}. Stop what holds them (`gpioinfo` tells), or "
            "change the wiring."
        )
