"""Loops in, a slot out: hears every file and learns from what was heard. Writes no file.

What cannot be heard is said and left out; the rest is learned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.slot import Slot
from training.architectures import architecture_of
from training.audio import find_loops
from training.hear import hear_all
from training.learn import Corpus, Learned, Progress, learn


@dataclass(frozen=True)
class Lesson:
    """A new slot, what it was learned from and how long that took."""

    learned: Learned
    rejected: list[tuple[str, str]]  # file and reason
    seconds: dict[str, float]

    @property
    def slot(self) -> Slot:
        return self.learned.slot

    @property
    def takes(self) -> int:
        return len(self.slot.about.takes)


def lesson(
    paths: Sequence[Path],
    voices: int,
    seed: int,
    trainings: int,
    architecture: str,
    epochs: int | None,
    progress: Progress,
    refused: Callable[[str], None],
) -> Lesson:
    """Hear all loops under the paths and learn them. Raises LoopError where no loop gave a take.

    `progress(what, done, total, loss)` is called for every loop (without a loss) and for every epoch,
    `refused` with a sentence for each loop that is left out.
    """
    architecture_of(architecture)  # refused before anything is heard
    started = time.monotonic()
    named, rejected = [], []
    loops, refused_paths = find_loops(paths)
    total = len(loops) + len(refused_paths)
    for count, heard in enumerate(hear_all(paths, voices=voices), 1):
        progress("hearing", count, total, None)
        if heard.ok:
            named += [(Path(heard.file).name, take) for take in heard.takes]
        else:
            rejected.append((heard.file, str(heard.error)))
            refused(str(heard.error))
    seconds = {"hear": time.monotonic() - started}
    learned = learn(Corpus.of(named), seed, trainings, architecture, epochs, progress)
    seconds |= {**learned.seconds, "total": time.monotonic() - started}
    return Lesson(learned, rejected, seconds)
