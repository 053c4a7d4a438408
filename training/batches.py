"""Lays out what a network sees: takes in another order each epoch, and places between them. Trains nothing.

Where latents fill a cube, each batch has places anywhere in it beside its takes, and each is to give the take
that lies nearest, or where two are about as near a mixture of them: so knobs that stand between takes play
something like a take. Places come in pairs that differ in one knob, for its attribute to rise between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from training.architectures import Architecture, Recipe
from training.calibrate import among, nearest, neighbours
from training.losses import LEAST, Meaning
from training.network import Autoencoder, ended_by_one

FURTHEST = 0.7  # between the places of a pair, of a travel of 2
SPOILED = 0.5  # share of the takes that are not shown as they are


@dataclass(frozen=True)
class Material:
    """Takes as a network learns them.

    inputs : (n, inputs), hits 0 or 1, velocities 0..1, offsets -1..1 (1 is half a step)
    answers : (n, outputs), what the sigmoid of each output should be
    low, high : (n, latents), the stretch where each latent belongs; of a free one anything
    free : bool, (latents,), which latents have no attribute
    meanings : of knobs whose attributes can be drawn up along them
    """

    inputs: np.ndarray
    answers: np.ndarray
    low: np.ndarray
    high: np.ndarray
    free: np.ndarray
    meanings: Sequence[Meaning] = ()


@dataclass(frozen=True)
class Part:
    """One batch of an epoch: views of what is laid out, in the same place every time.

    takes : (n, inputs + 1), as the encoder is shown them, each ending in 1
    answers : (n + places, outputs), of the takes, then of the places
    places : (places, latents), where else to decode: low ends of pairs, their high ends, and what is over
    noise, low, high : (n, latents), what is added to the latents of the takes; where those belong
    knobs, far : (pairs,), of each pair which of the meanings, and how far its ends are apart
    """

    takes: np.ndarray
    answers: np.ndarray
    places: np.ndarray
    noise: np.ndarray
    low: np.ndarray
    high: np.ndarray
    knobs: np.ndarray
    far: np.ndarray


class Batches:
    """The rows of one epoch, in batches as equal as can be: no take counts more in a short last one."""

    def __init__(self, network: Autoencoder, material: Material, architecture: Architecture, recipe: Recipe):
        n, latents = len(material.inputs), network.sizes[network.latent]
        kind: Any = network.dtype
        count = -(-n // recipe.batch)
        edges = [n * k // count for k in range(count + 1)]
        self.network, self.recipe, self.heads = (
            network,
            recipe,
            (len(architecture.sees), len(architecture.gives)),
        )
        self._inputs, self._outputs = material.inputs.astype(kind), material.answers.astype(kind)
        self._free, self._meanings = material.free, material.meanings
        self._low, self._high = material.low.astype(kind), material.high.astype(kind)
        sizes = [b - a for a, b in pairwise(edges)]
        more = [round(recipe.places * size) for size in sizes]
        self.takes = ended_by_one(n, material.inputs.shape[1], kind)
        self.answers = np.zeros((n + sum(more), material.answers.shape[1]), kind)
        self.places = np.zeros((sum(more), latents), kind)
        self.noise, self.low, self.high = (np.zeros((n, latents), kind) for _ in range(3))
        pairs = [size // 2 if material.meanings else 0 for size in more]
        self.knobs, self.far = np.zeros(sum(pairs), int), np.zeros(sum(pairs), kind)
        self.parts: list[Part] = []
        rows: dict[str, list[int]] = {name: [] for name in ("takes", "places", "low", "high")}
        take = place = pair = 0
        for size, others, two in zip(sizes, more, pairs, strict=True):
            row = take + place
            rows["takes"] += range(row, row + size)
            rows["places"] += range(row + size, row + size + others)
            rows["low"] += range(place, place + two)
            rows["high"] += range(place + two, place + 2 * two)
            self.parts.append(
                Part(
                    self.takes[take : take + size],
                    self.answers[row : row + size + others],
                    self.places[place : place + others],
                    self.noise[take : take + size],
                    self.low[take : take + size],
                    self.high[take : take + size],
                    self.knobs[pair : pair + two],
                    self.far[pair : pair + two],
                )
            )
            take, place, pair = take + size, place + others, pair + two
        self._rows = {name: np.array(places, int) for name, places in rows.items()}

    def shuffle(self, rng: np.random.Generator, look: bool) -> None:
        """Lay out the next epoch; `look` anew where the takes lie on the knobs without an attribute."""
        order = rng.permutation(len(self.takes))
        self.takes[:, :-1] = self._inputs[order]
        self._spoil(rng)
        self.answers[self._rows["takes"]] = self._outputs[order]
        if self.recipe.noise:
            rng.standard_normal(out=self.noise, dtype=self.network.dtype)
            self.noise *= self.recipe.noise
        if len(self.places):
            latents = self.network.encode(self._inputs)
            if look:
                self._aim_free(latents)
            self._draw_places(rng)
            self.answers[self._rows["places"]] = self._between(latents)
        np.take(self._low, order, 0, self.low, "clip")
        np.take(self._high, order, 0, self.high, "clip")

    def _spoil(self, rng: np.random.Generator) -> None:
        """Hide some hits of some takes from the encoder and show it some that are not there."""
        recipe = self.recipe
        if not recipe.hidden and not recipe.added:
            return
        shown = self.takes[:, :-1]
        hits = shown[:, : shown.shape[1] // self.heads[0]]
        spoiled = rng.random((len(shown), 1), np.float32) < SPOILED
        chance = rng.random(hits.shape, np.float32)
        hidden = (chance < recipe.hidden) & spoiled & (hits > 0)
        added = (chance < recipe.added) & spoiled & (hits == 0)
        shown *= np.tile(~hidden, (1, self.heads[0]))
        hits += added

    def _aim_free(self, latents: np.ndarray) -> None:
        """Spread the takes over the knobs without an attribute too, in the order that they have there."""
        settled = (self._low + self._high)[:, ~self._free] / 2
        for knob in np.flatnonzero(self._free):
            low, high = among(latents[:, knob], neighbours(settled))
            self._low[:, knob], self._high[:, knob] = low, high
            settled = np.column_stack([settled, (low + high) / 2])

    def _draw_places(self, rng: np.random.Generator) -> None:
        self.places[...] = rng.uniform(-1.0, 1.0, self.places.shape)
        if not len(self.far):
            return
        low, high = self._rows["low"], self._rows["high"]
        self.knobs[...] = rng.integers(0, len(self._meanings), len(self.knobs))
        self.far[...] = rng.uniform(0.05, FURTHEST, len(self.far))
        turned = np.array([meaning.knob for meaning in self._meanings])[self.knobs]
        self.places[low, turned] = np.minimum(self.places[low, turned], 1.0 - self.far)
        self.places[high] = self.places[low]
        self.places[high, turned] += self.far

    def _between(self, latents: np.ndarray) -> np.ndarray:
        """What the places are to give, (places, outputs); velocities and offsets are those of hits."""
        one, other, share = nearest(self.places, latents, self.recipe.mixed)
        shape = (len(one), self.heads[1], -1)
        first, second = (self._outputs[chosen].reshape(shape) for chosen in (one, other))
        first[:, 1:] *= first[:, :1]
        second[:, 1:] *= second[:, :1]
        first *= share[:, None, None]
        second *= 1.0 - share[:, None, None]
        first += second
        first[:, 1:] /= first[:, :1] + LEAST
        return first.reshape(len(one), -1)
