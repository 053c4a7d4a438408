"""Says where on the travel of the knobs the takes belong, so that no travel is dead. Trains nothing.

Two ways. A network that fills the cube -1..1 is told beforehand where each take belongs: knob A by the rank
of its attribute among all takes, knob B by the rank among the takes with about as much of A, and so on
(Rosenblatt, "Remarks on a multivariate transformation", 1952). So all corners of the knobs are lived in. The
latents of another network are looked at once it is trained, and the travel is laid where they are.
"""

from __future__ import annotations

import numpy as np

POINTS = 17  # along the travel of each knob
MARGIN = 0.05  # of the takes' span, past either end
EVEN = 0.5  # 0: equal travel between neighbouring takes; 1: equal travel over the span
NARROWEST = 0.5  # span of a latent in which all takes are one, as with a single take

NEIGHBOURS = 0.15  # share of the takes that count as having about as much
FEWEST_NEIGHBOURS = 12
AT_ONCE = 256  # takes that are compared with all others in one go, so that thousands take no gigabytes


def cube_points() -> np.ndarray:
    """Latent values at even places along each knob, (4, 17), where latents fill -1..1."""
    return np.tile(np.linspace(-1.0, 1.0, POINTS), (4, 1))


def knob_points(latents: np.ndarray) -> np.ndarray:
    """Latent values at even places along each knob, shape (4, 17), rising, for latents of takes (n, 4)."""
    low, high = latents.min(axis=0), latents.max(axis=0)
    short = high - low < NARROWEST
    centre = (low + high) / 2
    low = np.where(short, centre - NARROWEST / 2, low)
    high = np.where(short, centre + NARROWEST / 2, high)
    margin = (high - low) * MARGIN
    places = np.linspace(0.0, 1.0, POINTS)[:, None]
    even = low - margin + (high - low + 2 * margin) * places  # (17, 4)
    dense = np.quantile(latents, places[:, 0], axis=0)
    dense[0], dense[-1] = even[0], even[-1]
    return np.where(short, even, EVEN * even + (1 - EVEN) * dense).T


def stretches(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where takes belong on each knob: lowest and highest latent, each (n, k), of attributes (n, k).

    A take may lie anywhere within the stretch that it shares with those that have as much as it.

    >>> stretches(np.array([[3.0], [5.0], [5.0], [9.0]]))[0].ravel().tolist()
    [-1.0, -0.5, -0.5, 0.5]
    """
    low, high = np.zeros(values.shape), np.zeros(values.shape)
    for knob in range(values.shape[1]):
        near = neighbours((low[:, :knob] + high[:, :knob]) / 2)
        low[:, knob], high[:, knob] = among(values[:, knob], near)
    return low, high


def neighbours(places: np.ndarray) -> np.ndarray | None:
    """The takes nearest to each, itself among them, (n, some), by places (n, k); None: all, as for no k."""
    n = len(places)
    count = max(FEWEST_NEIGHBOURS, round(NEIGHBOURS * n))
    if not places.shape[1] or count >= n:
        return None
    found = np.empty((n, count), int)
    for at in range(0, n, AT_ONCE):
        apart = np.zeros((len(places[at : at + AT_ONCE]), n))
        for column in places.T:
            apart += np.square(column[at : at + AT_ONCE, None] - column[None])
        found[at : at + AT_ONCE] = np.argpartition(apart, count - 1, axis=1)[:, :count]
    return found


def among(values: np.ndarray, near: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The stretch of -1..1 that each value has among those near it: (n,) lowest and (n,) highest."""
    if near is None:
        ordered = np.sort(values)
        low = np.searchsorted(ordered, values, side="left") / len(values)
        high = np.searchsorted(ordered, values, side="right") / len(values)
    else:
        beside = values[near]
        low = (beside < values[:, None]).mean(axis=1)
        high = (beside <= values[:, None]).mean(axis=1)
    return 2.0 * low - 1.0, 2.0 * high - 1.0


def nearest(
    places: np.ndarray, latents: np.ndarray, mixed: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two takes nearest to each place (m, k), of latents (n, k), int (m,), and the share of the first.

    mixed : how far away a take still counts beside a nearer one; 0: the nearest counts alone
    """
    sizes = np.square(latents).sum(axis=1)
    found, share = np.zeros((2, len(places)), int), np.ones(len(places), latents.dtype)
    for at in range(0, len(places), AT_ONCE):
        some = slice(at, at + AT_ONCE)
        apart = places[some] @ latents.T
        apart *= -2.0
        apart += sizes
        rows = np.arange(len(apart))
        found[0, some] = apart.argmin(axis=1)
        least = apart[rows, found[0, some]]
        if mixed and len(latents) > 1:
            apart[rows, found[0, some]] = np.inf
            found[1, some] = apart.argmin(axis=1)
            further = apart[rows, found[1, some]] - least
            share[some] = 1.0 / (1.0 + np.exp(-further / (2.0 * mixed**2)))
    return found[0], found[1], share
