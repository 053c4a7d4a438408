"""From a loop to its takes: hears, places and cuts what was read. Learns nothing; hears one at a time.

A loop that cannot be heard is an answer, not an exception: one sentence says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from device.pattern import STEPS_PER_BAR, Pattern
from training.audio import Loop, decode
from training.bands import three_bands
from training.errors import LoopError
from training.files import clean, read_bytes
from training.grid import Grid, fit_grid, to_steps
from training.onsets import find_onsets, lead_in, velocities
from training.overrides import Word
from training.takes import cut, explain
from training.tempo import YOU_SAY, Tempo, check_length, find_tempo

VOICES = (1, 3)
SENSITIVITY = 0.5  # where nothing is said
WAVE_POINTS = 2000  # across the picture: finer than any screen shows
WAVE_FULL = 127


@dataclass(frozen=True)
class Heard:
    """What was heard in one loop, or the sentence why nothing was.

    reason : why nothing was heard; None where something was
    onsets_s : float, shape (n,), seconds from the start of the file
    levels : float, shape (n,), velocities 0..1
    grid : None where the loop was refused
    placed : hits, velocities, offsets of the whole loop, each of shape (voices, 16 * bars)
    takes : one Pattern for every two bars that have a hit
    wave : int8, shape (2, WAVE_POINTS or fewer), lowest and highest sample over the peak, for the picture
    overrides : what the player says of it, by key
    content : SHA-256 of the file, where it was read
    notes : what is to be said beside
    """

    file: str
    reason: str | None = None
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
    wave: np.ndarray = field(default_factory=lambda: np.zeros((2, 0), dtype=np.int8))
    overrides: dict[str, Any] = field(default_factory=dict)
    content: str | None = None
    notes: tuple[str, ...] = ()
    cached: bool = False

    @property
    def ok(self) -> bool:
        return self.reason is None

    @property
    def error(self) -> str | None:
        """The file and why nothing was heard in it; None where something was."""
        return None if self.reason is None else f"{self.file}: {self.reason}"

    @property
    def hits(self) -> int:
        """Steps that play, of all voices and the whole loop."""
        return int(self.placed[0].sum()) if self.placed else 0

    def lines(self) -> list[str]:
        """What was heard, for a reader: tempo, bars, why so, and the steps of each take. Only where `ok`."""
        bars, hits = _count_of(self.bars or 0, "bar"), _count_of(self.hits, "hit")
        head = f"{self.file}: {self.bpm:.5g} BPM, {bars}, {hits}, confidence {self.confidence:.2f}"
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
            "overrides": self.overrides,
            "content": self.content,
            "cached": self.cached,
        }


def _count_of(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def hear(path: Path | str, voices: int = 1, sensitivity: float = SENSITIVITY) -> Heard:
    """Hear one loop, in this process. A bad file gives a sentence; only a wrong argument raises.

    What the player says beside the file, and what was heard before, is not asked: see `training.listen`.

    Parameters
    ----------
    voices : int
        1: all hits are one voice. 3: low, middle and high hits are voices 0, 1 and 2.
    sensitivity : float
        0..1, 0.5 as tuned; see `training.onsets`.
    """
    check_voices(voices)
    try:
        data = read_bytes(Path(path))
    except LoopError as error:
        return refused(path, str(error))
    return hear_bytes(data, Path(path), voices, sensitivity)


def hear_bytes(
    data: bytes, path: Path, voices: int, sensitivity: float = SENSITIVITY, said: Word | None = None
) -> Heard:
    """Hear the loop that the bytes of a file hold."""
    try:
        return hear_loop(decode(data, path), voices, sensitivity, said or Word())
    except LoopError as error:
        return refused(path, str(error))
    except RuntimeError as error:  # aubio and soxr complain so; our own mistakes keep their traceback
        return refused(path, f"the sound could not be analysed ({clean(str(error))}): leave this loop out")


def hear_loop(loop: Loop, voices: int, sensitivity: float, said: Word) -> Heard:
    """Hear a loop that was read; LoopError where nothing is heard in it."""
    check_length(loop.duration_s)
    onsets_s, peaks = find_onsets(loop.samples, loop.rate, sensitivity)
    tempo = find_tempo(
        loop.duration_s,
        loop.path.stem,
        loop.path.absolute().parent.name,
        loop.acid,
        onsets_s,
        loop.samples,
        loop.rate,
        peaks,
        bpm=said.bpm,
        bars=said.bars,
    )
    levels = velocities(peaks)
    grid = fit_grid(onsets_s, tempo.bpm, lead_in(loop.samples, loop.rate), tempo.start_s)
    rows = np.ones((1, len(onsets_s)), dtype=bool)
    if voices == 3:
        rows = three_bands(loop.samples, loop.rate, onsets_s)
    each = [to_steps(onsets_s[row], levels[row], grid, tempo.bars * STEPS_PER_BAR) for row in rows]
    placed = tuple(np.roll(np.stack(part), said.shift or 0, axis=1) for part in zip(*each, strict=True))
    takes = tuple(cut(*placed))
    if not takes:
        bars = _count_of(tempo.bars, "bar")
        raise LoopError(f"no hit lies in its {bars} at {tempo.bpm:.4g} BPM: say other bars, or leave it out")
    return Heard(
        file=clean(str(loop.path)),
        bpm=tempo.bpm,
        beats=tempo.beats,
        bars=tempo.bars,
        confidence=tempo.confidence,
        evidence=_evidence(tempo, said),
        onsets_s=onsets_s,
        levels=levels,
        grid=grid,
        placed=placed,
        takes=takes,
        duration_s=loop.duration_s,
        wave=_wave(loop.samples),
    )


def check_voices(voices: int) -> None:
    """ValueError for a number of voices that cannot be heard."""
    if voices not in VOICES:
        raise ValueError(f"voices is {voices}, expected 1 or 3")


def refused(path: Path | str, reason: str) -> Heard:
    """A loop in which nothing is heard, and why."""
    return Heard(file=clean(str(path)), reason=reason)


def _evidence(tempo: Tempo, said: Word) -> tuple[str, ...]:
    padded = explain(tempo.bars)
    told = tuple(line for line in tempo.evidence if not line.startswith(YOU_SAY))  # `said` says who, as well
    return said.lines() + told + ((padded,) if padded else ())


def _wave(samples: np.ndarray) -> np.ndarray:
    """The outline of the sound: lowest and highest of at most WAVE_POINTS stretches, over the peak."""
    points = min(WAVE_POINTS, len(samples))
    starts = np.linspace(0, len(samples), points, endpoint=False).astype(int)
    outline = np.stack([np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)])
    return np.round(outline * (WAVE_FULL / np.abs(samples).max())).astype(np.int8)
