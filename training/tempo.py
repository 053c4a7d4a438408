"""Finds the tempo and the bars of a loop by weighing evidence. Never counts hits; places none.

A reading is a tempo, where bar 1 begins, and how many beats there are. Tempos come from what is said
(`training.clues`), from the lengths at which the file lasts whole bars, and from each whole BPM; bar 1
begins with the file, after silence, or after a pickup. Each reading is scored, in natural logarithms of
odds, by what is said, by how well it goes with the length of the file, by how usual it is, and by how near
the hits come to its sixteenths (`training.fit`). The best is taken; its share of the odds, less where hits
stray from the grid, is the confidence. Where the best is no whole bars of four beats, the loop is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from device.pattern import BEATS_PER_BAR, STEPS_PER_BAR, STEPS_PER_BEAT
from training.clues import MAX_BARS, Clue, Clues, bars_of, check_word, gather
from training.errors import LoopError
from training.fit import TRIPLETS, alike, colours, fits, refine, repeats
from training.grid import LEAD_IN_S
from training.names import TEMPO
from training.onsets import lead_in

SLOWEST, FASTEST = 60.0, 200.0  # BPM that is considered unless something says another
SURE_ENOUGH = 0.3  # confidence below which a loop is refused
DOUBTED_NEAR, DOUBT = 0.62, 16.0  # share of hits near a step at which a tempo is doubted; how sharply
EXACT_ODDS = 2.0  # what speaks against doubt where a tempo that is said makes the file whole bars
TEMPERATURE = 1.2  # scores are divided by it, so that a confidence of 0.9 is right nine times in ten
SAME = 0.01  # tempos nearer than this share are one
ALIKE = 0.00005  # and nearer than this the same
SNAP, SNAP_COST = 0.015, 4.0  # a tag and a length that nearly agree: how nearly, and how unlikely

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
MISSING_BARS, MISSING_OF_ONE = 0.49, 0.2  # share of the last bar that may be missing; of the only one
EMPTY, PAIRED = -3.0, 2.0  # each empty bar at the end; taken back for one that makes two bars of one
AFTER_END = -1.0  # each plain hit after the last bar
PLAIN = 0.1  # peak, over the loudest, of a hit that a tail would not have

# Where bar 1 begins, and other meters.
LEAD, LEAD_UNSAID = -2.5, -7.0  # after silence, where something says the tempo and where nothing does
PICKUP, ACCENT = -7.0, 8.0  # after a pickup, and where its downbeats are louder
PICKUP_STEPS = 0.1
ODD_BEATS, THREES, IN_THREES = -5.0, -6.5, 8.0
UNSAID = -5.0  # and at a tempo that nothing says
TRIPLETS_SAID = 0.0  # what triplets cost when a name says them

BESIDE_BARS = 8.0  # the most that a tempo counts that is said beside the player's bars
REPEAT = 5.0  # what comes back after a beat, two and a bar


@dataclass(frozen=True)
class Tempo:
    """confidence : 0..1; evidence : short sentences, the strongest first; start_s : where bar 1 begins.

    start_s is 0 but after a pickup or a silence that is no rest; `training.grid` cuts off shorter ones.
    """

    bpm: float
    beats: int
    bars: int
    confidence: float
    evidence: tuple[str, ...]
    start_s: float = 0.0


@dataclass(frozen=True)
class _Loop:
    duration_s: float
    onsets: np.ndarray  # (n,) s
    peaks: np.ndarray  # (n,) 0..1
    plain: np.ndarray  # (p,) s: those that are no tail
    lead_s: float


@dataclass(frozen=True)
class _Readings:
    """bpms (t,), starts (t, s), beats (k,), scores (t, s, k), near and threes (t, s)."""

    bpms: np.ndarray
    starts: np.ndarray
    beats: np.ndarray
    in_bars: np.ndarray  # (k,) bool: laid as bars of four
    scores: np.ndarray
    near: np.ndarray
    threes: np.ndarray


def check_length(duration_s: float) -> None:
    """LoopError for a file that is too short to hold a bar at any tempo, before time is spent on it."""
    if duration_s < 0.98 * 60.0 * BEATS_PER_BAR / TEMPO[1]:
        _refuse_short(duration_s, [])


def find_tempo(
    duration_s: float,
    name: str,
    folder: str,
    acid: dict[str, Any] | None,
    onsets: np.ndarray,
    samples: np.ndarray,
    rate: int,
    peaks: np.ndarray | None = None,
    bpm: float | None = None,
    bars: int | None = None,
) -> Tempo:
    """Weigh what speaks for each reading; LoopError when nothing explains the loop, or it is no whole bars.

    Parameters
    ----------
    duration_s : float
        Of the file.
    name, folder : str
        The file's name and its folder's, for a tempo such as "120bpm".
    acid : dict or None
        "tempo", "beats" and "one_shot" of an ACID chunk, and "meter" where it is not 4/4.
    onsets, peaks : float arrays, shape (n,)
        Seconds ascending, and 0..1; without peaks all hits are plain.
    samples : float32 array, shape (m,), at `rate` Hz
        Asked for their leading silence.
    bpm, bars : float, int or None
        What the player says. It stands above all; LoopError where it cannot be true.
    """
    check_word(duration_s, bpm, bars)
    if len(onsets) == 0:
        raise LoopError(
            "no hit was heard, expected at least one: raise the sensitivity or leave this loop out"
        )
    peaks = np.ones(len(onsets)) if peaks is None else peaks
    lead_s = lead_in(samples, rate)
    lead_s = lead_s if LEAD_IN_S[0] <= lead_s <= LEAD_IN_S[1] else 0.0  # more is a rest
    plain = onsets[peaks >= PLAIN * peaks.max()]
    loop = _Loop(duration_s, onsets, peaks, plain, lead_s)
    clues = _with_word(gather(name, folder, acid, duration_s), bpm)
    _refuse_one_shot(loop, clues, bars)
    readings = _weigh(loop, clues, bpm, bars)
    if not np.isfinite(readings.scores).any():
        _refuse_short(duration_s, clues.tempos)
    _count_bars_of_three(readings, loop, samples, rate)
    return _decide(readings, loop, clues, bpm, bars)


def _with_word(clues: Clues, bpm: float | None) -> Clues:
    """The clues, or in their place the tempo that the player says."""
    if bpm is None:
        return clues
    said = [Clue(bpm, 0.0, f"you say {bpm:.6g} BPM")]
    return Clues(said, clues.beats, clues.threes, clues.triplets, clues.one_shot, decided=True)


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


def _starts(loop: _Loop, bpms: np.ndarray, clues: Clues) -> tuple[np.ndarray, np.ndarray]:
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


def _downbeats(loop: _Loop, start_s: float, bar_s: float) -> float:
    """Mean peak of the hits on the first step of each bar, 0 where there is none."""
    at = np.arange(start_s, loop.duration_s - 0.25 * bar_s, bar_s)  # (bars,)
    if len(at) == 0:
        return 0.0
    on = np.abs(loop.onsets - at[:, None]) < 0.4 * bar_s / STEPS_PER_BAR  # (bars, n)
    return float((on * loop.peaks).max(axis=1).mean())


def _weigh(loop: _Loop, clues: Clues, bpm: float | None, bars: int | None) -> _Readings:
    """Score every reading."""
    bpms = _tempos(loop.duration_s, clues, bpm, bars)
    starts, start_costs = _starts(loop, bpms, clues)
    beats, in_bars = _layouts(loop.duration_s * bpms.max() / 60.0, bars)
    fit, near, threes = fits(loop.onsets, bpms, starts, TRIPLETS_SAID if clues.triplets else TRIPLETS)
    back = repeats(loop.onsets, bpms, (1, 2, BEATS_PER_BAR))  # (t, 3)
    beat_s = 60.0 / bpms[:, None, None]
    bar_s = BEATS_PER_BAR * beat_s
    over = loop.duration_s - starts[:, :, None] - beats * beat_s  # (t, s, k) s
    chosen = np.array([abs(b - round(b)) < 0.005 or any(b == c.value for c in clues.tempos) for b in bpms])
    fitting = (over >= -NEAR_BARS * bar_s) & (over <= np.maximum(NEAR_S, NEAR_BARS * bar_s))
    exact = (np.abs(over) <= EXACT_S) & chosen[:, None, None]
    scores = np.where(exact, EXACT, np.where(over < -EXACT_S, SHORT, NEAR))
    tail_beats = over / beat_s
    whole_tail = np.abs(tail_beats - np.round(tail_beats)) * beat_s <= EXACT_S
    loose = np.where(over > 0, TAIL + WHOLE_TAIL * whole_tail, BROKEN)
    missing = np.where((beats > BEATS_PER_BAR) | (bars is not None), MISSING_BARS, MISSING_OF_ONE)
    scores = np.where(fitting, scores, np.where(over >= -missing * bar_s, loose, -np.inf))
    scores = scores + _emptiness(loop, starts, beat_s, beats, in_bars, fitting)
    scores += AFTER_END * _after(loop, starts, beat_s, beats)
    scores += _usual(bpms, chosen)[:, None, None] + _layout_scores(beats, in_bars, clues)
    unsaid = np.array([all(b != clue.value for clue in clues.tempos) for b in bpms])
    scores += UNSAID * (unsaid[:, None] & ~in_bars)[:, None, :]
    for clue in clues.tempos:
        share = np.abs(clue.value / bpms - 1)
        agree = np.where(fitting, (share <= SNAP)[:, None, None], (share <= 0.0005)[:, None, None])
        score = clue.score if bars is None else min(clue.score, BESIDE_BARS)
        scores += agree * (score - SNAP_COST * (bpms != clue.value))[:, None, None]
    for clue in clues.beats:
        scores += clue.score * (beats == clue.value)
    several = np.where(beats > BEATS_PER_BAR, back.mean(axis=1)[:, None], back[:, :2].mean(axis=1)[:, None])
    scores += (REPEAT * several)[:, None, :]
    scores += (fit + start_costs)[:, :, None]
    return _Readings(bpms, starts, beats, in_bars, scores, near, threes)


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
    loop: _Loop,
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


def _after(loop: _Loop, starts: np.ndarray, beat_s: np.ndarray, beats: np.ndarray) -> np.ndarray:
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


def _count_bars_of_three(readings: _Readings, loop: _Loop, samples: np.ndarray, rate: int) -> None:
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


def _decide(readings: _Readings, loop: _Loop, clues: Clues, bpm: float | None, bars: int | None) -> Tempo:
    """The best reading, or LoopError with the two best where neither is sure, or with what it is instead."""
    at_t, at_s, at_k = np.unravel_index(int(readings.scores.argmax()), readings.scores.shape)
    best_bpm, beats = float(readings.bpms[at_t]), int(readings.beats[at_k])
    odds = np.exp((readings.scores - readings.scores.max()) / TEMPERATURE)
    same_tempo = np.abs(readings.bpms / best_bpm - 1) < SAME
    same_layout = (readings.beats == beats) & (readings.in_bars == readings.in_bars[at_k])
    sure_tempo = float(odds[same_tempo].sum() / odds.sum())
    confidence = float(odds[same_tempo][:, :, same_layout].sum() / odds.sum())
    if (sure_tempo if clues.tempos or bars is not None else confidence) < SURE_ENOUGH:
        odds[same_tempo] = 0.0
        other_t, _, other_k = np.unravel_index(int(odds.argmax()), odds.shape)
        this = _beats_of(beats, bool(readings.in_bars[at_k]))
        other = _beats_of(int(readings.beats[other_k]), bool(readings.in_bars[other_k]))
        raise LoopError(
            f"its tempo is unclear: {loop.duration_s:.3f} s may be {this} at {best_bpm:.4g} BPM or"
            f" {other} at {readings.bpms[other_t]:.4g}; write the tempo into the file name, such as 120bpm"
        )
    agree = [clue for clue in clues.tempos if abs(clue.value / best_bpm - 1) <= SNAP]
    agree += [clue for clue in clues.beats if clue.value == beats]
    agree.sort(key=lambda clue: -clue.score)
    says = list(dict.fromkeys(clue.says for clue in agree))
    if not readings.in_bars[at_k]:
        _refuse_meter(loop.duration_s, best_bpm, beats, clues, says)
    start_s = float(readings.starts[at_t, at_s])
    near = float(readings.near[at_t, at_s])
    over = loop.duration_s - start_s - beats * 60.0 / best_bpm
    fitted = over * best_bpm / 240 >= -NEAR_BARS and over <= max(NEAR_S, NEAR_BARS * 240 / best_bpm)
    if not agree and not (fitted and abs(over) <= EXACT_S):
        best_bpm = refine(loop.onsets, best_bpm, start_s)
    count = beats // BEATS_PER_BAR
    if bars is not None:
        says.insert(0, f"you say {bars_of(bars)}")
    says += _length_says(loop.duration_s, start_s, over, best_bpm, count, fitted)
    if readings.threes[at_t, at_s]:
        says.append("its beats are in three: each third is on the nearest sixteenth, its offset kept")
    few = near < DOUBTED_NEAR
    says.append(
        f"{near:.0%} of the hits are near the grid" + (", which is few: check the tempo" if few else "")
    )
    if bpm is None:
        exact = EXACT_ODDS if abs(over) <= EXACT_S and agree else 0.0
        confidence /= 1.0 + math.exp((DOUBTED_NEAR - near) * DOUBT - exact)
    start_s = start_s if start_s > LEAD_IN_S[1] else 0.0
    return Tempo(best_bpm, beats, count, round(confidence, 3), tuple(says), start_s)


def _length_says(
    duration_s: float, start_s: float, over: float, bpm: float, bars: int, fitted: bool
) -> list[str]:
    says = []
    length = f"{duration_s - start_s:.3f} s" if start_s > LEAD_IN_S[1] else f"{duration_s:.3f} s"
    if fitted:
        says.append(f"{length} is {bars_of(bars)} at {bpm:.4g} BPM")
    elif over > 0:
        says.append(f"the hits fill {bars_of(bars)} of {length} at {bpm:.4g} BPM")
    else:
        says.append(f"{length} is {bars_of(bars)} at {bpm:.4g} BPM, cut {-over:.3f} s short")
    if start_s > LEAD_IN_S[1]:
        says.append(f"bar 1 begins {start_s:.3f} s into the file, what comes before is left out")
    return says


def _beats_of(beats: int, in_bars: bool) -> str:
    if in_bars:
        return bars_of(beats // BEATS_PER_BAR)
    return f"{beats // 3} bars of 3/4" if beats % 3 == 0 else f"{beats} beats"


def _refuse_one_shot(loop: _Loop, clues: Clues, bars: int | None) -> None:
    if len(loop.onsets) > 1 or bars is not None or (clues.decided and not clues.one_shot):
        return
    if clues.one_shot:
        raise LoopError(f"one hit was heard ({clues.one_shot}), expected a loop: leave it out")
    if not clues.tempos:
        raise LoopError(
            "one hit was heard and nothing says a tempo, expected a loop: leave it out,"
            " or write the tempo into the file name, such as 120bpm"
        )


def _refuse_meter(duration_s: float, bpm: float, beats: int, clues: Clues, says: list[str]) -> NoReturn:
    if clues.threes is not None and beats % clues.threes.value == 0:
        says.append(clues.threes.says)
    why = f" ({', '.join(says)})" if says else ""
    what = f"{duration_s:.3f} s is {beats} beats at {bpm:.4g} BPM"
    if beats // 3 in (2, 4, 8, 16) and beats % 3 == 0:
        what += f", which is {beats // 3} bars of 3/4"
    raise LoopError(
        f"{what}{why}; expected whole bars of {BEATS_PER_BAR} beats:"
        " cut or fill it to whole bars, or say its bars"
    )


def _refuse_short(duration_s: float, tags: list[Clue]) -> NoReturn:
    if tags:
        tag = max(tags, key=lambda tag: tag.score)
        beats = f"{duration_s:.3f} s is {duration_s * tag.value / 60:.2g} beats ({tag.says})"
        raise LoopError(f"{beats}, expected at least one bar of {BEATS_PER_BAR} beats: leave this loop out")
    short = f"{duration_s:.3f} s is shorter than a bar at {FASTEST:.0f} BPM"
    raise LoopError(f"{short}, expected at least one whole bar: leave this loop out")
