"""Finds the tempo and the bars of a loop by weighing evidence. Never counts hits; places none.

The best of all readings (`training.readings`) is taken. Its share of the odds, less where hits stray from
the grid, is the confidence. Where nothing is sure, or the best is no whole bars of four beats, the loop is
refused in a sentence that says what to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from device.pattern import BEATS_PER_BAR
from training.clues import Clue, Clues, bars_of, check_word, gather
from training.errors import LoopError
from training.fit import refine
from training.grid import LEAD_IN_S
from training.names import TEMPO
from training.onsets import lead_in
from training.readings import (
    EXACT_S,
    FASTEST,
    NEAR_BARS,
    NEAR_S,
    PLAIN,
    SLOWEST,
    SNAP,
    Loop,
    Readings,
    count_bars_of_three,
    weigh,
)

SURE_ENOUGH = 0.3  # confidence below which a loop is refused
DOUBTED_NEAR, DOUBT = 0.62, 16.0  # share of hits near a step at which a tempo is doubted; how sharply
EXACT_ODDS = 2.0  # what speaks against doubt where a tempo that is said makes the file whole bars
TEMPERATURE = 1.2  # scores are divided by it, so that a confidence of 0.9 is right nine times in ten
CUT_BARS, CUT_S = (1, 2, 4), 0.001  # a lone hit is a loop where it was cut to so many bars, so exactly
SAME = 0.01  # tempos nearer than this share are one
YOU_SAY = "you say"  # begins what is evident because it is said


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
    loop = Loop(duration_s, onsets, peaks, plain, lead_s)
    clues = _with_word(gather(name, folder, acid, duration_s), bpm)
    _refuse_one_shot(loop, clues, bars)
    readings = weigh(loop, clues, bpm, bars)
    if not np.isfinite(readings.scores).any():
        _refuse_short(duration_s, clues.tempos)
    count_bars_of_three(readings, loop, samples, rate)
    return _decide(readings, loop, clues, bpm, bars)


def _with_word(clues: Clues, bpm: float | None) -> Clues:
    """The clues, or in their place the tempo that the player says."""
    if bpm is None:
        return clues
    said = [Clue(bpm, 0.0, f"{YOU_SAY} {bpm:.6g} BPM")]
    return Clues(said, clues.beats, clues.threes, clues.triplets, clues.one_shot, decided=True)


def _decide(readings: Readings, loop: Loop, clues: Clues, bpm: float | None, bars: int | None) -> Tempo:
    """The best reading, or LoopError with the two best where neither is sure, or with what it is instead."""
    at_t, at_s, at_k = np.unravel_index(int(readings.scores.argmax()), readings.scores.shape)
    best_bpm, beats = float(readings.bpms[at_t]), int(readings.beats[at_k])
    odds = np.exp((readings.scores - readings.scores.max()) / TEMPERATURE)
    same_tempo = np.abs(readings.bpms / best_bpm - 1) < SAME
    same_layout = (readings.beats == beats) & (readings.in_bars == readings.in_bars[at_k])
    sure_tempo = float(odds[same_tempo].sum() / odds.sum())
    confidence = float(odds[same_tempo][:, :, same_layout].sum() / odds.sum())
    if bars is None and (sure_tempo if clues.tempos else confidence) < SURE_ENOUGH:
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
        says.insert(0, f"{YOU_SAY} {bars_of(bars)}")
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


def _refuse_one_shot(loop: Loop, clues: Clues, bars: int | None) -> None:
    """One hit is a loop where its bars are said, or the file lasts whole bars at a tempo that is said.

    Where none is said it must last them to the millisecond, at whole BPM: a sample hardly does by chance.
    """
    if len(loop.onsets) > 1 or bars is not None:
        return
    if clues.one_shot:
        raise LoopError(f"one hit was heard ({clues.one_shot}), expected a loop: leave it out")
    if not clues.tempos:
        bpm = 60.0 * BEATS_PER_BAR * np.array(CUT_BARS) / loop.duration_s
        bpm = bpm[(bpm > SLOWEST - 0.5) & (bpm < FASTEST + 0.5)]
        if (np.abs(np.round(bpm) / bpm - 1) * loop.duration_s <= CUT_S).any():
            return
        raise LoopError(
            "one hit was heard and nothing says a tempo, expected a loop: leave it out,"
            " or write the tempo into the file name, such as 120bpm"
        )
    bar_s = np.array([60.0 * BEATS_PER_BAR / clue.value for clue in clues.tempos])
    whole = np.round(loop.duration_s / bar_s)
    if not ((whole >= 1) & (np.abs(loop.duration_s - whole * bar_s) <= NEAR_S)).any():
        tempo = max(clues.tempos, key=lambda clue: clue.score)
        raise LoopError(
            f"one hit was heard and {loop.duration_s:.3f} s is no whole bars at {tempo.value:.4g} BPM"
            f" ({tempo.says}), expected a loop: leave it out, or say its bars"
        )


def _refuse_meter(duration_s: float, bpm: float, beats: int, clues: Clues, says: list[str]) -> NoReturn:
    if clues.threes is not None and beats % clues.threes.value == 0:
        says.append(clues.threes.says)
    why = f" ({', '.join(says)})" if says else ""
    what = f"{duration_s:.3f} s is {beats} beats at {bpm:.4g} BPM"
    if beats // 3 in (2, 4, 8, 16) and beats % 3 == 0:
        what += f", which is {beats // 3} bars of 3/4"
    if beats % BEATS_PER_BAR == 0:
        way_out = f"leave this loop out, or say its bars ({beats // BEATS_PER_BAR} of four)"
        raise LoopError(f"{what}{why}, expected bars of {BEATS_PER_BAR} beats: {way_out}")
    way_out = "cut or fill it to whole bars, or say its bars"
    raise LoopError(f"{what}{why}, expected whole bars of {BEATS_PER_BAR} beats: {way_out}")


def _refuse_short(duration_s: float, tags: list[Clue]) -> NoReturn:
    if tags:
        tag = max(tags, key=lambda tag: tag.score)
        beats = f"{duration_s:.3f} s is {duration_s * tag.value / 60:.2g} beats ({tag.says})"
        raise LoopError(f"{beats}, expected at least one bar of {BEATS_PER_BAR} beats: leave this loop out")
    short = f"{duration_s:.3f} s is shorter than a bar at {FASTEST:.0f} BPM"
    raise LoopError(f"{short}, expected at least one whole bar: leave this loop out")
