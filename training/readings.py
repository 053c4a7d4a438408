"""Readings of a loop, each a tempo, a first bar and its beats, and what speaks for each. Decides nothing.

Tempos come from what is said (`training.clues`), from the lengths at which the file lasts whole bars, and
from each whole BPM; bar 1 begins with the file, after silence, or after a pickup. Each reading is scored, in
natural logarithms of odds, by what is said, by how well it goes with the length of the file, by how usual it
is, and by how near the hits come to its sixteenths (`training.fit`). Hits are never counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from device.pattern import BEATS_PER_BAR, STEPS_PER_BAR, STEPS_PER_BEAT
from training.clues import MAX_BARS, MISSING_BARS, Clues
from training.fit import TRIPLETS, alike, colours, fits, repeats
from training.grid import LEAD_IN_S
from training.names import TEMPO

SLOWEST, FASTEST = 60.0, 200.0  # BPM that is considered unless something says another
ALIKE = 0.00005  # tempos nearer than this share are the same
SNAP, SNAP_COST = 0.015, 4.0  # a tempo that is said and a length nearly agree: how nearly, how unlikely
SAID = 0.0005  # and how nearly where the length says nothing

# How usual a number of bars and a tempo are.
BARS_SCORE = {1: -0.7, 2: 0.6, 4: -0.5, 8: -0.7, 16: -2.0, 3: -5.0, 6: -4.0}
ODD_BARS = -4.0
USUAL_BPM, SLOWER, FASTER = 118.0, 0.26, 0.24  # median, and deviations of its logarithm
RUSHED, RUSH = 176.0, -0.05  # drum and bass; each BPM faster than it
WHOLE_BPM = 2.5  # producers work at whole BPM
ROUND_BPM = {120: 1.2, 128: 0.6, 140: 0.6, **dict.fromkeys((90, 100, 110, 130, 150, 160, 170, 174), 0.5)}

# How the beats go with the length of the file.
EXACT_S, NEAR_S, NEAR_BARS = 0.003, 0.06, 0.02  # a cut file, and one that an encoder padded
EXACT, NEAR, SHORT = 6.0, -1.0, -3.0
TAIL, BROKEN = -1.5, -2.5
WHOLE_TAIL = 1.5  # a tail is often whole beats
MISSING_OF_ONE = 0.2  # share of an only bar that may be missing
EMPTY, PAIRED = -3.0, 2.0  # each empty bar at the end; taken back for one that makes two bars of one
AFTER_END = -1.0  # each plain hit after the last bar
PLAIN = 0.1  # peak, over the loudest, of a hit that a tail would not have

# Where bar 1 begins, and other meters.
LEAD, LEAD_UNSAID = -2.5, -7.0  # after silence, where something says the tempo and where nothing does
PICKUP, ACCENT = -7.0, 8.0  # after a pickup, and where its downbeats are louder
PICKUP_STEPS = 0.1
ODD_BEATS, THREES, IN_THREES = -5.0, -6.5, 8.0
UNSAID = -5.0  # odd beats at a tempo that nothing says
TRIPLETS_SAID = 0.0  # what triplets cost when a name says them

BESIDE_BARS = 8.0  # the most that a tempo counts that is said beside the player's bars
REPEAT = 5.0  # what comes back after a beat, two and a bar


@dataclass(frozen=True)
class Loop:
    """What is looked at: its length, hits, and how long the silence before it lasts."""

    duration_s: float
    onsets: np.ndarray  # (n,) s
    peaks: np.ndarray  # (n,) 0..1
    plain: np.ndarray  # (p,) s: those that are no tail
    lead_s: float


@dataclass(frozen=True)
class Readings:
    """bpms (t,), starts (t, s), beats (k,), scores (t, s, k), near and threes (t, s)."""

    bpms: np.ndarray
    starts: np.ndarray
    beats: np.ndarray
    in_bars: np.ndarray  # (k,) bool: laid as bars of four
    scores: np.ndarray
    near: np.ndarray
    threes: np.ndarray


def weigh(loop: Loop, clues: Clues, bpm: float | None, bars: int | None) -> Readings:
    """Score every reading."""
    bpms = _tempos(loop.duration_s, clues, bpm, bars)
    starts, start_costs = _starts(loop, bpms, clues)
    beats, in_bars = _layouts(loop.duration_s * bpms.max() / 60.0, bars)
    fit, near, threes = fits(loop.onsets, bpms, starts, TRIPLETS_SAID if clues.triplets else TRIPLETS)
    back = repeats(loop.onsets, bpms, (1, 2, BEATS_PER_BAR))  # (t, 3)
    beat_s = 60.0 / bpms[:, None, None]
    chosen = np.array([abs(b - round(b)) < 0.005 or any(b == c.value for c in clues.tempos) for b in bpms])
    if bars is not None:  # who counts the bars of a file means all of it, where nothing speaks against it
        chosen |= np.abs(bpms * loop.duration_s / (240.0 * bars) - 1) < ALIKE
    over = loop.duration_s - starts[:, :, None] - beats * beat_s  # (t, s, k) s
    scores, fitting = _by_length(over, beat_s, beats, chosen, bars is not None)
    scores += _emptiness(loop, starts, beat_s, beats, in_bars, fitting)
    scores += AFTER_END * _after(loop, starts, beat_s, beats)
    scores += _usual(bpms, chosen)[:, None, None] + _layout_scores(beats, in_bars, clues)
    scores += _by_clues(bpms, beats, fitting, clues, np.inf if bars is None else BESIDE_BARS)
    several = np.where(beats > BEATS_PER_BAR, back.mean(axis=1)[:, None], back[:, :2].mean(axis=1)[:, None])
    scores += (REPEAT * several)[:, None, :]
    scores += (fit + start_costs)[:, :, None]
    return Readings(bpms, starts, beats, in_bars, scores, near, threes)


def _by_length(
    over: np.ndarray, beat_s: np.ndarray, beats: np.ndarray, chosen: np.ndarray, bars_are_said: bool
) -> tuple[np.ndarray, np.ndarray]:
    """How well the beats go with a file that lasts so much longer than they do (t, s, k); whether they fit.

    A tempo that nobody made to fit (`chosen`, (t,)) and that still fits exactly says much.
    """
    bar_s = BEATS_PER_BAR * beat_s
    fitting = (over >= -NEAR_BARS * bar_s) & (over <= np.maximum(NEAR_S, NEAR_BARS * bar_s))
    exact = (np.abs(over) <= EXACT_S) & chosen[:, None, None]
    scores = np.where(exact, EXACT, np.where(over < -EXACT_S, SHORT, NEAR))
    whole_tail = np.abs(over - np.round(over / beat_s) * beat_s) <= EXACT_S
    loose = np.where(over > 0, TAIL + WHOLE_TAIL * whole_tail, BROKEN)
    missing = np.where((beats > BEATS_PER_BAR) | bars_are_said, MISSING_BARS, MISSING_OF_ONE)
    return np.where(fitting, scores, np.where(over >= -missing * bar_s - EXACT_S, loose, -np.inf)), fitting


def _by_clues(
    bpms: np.ndarray, beats: np.ndarray, fitting: np.ndarray, clues: Clues, most: float
) -> np.ndarray:
    """What is said for each reading, (t, s, k); a tempo adds `most` at most."""
    scores = np.zeros(fitting.shape)
    for clue in clues.tempos:
        share = np.abs(clue.value / bpms - 1)
        agree = np.where(fitting, (share <= SNAP)[:, None, None], (share <= SAID)[:, None, None])
        scores += agree * (min(clue.score, most) - SNAP_COST * (bpms != clue.value))[:, None, None]
    for clue in clues.beats:
        scores += clue.score * (beats == clue.value)
    unsaid = np.array([all(b != clue.value for clue in clues.tempos) for b in bpms])
    return scores + UNSAID * (unsaid[:, None] & (beats % BEATS_PER_BAR > 0))[:, None, :]


def _tempos(duration_s: float, clues: Clues, bpm: float | None, bars: int | None) -> np.ndarray:
    """Every tempo worth a look, ascending (t,)."""
    if bpm is not None:
        return np.array([bpm])
    tempos = {clue.value for clue in clues.tempos}
    snapped = {v: 240.0 * max(1, round(duration_s * v / 240)) / duration_s for v in tempos}
    tempos |= {near for said, near in snapped.items() if abs(near / said - 1) <= SNAP}
    if bars is not None:
        fitting = 240.0 * bars / duration_s
        tempos |= {fitting} if TEMPO[0] <= fitting <= TEMPO[1] else set()
    if not clues.decided or bars is not None:
        whole_bars = (240.0 * count / duration_s for count in range(1, MAX_BARS + 1))
        tempos |= {float(tempo) for tempo in range(int(SLOWEST), int(FASTEST) + 1)}
        known = np.array(sorted(tempos))
        tempos |= {
            tempo
            for tempo in whole_bars
            if SLOWEST <= tempo <= FASTEST and np.abs(known / tempo - 1).min() > ALIKE
        }
    return np.array(sorted(tempos))


def _starts(loop: Loop, bpms: np.ndarray, clues: Clues) -> tuple[np.ndarray, np.ndarray]:
    """Where bar 1 may begin at each tempo, in seconds, and what that costs: both (t, s)."""
    columns: list[tuple[np.ndarray | float, np.ndarray | float]] = [(0.0, 0.0)]
    if loop.lead_s > 0:
        columns.append((loop.lead_s, 0.0))
    first = float(loop.plain[0])
    if first > LEAD_IN_S[1]:
        columns.append((first, LEAD if clues.decided else LEAD_UNSAID))
    if clues.decided:
        bar_s = 60.0 * BEATS_PER_BAR / bpms
        early = loop.duration_s % bar_s
        steps = early / bar_s * STEPS_PER_BAR
        there = (
            (np.abs(steps - np.round(steps)) <= PICKUP_STEPS)
            & (np.round(steps) >= 1)
            & (np.round(steps) < STEPS_PER_BAR)
        )
        louder = np.array(
            [_downbeats(loop, e, b) - _downbeats(loop, 0.0, b) for e, b in zip(early, bar_s, strict=True)]
        )
        columns.append((early, np.where(there, PICKUP + ACCENT * louder, -np.inf)))
    shape = (len(bpms), len(columns))
    starts, costs = np.zeros(shape), np.zeros(shape)
    for column, (start, cost) in enumerate(columns):
        starts[:, column], costs[:, column] = start, cost
    return starts, costs


def _downbeats(loop: Loop, start_s: float, bar_s: float) -> float:
    """Mean peak of the hits on the first step of each bar, 0 where there is none."""
    at = np.arange(start_s, loop.duration_s - 0.25 * bar_s, bar_s)  # (bars,)
    if len(at) == 0:
        return 0.0
    on = np.abs(loop.onsets - at[:, None]) < 0.4 * bar_s / STEPS_PER_BAR  # (bars, n)
    return float((on * loop.peaks).max(axis=1).mean())


def _layouts(most_beats: float, bars: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of beats (k,), and whether they are laid as bars of four: twelve may also be bars of three."""
    if bars is not None:
        return np.array([bars * BEATS_PER_BAR]), np.array([True])
    whole = (
        np.arange(1, min(MAX_BARS, math.ceil(most_beats / BEATS_PER_BAR + MISSING_BARS)) + 1) * BEATS_PER_BAR
    )
    other = [b for b in range(5, int(most_beats) + 2) if b % BEATS_PER_BAR or b % 3 == 0]
    return np.concatenate([whole, np.array(other, dtype=int)]), np.arange(len(whole) + len(other)) < len(
        whole
    )


def _emptiness(
    loop: Loop,
    starts: np.ndarray,
    beat_s: np.ndarray,
    beats: np.ndarray,
    in_bars: np.ndarray,
    fitting: np.ndarray,
) -> np.ndarray:
    """What bars without a hit at the end cost, (t, s, k); other meters need hits to their end."""
    half_step = 0.5 / STEPS_PER_BEAT
    last = np.where(fitting, loop.onsets[-1], loop.plain[-1]) - starts[:, :, None]  # (t, s, k) s
    filled = np.floor(last / beat_s + half_step) + 1  # beats up to the last hit
    filled_bars = np.ceil(filled / BEATS_PER_BAR)
    empty = np.maximum(beats / BEATS_PER_BAR - filled_bars, 0.0)
    costs = EMPTY * empty + PAIRED * ((empty >= 1) & (filled_bars % 2 == 1))
    whole_beats = np.where(beats % BEATS_PER_BAR, beats // BEATS_PER_BAR * BEATS_PER_BAR, beats - 3)
    at_once = starts[:, :, None] <= LEAD_IN_S[1]
    last_plain = (loop.plain[-1] - starts[:, :, None]) / beat_s
    on_the_line = np.where(beats - whole_beats > 1, half_step, -half_step)  # a last hit there may be the end
    to_the_end = fitting & at_once & (last_plain > whole_beats + on_the_line)
    return np.where(in_bars, costs, np.where(to_the_end, 0.0, -np.inf))


def _after(loop: Loop, starts: np.ndarray, beat_s: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """How many plain hits come after the last beat, (t, s, k)."""
    ends = starts[:, :, None] + (beats + 0.5 / STEPS_PER_BEAT) * beat_s
    return len(loop.plain) - np.searchsorted(loop.plain, ends, side="right")


def _usual(bpms: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How usual each tempo (t,) is."""
    away = np.log(bpms / USUAL_BPM)
    usual = -0.5 * (away / np.where(away < 0, SLOWER, FASTER)) ** 2 + RUSH * np.maximum(bpms - RUSHED, 0.0)
    return usual + chosen * (WHOLE_BPM + np.array([ROUND_BPM.get(round(bpm), 0.0) for bpm in bpms]))


def _layout_scores(beats: np.ndarray, in_bars: np.ndarray, clues: Clues) -> np.ndarray:
    """How usual each number of beats (k,) is, and what a meter that is said adds."""
    scores = [
        BARS_SCORE.get(count // BEATS_PER_BAR, ODD_BARS)
        if whole
        else THREES
        if count % BEATS_PER_BAR == 0
        else ODD_BEATS
        for count, whole in zip(beats.tolist(), in_bars.tolist(), strict=True)
    ]
    if clues.threes is not None:
        said = (beats % clues.threes.value == 0) & ~in_bars
        return np.array(scores) + clues.threes.score * said
    return np.array(scores)


def count_bars_of_three(readings: Readings, loop: Loop, samples: np.ndarray, rate: int) -> None:
    """Where the best reading may be bars of three as well: let the hits that come back alike say which."""
    at_t, _, at_k = np.unravel_index(int(readings.scores.argmax()), readings.scores.shape)
    threes = (readings.beats == readings.beats[at_k]) & ~readings.in_bars
    if readings.beats[at_k] % BEATS_PER_BAR or not threes.any():
        return
    colour = colours(samples, rate, loop.onsets)
    after_three, after_four = (
        alike(loop.onsets, colour, count * 60.0 / readings.bpms[at_t]) for count in (3, BEATS_PER_BAR)
    )
    readings.scores[at_t][:, threes] += IN_THREES * (after_three - after_four)
