"""Takes in, a slot out: train, calibrate, quantise, measure. Reads no audio and writes no file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from device.decoder import KNOBS, POSITIONS, Decoder, KnobMap, hits_of
from device.encoder import FULL, take_codes
from device.network import IntegerNetwork
from device.pattern import Pattern
from device.slot import About, Report, Slot
from training.attributes import attributes
from training.calibrate import knob_points
from training.errors import LoopError
from training.network import Autoencoder, Batch
from training.optimise import Recipe, train
from training.playability import measure, place_takes, step_f1
from training.quantise import integer_decoder, integer_encoder, latent_scale

VERSION = "0.1"  # of the learning: another one may give other bytes for the same loops
HIDDEN = {"fathom": (128, 64)}  # widths from the takes towards the latent, by architecture
DEFAULT = "fathom"
HELD_OUT = 5  # one take in so many
FEWEST_HELD_OUT = 10  # takes, below which none is held out
CALIBRATION_PLACES = 2000  # random knob positions at which the activations are measured

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
class Model:
    """A trained and quantised network, with the places of its takes."""

    decoder: Decoder
    encoder: IntegerNetwork
    positions: np.ndarray
    losses: list[float] = field(repr=False)


def learn(
    corpus: Corpus,
    seed: int = 1,
    trainings: int = 1,
    architecture: str = DEFAULT,
    recipe: Recipe | None = None,
    progress: Progress = lambda what, epoch, epochs, loss: None,
    seconds: dict[str, float] | None = None,
) -> Slot:
    """Train networks from `seed` on and return the best as a slot. The same call gives the same bytes.

    `seconds`, where given, is filled with the time that training ("train") and measuring ("measure") took.
    Raises LoopError for an architecture that is not known.
    """
    spent = {"train": 0.0, "measure": 0.0}
    check_architecture(architecture)
    recipe = recipe or Recipe()
    best: tuple[float, int, Model, Report] | None = None
    for number in range(trainings):
        called = "training" if trainings == 1 else f"training {number + 1} of {trainings}"
        started = time.monotonic()
        model = fit(corpus, seed + number, architecture, recipe, _reporting(progress, called))
        trained = time.monotonic()
        report = measure(model.decoder, corpus.hits, model.positions, seed)
        spent["train"] += trained - started
        spent["measure"] += time.monotonic() - trained
        if best is None or merit(report) > best[0]:
            best = (merit(report), seed + number, model, report)
    assert best is not None
    _, chosen, model, report = best
    started = time.monotonic()
    held_out = held_out_f1(corpus, chosen, architecture, recipe, _reporting(progress, "held-out"))
    spent["measure"] += time.monotonic() - started
    if seconds is not None:
        seconds.update(spent)
    report = msgspec.structs.replace(report, heldout_f1=held_out)
    return Slot(
        "new slot",
        _about(corpus, chosen, architecture, recipe, model, report),
        model.decoder,
        model.encoder,
        corpus.hits,
        model.positions,
    )


def check_architecture(name: str) -> None:
    """Raise LoopError for an architecture that is not known."""
    if name not in HIDDEN:
        raise LoopError(f"architecture {name!r}: expected one of {', '.join(HIDDEN)}.")


def fit(
    corpus: Corpus,
    seed: int,
    architecture: str,
    recipe: Recipe,
    on_epoch: Callable[[int, int, float], None] = lambda epoch, epochs, loss: None,
) -> Model:
    """Train one network on a corpus, calibrate its knobs, turn it into integers and place its takes."""
    rng = np.random.default_rng(seed)
    codes = corpus.codes
    inputs = codes / FULL
    hidden = HIDDEN[architecture]
    sizes = (inputs.shape[1], *hidden, KNOBS, *reversed(hidden), inputs.shape[1])
    network = Autoencoder(sizes, len(hidden) + 1, rng)
    losses = train(network, Batch(inputs, attributes(corpus.hits)), recipe, rng, on_epoch)
    points = knob_points(network.encode(inputs))
    scale = latent_scale(points)
    knob_map = KnobMap(np.rint(points / scale).astype(np.int16))
    places = knob_map.latents(rng.integers(0, POSITIONS, (CALIBRATION_PLACES, KNOBS))) * scale
    decoder = Decoder(knob_map, integer_decoder(network, places, scale), corpus.takes[0].voices)
    encoder = integer_encoder(network, inputs, scale)
    return Model(decoder, encoder, place_takes(decoder, encoder, codes, corpus.hits), losses)


def held_out_f1(
    corpus: Corpus,
    seed: int,
    architecture: str,
    recipe: Recipe,
    on_epoch: Callable[[int, int, float], None] = lambda epoch, epochs, loss: None,
) -> float | None:
    """Step F1 of one take in five, given back by a network that was trained on the others."""
    n = len(corpus.takes)
    if n < FEWEST_HELD_OUT:
        return None
    order = np.random.default_rng(seed).permutation(n)
    held, kept = np.sort(order[: n // HELD_OUT]), np.sort(order[n // HELD_OUT :])
    model = fit(corpus.rows(kept), seed, architecture, recipe, on_epoch)
    positions = model.decoder.knob_map.positions(model.encoder.run(corpus.codes[held]))
    return round(step_f1(hits_of(model.decoder.codes(positions)[:, 0]), corpus.hits[held]), 4)


def merit(report: Report) -> float:
    """One number to choose between trainings: more reach and meaning, less that is like no take or silent."""
    return report.reach + sum(report.meaning.values()) / 3 - report.likeness - report.silence


def _about(
    corpus: Corpus, seed: int, architecture: str, recipe: Recipe, model: Model, report: Report
) -> About:
    networks = {"decoder": model.decoder.network, "encoder": model.encoder}
    training: dict[str, Any] = {
        "epochs": len(model.losses),
        "batch": recipe.batch,
        "rate": recipe.rate,
        "loss": round(model.losses[-1], 5) if model.losses else None,
    }
    return About(
        architecture=architecture,
        voices=model.decoder.voices,
        ranges={name: [(layer.low, layer.high) for layer in net.layers] for name, net in networks.items()},
        seed=seed,
        corpus=corpus.digest(),
        takes=list(corpus.names),
        versions={"fathom": VERSION, "numpy": np.__version__},
        playability=report,
        training=training,
    )


def _reporting(progress: Progress, what: str) -> Callable[[int, int, float], None]:
    return lambda epoch, epochs, loss: progress(what, epoch, epochs, loss)
