"""Finds the tempo and the bars of a loop by weighing evidence. Never counts hits; places none.

Every tempo that something speaks for is a hypothesis: those that a file name, a folder or an ACID chunk
give, those at which the file lasts whole bars, and each whole BPM. Each is scored by what speaks for it,
in natural logarithms of odds, and by how near the hits come to its sixteenths. The best one is the
tempo; its share of the odds, less where hits stray from the grid, is the confidence.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from device.pattern import BEATS_PER_BAR, STEPS_PER_BAR, STEPS_PER_BEAT
from training.errors import LoopError
from training.grid import LEAD_IN_S
from training.onsets import lead_in

SLOWEST, FASTEST = 60.0, 200.0  # BPM that is considered unless a tag says otherwise
TAGGED = (30.0, 300.0)  # BPM that a tag may say
MAX_BARS = 32
SURE_ENOUGH = 0.3  # confidence below which a loop is refused
DOUBT = 0.5  # taken off the confidence when no hit is near a step
SAME = 0.006  # tempos nearer than this share are one
SNAP, SNAP_COST = 0.015, 4.0  # a tag and a length that nearly agree: how nearly, and how unlikely

# What a tag adds to the score.
NAME, ACID, FOLDER, LONE_NAME, LONE_FOLDER = 60.0, 6.0, 6.0, 3.0, 1.5  # a name is the player's word
LONE_RANGE = (60.0, 200.0)  # BPM: a number without the word bpm counts only within it

# How usual a number of bars and a tempo are.
BARS_SCORE = {1: -0.7, 2: 0.6, 4: -0.5, 8: -0.7, 16: -2.0, 3: -5.0, 6: -4.0}
ODD_BARS = -4.0
USUAL_BPM, SPREAD = 118.0, 0.23  # median, and standard deviation of its logarithm
WHOLE_BPM = 2.5  # producers work at whole BPM
ROUND_BPM = {120: 1.2, 128: 0.6, 140: 0.6, **dict.fromkeys((90, 100, 110, 130, 150, 160, 170, 174), 0.5)}
EXACT_S, NEAR_S = 0.003, 0.06  # how far a cut file, and one that an encoder padded, is from whole bars
EXACT, NEAR, SHORT = 6.0, -1.0, -3.0
NO_FIT = -1.5  # a tail
AFTER_END = -1.0  # each plain hit after the last bar
PLAIN = 0.1  # peak, over the loudest, of a hit that a tail would not have

PLAYERS = ((0.2, 0.06), (0.65, 0.17))  # share, and distance from the grid (steps, standard deviation)
STRAY = 0.15  # share of onsets that are not on the grid at all
TRIPLETS, LATE, LATE_S = 2.0, 2.0, 0.08
MOST_ONSETS = 8  # the fit counts no more than so many: onsets of one loop are not independent
REPEAT = 5.0  # what comes back after a beat, two and a bar
REPEAT_S = 0.025
LISTEN_MARGIN = 2.0  # a lead smaller than this asks aubio
LISTENED = 1.5


@dataclass(frozen=True)
class Tempo:
    """confidence : 0..1; evidence : short sentences, the strongest first."""

    bpm: float
    beats: int
    bars: int
    confidence: float
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Tag:
    bpm: float
    score: float
    says: str


@dataclass(frozen=True)
class _Guess:
    bpm: float
    bars: int
    score: float
    says: tuple[str, ...]
    near: float = 0.0  # share of the hits near a step


def check_length(duration_s: float) -> None:
    """LoopError for a file that is too short to hold a bar at any tempo, before time is spent on it."""
    if duration_s < 0.98 * 60.0 * BEATS_PER_BAR / TAGGED[1]:
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
) -> Tempo:
    """Weigh what speaks for each tempo; LoopError when nothing explains the loop, or it is under a bar.

    Parameters
    ----------
    duration_s : float
        Of the file.
    name, folder : str
        The file's name and its folder's, for a tempo such as "120bpm".
    acid : dict or None
        "tempo", "beats" and "one_shot" of an ACID chunk.
    onsets, peaks : float arrays, shape (n,)
        Seconds ascending, and 0..1; without peaks all hits are plain.
    samples : float32 array, shape (m,), at `rate` Hz
        Asked for their leading silence and, where two tempos come close, by aubio.
    """
    if len(onsets) == 0:
        raise LoopError(
            "no hit was heard, expected at least one: raise the sensitivity or leave this loop out"
        )
    plain = onsets if peaks is None else onsets[peaks >= PLAIN]
    lead_s = lead_in(samples, rate)
    lead_s = lead_s if lead_s <= LEAD_IN_S[1] else 0.0  # more is a rest
    tags = _tags(name, folder, acid, duration_s)
    guesses = _guesses(duration_s, tags, onsets, plain, lead_s)
    if not guesses:
        _refuse_short(duration_s, tags)
    guesses.sort(key=lambda guess: -guess.score)
    if not tags and len(guesses) > 1 and guesses[0].score - guesses[1].score < LISTEN_MARGIN:
        guesses = _listen(guesses, samples, rate)
    best = guesses[0]
    odds = np.exp(np.array([guess.score - best.score for guess in guesses]))
    same = [abs(g.bpm / best.bpm - 1) < SAME and g.bars == best.bars for g in guesses]
    confidence = float(odds[same].sum() / odds.sum())
    if confidence < SURE_ENOUGH:
        other = next(g for g, alike in zip(guesses, same, strict=True) if not alike)
        raise LoopError(
            f"its tempo is unclear: {duration_s:.3f} s may be {_bars(best.bars)} at {best.bpm:.4g} BPM or"
            f" {_bars(other.bars)} at {other.bpm:.4g}; write the tempo into the file name, such as 120bpm"
        )
    confidence *= 1.0 - DOUBT * (1.0 - best.near)
    return Tempo(best.bpm, best.bars * BEATS_PER_BAR, best.bars, round(confidence, 3), best.says)


def _tags(name: str, folder: str, acid: dict[str, Any] | None, duration_s: float) -> list[_Tag]:
    tags = _read(name, "file name", NAME, LONE_NAME) + _read(folder, "folder name", FOLDER, LONE_FOLDER)
    if acid and not acid.get("one_shot"):
        if TAGGED[0] <= acid["tempo"] <= TAGGED[1]:
            tags.append(_Tag(acid["tempo"], ACID, f"ACID chunk says {acid['tempo']:.4g} BPM"))
        by_beats = 60.0 * acid["beats"] / duration_s
        if TAGGED[0] <= by_beats <= TAGGED[1]:
            tags.append(_Tag(by_beats, ACID / 2, f"ACID chunk says {acid['beats']} beats"))
    return tags


def _read(text: str, where: str, score: float, lone_score: float) -> list[_Tag]:
    number = r"(\d{2,3}(?:[.,]\d{1,3})?)"
    found = re.findall(r"(?<![\d.,])" + number + r"[\s_-]*bpm", text, re.IGNORECASE)
    if not found:
        found = re.findall(r"bpm[\s_-]*" + number + r"(?![\d])", text, re.IGNORECASE)
    said = sorted({bpm for word in found if TAGGED[0] <= (bpm := float(word.replace(",", "."))) <= TAGGED[1]})
    if said:
        return [_Tag(bpm, score / len(said), f"{where} says {bpm:.6g} BPM") for bpm in said]
    words = re.split(r"[\s_()\[\].+-]+", text)
    lone = [float(word) for word in words if re.fullmatch(r"[1-9]\d{1,2}", word)]
    lone = [bpm for bpm in lone if LONE_RANGE[0] <= bpm <= LONE_RANGE[1]]
    return [_Tag(bpm, lone_score / len(lone), f"{where} has the number {bpm:.0f}") for bpm in lone]


def _guesses(
    duration_s: float, tags: list[_Tag], onsets: np.ndarray, plain: np.ndarray, lead_s: float
) -> list[_Guess]:
    """Every tempo that fits at least a bar into the file; where the file name gives one, only that."""
    tempos = {tag.bpm for tag in tags}
    snapped = {tag.bpm: 240.0 * max(1, round(duration_s * tag.bpm / 240)) / duration_s for tag in tags}
    tempos |= {near for bpm, near in snapped.items() if abs(near / bpm - 1) <= SNAP}
    if not any(tag.score >= NAME / 4 for tag in tags):
        fitting = (240.0 * bars / duration_s for bars in range(1, MAX_BARS + 1))
        tempos |= {bpm for bpm in fitting if SLOWEST <= bpm <= FASTEST}
        tempos |= {float(bpm) for bpm in range(int(SLOWEST), int(FASTEST) + 1)}
    bpms = np.array(sorted(tempos))
    fits, shares = _fits(onsets, bpms, lead_s)
    repeats = _repeats(onsets, bpms)
    guesses = []
    for bpm, fit, near, back in zip(bpms.tolist(), fits.tolist(), shares.tolist(), repeats, strict=True):
        guess = _score(bpm, duration_s, tags, plain, float(onsets[-1]), lead_s)
        if guess is not None:
            score = guess.score + fit + REPEAT * float(back[: 3 if guess.bars > 1 else 2].mean())
            says = (*guess.says, f"{near:.0%} of the hits are near the grid")
            guesses.append(replace(guess, score=score, near=near, says=says))
    return guesses


def _score(
    bpm: float, duration_s: float, tags: list[_Tag], plain: np.ndarray, last_s: float, lead_s: float
) -> _Guess | None:
    """How well a tempo goes with the tags and the length of the file, and how usual it is."""
    bar_s = 60.0 * BEATS_PER_BAR / bpm
    whole = round(duration_s / bar_s)
    over_s = duration_s - whole * bar_s
    fits = whole >= 1 and -0.02 * bar_s <= over_s <= max(NEAR_S, 0.02 * bar_s)
    chosen = abs(bpm - round(bpm)) < 0.005 or any(bpm == tag.bpm for tag in tags)  # not made to fit
    if fits:
        bars = whole
        exact = chosen and min(abs(over_s), abs(over_s - lead_s)) <= EXACT_S
        score = EXACT if exact else NEAR if 0.0 <= over_s <= NEAR_S else 0.0
        score += SHORT if over_s < -EXACT_S else 0.0
        length = f"{duration_s:.3f} s is {_bars(bars)} at {bpm:.4g} BPM"
    else:
        bars = _occupied(bar_s, duration_s, plain)
        score = NO_FIT
        length = f"the hits fill {_bars(bars)} of {duration_s:.3f} s at {bpm:.4g} BPM"
    if not 1 <= bars <= MAX_BARS:
        return None
    filled = int(last_s / bar_s + 0.5 / STEPS_PER_BAR) + 1
    if bars > filled and bars % 2:  # three bars, the last without a hit, are two and their tail
        bars, length = filled, length + f", the hits fill {_bars(filled)}"
    elif bars >= 4 and filled <= bars // 2:
        bars, length = bars // 2, length + f", the hits fill {_bars(bars // 2)}"
    score += AFTER_END * float((plain > bars * bar_s + 0.5 * bar_s / STEPS_PER_BAR + lead_s).sum())
    score += BARS_SCORE.get(bars, ODD_BARS) - 0.5 * (math.log(bpm / USUAL_BPM) / SPREAD) ** 2
    if chosen:
        score += WHOLE_BPM + ROUND_BPM.get(round(bpm), 0.0)
    agree = [tag for tag in tags if abs(tag.bpm / bpm - 1) <= (SNAP if fits else 0.0005)]
    score += sum(tag.score - (SNAP_COST if bpm != tag.bpm else 0.0) for tag in agree)
    says = [tag.says for tag in sorted(agree, key=lambda tag: -tag.score)]
    return _Guess(bpm, bars, score, (*says, length))


def _occupied(bar_s: float, duration_s: float, plain: np.ndarray) -> int:
    """Bars of a file that lasts no whole number of them: those that hits are in.

    The bar that the file breaks off in counts where it is more than half there and two hits are in it;
    else it is a tail.
    """
    if len(plain) == 0:
        return 0
    there = int(duration_s / bar_s)
    in_last = int((plain > (there - 0.5 / STEPS_PER_BAR) * bar_s).sum())
    if duration_s - there * bar_s > 0.5 * bar_s and in_last >= 2 and there:
        return there + 1
    filled = int((plain[plain <= duration_s][-1] + 0.5 * bar_s / STEPS_PER_BAR) / bar_s) + 1
    return min(there, filled)


def _fits(onsets: np.ndarray, bpms: np.ndarray, lead_s: float) -> tuple[np.ndarray, np.ndarray]:
    """For each tempo (t,): log odds of the onsets (n,) lying as near the steps as they do, share near.

    The steps are sixteenths or, less often, eighth triplets; they start with the file, after its
    leading silence or, less often, a little later.
    """
    best, share = np.full(len(bpms), -np.inf), np.zeros(len(bpms))
    for steps_per_beat, cost in ((STEPS_PER_BEAT, 0.0), (3, TRIPLETS)):
        rate = bpms * steps_per_beat / 60.0  # (t,) steps a second
        position = onsets * rate[:, None]  # (t, n) in steps
        late = np.angle(np.exp(2j * np.pi * position).mean(axis=1)) / (2 * np.pi)  # (t,) mean shift
        late_cost = np.where((late > 0) & (late < LATE_S * rate), LATE, np.inf)
        for start, less in ((0.0 * rate, 0.0), (lead_s * rate, 0.0), (late, late_cost)):
            away = position - start[:, None]
            away = np.abs(away - np.floor(away + 0.5))
            near = STRAY + sum(part * _bell(away, width) for part, width in PLAYERS)
            fit = np.log(near).mean(axis=1) * min(len(onsets), MOST_ONSETS) - less - cost
            share = np.where(fit > best, (away < 0.25).mean(axis=1), share)
            best = np.maximum(best, fit)
    return best, share


def _bell(away: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-0.5 * (away / width) ** 2) / (width * math.sqrt(2 * math.pi))


def _repeats(onsets: np.ndarray, bpms: np.ndarray) -> np.ndarray:
    """Share of the onsets (n,) that come back after a beat, two beats and a bar, at each tempo: (t, 3)."""
    beats = np.array([1, 2, BEATS_PER_BAR])
    beat_s = 60.0 / bpms
    later = onsets + (beat_s[:, None] * beats)[:, :, None]  # (t, 3, n)
    inside = later < (onsets[-1] + 0.5 * beat_s)[:, None, None]
    after = np.searchsorted(onsets, later)
    gap = np.minimum(
        np.abs(onsets[np.minimum(after, len(onsets) - 1)] - later),
        np.abs(onsets[np.maximum(after - 1, 0)] - later),
    )
    back = np.exp(-0.5 * (gap / REPEAT_S) ** 2) * inside
    return back.sum(axis=2) / np.maximum(inside.sum(axis=2), 1)


def _listen(guesses: list[_Guess], samples: np.ndarray, rate: int) -> list[_Guess]:
    """Let aubio's tempo break the tie, as heard in the loop played round for ten seconds."""
    import aubio

    listener = aubio.tempo("specdiff", 1024, 512, rate)
    sound = np.resize(samples, max(len(samples), 10 * rate))
    for block in sound[: len(sound) // 512 * 512].reshape(-1, 512):
        listener(block)
    heard = float(listener.get_bpm())
    if heard > 0:
        guesses = [
            replace(g, score=g.score + LISTENED, says=(*g.says, f"aubio hears {heard:.0f} BPM"))
            if abs(g.bpm / heard - 1) < 0.03
            else g
            for g in guesses
        ]
    return sorted(guesses, key=lambda guess: -guess.score)


def _refuse_short(duration_s: float, tags: list[_Tag]) -> NoReturn:
    if tags:
        tag = max(tags, key=lambda tag: tag.score)
        beats = f"{duration_s:.3f} s is {duration_s * tag.bpm / 60:.2g} beats ({tag.says})"
        raise LoopError(f"{beats}, expected at least one bar of {BEATS_PER_BAR} beats: leave this loop out")
    short = f"{duration_s:.3f} s is shorter than a bar at {FASTEST:.0f} BPM"
    raise LoopError(f"{short}, expected at least one whole bar: leave this loop out")


def _bars(bars: int) -> str:
    return "1 bar" if bars == 1 else f"{bars} bars"
