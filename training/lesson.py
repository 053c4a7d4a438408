"""Loops in, a slot out: hears every file and learns from what was heard. Writes no file.

What cannot be heard is said and left out; the rest is learned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from device.slot import Slot
from training.architectures import architecture_of
from training.files import find_loops
from training.hear import Heard, refused
from training.learn import Corpus, Learned, Progress, learn
from training.listen import Ears, hear_found


@dataclass(frozen=True)
class Lesson:
    """A new slot, what it was learned from and how long that took."""

    learned: Learned
    corpus: Corpus
    heard: dict[str, str]  # tempo and bars of each loop, by its name
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
    ears: Ears,
    seed: int,
    trainings: int,
    architecture: str,
    epochs: int | None,
    progress: Progress,
    heard: Callable[[Heard], None],
) -> Lesson:
    """Hear all loops under the paths and learn them. Raises LoopError where no loop gave a take.

    `progress(what, done, total, loss)` is called for every loop (without a loss) and for every epoch,
    `heard` with each loop, heard or refused.
    """
    architecture_of(architecture)  # refused before anything is heard
    started = time.monotonic()
    named, rejected = [], []
    said: dict[str, list[str]] = {}
    loops, refusals = find_loops(paths)
    total = len(loops) + len(refusals)
    found = hear_found(loops, paths, ears)
    for count, loop in enumerate(chain((refused(*refusal) for refusal in refusals), found), 1):
        progress("hearing", count, total, None)
        heard(loop)
        if loop.ok:
            name = Path(loop.file).name
            named += [(name, take) for take in loop.takes]
            said.setdefault(name, []).append(loop.tempo_and_bars())
        else:
            rejected.append((loop.file, str(loop.error)))
    seconds = {"hear": time.monotonic() - started}
    corpus = Corpus.of(named)
    learned = learn(corpus, seed, trainings, architecture, epochs, progress)
    seconds |= {**learned.seconds, "total": time.monotonic() - started}
    told = {name: " or ".join(sorted(set(tempi))) for name, tempi in said.items()}  # names may meet
    return Lesson(learned, corpus, told, rejected, seconds)
