"""Trains the networks of hearing on labelled loops, and on practice loops. No player needs it.

    python -m training.tuning FOLDER -o training

A folder of labelled loops holds `truth.jsonl`, one object a line: `file`, `bpm`, `bars`, `onsets_s`,
`onset_optional` (1: hardly heard, counts neither way), of drums `onset_classes` (their sounds, joined by +),
and `group`: who judges by cross-validation keeps loops of one group on one side.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.audio import read_loop
from training.bands import BANDS, describe
from training.bands import FILE as BANDS_FILE
from training.candidates import NAMES, Places, propose
from training.classifier import Classifier
from training.onsets import FILE as ONSETS_FILE
from training.onsets import MS
from training.practice import RATE, practice_loop
from training.supervised import cross_entropy, fit

PRACTICE = 600  # practice loops
PRACTICE_WEIGHT = 0.1  # of one of their places, beside one of a labelled loop
FOLDS = 5
NEAR_S = 0.04  # a place further from an onset is not its
BESIDE_S, BESIDE_WEIGHT = 0.025, 0.1  # another place so near is neither a hit nor a mistake
TIMED_MS = 6.0  # errors of the time count linearly from here
DRUM_KINDS = ("drums", "grids")  # of labelled loops: nothing but drums, by name
LOW, MIDDLE = {"kick", "kick2", "tlo"}, {"snare", "snare2", "clap", "rim", "tmid", "thi"}  # the rest is high
_FLUX = NAMES.index("flux")


@dataclass(frozen=True)
class Lesson:
    """Places and what is true of them: hit (0 or 1), weight, milliseconds to the onset (nan: none)."""

    features: np.ndarray
    hit: np.ndarray
    weight: np.ndarray
    late_ms: np.ndarray

    @classmethod
    def of(cls, places: Places, onsets_s: np.ndarray, optional: np.ndarray, weight: float = 1.0) -> Lesson:
        """Each onset is matched with the strongest place nearby, those that count first."""
        times, flux = places.times_s, places.features[:, _FLUX]
        flux = flux / (flux.max(initial=0.0) + 1e-9)
        hit, weights = np.zeros(len(times)), np.full(len(times), weight)
        late = np.full(len(times), np.nan)
        taken = np.zeros(len(times), bool)
        for index in np.argsort(optional, kind="stable"):
            away = np.abs(times - onsets_s[index])
            near = np.flatnonzero((away < NEAR_S) & ~taken)
            if len(near) == 0:
                continue
            best = near[np.argmax(flux[near] - away[near] / NEAR_S)]
            taken[best] = True
            hit[best] = not optional[index]
            late[best] = MS * (onsets_s[index] - times[best])
            beside = near[(near != best) & (away[near] < BESIDE_S)]
            weights[beside] = BESIDE_WEIGHT * weight
            if optional[index]:
                weights[best] = 0.0
        return cls(places.features, hit, weights, late)

    @classmethod
    def joined(cls, lessons: Sequence[Lesson]) -> Lesson:
        parts = zip(*((one.features, one.hit, one.weight, one.late_ms) for one in lessons), strict=True)
        return cls(*(np.concatenate(part) for part in parts))


def train(lesson: Lesson, seed: int = 1) -> Classifier:
    """Networks for `training.onsets`: of hits by their cross-entropy, of their times by Huber's loss."""
    timed = np.isfinite(lesson.late_ms)
    late = np.where(timed, lesson.late_ms, 0.0)

    def hit_slope(found: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return lesson.weight[rows, None] * cross_entropy(found, lesson.hit[rows, None])

    def late_slope(found: np.ndarray, rows: np.ndarray) -> np.ndarray:
        off = np.clip(found - late[rows, None], -TIMED_MS, TIMED_MS)
        return (lesson.weight * timed)[rows, None] * off / TIMED_MS

    hits, times = fit(lesson.features, 1, hit_slope, seed), fit(lesson.features, 1, late_slope, seed)
    return hits.beside(times)


def train_bands(rows: Sequence[tuple[dict[str, Any], np.ndarray]], seed: int = 1) -> Classifier:
    """A network for `training.bands`, from truth and samples of loops that say which drum an onset is."""
    known = [(row, samples) for row, samples in rows if row["kind"] in DRUM_KINDS]
    sure = [~np.array(row["onset_optional"], bool) for row, _ in known]
    features = [describe(samples, RATE, np.array(row["onsets_s"])) for row, samples in known]
    truth = [bands_of(row) for row, _ in known]
    seen = np.concatenate([part[keep] for part, keep in zip(features, sure, strict=True)])
    true = np.concatenate([part[keep] for part, keep in zip(truth, sure, strict=True)])
    return fit(seen, len(BANDS), lambda found, rows: cross_entropy(found, true[rows]), seed)


def bands_of(row: dict[str, Any]) -> np.ndarray:
    """Which bands the drums of each onset belong to, bool (n, 3)."""
    drums = [set(each.split("+")) for each in row["onset_classes"]]
    return np.array([[bool(each & LOW), bool(each & MIDDLE), bool(each - LOW - MIDDLE)] for each in drums])


def labelled(folder: Path) -> list[tuple[dict[str, Any], np.ndarray, Lesson]]:
    """Truth, samples and lesson of every loop whose onsets are known exactly."""
    rows = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    found = []
    for row in rows:
        if row["kind"] == "real":
            continue  # their truth is other detectors' word
        loop = read_loop(folder / row["file"])
        places = propose(loop.samples, loop.rate)
        truth = np.array(row["onsets_s"]), np.array(row["onset_optional"], bool)
        found.append((row, loop.samples, Lesson.of(places, *truth)))
    return found


def practised(count: int) -> Lesson:
    """The lessons of so many practice loops, joined."""
    loops = (practice_loop(seed) for seed in range(count))
    return Lesson.joined(
        [
            Lesson.of(propose(loop.samples, RATE), loop.onsets_s, loop.optional, PRACTICE_WEIGHT)
            for loop in loops
        ]
    )


def fold_of(group: str) -> int:
    """Which fold a group is in, the same on every machine."""
    return zlib.crc32(group.encode()) % FOLDS


def main() -> int:
    parser = argparse.ArgumentParser(description="Train the networks that hear onsets and bands.")
    parser.add_argument("folder", type=Path, help="with labelled loops and truth.jsonl")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where they go")
    words = parser.parse_args()
    rows = labelled(words.folder)
    lessons = [lesson for _, _, lesson in rows]
    train(Lesson.joined([*lessons, practised(PRACTICE)])).write(words.output / ONSETS_FILE.name)
    train_bands([(row, samples) for row, samples, _ in rows]).write(words.output / BANDS_FILE.name)
    print(f"{words.output}: trained on {len(rows)} labelled loops and {PRACTICE} practice loops")
    return 0


if __name__ == "__main__":
    sys.exit(main())
