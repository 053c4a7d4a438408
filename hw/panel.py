"""Opens a panel: the box's own ("pi") or one in memory ("sim"). Nothing falls back silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hw.errors import PanelError
from hw.midi_out import open_midi_out
from hw.sim import SimButtons, SimJacks, SimKnobs, SimLamps, SimMidi
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

    def close(self) -> None: ...


class Lamps(Protocol):
    """Lamps that are told a state and blink by themselves, as long as they are refreshed."""

    def set(self, name: str, state: str) -> None: ...

    def refresh(self) -> None: ...

    def close(self) -> None: ...


class Midi(Protocol):
    """An output that takes whole messages and never raises."""

    name: str
    system: str
    errors: int

    def send(self, message: Sequence[int]) -> bool: ...

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

    def close(self) -> None:
        """Every gate low, every note off, every lamp dark. Safe to call twice."""
        ports = [port.close for port in self.midi]
        _close_all([self.jacks.close, *ports, self.lamps.close, self.buttons.close, self.knobs.close])


def open_panel(
    kind: str,
    *,
    midi_port: str | None = "Fathom",
    time: Time | None = None,
    remember: bool = False,
    wiring: Wiring | None = None,
) -> Panel:
    """The panel of that kind, ready to play.

    MIDI is real on both kinds, as a virtual port of that name; where there can be none a twin takes its
    place, and `notes` says what is missing. `midi_port=None` asks for the twin. `remember` lets twins keep
    what was played. Raises PanelError where the box's own parts cannot be used.
    """
    if kind not in KINDS:
        raise PanelError(f"panel {kind!r} is not known; expected {' or '.join(KINDS)}.")
    time = time or RealTime()
    if kind == "pi":
        panel = _open_pi(wiring or Wiring(), time)
    else:
        jacks = SimJacks(time, remember)
        panel = Panel("sim", jacks, SimKnobs(), SimButtons(), SimLamps(), [], time)
    twin = SimMidi(time, remember=remember)
    if midi_port is None:
        panel.midi.append(twin)
        return panel
    try:
        panel.midi.append(open_midi_out(midi_port))
    except PanelError as error:
        panel.notes.append(str(error))
        twin.name = midi_port
        panel.midi.append(twin)
    return panel


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
