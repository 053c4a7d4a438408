"""Opens a panel: the box's own ("pi") or one in memory ("sim"). Nothing falls back silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hw.calibration import REFERENCE, Calibration
from hw.din import DinIn, DinOut, Serial
from hw.errors import PanelError
from hw.link import Session
from hw.midi_in import open_midi_in
from hw.midi_out import open_midi_out
from hw.sim import SimButtons, SimJacks, SimKnobs, SimLamps, SimMidi, SimMidiIn
from hw.table import Wiring
from hw.timing import RealTime, Time

KINDS = ("pi", "sim")


class Jacks(Protocol):
    """Gates, accent, clock and reset out; clock and reset in. `missed` counts edges that were too many."""

    levels: dict[str, int]
    missed: int
    complaint: str

    @property
    def missing(self) -> list[str]: ...

    def write(self, levels: Mapping[str, int]) -> None: ...

    def arrived(self) -> list[tuple[str, int, bool]]: ...

    def mend(self, resting: bool) -> None: ...

    def close(self) -> None: ...


class Knobs(Protocol):
    """Knobs A to D in `values`, 0..1; CV A to D in `cv`, -1..1 for -5 to 5 V. Both in `counts`.

    `complaint` is a sentence, or empty; where `returns` has grown values have moved that no hand has turned.
    """

    values: list[float]
    cv: list[float]
    complaint: str
    returns: int
    channels: int

    @property
    def counts(self) -> list[int]: ...

    @property
    def pulled_up(self) -> bool: ...

    def read(self, channel: int) -> int: ...

    def calibrate(self, calibration: Calibration) -> None: ...

    def mend(self, resting: bool) -> None: ...

    def close(self) -> None: ...


class Buttons(Protocol):
    """What fingers did since it was last asked."""

    @property
    def complaint(self) -> str: ...

    @property
    def missing(self) -> list[str]: ...

    def presses(self) -> list[tuple[str, str]]: ...

    def held(self) -> list[str]: ...

    def mend(self, resting: bool) -> None: ...

    def close(self) -> None: ...


class Lamps(Protocol):
    """Lamps that are told a state and blink by themselves, as long as they are refreshed."""

    @property
    def complaint(self) -> str: ...

    @property
    def missing(self) -> list[str]: ...

    def set(self, name: str, state: str) -> None: ...

    def refresh(self) -> None: ...

    def mend(self, resting: bool) -> None: ...

    def close(self) -> None: ...


class Midi(Protocol):
    """An output that takes whole messages and never raises. Others find it as `listed`."""

    name: str
    system: str
    listed: str
    errors: int

    @property
    def complaint(self) -> str: ...

    @property
    def sounding(self) -> set[tuple[int, int]]: ...

    def send(self, message: Sequence[int]) -> bool: ...

    def missed(self) -> list[bytes]: ...

    def close(self) -> None: ...


class MidiInput(Protocol):
    """An input that gives whole messages with the time they arrived. `complaint` is a sentence, or empty."""

    name: str
    system: str
    listed: str

    @property
    def complaint(self) -> str: ...

    @property
    def errors(self) -> int: ...

    def receive(self) -> list[tuple[int, bytes]]: ...

    def close(self) -> None: ...


@dataclass
class Panel:
    """All that a hand or a cable touches. `notes` are for the player: what is missing, what to do.

    `faults` are those that last as long as it plays.
    """

    name: str
    jacks: Jacks
    knobs: Knobs
    buttons: Buttons
    lamps: Lamps
    midi: list[Midi]  # outputs; never empty, so that a tape has its MIDI everywhere
    time: Time
    notes: list[str] = field(default_factory=list)
    inputs: list[MidiInput] = field(default_factory=list)
    link: Session | None = None  # an Ableton Link session, where one was joined
    faults: list[str] = field(default_factory=list)
    serial: Serial | None = None  # what the DIN sockets are on, where something goes to them
    _mended: int = 0  # how often something was

    @property
    def complaints(self) -> list[str]:
        """What is wrong with a part at this moment, each in a sentence."""
        parts: list[Any] = [self.jacks, self.knobs, self.buttons, self.lamps, *self.midi, *self.inputs]
        return list(dict.fromkeys([*self.faults, *(part.complaint for part in parts if part.complaint)]))

    def mend(self, resting: bool) -> None:
        """Let the next of the parts that complain try again. `resting`: no music waits meanwhile."""
        if self.serial is not None:
            self.serial.mend(resting)
        parts: list[Any] = [self.jacks, self.knobs, self.buttons, self.lamps]
        broken = [part for part in parts if part.complaint]
        if broken:
            self._mended += 1
            broken[self._mended % len(broken)].mend(resting)

    def close(self) -> None:
        """Every gate low, every note off, every lamp dark. Safe to call twice."""
        ports = [*[port.close for port in self.midi], *[port.close for port in self.inputs]]
        link = [self.link.close] if self.link else []
        _close_all([self.jacks.close, *ports, *link, self.lamps.close, self.buttons.close, self.knobs.close])


def open_panel(
    kind: str,
    *,
    midi_port: str | None = "Fathom",
    outputs: int = 1,
    inputs: int = 1,
    din: tuple[int | None, int | None] = (None, None),
    time: Time | None = None,
    remember: bool = False,
    wiring: Wiring | None = None,
    calibration: Calibration = REFERENCE,
) -> Panel:
    """The panel of that kind, ready to play.

    MIDI is real on both kinds, as virtual ports of that name, so many `outputs` and `inputs`; several have
    numbers. `din` says which of each, from 0, is the DIN socket. Where there can be none twins take their
    place, and `notes` says what is missing; with `midi_port=None` twins are asked for. `remember` lets twins
    keep what was played.

    A part of the box's own that cannot be used says so in its `complaint`, and the others play. Raises
    PanelError where nothing of a panel is there: no pins, no bus, no MIDI.
    """
    if kind not in KINDS:
        raise PanelError(f"panel {kind!r} is not known; expected {' or '.join(KINDS)}.")
    time = time or RealTime()
    wiring = wiring or Wiring()
    if kind == "pi":
        panel, anything = _open_pi(wiring, calibration, time)
    else:
        jacks = SimJacks(time, remember)
        panel = Panel("sim", jacks, SimKnobs(), SimButtons(), SimLamps(), [], time)
        anything = True
    if midi_port is not None and din != (None, None):
        panel.serial = Serial(wiring.serial)
    _open_midi(panel, midi_port, outputs, inputs, din, remember)
    if not anything and all(port.system == "memory" or port.complaint for port in panel.midi):
        panel.close()
        raise PanelError(panel.jacks.complaint)
    return panel


def _open_midi(
    panel: Panel,
    name: str | None,
    outputs: int,
    inputs: int,
    din: tuple[int | None, int | None],
    remember: bool,
) -> None:
    """Open them all; from the first that cannot be had on the rest are twins, and one note says why."""
    twins = name is None
    client = name or "Fathom"

    def port(real: Callable[..., Any], twin: Callable[[str], Any], number: tuple[int, ...]) -> Any:
        nonlocal twins
        if not twins:
            try:
                return real(client, *number)
            except PanelError as error:
                panel.notes.append(str(error))
                twins = True
        return twin(" ".join([client, *map(str, number)]))

    for place, number in enumerate(_numbers(outputs)):
        if panel.serial is not None and place == din[0]:
            panel.midi.append(DinOut(panel.serial))
            continue
        panel.midi.append(port(open_midi_out, lambda name: SimMidi(panel.time, name, remember), number))
    for place, number in enumerate(_numbers(inputs)):
        if panel.serial is not None and place == din[1]:
            panel.inputs.append(DinIn(panel.serial))
            continue
        panel.inputs.append(port(open_midi_in, lambda name: SimMidiIn(panel.time, name), number))


def _numbers(count: int) -> list[tuple[int, ...]]:
    """A number for each of several; none for one that is alone."""
    return [()] if count == 1 else [(number,) for number in range(1, count + 1)]


def _open_pi(wiring: Wiring, calibration: Calibration, time: Time) -> tuple[Panel, bool]:
    """The box's own parts, and whether anything of them is there."""
    from hw.fingers import GpioButtons, GpioLamps, Pins
    from hw.jacks import GpiodJacks
    from hw.knobs import Mcp3008Knobs

    opened: list[Callable[[], None]] = []
    try:
        jacks = GpiodJacks(wiring)
        opened.append(jacks.close)
        knobs = Mcp3008Knobs(time, calibration=calibration)
        opened.append(knobs.close)
        pins = Pins(lambda: jacks.chip)
        buttons = GpioButtons(wiring.buttons, pins)
        opened.append(buttons.close)
        lamps = GpioLamps(wiring.leds, pins, time)
    except BaseException:
        _close_all(opened)
        raise
    panel = Panel("pi", jacks, knobs, buttons, lamps, [], time)
    panel.notes += [pins.note] if pins.note else []
    return panel, jacks.present or knobs.present


def _close_all(closers: list[Callable[[], None]]) -> None:
    """Call them all, even after one has failed; what failed first is raised in the end."""
    failed: list[Exception] = []
    for close in closers:
        try:
            close()
        except Exception as error:
            failed.append(error)
    if failed:
        raise failed[0]
