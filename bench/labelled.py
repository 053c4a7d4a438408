"""Labelled loops, and what networks say of them that did not know them. Scores nothing.

What Fathom ships with was trained on these loops. So for each fold of their groups a network is trained as
it was, on practice loops and on the labelled loops of the other folds, and judges those of its own.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench import box
from bench.scoring import Truth
from training.audio import RATE, Loop, read_loop
from training.bands import three_bands
from training.candidates import propose
from training.classifier import Classifier
from training.onsets import find_onsets
from training.practice import RATE as PRACTICE_RATE
from training.practice import practice_loop
from training.tuning import (
    DRUM_KINDS,
    FOLDS,
    PRACTICE,
    PRACTICE_WEIGHT,
    Lesson,
    fold_of,
    labelled,
    train,
    train_bands,
)

LOOPS = box.ROOT.parent / "shared" / "loops"
LEAST_PRACTICE = 60  # loops, however few labelled ones are asked for

Known = list[tuple[Truth, np.ndarray, Lesson]]  # truth, samples and lesson of each loop


@dataclass(frozen=True)
class Judged:
    """Loops with exact truth.

    onsets, peaks : of each loop, as `training.onsets` gives them
    bands : bool (3, n) of a drum loop, at its true onsets; None where a loop is of another kind
    """

    rows: list[Truth]
    loops: list[Loop]
    onsets: list[np.ndarray]
    peaks: list[np.ndarray]
    bands: list[np.ndarray | None]


def truths(real: bool = False) -> list[Truth]:
    """Of the loops with exact truth, or of the real ones whose truth is reliable; none where none are."""
    file = LOOPS / "truth.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    wanted = [row for row in rows if (row["kind"] == "real") == real and row.get("reliable", True)]
    return [{**row, "file": str(LOOPS / row["file"])} for row in wanted]


def judge(home: Path, most: int | None = None) -> Judged:
    """At most so many of the loops with exact truth, evenly chosen, judged with as much less practice."""
    every = truths()
    count = len(every) if most is None else min(most, len(every))
    rows = [every[int(place)] for place in np.linspace(0, len(every), count, endpoint=False)]
    (home / "truth.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    known = labelled(home)
    networks, of_bands = train_folds(known, max(LEAST_PRACTICE, round(PRACTICE * count / len(every))))
    judged = Judged(rows, [], [], [], [])
    for row, samples, _ in known:
        fold = fold_of(row["group"])
        onsets, peaks = find_onsets(samples, RATE, classifier=networks[fold])
        judged.loops.append(read_loop(row["file"]))
        judged.onsets.append(onsets)
        judged.peaks.append(peaks)
        drums, true = is_drums(row) and of_bands, np.array(row["onsets_s"])
        judged.bands.append(three_bands(samples, RATE, true, of_bands[fold]) if drums else None)
    return judged


def train_folds(known: Known, practice: int) -> tuple[list[Classifier], list[Classifier]]:
    """For each fold a network that knows the others' loops, and one of bands; none of those without drums."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        practised = [*pool.map(practice_lesson, range(practice), chunksize=8)]
        folds = [of_other_groups(known, fold) for fold in range(FOLDS)]
        lessons = [Lesson.joined([*(lesson for _, _, lesson in fold), *practised]) for fold in folds]
        drums = [[(row, samples) for row, samples, _ in fold if is_drums(row)] for fold in folds]
        networks = pool.map(train, lessons)
        return list(networks), list(pool.map(train_bands, drums)) if all(drums) else []


def of_other_groups(known: Known, fold: int) -> Known:
    """What the network of a fold may know."""
    return [loop for loop in known if fold_of(loop[0]["group"]) != fold]


def practice_lesson(seed: int) -> Lesson:
    """What `training.tuning.practised` makes of one loop."""
    loop = practice_loop(seed)
    return Lesson.of(propose(loop.samples, PRACTICE_RATE), loop.onsets_s, loop.optional, PRACTICE_WEIGHT)


def is_drums(row: Truth) -> bool:
    return row["kind"] in DRUM_KINDS
