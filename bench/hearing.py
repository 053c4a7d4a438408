"""How well loops are heard, beside aubio's default and librosa: steps, onsets, tempo, grid, three voices.

The labelled loops lie beside the checkout. Fathom's figures are of networks that did not know the loop (see
`bench.labelled`), but for one row that says otherwise. All detectors get the true tempo; the others' onsets
go to the nearest sixteenth from the start of the file, ours to the grid that Fathom fits, and to the nearest
sixteenth too. Steps and onsets are pooled over the loops; mir_eval matches onsets. Speed is from files to
onsets, in the processor's time of one process on one core, the best of passes in turn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.environment import AbsentError
from bench.labelled import Judged, judge, truths
from bench.listeners import (
    AUBIO_HOP,
    AUBIO_WINDOW,
    Librosa,
    Onsets,
    aubio_onsets,
    by_aubio,
    by_fathom,
    by_fathom_whole,
    timed,
)
from bench.loops import scores
from bench.scoring import (
    Tally,
    Truth,
    nearest_steps,
    onset_tally,
    onsets_of,
    pooled,
    step_tally,
    tally,
    tempo_is_right,
)
from device.pattern import STEPS
from training.audio import RATE, Loop, read_loop
from training.bands import BANDS
from training.demo import render
from training.errors import LoopError
from training.grid import Grid, fit_grid, to_steps
from training.onsets import find_onsets, lead_in
from training.tempo import find_tempo
from training.tuning import bands_of

WINDOWS_S = (0.05, 0.025)
PASSES = 3
FEWEST = 20  # loops, that every fold has some to learn from
ON_GRID = 1 / 12  # of a step: so far from it a hit may be heard that lies on the grid
GRID_TEMPOS, GRID_LOOPS = range(60, 201, 10), 4  # BPM; loops at each
WANTED = (
    "to reach: step F1 0.965 on loops that nothing was trained on; tempo and bars right on 98 %, and on 90 % "
    "without names; 100 times real time"
)
UNKNOWN = "Fathom, by networks that did not know the loop"
SHIPPED = "Fathom as shipped, which was trained on these loops"
WHOLE = "Fathom, to takes"
AUBIO = f"aubio's default, hfc {AUBIO_WINDOW}/{AUBIO_HOP}"

Row = tuple[str, str, str]


def rows(home: Path, most: int | None = None) -> list[Row]:
    """All that is heard in the labelled loops, or in so many of them; and in loops on the grid."""
    if not truths():
        return [
            ("labelled loops", "not measured", "none lie beside the checkout, in ../shared/loops"),
            grid_row(),
        ]
    judged = judge(home, most)
    return [
        (f"{len(judged.rows)} loops with exact truth", WANTED, ""),
        *detector_rows(judged),
        *tempo_rows(judged),
        *voice_rows(judged),
        grid_row(),
    ]


# --- onsets and steps ------------------------------------------------------------------------------------


def detector_rows(judged: Judged) -> list[Row]:
    """Ours, aubio's and librosa's onsets, steps and speed; ours and aubio's by kind."""
    librosa, why = None, ""
    try:
        librosa = Librosa()
    except AbsentError as error:
        why = str(error)
    with librosa or contextlib.nullcontext():
        found, speeds = in_turn(judged, librosa)
        table = []
        for name, onsets in found.items():
            beside = [onset_words(onsets, judged, librosa) if librosa else "", speeds.get(name, "")]
            table.append((f"by {name}", step_words(name, onsets, judged), "; ".join(filter(None, beside))))
    if not librosa:
        table.append(("by librosa; and onsets matched by mir_eval", "not measured", why))
    ours, theirs = (f"{name}: {kind_words(name, found[name], judged)}" for name in (UNKNOWN, AUBIO))
    return [*table, ("step F1 by kind", ours, theirs)]


def in_turn(judged: Judged, librosa: Librosa | None) -> tuple[dict[str, Onsets], dict[str, str]]:
    """The onsets that each hears, by name, and how fast, in words."""
    files = [row["file"] for row in judged.rows]
    jobs: dict[str, Callable[[], tuple[Onsets, float]]] = {
        SHIPPED: lambda: timed(by_fathom, files),
        AUBIO: lambda: timed(by_aubio, files),
        WHOLE: lambda: timed(by_fathom_whole, files),
    }
    if librosa:
        jobs[f"{librosa.version}, rate of the file"] = lambda: librosa.hear(files, None)
        jobs[f"{librosa.version}, its default 22.05 kHz"] = lambda: librosa.hear(files, 22050)
    found: dict[str, Onsets] = {UNKNOWN: judged.onsets}
    took: dict[str, list[float]] = {}
    for _ in range(PASSES):
        for name, job in jobs.items():
            found[name], cpu_s = job()
            took.setdefault(name, []).append(cpu_s)
    seconds = sum(loop.duration_s for loop in judged.loops)
    times = {name: f"{seconds / min(each):.0f} times real time" for name, each in took.items()}
    times[SHIPPED] += f", {times.pop(WHOLE)} from files to takes"
    del found[WHOLE]  # the onsets of SHIPPED
    return found, times


def step_words(name: str, onsets: Onsets, judged: Judged) -> str:
    tallies = step_tallies(name, onsets, judged)
    exact = sum(each.exact for each in tallies) / len(tallies)
    words = f"step F1 {pooled(tallies).f1:.3f}, {100 * exact:.0f} % of the loops exact"
    if name in (UNKNOWN, SHIPPED):
        naive = pooled(step_tallies("", onsets, judged)).f1
        words += f"; step F1 {naive:.3f} by the nearest sixteenth"
    return words


def step_tallies(name: str, onsets: Onsets, judged: Judged) -> list[Tally]:
    """Of each loop: ours on our grid, others' to the nearest sixteenth."""
    found = []
    for heard, loop, row in zip(onsets, judged.loops, judged.rows, strict=True):
        if name in (UNKNOWN, SHIPPED):
            grid = fit_grid(heard, row["bpm"], lead_in(loop.samples, loop.rate))
            steps, _, _ = to_steps(heard, np.ones(len(heard)), grid, STEPS)
        else:
            steps = nearest_steps(heard, row["bpm"], row["bars"])
        found.append(step_tally(steps, row))
    return found


def kind_words(name: str, onsets: Onsets, judged: Judged) -> str:
    kinds: dict[str, list[Tally]] = {}
    for each, row in zip(step_tallies(name, onsets, judged), judged.rows, strict=True):
        kinds.setdefault(row["kind"], []).append(each)
    return ", ".join(f"{kind} {pooled(tallies).f1:.3f}" for kind, tallies in kinds.items())


def onset_words(onsets: Onsets, judged: Judged, librosa: Librosa) -> str:
    figures = []
    for window_s in WINDOWS_S:
        pairs = librosa.match([onsets_of(row)[0] for row in judged.rows], onsets, window_s)
        each = zip(pairs, onsets, judged.rows, strict=True)
        f1 = pooled(onset_tally(matched, heard, row, window_s) for matched, heard, row in each).f1
        figures.append(f"{f1:.3f} at {1000 * window_s:.0f} ms")
    return f"onset F1 {', '.join(figures)}"


# --- tempo, voices, grid ---------------------------------------------------------------------------------


def tempo_rows(judged: Judged) -> list[Row]:
    """Tempo and bars of the exact loops and of the real ones; no network knew either."""
    exact = list(zip(judged.loops, judged.onsets, judged.peaks, judged.rows, strict=True))
    real = []
    for row in truths(real=True):
        loop = read_loop(row["file"])
        real.append((loop, *find_onsets(loop.samples, loop.rate), row))
    table = []
    for what, loops in (("exact", exact), ("real", real)):
        if not loops:
            continue
        named, bare = ([reading(*each, named=names) for each in loops] for names in (True, False))
        words = f"{outcome(bare)} without the names of file and folder"
        table.append((f"tempo and bars of {len(loops)} {what} loops", outcome(named), words))
    return table


def reading(loop: Loop, onsets: np.ndarray, peaks: np.ndarray, truth: Truth, named: bool) -> bool | None:
    """Whether tempo and bars are right, or a loop of no whole bars is refused; None where another is."""
    name, folder = (loop.path.stem, loop.path.absolute().parent.name) if named else ("", "")
    try:
        found = find_tempo(loop.duration_s, name, folder, loop.acid, onsets, loop.samples, loop.rate, peaks)
    except LoopError:
        return True if truth["bars"] % 1 else None
    return tempo_is_right(found.bpm, found.bars, truth)


def outcome(readings: Sequence[bool | None]) -> str:
    """Readings in words.

    >>> outcome([True, True, False, None])
    '50.0 % right (1 wrong, 1 refused)'
    """
    right = sum(each is True for each in readings) / max(1, len(readings))
    wrong, refused = sum(each is False for each in readings), sum(each is None for each in readings)
    return f"{100 * right:.1f} % right ({wrong} wrong, {refused} refused)"


def voice_rows(judged: Judged) -> list[Row]:
    """F1 of low, middle and high at the true onsets of drum loops; none without a drum loop."""
    said, true = [], []
    for bands, row in zip(judged.bands, judged.rows, strict=True):
        if bands is not None:
            counts = ~np.array(row["onset_optional"], bool)
            said.append(bands.T[counts])
            true.append(bands_of(row)[counts])
    if not said:
        return []
    heard, asked = np.concatenate(said), np.concatenate(true)
    words = ", ".join(f"{name} {tally(heard[:, n], asked[:, n]).f1:.3f}" for n, name in enumerate(BANDS))
    what = f"three voices of {len(said)} drum loops, by networks that did not know the loop"
    return [(what, f"F1 {words}", f"{len(asked)} onsets, at their true places")]


def grid_row() -> Row:
    """Loops whose hits all lie on the grid: whether they are heard there, ours beside aubio's default."""
    ours, theirs = [], []
    for bpm in GRID_TEMPOS:
        for beat in scores(GRID_LOOPS, seed=bpm):
            sound = render(replace(beat, bpm=bpm, loose=0.0)).astype(np.float32)
            onsets, _ = find_onsets(sound, RATE)
            grid = fit_grid(onsets, bpm, lead_in(sound, RATE))
            ours.append(furthest(onsets, grid) <= ON_GRID)
            theirs.append(furthest(aubio_onsets(sound, RATE), Grid(0.0, grid.step_s)) <= ON_GRID)
    return (
        f"{len(ours)} rendered loops on the grid, {GRID_TEMPOS[0]} to {GRID_TEMPOS[-1]} BPM",
        f"all hits within 1/12 step in {100 * np.mean(ours):.0f} %",
        f"{AUBIO}: {100 * np.mean(theirs):.0f} %",
    )


def furthest(onsets: np.ndarray, grid: Grid) -> float:
    """How far from its nearest step the furthest onset is, in steps.

    >>> furthest(np.array([0.0, 0.26, 0.5]), Grid(start_s=0.0, step_s=0.125)).__round__(2)
    0.08
    """
    place = (onsets - grid.start_s) / grid.step_s
    return float(np.abs(place - np.round(place)).max(initial=0.0))
