"""One training: takes in, a quantised network with calibrated knobs out. Compares and measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from device.decoder import HEADS, KNOBS, POSITIONS, Decoder, KnobMap
from device.encoder import FULL, take_codes
from device.network import IntegerNetwork
from device.pattern import Pattern
from device.slot import FINELY, NO_ATTRIBUTE, REST
from training.architectures import OFFSETS, VELOCITIES, Architecture, Recipe
from training.attributes import COUNTED, FIRST, NAMES, attributes, closest, worth_knobs
from training.batches import Material
from training.calibrate import cube_points, knob_points, stretches
from training.losses import Meaning
from training.network import Autoencoder
from training.optimise import train
from training.quantise import Layers, integer_decoder, integer_encoder, latent_scale

CALIBRATION_PLACES = 2000  # random knob positions at which the activations are measured
MEANT = len(FIRST)  # knobs that have an attribute
FINE = 1 / 8  # of the travel of another knob: how far a knob moves its latent where there are two latents
SUREST = 0.98  # a velocity or an offset, as a sigmoid, that no step goes beyond by habit

Epoch = Callable[[int, int, float], None]  # epoch, of how many, loss


@dataclass(frozen=True)
class Model:
    """A trained and quantised network.

    knobs : the attribute of each knob, or what else it does
    layers : of the float decoder that was turned into integers, from four latents to three heads
    latents : float, (takes, 4), of the takes
    losses, held_losses : of each epoch; of takes that were kept back, where there were any
    """

    decoder: Decoder
    encoder: IntegerNetwork
    knobs: tuple[str, ...]
    layers: Layers
    scale: float  # the latent of one code
    latents: np.ndarray
    losses: list[float]
    held_losses: list[float]


def fit(
    takes: Sequence[Pattern],
    seed: int,
    architecture: Architecture,
    recipe: Recipe | None = None,
    on_epoch: Epoch = lambda epoch, epochs, loss: None,
    stop: Callable[[], bool] = lambda: False,
    held: Sequence[Pattern] = (),
) -> Model:
    """Train one network, calibrate its knobs, turn it into integers. The same call gives the same bytes."""
    rng = np.random.default_rng(seed)
    recipe = recipe or architecture.recipe
    material, knobs = material_of(takes, architecture)
    network = Autoencoder(
        architecture.sizes(takes[0].hits.size),
        len(architecture.hidden) + 1,
        rng,
        architecture.start,
        architecture.cube,
        architecture.norm,
    )
    kept_back = material_of(held, architecture)[0] if held else None
    losses, held_losses = train(network, material, architecture, recipe, rng, on_epoch, stop, kept_back)
    latents = network.encode(material.inputs.astype(network.dtype)).astype(float)
    up, down = halves(network, architecture, takes)
    if not architecture.cube:
        up, down, latents = turned(up, down, latents, takes)
    points = cube_points() if architecture.cube else knob_points(latents)
    if architecture.latents < KNOBS:
        span = np.ptp(points, axis=1, keepdims=True) * FINE / 2
        points = np.concatenate([points, span * np.linspace(-1.0, 1.0, points.shape[1])])
        latents = np.concatenate([latents, np.zeros_like(latents)], axis=1)
    scale = latent_scale(points)
    knob_map = KnobMap(np.rint(points / scale).astype(np.int16))
    places = knob_map.latents(rng.integers(0, POSITIONS, (CALIBRATION_PLACES, KNOBS))) * scale
    decoder = Decoder(knob_map, integer_decoder(down, places, scale), takes[0].voices)
    encoder = integer_encoder(up, take_codes(takes) / FULL, scale)
    return Model(decoder, encoder, knobs, down, scale, latents, losses, held_losses)


def material_of(takes: Sequence[Pattern], architecture: Architecture) -> tuple[Material, tuple[str, ...]]:
    """What a network is to learn from takes, and what each knob does."""
    n = len(takes)
    heads = (take_codes(takes) / FULL).reshape(n, HEADS, -1)
    answers = heads.copy()
    answers[:, OFFSETS] = answers[:, OFFSETS] / 2.0 + 0.5  # half a step early to half a step late: 0 to 1
    low, high = np.zeros((n, architecture.latents)), np.zeros((n, architecture.latents))
    chosen: list[int | None] = [None] * architecture.latents
    meanings: list[Meaning] = []
    if architecture.cube:
        values = attributes(*stacked(takes), NAMES)
        chosen[:MEANT] = worth_knobs(values, MEANT)
        meant = [index for index in chosen if index is not None]
        low[:, : len(meant)], high[:, : len(meant)] = stretches(values[:, meant])
        knobs = [REST if index is None else NAMES[index] for index in chosen]
        meanings = meanings_of(chosen, values, takes[0].voices)
    elif architecture.latents < KNOBS:
        knobs = [NO_ATTRIBUTE] * 2 + [*FINELY]
    else:
        knobs = [NO_ATTRIBUTE] * KNOBS
    free = np.array([index is None for index in chosen])
    order = np.argsort(np.argsort(free, kind="stable"), kind="stable")  # of the latents with an attribute
    material = Material(
        heads[:, list(architecture.sees)].reshape(n, -1),
        answers[:, list(architecture.gives)].reshape(n, -1),
        low[:, order],
        high[:, order],
        free,
        meanings,
    )
    return material, tuple(knobs)


def meanings_of(chosen: Sequence[int | None], values: np.ndarray, voices: int) -> list[Meaning]:
    """The attributes, of those that knobs have, that can be drawn up along them: sums and means over hits."""
    found = []
    for knob, index in enumerate(chosen):
        if index is not None and (NAMES[index] == "busy" or NAMES[index] in COUNTED):
            counted = None if NAMES[index] == "busy" else np.tile(COUNTED[NAMES[index]], voices)
            found.append(Meaning(knob, counted, float(values[:, index].std())))
    return found


def stacked(takes: Sequence[Pattern]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, velocities and offsets of takes, each (n, voices, 32)."""
    hits, velocities, offsets = zip(*((t.hits, t.velocities, t.offsets) for t in takes), strict=True)
    return np.array(hits), np.array(velocities), np.array(offsets)


def halves(network: Autoencoder, architecture: Architecture, takes: Sequence[Pattern]) -> tuple[list, list]:
    """Float layers of encoder and decoder as a slot has them: four latents, three heads on both ends.

    Heads that are not seen weigh nothing. Two latents are each moved by two knobs, whose codes add up. Heads
    that are not given are the habit of each step: the mean of the takes' hits there.
    """
    layers = [(weight.astype(float), bias.astype(float)) for weight, bias in network.layers]
    up, down = layers[: network.latent], layers[network.latent :]
    width = takes[0].hits.size
    weight, bias = up[0]
    wide = np.zeros((HEADS, width, weight.shape[1]))
    wide[list(architecture.sees)] = weight.reshape(-1, width, weight.shape[1])
    up[0] = (wide.reshape(HEADS * width, -1), bias)
    weight, bias = up[-1]
    missing = KNOBS - architecture.latents
    up[-1] = (np.pad(weight, ((0, 0), (0, missing))), np.pad(bias, (0, missing)))
    weight, bias = down[0]
    down[0] = (np.tile(weight, (KNOBS // architecture.latents, 1)), bias)
    weight, bias = down[-1]
    wide = np.zeros((weight.shape[0], HEADS, width))
    ends = habits(takes)
    wide[:, list(architecture.gives)] = weight.reshape(len(weight), -1, width)
    ends[list(architecture.gives)] = bias.reshape(-1, width)
    down[-1] = (wide.reshape(len(weight), -1), ends.reshape(-1))
    return up, down


def habits(takes: Sequence[Pattern]) -> np.ndarray:
    """Logits, (3, voices * 32), of the mean velocity and offset of the hits on each step; 0 for the hits."""
    hits, velocities, offsets = (part.reshape(len(takes), -1) for part in stacked(takes))
    found = np.full((HEADS, hits.shape[1]), 0.5)
    count = np.maximum(hits.sum(axis=0), 1)
    overall = velocities[hits].mean() if hits.any() else 0.5
    found[VELOCITIES] = np.where(hits.any(axis=0), velocities.sum(axis=0) / count, overall)
    found[OFFSETS] = offsets.sum(axis=0) / count + 0.5
    found = np.clip(found, 1 - SUREST, SUREST)
    return np.log(found / (1 - found))


def turned(
    up: list, down: list, latents: np.ndarray, takes: Sequence[Pattern]
) -> tuple[list, list, np.ndarray]:
    """The same network, its latents in the order and direction that bring knobs nearest to A, B and C."""
    order, signs = closest(latents, attributes(stacked(takes)[0]))
    rest = up[-1][0].shape[1] - len(order)
    every = [*order, *range(len(order), len(order) + rest)]
    way = np.concatenate([signs, np.ones(rest)])
    up = [*up[:-1], (up[-1][0][:, every] * way, up[-1][1][every] * way)]
    weight, bias = down[0]
    repeats = len(weight) // len(order)
    weight = np.tile(weight[: len(order)][order] * signs[:, None], (repeats, 1))
    return up, [(weight, bias), *down[1:]], latents[:, order] * signs
