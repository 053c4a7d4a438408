"""Lays hits on the grid of sixteenths: step, velocity, offset. Knows no sound and no files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device.pattern import STEPS_PER_BEAT

LEAD_IN_S = (0.004, 0.1)  # silence before the first hit that is air or an encoder's delay, not a rest
LEAD_IN_STEPS = 0.8  # nor is it more than this: a rest of one step stays a rest
PRIOR_HITS = 8  # the shift is held back as if so many more hits were exactly on the grid
PRIOR_SWING = 1  # and the swing as if so many more were straight
LARGEST_SHIFT = 0.45  # steps: a larger shift of all hits is a step of its own
STRAY = 0.25  # steps: hits further from the fit do not say where the grid is
TIGHT = 0.06  # steps, median distance from the fit: looser hits do not either
SWING_HITS = 3  # on first and second steps each, or there is no swing to be measured


@dataclass(frozen=True)
class Grid:
    """Where step 0 lies and how long a step is, in seconds.

    swing : share of a step pair given to its first step as the loop plays it, 0.5 straight. Measured,
        not taken out: the offsets keep it.
    """

    start_s: float
    step_s: float
    swing: float = 0.5


def fit_grid(onsets_s: np.ndarray, bpm: float, lead_s: float = 0.0, start_s: float = 0.0) -> Grid:
    """The grid at a tempo, started where the hits agree best.

    Bar 1 begins with the file, with what follows its leading silence where the hits (n,) fit no worse
    from there, or later where `start_s` says so. From there a shift that the hits have in common is taken
    out where they are tight: by least squares, together with the swing, strays apart, and held back, so that
    a few hits of their own lean do not move the grid.

    >>> fit_grid(np.array([0.02, 0.27, 0.52, 1.02]), bpm=120, lead_s=0.02).start_s
    0.02
    """
    step_s = 60.0 / bpm / STEPS_PER_BEAT
    onsets_s = onsets_s[onsets_s >= start_s - 0.5 * step_s]
    if len(onsets_s) == 0:
        return Grid(start_s, step_s)
    if not start_s and LEAD_IN_S[0] <= lead_s <= min(LEAD_IN_S[1], LEAD_IN_STEPS * step_s):
        looseness = [float(np.abs(_from_step(onsets_s, s, step_s)[0]).mean()) for s in (0.0, lead_s)]
        if looseness[1] <= looseness[0] + 0.01:
            start_s = lead_s
    away, second = _from_step(onsets_s, start_s, step_s)
    shift, swing = _shift_and_swing(away, second)
    return Grid(start_s + shift * step_s, step_s, float(np.clip(0.5 + swing / 2, 0.3, 0.75)))


def _from_step(onsets_s: np.ndarray, start_s: float, step_s: float) -> tuple[np.ndarray, np.ndarray]:
    """How far each onset (n,) is from its nearest step, in steps; whether that is the second of a pair."""
    position = (onsets_s - start_s) / step_s
    nearest = np.floor(position + 0.5)
    return position - nearest, nearest % 2 == 1


def _shift_and_swing(away: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """What all hits have in common, and what the second steps of pairs have besides, both in steps."""
    swung = second.sum() >= SWING_HITS and (~second).sum() >= SWING_HITS
    shift = float(np.median(away[~second] if swung else away))
    swing = float(np.median(away[second])) - shift if swung else 0.0
    for _ in range(4):
        left = away - shift - swing * second
        left -= np.floor(left + 0.5)  # half a step late of one step is half a step early of the next
        weight = np.maximum(1.0 - (left / STRAY) ** 2, 0.0) ** 2  # (n,)
        if not weight.any():
            return 0.0, swing
        if swung:
            more = float((weight * left)[second].sum() / (weight[second].sum() + PRIOR_SWING))
            swing, left = swing + more, left - more * second
        shift += float((weight * left).sum() / weight.sum())
    tight = np.median(np.abs(left)) < TIGHT and abs(shift) <= LARGEST_SHIFT
    return (shift * len(away) / (len(away) + PRIOR_HITS) if tight else 0.0), swing


def to_steps(
    onsets_s: np.ndarray, levels: np.ndarray, grid: Grid, steps_total: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place the hits of one loop on its steps.

    Each hit goes to its nearest step; what is left over is its offset. The last half step belongs to
    step 0. When two share a step the louder stays: the other is its grace note. What rings on
    after the last step is left out.

    Parameters
    ----------
    onsets_s : float array, shape (n,), seconds, ascending
    levels : float array, shape (n,), velocities 0..1
    grid : Grid
    steps_total : int
        Steps of the loop: 16 a bar.

    Returns
    -------
    hits : bool array, shape (steps_total,)
    velocities : float array, shape (steps_total,), 0 where there is no hit
    offsets : float array, shape (steps_total,)
        In steps, within [-0.5, 0.5], early is negative; 0 where there is no hit.

    >>> grid = Grid(start_s=0.0, step_s=0.25)
    >>> hits, _, offsets = to_steps(np.array([0.25, 0.9]), np.ones(2), grid, steps_total=4)
    >>> hits.tolist(), offsets.round(2).tolist()
    ([True, True, False, False], [-0.4, 0.0, 0.0, 0.0])
    """
    hits = np.zeros(steps_total, dtype=bool)
    velocities = np.zeros(steps_total)
    offsets = np.zeros(steps_total)
    position = (np.asarray(onsets_s, dtype=float) - grid.start_s) / grid.step_s  # (n,) in steps
    nearest = np.floor(position + 0.5).astype(int)
    for place, step, level in zip(position, nearest, levels, strict=True):
        if not 0 <= step <= steps_total:
            continue
        home = step % steps_total
        if not hits[home] or level > velocities[home]:
            hits[home], velocities[home], offsets[home] = True, level, place - step
    return hits, velocities, offsets
