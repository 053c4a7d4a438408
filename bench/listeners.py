"""Hears files as Fathom, as aubio's default and as librosa, and counts the processor's time. Judges nothing.

librosa, and mir_eval that matches onsets, run in a process and an environment of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import aubio
import numpy as np
import soundfile

from bench import box
from bench.environment import Peer
from training.audio import read_loop
from training.hear import hear
from training.onsets import find_onsets

NEEDS = ("librosa==0.11.0", "mir_eval==0.8.2")
PEER = box.ROOT / "bench" / "peers" / "librosa_onsets.py"
AUBIO_WINDOW, AUBIO_HOP = 512, 256  # as aubio's own commands have it

Onsets = list[np.ndarray]  # of each file, in seconds


def timed(hears: Callable[[str], np.ndarray], files: Sequence[str]) -> tuple[Onsets, float]:
    """The onsets of each file, and seconds of the processor's time."""
    began = time.process_time()
    onsets = [hears(file) for file in files]
    return onsets, time.process_time() - began


def by_fathom(file: str) -> np.ndarray:
    loop = read_loop(file)
    return find_onsets(loop.samples, loop.rate)[0]


def by_fathom_whole(file: str) -> np.ndarray:
    """The same, with all that follows until there are takes."""
    return hear(file).onsets_s


def by_aubio(file: str) -> np.ndarray:
    """At the rate of the file."""
    sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return aubio_onsets(sound.mean(axis=1), rate)


def aubio_onsets(sound: np.ndarray, rate: int) -> np.ndarray:
    """Onsets in seconds of samples (n,), float32, by `aubio.onset` as it comes."""
    hops = np.pad(sound, (0, -len(sound) % AUBIO_HOP)).reshape(-1, AUBIO_HOP)
    detector = aubio.onset("default", AUBIO_WINDOW, AUBIO_HOP, rate)
    return np.array([detector.get_last_s() for hop in hops if detector(hop)])


class Librosa(Peer):
    """librosa, and mir_eval that matches onsets."""

    def __init__(self) -> None:
        super().__init__("librosa", "librosa or mir_eval", NEEDS, PEER)
        self.version = self.hello["version"]

    def hear(self, files: Sequence[str], rate: int | None) -> tuple[Onsets, float]:
        """Onsets of each file at that rate, or its own, and seconds of the processor's time."""
        answer = self.ask({"files": list(files), "rate": rate})
        return [np.array(onsets) for onsets in answer["onsets"]], answer["cpu_s"]

    def match(self, true: Onsets, found: Onsets, window_s: float) -> list[list[list[int]]]:
        """Pairs of each file, (place in `true`, place in `found`), by mir_eval; both ascend."""
        cases = [(one.tolist(), other.tolist()) for one, other in zip(true, found, strict=True)]
        return self.ask({"cases": cases, "window": window_s})["pairs"]
