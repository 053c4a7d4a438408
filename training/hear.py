"""From a file to its takes: reads, hears, places and cuts one loop after another. Learns nothing.

A loop that cannot be heard is an answer, not an exception: one sentence says why, the next loop is heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from device.pattern import STEPS_PER_BAR, Pattern
from training.audio import clean, find_loops, read_loop
from training.bands import three_bands
from training.errors import LoopError
from training.grid import Grid, fit_grid, to_steps
from training.onsets import find_onsets, lead_in, velocities
from training.takes import cut, explain
from training.tempo import Tempo, check_length, find_tempo

VOICES = (1, 3)
WAVE_POINTS = 2000  # across the picture: finer than any screen shows


@dataclass(frozen=True)
class Heard:
    """What was heard in one loop, or the sentence why nothing was.

    onsets_s : float, shape (n,), seconds from the start of the file
    levels : float, shape (n,), velocities 0..1
    grid : None where the loop was refused
    placed : hits, velocities, offsets of the whole loop, each of shape (voices, 16 * bars)
    takes : one Pattern for every two bars that have a hit
    wave : float32, shape (2, WAVE_POINTS or fewer), lowest and highest sample, for the picture
    """

    file: str
    ok: bool
    error: str | None = None
    bpm: float | None = None
    beats: int | None = None
    bars: int | None = None
    confidence: float | None = None
    evidence: tuple[str, ...] = ()
    onsets_s: np.ndarray = field(default_factory=lambda: np.zeros(0))
    levels: np.ndarray = field(default_factory=lambda: np.zeros(0))
    grid: Grid | None = None
    placed: tuple[np.ndarray, ...] = ()
    takes: tuple[Pattern, ...] = ()
    duration_s: float | None = None
    wave: np.ndarray = field(default_factory=lambda: np.zeros((2, 0), dtype=np.float32))

    def lines(self) -> list[str]:
        """What was heard, for a reader: tempo, bars, why so, and the steps of each take. Only where `ok`."""
        bars, onsets = _count_of(self.bars or 0, "bar"), _count_of(len(self.onsets_s), "onset")
        head = f"{self.file}: {self.bpm:g} BPM, {bars}, {onsets}, confidence {self.confidence:.2f}"
        takes = ["".join("x" if hit else "." for hit in voice) for take in self.takes for voice in take.hits]
        return [f"{head} ({'; '.join(self.evidence)})", *(f"  {take}" for take in takes)]

    def tempo_and_bars(self) -> str:
        """Both in words, and how sure they are where that is in doubt. Only where `ok`."""
        sure = f"{self.confidence:.0%}"
        doubt = f", {sure} sure" if sure != "100%" else ""
        return f"{self.bpm:.4g} BPM, {_count_of(self.bars or 0, 'bar')}{doubt}"

    def as_json(self) -> dict[str, Any]:
        """What `fathom hear --json` prints for this loop."""
        return {
            "file": self.file,
            "ok": self.ok,
            "error": self.error,
            "bpm": None if self.bpm is None else round(self.bpm, 3),
            "beats": self.beats,
            "bars": self.bars,
            "confidence": self.confidence,
            "evidence": list(self.evidence),
            "onsets_s": np.round(self.onsets_s, 5).tolist(),
            "takes": [take.as_lists() for take in self.takes],
        }


def _count_of(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def hear_all(paths: Iterable[Path | str], voices: int = 1, sensitivity: float = 0.5) -> Iterator[Heard]:
    """Hear every loop that the paths name or hold, the refused ones first."""
    _check(voices)
    loops, refused = find_loops(paths)
    for path, reason in refused:
        yield _refused(path, reason)
    for path in loops:
        yield hear(path, voices, sensitivity)


def hear(path: Path | str, voices: int = 1, sensitivity: float = 0.5) -> Heard:
    """Hear one loop. A bad file gives `ok` False and a sentence; only a wrong argument raises.

    Parameters
    ----------
    voices : int
        1: all hits are one voice. 3: low, middle and high hits are voices 0, 1 and 2.
    sensitivity : float
        0..1, 0.5 as tuned; see `training.onsets`.
    """
    _check(voices)
    path = Path(path)
    try:
        loop = read_loop(path)
        check_length(loop.duration_s)
        onsets_s, peaks = find_onsets(loop.samples, loop.rate, sensitivity)
        tempo = find_tempo(
            loop.duration_s,
            path.stem,
            path.absolute().parent.name,
            loop.acid,
            onsets_s,
            loop.samples,
            loop.rate,
            peaks,
        )
    except LoopError as error:
        return _refused(path, str(error))
    except RuntimeError as error:  # aubio and soxr complain so; our own mistakes keep their traceback
        return _refused(path, f"the sound could not be analysed ({clean(str(error))}): leave this loop out")
    levels = velocities(peaks)
    grid = fit_grid(onsets_s, tempo.bpm, lead_in(loop.samples, loop.rate))
    rows = np.ones((1, len(onsets_s)), dtype=bool)
    if voices == 3:
        rows = three_bands(loop.samples, loop.rate, onsets_s)
    each = [to_steps(onsets_s[row], levels[row], grid, tempo.bars * STEPS_PER_BAR) for row in rows]
    placed = tuple(np.stack(part) for part in zip(*each, strict=True))
    return Heard(
        file=clean(str(path)),
        ok=True,
        bpm=tempo.bpm,
        beats=tempo.beats,
        bars=tempo.bars,
        confidence=tempo.confidence,
        evidence=_evidence(tempo),
        onsets_s=onsets_s,
        levels=levels,
        grid=grid,
        placed=placed,
        takes=tuple(cut(*placed)),
        duration_s=loop.duration_s,
        wave=_wave(loop.samples),
    )


def _check(voices: int) -> None:
    if voices not in VOICES:
        raise ValueError(f"voices is {voices}, expected 1 or 3")


def _refused(path: Path, reason: str) -> Heard:
    return Heard(file=clean(str(path)), ok=False, error=f"{clean(str(path))}: {reason}")


def _evidence(tempo: Tempo) -> tuple[str, ...]:
    padded = explain(tempo.bars)
    return tempo.evidence + ((padded,) if padded else ())


def _wave(samples: np.ndarray) -> np.ndarray:
    """The outline of the sound: lowest and highest of each of at most WAVE_POINTS stretches."""
    points = min(WAVE_POINTS, len(samples))
    starts = np.linspace(0, len(samples), points, endpoint=False).astype(int)
    return np.stack([np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)])
