"""What a player calls a pattern: busy, off-beat, filling, and more. Looks at patterns; knows no networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.pattern import STEPS, STEPS_PER_BAR

FIRST = ("busy", "off-beat", "fill")  # of knobs A, B and C, where the takes differ in them
# What comes in where they do not, in this order; the last two look at more than hits.
FURTHER = ("syncopated", "late in the bar", "uneven", "late", "contrast")
NAMES = FIRST + FURTHER
BEYOND_HITS = FURTHER[-2:]

# Metrical weight of each step: 0 on the bar, 1 the half, 2 a quarter, 3 an eighth, 4 a sixteenth.
METRICAL_WEIGHT = np.array([0, 4, 3, 4, 2, 4, 3, 4, 1, 4, 3, 4, 2, 4, 3, 4] * 2)

# What a hit counts on each step of attributes that are a mean over the hits.
COUNTED = {
    "off-beat": METRICAL_WEIGHT,
    "fill": np.repeat([-1, 1], STEPS_PER_BAR),
    "late in the bar": np.arange(STEPS) % STEPS_PER_BAR / STEPS_PER_BAR,
}

DIFFERING = 0.4  # share of pairs of takes that an attribute must tell apart to be worth a knob
ALIKE = 0.9  # rank correlation from which two attributes are one


def attributes(
    hits: np.ndarray,
    velocities: np.ndarray | None = None,
    offsets: np.ndarray | None = None,
    names: Sequence[str] = FIRST,
) -> np.ndarray:
    """Attributes of patterns, shape (n, names), each array of them being (n, voices, 32); over all voices.

    busy: the number of hits. off-beat: the mean metrical weight of the hits. fill: hits of the second bar
    less hits of the first, over all hits. syncopated: the share of hits that are followed by a rest on a
    step of less metrical weight. late in the bar: the mean place of the hits in their bar, 0 to 1. uneven:
    how much the distances from hit to hit differ. late: the mean offset of the hits. contrast: how much
    their velocities differ. A pattern without a hit has 0 in each.

    >>> attributes(np.eye(32)[None, :1])[0].tolist()
    [1.0, 0.0, -1.0]
    """
    counts = hits.reshape(len(hits), -1, STEPS).sum(axis=1).astype(float)  # (n, 32)
    busy = counts.sum(axis=1)
    some = np.maximum(busy, 1.0)
    found = []
    for name in names:
        if name == "busy":
            value = busy
        elif name in COUNTED:
            value = counts @ COUNTED[name] / some
        elif name == "syncopated":
            before = np.roll(METRICAL_WEIGHT, -1) < METRICAL_WEIGHT
            value = (counts * before * (np.roll(counts, -1, axis=1) == 0)).sum(axis=1) / some
        elif name == "uneven":
            value = _unevenness(counts > 0)
        else:
            what = offsets if name == "late" else velocities
            if what is None:
                raise ValueError(f"attribute {name!r} needs velocities and offsets too")
            flat, on = what.reshape(len(hits), -1), hits.reshape(len(hits), -1)
            value = mean = (flat * on).sum(axis=1) / some
            if name == "contrast":
                value = np.sqrt((np.square(flat - mean[:, None]) * on).sum(axis=1) / some)
        found.append(value)
    return np.stack(found, axis=1) if found else np.zeros((len(hits), 0))


def _unevenness(on: np.ndarray) -> np.ndarray:
    """How much the distances from hit to hit, round the loop, spread about their mean, over that mean."""
    found = np.zeros(len(on))
    for row, steps in enumerate(on):
        (places,) = np.nonzero(steps)
        if len(places):
            gaps = np.diff(places, append=places[0] + STEPS)
            found[row] = gaps.std() / gaps.mean()
    return found


def worth_knobs(values: np.ndarray, count: int) -> list[int | None]:
    """Which attribute each of the first `count` knobs shall have, by its column in `values` (n, attributes).

    Those whose knob is their own come first. Where takes do not differ in one, its knob gets the next that
    tells takes apart and is not another one by a new name, or None.
    """
    ranks = [_rank(column) for column in values.T]
    useful = [index for index, column in enumerate(values.T) if _differing(column) >= DIFFERING]
    found: list[int | None] = [index if index in useful else None for index in range(count)]
    for knob in range(count):
        taken = [index for index in found if index is not None]
        for index in useful:
            new = all(abs(_correlation(ranks[index], ranks[other])) < ALIKE for other in taken)
            if found[knob] is None and new:
                found[knob] = index
    return found


def _differing(column: np.ndarray) -> float:
    """Share of pairs that differ; offsets and velocities differ by more than a hair only."""
    _, counts = np.unique(np.round(column, 3), return_counts=True)
    n = len(column)
    return 1.0 - float((counts * (counts - 1)).sum()) / (n * (n - 1)) if n > 1 else 0.0


def _rank(column: np.ndarray) -> np.ndarray:
    order = np.searchsorted(np.sort(column), column, side="left")
    return order + np.searchsorted(np.sort(column), column, side="right") - len(column)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    size = float(np.sqrt((a * a).sum() * float((b * b).sum())))
    return float((a * b).sum()) / size if size else 0.0


def closest(latents: np.ndarray, values: np.ndarray) -> tuple[list[int], np.ndarray]:
    """An order of latents (n, l), and signs, so that the first rise with the attributes (n, k) in turn."""
    ranks = [[_rank(column) for column in part.T] for part in (latents, values)]
    apart = np.array([[_correlation(a, b) for b in ranks[1]] for a in ranks[0]])[:, : latents.shape[1]]
    order, signs = [-1] * latents.shape[1], np.ones(latents.shape[1])
    left = np.abs(apart)
    for _ in range(min(left.shape)):
        latent, knob = np.unravel_index(left.argmax(), left.shape)
        order[knob], signs[knob] = int(latent), -1.0 if apart[latent, knob] < 0 else 1.0
        left[latent], left[:, knob] = -1.0, -1.0
    spare = [latent for latent in range(latents.shape[1]) if latent not in order]
    return [spare.pop(0) if latent < 0 else latent for latent in order], signs
