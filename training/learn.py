"""Takes in, a slot out: trains, measures, keeps the best. Reads no audio and writes no file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from device.decoder import hits_of
from device.encoder import take_codes
from device.pattern import Pattern
from device.slot import About, Report, Slot
from training.architectures import DEFAULT, Architecture, Recipe, architecture_of
from training.attributes import FIRST, NAMES
from training.errors import LoopError
from training.model import Epoch, Model, fit
from training.playability import measure, place_takes, step_f1

VERSION = "0.2"  # of the learning: another one may give other bytes for the same loops
HELD_OUT = 5  # one take in so many
FEWEST_HELD_OUT = 10  # takes, below which none is held out

Progress = Callable[[str, int, int, float | None], None]  # what, how much is done, of how much, loss


@dataclass(frozen=True)
class Corpus:
    """The takes of all loops, in an order that does not depend on where the files lie."""

    takes: tuple[Pattern, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, named: Sequence[tuple[str, Pattern]]) -> Corpus:
        """Raises LoopError where there is nothing to learn."""
        if not named:
            raise LoopError("nothing to learn: no loop gave a take. `fathom hear` says why, loop by loop.")
        ordered = sorted(named, key=lambda pair: (pair[0], take_codes([pair[1]]).tobytes()))
        return cls(tuple(take for _, take in ordered), tuple(name for name, _ in ordered))

    @property
    def hits(self) -> np.ndarray:
        return np.array([take.hits for take in self.takes])

    @property
    def codes(self) -> np.ndarray:
        return take_codes(self.takes)

    def digest(self) -> str:
        """SHA-256 of what is learned: names and takes."""
        sha = hashlib.sha256(repr(self.names).encode())
        sha.update(np.ascontiguousarray(self.codes).tobytes())
        return sha.hexdigest()

    def rows(self, chosen: np.ndarray) -> Corpus:
        return Corpus(tuple(self.takes[i] for i in chosen), tuple(self.names[i] for i in chosen))


@dataclass(frozen=True)
class Training:
    """One of several trainings, and how it plays."""

    seed: int
    model: Model
    positions: np.ndarray  # int, (takes, 4), knob positions that give the takes back
    report: Report


@dataclass(frozen=True)
class Rehearsal:
    """A training without one take in five, and how well it gives those back."""

    held: np.ndarray  # int: which takes were kept back
    model: Model
    step_f1: float


@dataclass(frozen=True)
class Learned:
    """A new slot and all that led to it."""

    slot: Slot
    trainings: tuple[Training, ...]
    best: Training
    rehearsal: Rehearsal | None  # None where there are too few takes
    seconds: dict[str, float]  # "train" and "measure"


def learn(
    corpus: Corpus,
    seed: int = 1,
    trainings: int = 1,
    architecture: str = DEFAULT,
    epochs: int | None = None,
    progress: Progress = lambda what, epoch, epochs, loss: None,
    stop: Callable[[], bool] = lambda: False,
) -> Learned:
    """Train networks from `seed` on and make the best a slot. The same call gives the same bytes.

    epochs : of each training; None: as many as the number of takes asks for
    stop : asked before every epoch; where it says so, CancelledError is raised

    Raises LoopError for an architecture that is not known.
    """
    kind = architecture_of(architecture)
    recipe = replace(kind.recipe, epochs=epochs)
    spent = {"train": 0.0, "measure": 0.0}
    made = []
    for number in range(trainings):
        called = "training" if trainings == 1 else f"training {number + 1} of {trainings}"
        started = time.monotonic()
        model = fit(corpus.takes, seed + number, kind, recipe, _reporting(progress, called), stop)
        trained = time.monotonic()
        made.append(_measured(corpus, model, seed + number, seed))
        spent["train"] += trained - started
        spent["measure"] += time.monotonic() - trained
    best = max(made, key=lambda training: merit(training.report))
    started = time.monotonic()
    rehearsal = rehearse(corpus, best.seed, kind, recipe, _reporting(progress, "held-out"), stop)
    spent["measure"] += time.monotonic() - started
    report = msgspec.structs.replace(best.report, heldout_f1=rehearsal and round(rehearsal.step_f1, 4))
    slot = Slot(
        "new slot",
        _about(corpus, best, kind, recipe, report),
        best.model.decoder,
        best.model.encoder,
        corpus.hits,
        best.positions,
    )
    return Learned(slot, tuple(made), best, rehearsal, spent)


def _measured(corpus: Corpus, model: Model, seed: int, measured_from: int) -> Training:
    positions = place_takes(model.decoder, model.encoder, corpus.codes, corpus.hits)
    report = measure(model.decoder, corpus.hits, positions, measured_from, attributes_of(model.knobs))
    return Training(seed, model, positions, report)


def attributes_of(knobs: Sequence[str]) -> list[str]:
    """What knobs A, B and C are held against: their attribute, or what they would have had."""
    return [name if name in NAMES else first for name, first in zip(knobs, FIRST, strict=False)]


def rehearse(
    corpus: Corpus,
    seed: int,
    architecture: Architecture,
    recipe: Recipe,
    on_epoch: Epoch = lambda epoch, epochs, loss: None,
    stop: Callable[[], bool] = lambda: False,
) -> Rehearsal | None:
    """Train on four takes in five and see what the network, unsearched, makes of the others.

    No training ends where the held-out loss is least. That is after some fifty epochs, when hardly a take is
    reached; from then on only the certainty of wrong steps grows, and the step F1 stays where it is.
    """
    n = len(corpus.takes)
    if n < FEWEST_HELD_OUT:
        return None
    order = np.random.default_rng(seed).permutation(n)
    held, kept = np.sort(order[: n // HELD_OUT]), np.sort(order[n // HELD_OUT :])
    others = corpus.rows(held)
    model = fit(corpus.rows(kept).takes, seed, architecture, recipe, on_epoch, stop, others.takes)
    positions = model.decoder.knob_map.positions(model.encoder.run(others.codes))
    return Rehearsal(held, model, step_f1(hits_of(model.decoder.codes(positions)[:, 0]), others.hits))


def merit(report: Report) -> float:
    """One number to choose between trainings: more reach and meaning, less that is like no take or silent."""
    return report.reach + sum(report.meaning.values()) / 3 - report.likeness - report.silence


def _about(corpus: Corpus, best: Training, kind: Architecture, recipe: Recipe, report: Report) -> About:
    model = best.model
    networks = {"decoder": model.decoder.network, "encoder": model.encoder}
    training: dict[str, Any] = {
        "epochs": len(model.losses),
        "batch": recipe.batch,
        "rate": recipe.rate,
        "loss": round(model.losses[-1], 5) if model.losses else None,
    }
    return About(
        architecture=kind.name,
        voices=model.decoder.voices,
        ranges={name: [(layer.low, layer.high) for layer in net.layers] for name, net in networks.items()},
        seed=best.seed,
        corpus=corpus.digest(),
        takes=list(corpus.names),
        versions={"fathom": VERSION, "numpy": np.__version__},
        playability=report,
        training=training,
        knobs=dict(zip("ABCD", model.knobs, strict=True)),
    )


def _reporting(progress: Progress, what: str) -> Epoch:
    return lambda epoch, epochs, loss: progress(what, epoch, epochs, loss)
