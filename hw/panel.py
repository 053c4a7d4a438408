"""Opens a panel: the box's own ("pi") or one in memory ("sim"). Nothing falls back silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hw.errors import PanelError
from hw.link import Session
from hw.midi_in import open_midi_in
from hw.midi_out import open_midi_out
from hw.sim import SimButtons, SimJacks, SimKnobs, SimLamps, SimMidi, SimMidiIn
from hw.table import Wiring
from hw.timing import RealTime, Time

KINDS = ("pi", "sim")


class Jacks(Protocol):
    """Gates, accent, clock and reset out; clock and reset in."""

    levels: dict[str, int]

    def write(self, levels: Mapping[str, int]) -> None: ...

    def arrived(self) -> list[tuple[str, int, bool]]: ...

    def close(self) -> None: ...


class Knobs(Protocol):
    """Knobs A to D in `values`, CV A to D in `cv`, all 0..1. `complaint` is a sentence, or empty."""

    values: list[float]
    cv: list[float]
    complaint: str
    channels: int

    def read(self, channel: int) -> int: ...

    def close(self) -> None: ...


class Buttons(Protocol):
    """What fingers did since it was last asked."""

    def presses(self) -> list[tuple[str, str]]: ...

    def held(self) -> list[str]: ...

    def close(self) -> None: ...


class Lamps(Protocol):
    """Lamps that are told a state and blink by themselves, as long as they are refreshed."""

    def set(self, name: str, state: str) -> None: ...

    def refresh(self) -> None: ...

    def close(self) -> None: ...


class Midi(Protocol):
    """An output that takes whole messages and never raises. Others find it as `listed`."""

    name: str
    system: str
    listed: str
    errors: int

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
    complaint: str

    @property
    def errors(self) -> int: ...

    def receive(self) -> list[tuple[int, bytes]]: ...

    def close(self) -> None: ...


@dataclass
class Panel:
    """All that a hand or a cable touches. `notes` are for the player: what is missing, what to do."""

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
    time: Time | None = None,
    remember: bool = False,
    wiring: Wiring | None = None,
) -> Panel:
    """The panel of that kind, ready to play.

    MIDI is real on both kinds, as virtual ports of that name, so many `outputs` and `inputs`; several have
    numbers. Where there can be none twins take their place, and `notes` says what is missing; with
    `midi_port=None` twins are asked for. `remember` lets twins keep what was played. Raises PanelError where
    the box's own parts cannot be used.
    """
    if kind not in KINDS:
        raise PanelError(f"panel {kind!r} is not known; expected {' or '.join(KINDS)}.")
    time = time or RealTime()
    if kind == "pi":
        panel = _open_pi(wiring or Wiring(), time)
    else:
        jacks = SimJacks(time, remember)
        panel = Panel("sim", jacks, SimKnobs(), SimButtons(), SimLamps(), [], time)
    _open_midi(panel, midi_port, outputs, inputs, remember)
    return panel


def _open_midi(panel: Panel, name: str | None, outputs: int, inputs: int, remember: bool) -> None:
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

    for number in _numbers(outputs):
        panel.midi.append(port(open_midi_out, lambda name: SimMidi(panel.time, name, remember), number))
    for number in _numbers(inputs):
        panel.inputs.append(port(open_midi_in, lambda name: SimMidiIn(panel.time, name), number))


def _numbers(count: int) -> list[tuple[int, ...]]:
    """A number for each of several; none for one that is alone."""
    return [()] if count == 1 else [(number,) for number in range(1, count + 1)]


def _open_pi(wiring: Wiring, time: Time) -> Panel:
    from hw.fingers import GpioButtons, GpioLamps, pin_factory
    from hw.jacks import GpiodJacks
    from hw.knobs import Mcp3008Knobs

    opened: list[Callable[[], None]] = []
    try:
        jacks = GpiodJacks(wiring)
        opened.append(jacks.close)
        knobs = Mcp3008Knobs(time)
        opened.append(knobs.close)
        factory = pin_factory("lgpio")
        buttons = GpioButtons(wiring.buttons, factory)
        opened.append(buttons.close)
        lamps = GpioLamps(wiring.leds, factory, time)
    except BaseException:
        _close_all(opened)
        raise
    return Panel("pi", jacks, knobs, buttons, lamps, [], time)


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
