"""What the music itself costs the engine, case by case, in simulated time: no waits, no spins, no client.

The processor's time of one beat, the least of several runs in turn. A real box adds the spin before each
write, at most 150 us.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from device.engine import Engine
from device.ensemble import Ensemble
from device.player import Player
from device.settings import Settings
from device.slot import Slot
from device.slots import SlotFolder
from device.specs import BOX_SPECS, VOICE_SPECS
from hw.panel import open_panel
from hw.timing import SimTime

WARM_BEATS = 8
BEATS = 64
RUNS = 5

Row = tuple[str, str, str]


@dataclass(frozen=True)
class Case:
    """So many voices and what else is set. Left out where this Fathom has no such voice or setting."""

    name: str
    voices: int = 4
    changes: Mapping[str, float] = field(default_factory=dict)

    def known(self) -> bool:
        names = {*BOX_SPECS, *VOICE_SPECS}
        there = all(key.rpartition(".")[2] in names for key in self.changes)
        return there and self.voices <= len(Settings().voices)

    def settings(self) -> Settings:
        settings = Settings()
        for key, value in self.changes.items():
            settings = settings.changed(key, value)
        for voice in range(self.voices, len(settings.voices)):
            settings = settings.changed(f"voice.{voice + 1}.mute", True)
        return settings


CASES = (
    *(Case(f"{n} voices" if n > 1 else "1 voice", voices=n) for n in (1, 2, 4, 8, 16)),
    *(Case(f"4 voices, {bpm} BPM", changes={"bpm": bpm}) for bpm in (60, 240, 300)),
    Case("4 voices, every step a hit", changes={"voices.density": 1.0}),
    *(Case(f"4 voices, ratchets of {n}", changes={"voices.ratchet": n}) for n in (2, 4)),
    Case("4 voices, 24 pulses a beat", changes={"clock_out": 24}),
)


def rows(home: Path) -> list[Row]:
    """A row for every case that this Fathom knows."""
    folder = SlotFolder(home / "slots")
    slots = [folder.load(number) for number in folder.filled()]
    cases = [case for case in CASES if case.known()]
    runs = [[run(case, slots) for case in cases] for _ in range(RUNS)]
    table = []
    for case, costs in zip(cases, zip(*runs, strict=True), strict=True):
        us, writes = min(costs)
        share = us * case.settings().bpm / 60 / 1e6
        table.append((case.name, f"{us:.0f} us a beat", f"{share:.2%} of a core, {writes:.1f} writes a beat"))
    return table


def run(case: Case, slots: list[Slot]) -> tuple[float, float]:
    """The processor's time of one beat, in us, and the writes in it."""
    clock = SimTime()
    panel = open_panel("sim", midi_port=None, time=clock)
    settings = case.settings()
    ensemble = Ensemble(_enough(slots, case.voices))
    engine = Engine(panel, clock, Player(clock, ensemble, settings, {}, panel.knobs.values))
    engine.start()
    gc.collect()
    gc.disable()
    try:
        _play_until(engine, WARM_BEATS)
        before, written = time.process_time_ns(), engine.health.writes
        _play_until(engine, WARM_BEATS + BEATS)
        spent = time.process_time_ns() - before
    finally:
        gc.enable()
        panel.close()
    return spent / 1000 / BEATS, (engine.health.writes - written) / BEATS


def _play_until(engine: Engine, beat: float) -> None:
    while engine.player.beat < beat:
        engine.step()


def _enough(slots: list[Slot], voices: int) -> list[Slot]:
    """These slots again and again, until there are so many voices."""
    for count in range(1, voices + 1):
        chosen = list(islice(cycle(slots), count))
        if sum(slot.about.voices for slot in chosen) >= voices:
            return chosen
    return chosen
