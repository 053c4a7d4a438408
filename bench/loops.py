"""Makes loops and takes to measure learning with: two bars at 120 BPM, seeded. Measures nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from device.pattern import STEPS, Pattern
from training.demo import BAR, DemoLoop, perform, render
from training.synth import RATE

BPM = 120
# How likely each voice plays on a step of each metrical weight: bar, half, quarter, eighth, sixteenth.
LIKELY = {
    "kick": (0.95, 0.7, 0.4, 0.25, 0.12),
    "snare": (0.05, 0.1, 0.75, 0.08, 0.1),
    "closed": (0.6, 0.6, 0.7, 0.65, 0.25),
}
WEIGHTS = (0, 4, 3, 4, 2, 4, 3, 4, 1, 4, 3, 4, 2, 4, 3, 4)


def scores(count: int, seed: int = 1) -> list[DemoLoop]:
    """Beats drawn by chance: a bar, played twice, and changed a little the second time."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        lines = []
        busy = rng.uniform(0.5, 1.4)
        for voice, likely in LIKELY.items():
            chance = np.clip(np.array(likely)[list(WEIGHTS)] * busy, 0.0, 1.0)
            first = rng.random(BAR) < chance
            second = np.where(rng.random(BAR) < 0.25, rng.random(BAR) < chance, first)
            marks = ["X" if rng.random() < 0.4 else "m" for _ in range(2 * BAR)]
            played = np.concatenate([first, second])
            line = "".join(mark if hit else "." for mark, hit in zip(marks, played, strict=True))
            lines.append(f"{voice} {line[:BAR]}|{line[BAR:]}")
        made.append(DemoLoop(f"beat-{number:04d}", ".", BPM, "\n".join(lines), loose=0.03))
    return made


def write_loops(folder: Path, count: int, seed: int = 1) -> None:
    """Write so many as WAV."""
    folder.mkdir(parents=True, exist_ok=True)
    for loop in scores(count, seed):
        soundfile.write(folder / loop.path.name, render(loop), RATE, subtype="PCM_16")


def takes(count: int, seed: int = 1) -> list[tuple[str, Pattern]]:
    """The same as takes of one voice, by name, without a sound."""
    found = []
    for loop in scores(count, seed):
        hits, velocities, offsets = np.zeros((1, STEPS), bool), np.zeros((1, STEPS)), np.zeros((1, STEPS))
        for hit in perform(loop):
            hits[0, hit.step] = True
            velocities[0, hit.step] = max(velocities[0, hit.step], hit.velocity)
            offsets[0, hit.step] = hit.offset
        if hits.any():
            found.append((loop.path.name, Pattern(hits, velocities, offsets)))
    return found
