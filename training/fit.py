"""How well hits lie on the steps of a tempo, and come back after its beats. Knows no names and no bars."""

from __future__ import annotations

import math

import numpy as np

from device.pattern import STEPS_PER_BEAT

PLAYERS = ((0.2, 0.06), (0.65, 0.17))  # share, and distance from the grid (steps, standard deviation)
STRAY = 0.15  # share of onsets that are not on the grid at all
TRIPLETS, LATE, LATE_S = 2.0, 2.0, 0.08  # what they cost; how late a loop may start
MOST_ONSETS = 8  # the fit counts no more than so many: onsets of one loop are not independent
NEAR_STEPS = 0.25
REPEAT_S = 0.025
COLOUR_S, COLOUR_DB = 0.03, 5.0  # what is compared of an attack, and how far alike ones are apart
REFINE, REFINE_ERRORS = 0.015, 4.0  # at most such a share, and at least so many standard errors


def fits(
    onsets: np.ndarray, bpms: np.ndarray, starts: np.ndarray, triplets_cost: float = TRIPLETS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How near the steps the onsets lie, at each tempo (t,) when bar 1 begins at each start (t, s).

    The steps are sixteenths or, less often, eighth triplets; they begin at the start or, less often, a
    little later.

    Returns
    -------
    fit : (t, s), log odds of the onsets (n,) lying as near as they do
    near : (t, s), share of the onsets near a step
    threes : (t, s), bool, triplets fit better
    """
    best = np.full(starts.shape, -np.inf)
    share = np.zeros(starts.shape)
    threes = np.zeros(starts.shape, dtype=bool)
    most = min(len(onsets), MOST_ONSETS)
    for steps_per_beat, cost in ((STEPS_PER_BEAT, 0.0), (3, triplets_cost)):
        rate = (bpms * steps_per_beat / 60.0)[:, None]  # (t, 1) steps a second
        position = (onsets - starts[:, :, None]) * rate[:, :, None]  # (t, s, n) in steps
        late = np.angle(np.exp(2j * np.pi * position).mean(axis=2)) / (2 * np.pi)  # (t, s) mean shift
        late_cost = np.where((late > 0) & (late < LATE_S * rate), LATE, np.inf)
        for shift, less in ((0.0 * late, 0.0 * late), (late, late_cost)):
            away = position - shift[:, :, None]
            away = np.abs(away - np.floor(away + 0.5))
            odds = STRAY + sum(part * _bell(away, width) for part, width in PLAYERS)
            fit = np.log(odds).mean(axis=2) * most - less - cost
            better = fit > best
            share = np.where(better, (away < NEAR_STEPS).mean(axis=2), share)
            threes = np.where(better, steps_per_beat == 3, threes)
            best = np.maximum(best, fit)
    return best, share, threes


def _bell(away: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-0.5 * (away / width) ** 2) / (width * math.sqrt(2 * math.pi))


def repeats(onsets: np.ndarray, bpms: np.ndarray, beats: tuple[int, ...]) -> np.ndarray:
    """Share of the onsets (n,) that come back after so many beats (b,), at each tempo (t,): (t, b)."""
    beat_s = 60.0 / bpms
    later = onsets + (beat_s[:, None] * np.array(beats))[:, :, None]  # (t, b, n)
    inside = later < (onsets[-1] + 0.5 * beat_s)[:, None, None]
    after = np.searchsorted(onsets, later)
    gap = np.minimum(
        np.abs(onsets[np.minimum(after, len(onsets) - 1)] - later),
        np.abs(onsets[np.maximum(after - 1, 0)] - later),
    )
    back = np.exp(-0.5 * (gap / REPEAT_S) ** 2) * inside
    return back.sum(axis=2) / np.maximum(inside.sum(axis=2), 1)


def colours(samples: np.ndarray, rate: int, onsets: np.ndarray) -> np.ndarray:
    """How loud and how bright each attack (n,) is, in dB: shape (n, 2)."""
    reach = round(COLOUR_S * rate)
    padded = np.concatenate([samples, np.zeros(reach + 1, np.float32)])
    at = np.minimum(np.round(onsets * rate).astype(int), len(samples))[:, None] + np.arange(reach + 1)
    sound = padded[at]  # (n, reach + 1)
    power = np.square(sound).sum(axis=1) + 1e-9
    bright = np.square(np.diff(sound, axis=1)).sum(axis=1) + 1e-9
    return 10 * np.log10(np.stack([power, bright / power], axis=1))


def alike(onsets: np.ndarray, colour: np.ndarray, later_s: float) -> float:
    """Share of the onsets (n,) that come back so much later with the same colour (n, 2)."""
    gap = np.abs(onsets[:, None] + later_s - onsets)  # (n, n)
    apart = np.square((colour[:, None] - colour) / COLOUR_DB).sum(axis=2)
    back = np.exp(-0.5 * ((gap / REPEAT_S) ** 2 + apart)).max(axis=1)
    inside = onsets + later_s < onsets[-1] + 2 * REPEAT_S
    return float(back[inside].mean()) if inside.any() else 0.0


def refine(onsets: np.ndarray, bpm: float, start_s: float) -> float:
    """The tempo near `bpm` whose sixteenths the onsets (n,) lie on best, by least squares.

    `bpm` itself where the onsets scatter too much to say another.
    """
    step_s = 60.0 / bpm / STEPS_PER_BEAT
    error_s = 0.0
    for _ in range(3):
        position = (onsets - start_s) / step_s
        steps = np.round(position)
        weight = 1.0 / (1.0 + ((position - steps) / 0.1) ** 2)
        steps_mean = np.average(steps, weights=weight)
        onsets_mean = np.average(onsets, weights=weight)
        spread = (weight * (steps - steps_mean) ** 2).sum()
        if weight.sum() < 4 or spread < 1.0:
            return bpm
        step_s = float((weight * (steps - steps_mean) * (onsets - onsets_mean)).sum() / spread)
        start_s = float(onsets_mean - steps_mean * step_s)
        left = onsets - start_s - steps * step_s
        error_s = math.sqrt(float((weight * left**2).sum() / weight.sum() / spread))
    refined = 60.0 / step_s / STEPS_PER_BEAT
    known = REFINE_ERRORS * error_s / step_s < abs(refined / bpm - 1) <= REFINE
    return refined if known else bpm
