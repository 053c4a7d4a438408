"""Trains the onset classifier on labelled loops and on practice loops. No player needs it.

    python -m training.tuning FOLDER           prints what is heard by networks that did not know the loop
    python -m training.tuning FOLDER -o FILE   trains one on all of them, and writes it

A folder of labelled loops holds `truth.jsonl`, one object a line: `file`, `bpm`, `bars`, `onsets_s`,
`onset_optional` (1: hardly heard, counts neither way), `steps` and `optional_steps` (32 each), and `group`:
loops of one group are never on both sides.
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
from training.candidates import NAMES, Places, propose
from training.classifier import MS, Classifier
from training.onsets import find_onsets
from training.practice import RATE, practice_loop

PRACTICE = 600  # practice loops
PRACTICE_WEIGHT = 0.1  # of one of their places, beside one of a labelled loop
FOLDS = 5
NETWORKS, UNITS = 3, 32
EPOCHS, BATCH, RATE_OF_ADAM, DECAY = 50, 256, 3e-3, 1e-3
DROPPED, BLUR = 0.2, 0.05  # share of the units; standard deviations added to the features
NEAR_S = 0.04  # a place further from an onset is not its
BESIDE_S, BESIDE_WEIGHT = 0.025, 0.1  # another place so near is neither a hit nor a mistake
TIMED_MS = 15.0  # errors of the time count linearly from here
TIME_WEIGHT = 0.002  # of a squared millisecond, beside a bit of the hit
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
    """Train `NETWORKS` small networks apart and put them side by side."""
    mean, scale = lesson.features.mean(axis=0), lesson.features.std(axis=0) + 1e-6
    scaled = np.clip((lesson.features - mean) / scale, -4.0, 4.0)
    networks = [_train_one(scaled, lesson, np.random.default_rng([seed, n])) for n in range(NETWORKS)]
    weight, bias, out_weight, out_bias = zip(*networks, strict=True)
    return Classifier(
        mean.astype(np.float32),
        scale.astype(np.float32),
        (np.concatenate(weight, axis=1).astype(np.float32), np.concatenate(bias).astype(np.float32)),
        (
            (np.concatenate(out_weight) / NETWORKS).astype(np.float32),
            np.mean(out_bias, axis=0).astype(np.float32),
        ),
    )


def _train_one(scaled: np.ndarray, lesson: Lesson, rng: np.random.Generator) -> list[np.ndarray]:
    """Adam over shuffled batches, its rate falling; cross-entropy of the hit, Huber's loss of the time."""
    count, width = scaled.shape
    shapes = [(width, UNITS), (UNITS,), (UNITS, 2), (2,)]
    values = [
        rng.normal(0, np.sqrt(2 / shape[0]), shape) if len(shape) == 2 else np.zeros(shape)
        for shape in shapes
    ]
    values[2] *= 0.3
    first, second = [np.zeros(shape) for shape in shapes], [np.zeros(shape) for shape in shapes]
    timed = np.isfinite(lesson.late_ms)
    late = np.where(timed, lesson.late_ms, 0.0)
    updates = EPOCHS * (count // BATCH)
    order = np.arange(count)
    for update in range(updates):
        place = update % (count // BATCH)
        if place == 0:
            rng.shuffle(order)
        rows = order[place * BATCH : (place + 1) * BATCH]
        seen = scaled[rows] + rng.normal(0, BLUR, (len(rows), width))
        kept = (rng.random((len(rows), UNITS)) > DROPPED) / (1 - DROPPED)
        units = np.maximum(seen @ values[0] + values[1], 0.0) * kept
        found = units @ values[2] + values[3]
        slope = np.empty_like(found)
        slope[:, 0] = lesson.weight[rows] * (1 / (1 + np.exp(-found[:, 0])) - lesson.hit[rows])
        off = np.clip(found[:, 1] - late[rows], -TIMED_MS, TIMED_MS)
        slope[:, 1] = TIME_WEIGHT * lesson.weight[rows] * timed[rows] * off
        slope /= len(rows)
        down = (slope @ values[2].T) * (units > 0) * kept
        gradients = [seen.T @ down, down.sum(axis=0), units.T @ slope, slope.sum(axis=0)]
        rate = RATE_OF_ADAM * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * update / updates)))
        for value, gradient, m, v in zip(values, gradients, first, second, strict=True):
            if value.ndim == 2:
                gradient += DECAY * value
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient**2 - v)
            m_now, v_now = m / (1 - 0.9 ** (update + 1)), v / (1 - 0.999 ** (update + 1))
            value -= rate * m_now / (np.sqrt(v_now) + 1e-8)
    return values


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
    parser = argparse.ArgumentParser(description="Train the onset classifier, or say what it hears.")
    parser.add_argument("folder", type=Path, help="with labelled loops and truth.jsonl")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="train on all and write it there")
    words = parser.parse_args()
    rows = labelled(words.folder)
    practice = practised(PRACTICE)
    if words.output:
        train(Lesson.joined([*(lesson for _, _, lesson in rows), practice])).write(words.output)
        print(f"{words.output}: trained on {len(rows)} labelled loops and {PRACTICE} practice loops")
        return 0
    for fold in range(FOLDS):
        known = [lesson for row, _, lesson in rows if fold_of(row["group"]) != fold]
        classifier = train(Lesson.joined([*known, practice]))
        for row, samples, _ in rows:
            if fold_of(row["group"]) == fold:
                onsets, _ = find_onsets(samples, RATE, classifier=classifier)
                print(json.dumps({"file": row["file"], "onsets_s": np.round(onsets, 5).tolist()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
