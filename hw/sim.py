"""The twins: the parts of the panel in memory. Same methods as the real ones, plus hands for a test.

What they remember grows without end, so they remember only when asked to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hw.calibration import Calibration
from hw.midi_in import MOST_GIVEN
from hw.sounding import Sounding
from hw.table import BUTTONS, CHANNELS, COUNTS, CVS, JACKS_IN, JACKS_OUT, KNOBS, LAMP_STATES, LEDS, PRESSES
from hw.timing import Time

NS_PER_MINUTE = 60_000_000_000


class SimJacks:
    """Jacks without wires. `edges` is a list of `(ns, name, level)`, one for every change of a jack."""

    def __init__(self, time: Time, remember: bool = False) -> None:
        self.levels = dict.fromkeys(JACKS_OUT, 0)
        self.edges: list[tuple[int, str, int]] = []
        self._time = time
        self._remember = remember
        self._arrived: list[tuple[str, int, bool]] = []
        self.missed = 0
        self.missing: list[str] = []
        self.complaint = ""

    def mend(self, resting: bool) -> None:
        pass

    def write(self, levels: Mapping[str, int]) -> None:
        if not levels.keys() <= self.levels.keys():
            raise KeyError(f"no jacks {tuple(levels)}; expected some of {tuple(self.levels)}")
        if self._remember:
            now = self._time.now()
            self.edges += [(now, name, level) for name, level in levels.items() if self.levels[name] != level]
        self.levels.update(levels)

    def arrived(self) -> list[tuple[str, int, bool]]:
        arrived, self._arrived = self._arrived, []
        return arrived

    def feed(self, name: str, rising: bool, ns: int | None = None) -> None:
        """Let an edge arrive at the jack `name`, now or at `ns`."""
        if name not in JACKS_IN:
            raise KeyError(f"no input jack {name}; expected one of {tuple(JACKS_IN)}")
        self._arrived.append((name, self._time.now() if ns is None else ns, rising))

    def rises(self, name: str) -> list[int]:
        """When the jack `name` went high, as far as it is remembered."""
        return [ns for ns, jack, level in self.edges if jack == name and level]

    def close(self) -> None:
        self.write({name: 0 for name, level in self.levels.items() if level})


class SimKnobs:
    """Knobs and CV without a chip: what is turned is there at once, and rests at the middle."""

    channels = CHANNELS
    pulled_up = True

    def __init__(self) -> None:
        self.values = [0.5] * len(KNOBS)
        self.cv = [0.0] * len(CVS)
        self.complaint = ""
        self.returns = 0

    def read(self, channel: int) -> int:
        if not 0 <= channel < CHANNELS:
            raise IndexError(f"channel {channel}; the MCP3008 has 0 to {CHANNELS - 1}")
        return round(max(0.0, [*self.values, *self.cv][channel]) * COUNTS)

    @property
    def counts(self) -> list[int]:
        return [self.read(channel) for channel in range(CHANNELS)]

    def calibrate(self, calibration: Calibration) -> None:
        self.returns += 1

    def mend(self, resting: bool) -> None:
        pass

    def turn(self, knob: int, value: float) -> None:
        """Turn knob 0..3 to `value` in 0..1, past which it does not go."""
        self.values[knob] = min(max(value, 0.0), 1.0)

    def patch(self, cv: int, value: float) -> None:
        """Put a voltage on CV 0..3, -1..1 for -5 to 5 V."""
        self.cv[cv] = min(max(value, -1.0), 1.0)

    def close(self) -> None:
        pass


class SimButtons:
    """Buttons without springs."""

    complaint = ""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self._presses: list[tuple[str, str]] = []
        self._held: set[str] = set()

    def presses(self) -> list[tuple[str, str]]:
        presses, self._presses = self._presses, []
        return presses

    def held(self) -> list[str]:
        return sorted(self._held)

    def press(self, name: str, kind: str = "press") -> None:
        """Let a finger press, release or hold the button `name`."""
        if name not in BUTTONS or kind not in PRESSES:
            raise KeyError(f"no {kind} of a button {name}; expected one of {PRESSES} of {tuple(BUTTONS)}")
        self._presses.append((name, kind))
        (self._held.discard if kind == "release" else self._held.add)(name)

    def mend(self, resting: bool) -> None:
        pass

    def close(self) -> None:
        pass


class SimLamps:
    """Lamps without light: `states` says what each was last told."""

    complaint = ""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.states = dict.fromkeys(LEDS, "off")

    def set(self, name: str, state: str) -> None:
        if name not in self.states or state not in LAMP_STATES:
            raise KeyError(f"no {state} of a lamp {name}; expected one of {LAMP_STATES} of {tuple(LEDS)}")
        self.states[name] = state

    def refresh(self) -> None:
        pass

    def mend(self, resting: bool) -> None:
        pass

    def close(self) -> None:
        self.states = dict.fromkeys(LEDS, "off")


class SimMidi:
    """A MIDI output without a cable. `messages` is a list of `(ns, bytes)`."""

    system = "memory"
    listed = ""  # nowhere
    errors = 0
    complaint = ""

    def __init__(self, time: Time, name: str = "Fathom", remember: bool = False) -> None:
        self.name = name
        self.messages: list[tuple[int, bytes]] = []
        self._time = time
        self._remember = remember
        self._notes = Sounding()

    @property
    def sounding(self) -> set[tuple[int, int]]:
        return set(self._notes.now)

    def send(self, message: Sequence[int]) -> bool:
        if self._remember:
            self.messages.append((self._time.now(), bytes(message)))
        self._notes.follow(message)
        return True

    def missed(self) -> list[bytes]:
        return self._notes.old_endings()

    def close(self) -> None:
        pass


class SimMidiIn:
    """A MIDI input without a cable: what is fed is what arrives."""

    system = "memory"
    listed = ""  # nowhere
    errors = 0
    complaint = ""

    def __init__(self, time: Time, name: str = "Fathom") -> None:
        self.name = name
        self._time = time
        self._arrived: list[tuple[int, bytes]] = []

    def receive(self) -> list[tuple[int, bytes]]:
        received, self._arrived = self._arrived[:MOST_GIVEN], self._arrived[MOST_GIVEN:]
        return received

    def feed(self, message: Sequence[int], ns: int | None = None) -> None:
        """Let a whole message arrive, now or at `ns`."""
        self._arrived.append((self._time.now() if ns is None else ns, bytes(message)))

    def close(self) -> None:
        pass


class SimLink:
    """A Link session without a network. A test sets `peers` and `playing`, and the beat with `refer`."""

    def __init__(self, time: Time, bpm: float, enabled: bool) -> None:
        self.peers = 0
        self.playing = False
        self.turned_ns = 0
        self.enabled = enabled
        self._time = time
        self.refer(0.0, time.now(), bpm)

    def line(self, now_ns: int) -> tuple[float, float]:
        return self._beat + (now_ns - self._ns) * self._bpm / NS_PER_MINUTE, self._bpm

    def set_tempo(self, bpm: float) -> None:
        now = self._time.now()
        self.refer(self.line(now)[0], now, bpm)

    def start(self, ns: int | None = None) -> None:
        self.playing, self.turned_ns = True, self._time.now() if ns is None else ns

    def stop(self, ns: int | None = None) -> None:
        self.playing, self.turned_ns = False, self._time.now() if ns is None else ns

    def enable(self, enabled: bool) -> None:
        self.enabled = enabled
        self.peers = self.peers if enabled else 0

    def refer(self, beat: float, ns: int, bpm: float) -> None:
        """Let `beat` fall at `ns` and the tempo be that, as a peer does."""
        self._beat, self._ns, self._bpm = beat, ns, bpm

    def close(self) -> None:
        self.enable(False)
