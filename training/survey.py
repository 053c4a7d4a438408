"""Looks over a slot for its report: sweeps of the knobs, nearest takes, places of takes. Draws nothing.

Conventions: everything is decoded by the integer decoder at density 0.5; knobs are positions 0..1023;
distances are counted in steps over all voices. The same slot gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device.decoder import KNOBS, POSITIONS, VELOCITY, Decoder, hits_of, to_position
from device.slot import REST, Slot
from training.attributes import BEYOND_HITS, FIRST, NAMES, attributes

MIDDLE = to_position(0.5)
ROWS = 17  # patterns that are shown along a knob
BETWEEN = 8  # positions measured from one row to the next
ELSEWHERE = 24  # sweeps with the other knobs anywhere
AROUND = (10, 90)  # percentiles of what they give
PLACES = 2000  # random positions, as in `training.playability`
GROUND = 24  # places each way of the plane of knobs A and B
SEED = 1  # of the random positions
CHANGE = REST  # followed along a knob without an attribute: steps that differ from the middle


@dataclass(frozen=True)
class Sweep:
    """A knob turned from 0 to 1 at n even places, the others in the middle.

    hits, velocities : shape (n, voices, 32)
    values : float, (n,), of the attribute that is followed
    band : float, (2, n), between which most values lie when the other knobs stand anywhere
    nearest, distance : int, (n,), which take is nearest, and how many steps away
    alive : whether turning it changes a hit anywhere
    """

    attribute: str
    hits: np.ndarray
    velocities: np.ndarray
    values: np.ndarray
    band: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    alive: bool


@dataclass(frozen=True)
class Survey:
    """What can be seen of a slot.

    sweeps : one for each knob
    middle : nearest take of the pattern in the middle, and its distance
    off : int, (takes,), steps in which a take differs from what the knobs give at its place
    places, shuffled : int, (2000,), distance to the nearest take of random positions, and of their patterns
        with the steps shuffled
    ground : int, (24, 24), hits by knob B and knob A, the others in the middle
    """

    sweeps: tuple[Sweep, ...]
    middle: tuple[int, int]
    off: np.ndarray
    places: np.ndarray
    shuffled: np.ndarray
    ground: np.ndarray


@dataclass(frozen=True)
class Projection:
    """Knob positions of takes seen from the side on which they differ most.

    points : float, (takes, 2), 0..1 each way
    axes : float, (2, 4), how much of each knob is in either direction
    shares : of all that differs, the part that either direction shows
    """

    points: np.ndarray
    axes: np.ndarray
    shares: tuple[float, float]


def survey(slot: Slot) -> Survey:
    """Look over a slot that has takes."""
    rng = np.random.default_rng(SEED)
    decoder = slot.decoder
    sweeps = tuple(_sweep(slot, knob, attribute, rng) for knob, attribute in enumerate(knob_attributes(slot)))
    middle, distance = nearest(hits_at(decoder, np.full((1, KNOBS), MIDDLE)), slot.hits)
    random = hits_at(decoder, rng.integers(0, POSITIONS, (PLACES, KNOBS)))
    return Survey(
        sweeps,
        (int(middle[0]), int(distance[0])),
        (hits_at(decoder, slot.positions) ^ slot.hits).sum(axis=(1, 2)),
        nearest(random, slot.hits)[1],
        nearest(rng.permuted(random, axis=2), slot.hits)[1],
        _ground(decoder),
    )


def knob_attributes(slot: Slot) -> tuple[str, ...]:
    """What each knob is for; a slot that does not say has A, B and C as they always were."""
    usual = dict(zip("ABCD", (*FIRST, CHANGE), strict=True))
    return tuple(slot.about.knobs.get(knob, purpose) for knob, purpose in usual.items())


def hits_at(decoder: Decoder, positions: np.ndarray) -> np.ndarray:
    """Hits, bool (n, voices, 32), at knob positions (n, 4)."""
    return hits_of(decoder.codes(positions)[:, 0])


def nearest(hits: np.ndarray, takes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which take is nearest to each pattern, and how many steps away; of equals the first."""
    a = hits.reshape(len(hits), -1).astype(np.float32)
    b = takes.reshape(len(takes), -1).astype(np.float32)
    apart = a.sum(axis=1)[:, None] + b.sum(axis=1)[None] - 2 * (a @ b.T)
    return apart.argmin(axis=1), apart.min(axis=1).astype(int)


def project(positions: np.ndarray) -> Projection | None:
    """The two directions in which knob positions (n, 4) differ most; None where there are not two."""
    centred = positions - positions.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    if len(positions) < 3 or values[-2] < 1.0:
        return None
    axes = vectors.T[[-1, -2]]
    axes = axes * np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]  # the largest part is upwards
    points = centred @ axes.T
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - low) / np.maximum(high - low, 1e-9)
    shares = values[[-1, -2]] / values.sum()
    return Projection(points, axes, (float(shares[0]), float(shares[1])))


def _sweep(slot: Slot, knob: int, attribute: str, rng: np.random.Generator) -> Sweep:
    count = (ROWS - 1) * BETWEEN + 1
    travel = np.rint(np.linspace(0, POSITIONS - 1, count)).astype(int)
    rest = np.concatenate([np.full((1, KNOBS), MIDDLE), rng.integers(0, POSITIONS, (ELSEWHERE, KNOBS))])
    positions = np.repeat(rest[:, None], count, axis=1)  # (1 + elsewhere, count, 4)
    positions[:, :, knob] = travel
    codes = slot.decoder.codes(positions.reshape(-1, KNOBS))
    hits = hits_of(codes[:, 0]).reshape(len(rest), count, *slot.hits.shape[1:])
    values = follow(attribute, hits)
    take, distance = nearest(hits[0], slot.hits)
    return Sweep(
        attribute,
        hits[0],
        VELOCITY.take(codes[:count, 1].astype(int)),
        values[0],
        np.percentile(values, AROUND, axis=0),
        take,
        distance,
        bool((hits != hits[:, :1]).any()),
    )


def follow(attribute: str, hits: np.ndarray) -> np.ndarray:
    """Values of an attribute, shape (sweeps, n), for hits of shape (sweeps, n, voices, 32).

    Of what hits alone do not tell: how many steps differ from the middle.
    """
    if attribute in NAMES and attribute not in BEYOND_HITS:
        values = attributes(hits.reshape(-1, *hits.shape[2:]), names=[attribute])
        return values.reshape(hits.shape[:2])
    middle = hits[:, hits.shape[1] // 2, None]
    return (hits ^ middle).sum(axis=(2, 3)).astype(float)


def _ground(decoder: Decoder) -> np.ndarray:
    places = np.rint((np.arange(GROUND) + 0.5) / GROUND * (POSITIONS - 1)).astype(int)
    positions = np.full((GROUND, GROUND, KNOBS), MIDDLE)
    positions[:, :, 0], positions[:, :, 1] = places[None], places[:, None]
    return hits_at(decoder, positions.reshape(-1, KNOBS)).sum(axis=(1, 2)).reshape(GROUND, GROUND)
