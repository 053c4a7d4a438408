"""Loops in, a slot out: hears every file and learns from what was heard. Writes no file.

What cannot be heard is said and left out; the rest is learned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.slot import Slot
from training.audio import find_loops
from training.hear import hear_all
from training.learn import Corpus, Progress, check_architecture, learn
from training.optimise import Recipe


@dataclass(frozen=True)
class Lesson:
    """A new slot, what it was learned from and how long that took."""

    slot: Slot
    corpus: Corpus
    heard: dict[str, str]  # tempo and bars of each loop, by its name
    rejected: list[tuple[str, str]]  # file and reason
    seconds: dict[str, float]

    @property
    def takes(self) -> int:
        return len(self.slot.about.takes)


def lesson(
    paths: Sequence[Path],
    voices: int,
    seed: int,
    trainings: int,
    architecture: str,
    recipe: Recipe,
    progress: Progress,
    refused: Callable[[str], None],
) -> Lesson:
    """Hear all loops under the paths and learn them. Raises LoopError where no loop gave a take.

    `progress(what, done, total, loss)` is called for every loop (without a loss) and for every epoch,
    `refused` with a sentence for each loop that is left out.
    """
    check_architecture(architecture)
    started = time.monotonic()
    named, rejected = [], []
    said: dict[str, list[str]] = {}
    loops, refused_paths = find_loops(paths)
    total = len(loops) + len(refused_paths)
    for count, heard in enumerate(hear_all(paths, voices=voices), 1):
        progress("hearing", count, total, None)
        if heard.ok:
            name = Path(heard.file).name
            named += [(name, take) for take in heard.takes]
            said.setdefault(name, []).append(heard.tempo_and_bars())
        else:
            rejected.append((heard.file, str(heard.error)))
            refused(str(heard.error))
    seconds = {"hear": time.monotonic() - started}
    corpus = Corpus.of(named)
    slot = learn(corpus, seed, trainings, architecture, recipe, progress, seconds)
    seconds["total"] = time.monotonic() - started
    told = {name: " or ".join(sorted(set(tempi))) for name, tempi in said.items()}  # names may meet
    return Lesson(slot, corpus, told, rejected, seconds)
