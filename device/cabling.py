"""The MIDI ports of a box and what they are connected to: tells the patch bay, and the player of its events.

Opens no port and connects nothing itself. A synthesiser that comes back may still sound what it was told to
before its cable was pulled, so it is told to end all that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from device.output import Output
from device.patching import Patching
from device.settings import Settings
from hw.panel import Panel
from hw.patchbay import Event, Wish
from hw.table import DIN

SYSTEMS = ("ALSA", "JACK")


class Cabling:
    """Keeps wishes and settings alike. `start` starts the patch bay where something is wished for.

    That takes milliseconds, which there are before the music and not while it plays.
    """

    def __init__(
        self, panel: Panel, output: Output, settings: Settings, start: Callable[[str, list[Wish]], Patching]
    ) -> None:
        self._panel = panel
        self._output = output
        self._patching: Patching | None = None
        self._wanted: tuple[Sequence[str], Sequence[str]] = ((), ())
        self._wishes: list[Wish] = []
        self._refused: dict[str, str] = {}  # port of ours, and the one that does not let itself be connected
        systems = [*(port.system for port in panel.midi), *(port.system for port in panel.inputs)]
        self._system = next((system for system in systems if system in SYSTEMS), "")
        self._late = self._swapped = False
        self.want(settings)
        if self._wishes and self._system:
            self._patching = start(self._system, self._wishes)

    @property
    def complaint(self) -> str:
        """What is amiss, in a sentence, or empty."""
        if self._swapped:
            return "MIDI: the DIN sockets come and go with the next start."
        if self._late and self._system:
            return "MIDI: more ports, and the first that is connected by name, come with the next start."
        if self._refused:
            ours, theirs = next(iter(self._refused.items()))
            return f"MIDI: {theirs} does not let itself be connected with {ours}."
        return self._patching.complaint if self._patching else ""

    def want(self, settings: Settings) -> None:
        """Wish for what the settings say, where that is something else than before."""
        wanted = (settings.midi_out, settings.midi_in)
        if wanted == self._wanted:
            return
        begins, self._wanted = self._wanted == ((), ()), wanted
        named = [
            *zip((port.listed for port in self._panel.midi), settings.midi_out, strict=False),
            *zip((port.listed for port in self._panel.inputs), settings.midi_in, strict=False),
        ]
        self._wishes = [(listed, name) for listed, name in named if name and listed and name != DIN]
        systems = [
            *zip((port.system for port in self._panel.midi), settings.midi_out, strict=False),
            *zip((port.system for port in self._panel.inputs), settings.midi_in, strict=False),
        ]
        swapped = any((system == "DIN") != (name == DIN) for system, name in systems)
        more = len(settings.midi_out) > len(self._panel.midi) or len(settings.midi_in) > len(
            self._panel.inputs
        )
        self._swapped = not begins and swapped
        self._late = not begins and (more or (self._patching is None and bool(self._wishes)))
        if self._patching is not None:
            self._patching.wish(self._wishes)

    def attend(self, settings: Settings, beat: float) -> None:
        """Take in what came and went. A slack job."""
        self.want(settings)
        for event in self._patching.events() if self._patching else []:
            self._happened(event, beat)

    def close(self) -> None:
        """End the patch bay; what it has connected stays so."""
        if self._patching is not None:
            self._patching.close()

    def _happened(self, event: Event, beat: float) -> None:
        what, ours, theirs = event
        self._refused.pop(ours, None)
        if what == "refused":
            self._refused[ours] = theirs
        elif what == "connected":
            for number, port in enumerate(self._panel.midi):
                if port.listed == ours:
                    self._output.hush(number, beat)
