"""Measures how a slot plays: reach, meaning, travel, evenness, likeness, silence. Integer decoder only.

Conventions: knobs are positions 0..1023, density is 0.5, distances are counted in steps over all voices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.decoder import KNOBS, OFFSET, POSITIONS, VELOCITY, Decoder, hits_of
from device.network import IntegerNetwork
from device.pattern import STEPS
from device.slot import Report
from training.attributes import FIRST, attributes

NEAR = 2  # steps of 32 in each voice that may differ where a take counts as reached
SWEEPS = 100
SWEEP_POSITIONS = 101
FULL_SWEEPS = 16  # for travel and evenness, over every one of the 1024 positions
TURN = POSITIONS // 128  # positions in a 128th of the travel
PLACES = 2000  # random knob positions for likeness and silence
SEARCH_ROUNDS = 3
SEARCH_PLACES = 64
AT_ONCE = 1024  # positions that are decoded in one go


def measure(
    decoder: Decoder, hits: np.ndarray, positions: np.ndarray, seed: int, names: Sequence[str] = FIRST
) -> Report:
    """Playability of a decoder for the takes' hits, bool (n, voices, 32), and their knob positions (n, 4).

    names : the attributes that knobs A, B and C are held against
    """
    rng = np.random.default_rng(seed)
    travel, evenness = _travel(decoder, rng)
    likeness, silence = _likeness(decoder, hits, rng)
    reached = (_hits(decoder, positions) ^ hits).sum(axis=2).max(axis=1) <= NEAR
    meaning = _meaning(decoder, rng, names)
    return Report(
        reach=round(float(reached.mean()), 4),
        meaning={knob: round(value, 4) for knob, value in zip("ABC", meaning, strict=True)},
        travel=[round(value, 2) for value in travel],
        evenness=[round(value, 2) for value in evenness],
        likeness=round(likeness, 4),
        silence=round(silence, 4),
    )


def place_takes(decoder: Decoder, encoder: IntegerNetwork, codes: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Knob positions, int (n, 4), that give the takes back best: through the encoder, then a local search.

    codes : input codes of the encoder, (n, inputs); hits : bool, (n, voices, 32)
    """
    best = decoder.knob_map.positions(encoder.run(codes))
    distance = _distance(decoder, best, hits)
    for _ in range(SEARCH_ROUNDS):
        for knob in range(KNOBS):
            open_ = np.flatnonzero(distance > 0)
            if not len(open_):
                return best
            tries = np.repeat(best[open_], SEARCH_PLACES, axis=0)
            tries[:, knob] = np.tile(np.linspace(0, POSITIONS - 1, SEARCH_PLACES).astype(int), len(open_))
            found = _distance(decoder, tries, np.repeat(hits[open_], SEARCH_PLACES, axis=0))
            found = found.reshape(len(open_), SEARCH_PLACES)
            winner = found.argmin(axis=1)
            better = found[np.arange(len(open_)), winner] < distance[open_]
            chosen = open_[better]
            best[chosen] = tries.reshape(len(open_), SEARCH_PLACES, KNOBS)[better, winner[better]]
            distance[chosen] = found[better, winner[better]]
    return best


def step_f1(found: np.ndarray, true: np.ndarray) -> float:
    """F1 of steps, pooled, for bool arrays of one shape; 1 where neither has a hit."""
    hit = (found & true).sum()
    wrong = (found ^ true).sum()
    return float(2 * hit / (2 * hit + wrong)) if hit + wrong else 1.0


def _hits(decoder: Decoder, positions: np.ndarray) -> np.ndarray:
    """Hits, bool (n, voices, 32), at positions (n, 4); some at a time, which stay in the cache."""
    found = np.empty((len(positions), decoder.voices, STEPS), bool)
    for at in range(0, len(positions), AT_ONCE):
        found[at : at + AT_ONCE] = hits_of(decoder.codes(positions[at : at + AT_ONCE])[:, 0])
    return found


def _distance(decoder: Decoder, positions: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Steps that differ, over all voices, plus much where one voice is not near."""
    apart = (_hits(decoder, positions) ^ hits).sum(axis=2)  # (n, voices)
    return apart.sum(axis=1) + 1000 * (apart.max(axis=1) > NEAR)


def _sweeps(rng: np.random.Generator, knob: int, places: np.ndarray, count: int) -> np.ndarray:
    """Positions, (count * len(places), 4): one knob swept, the others random and at rest."""
    rest = rng.integers(0, POSITIONS, (count, 1, KNOBS))
    positions = np.repeat(rest, len(places), axis=1)
    positions[:, :, knob] = places
    return positions.reshape(-1, KNOBS)


def _meaning(decoder: Decoder, rng: np.random.Generator, names: Sequence[str]) -> list[float]:
    """Mean Spearman correlation of knobs A, B, C with their attributes; a flat sweep counts as 0."""
    places = np.linspace(0, POSITIONS - 1, SWEEP_POSITIONS).astype(int)
    found = []
    for knob, name in enumerate(names):
        codes = decoder.codes(_sweeps(rng, knob, places, SWEEPS)).astype(int)
        hits, velocities, offsets = hits_of(codes[:, 0]), VELOCITY[codes[:, 1]], OFFSET[codes[:, 2]]
        values = attributes(hits, velocities, offsets, [name])[:, 0].reshape(SWEEPS, SWEEP_POSITIONS)
        found.append(float(np.mean([spearman(places, row) for row in values])))
    return found


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation of two vectors, ties at their mean rank; 0 where one of them is constant.

    >>> spearman(np.array([1, 2, 3]), np.array([10, 20, 20])) > 0.8
    True
    """
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (a, b)]
    size = np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
    return float((ranks[0] * ranks[1]).sum() / size) if size else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    return (first + (counts - 1) / 2)[place]


def _travel(decoder: Decoder, rng: np.random.Generator) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Distinct patterns on a full sweep, and the 99th percentile of steps that change per 1/128 turn."""
    travel, evenness = [], []
    places = np.arange(POSITIONS)
    for knob in range(KNOBS):
        hits = _hits(decoder, _sweeps(rng, knob, places, FULL_SWEEPS))
        hits = hits.reshape(FULL_SWEEPS, POSITIONS, -1)
        travel.append(float(np.mean([len(np.unique(np.packbits(row, axis=1), axis=0)) for row in hits])))
        changes = (hits[:, TURN:] ^ hits[:, :-TURN]).sum(axis=2)
        evenness.append(float(np.percentile(changes, 99)))
    return tuple(travel), tuple(evenness)


def _likeness(decoder: Decoder, takes: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Distance to the nearest take over that of shuffled patterns (below 1 beats a randomiser); silence."""
    hits = _hits(decoder, rng.integers(0, POSITIONS, (PLACES, KNOBS)))
    shuffled = rng.permuted(hits, axis=2)
    near, far = _nearest(hits, takes), _nearest(shuffled, takes)
    silence = float((~hits.any(axis=(1, 2))).mean())
    return (near / far if far else 1.0), silence


def _nearest(hits: np.ndarray, takes: np.ndarray) -> float:
    """Mean distance in steps from each pattern to its nearest take."""
    a = hits.reshape(len(hits), -1).astype(np.float32)
    b = takes.reshape(len(takes), -1).astype(np.float32)
    apart = a.sum(axis=1)[:, None] + b.sum(axis=1)[None] - 2 * (a @ b.T)
    return float(apart.min(axis=1).mean())
