"""Reads the bytes of an audio file as mono samples. Trusts no byte; knows no folders, hits or tempo."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.chunks import CUT_SHORT, cut_short, read_chunks
from training.errors import LoopError
from training.files import clean, read_bytes

RATE = 44100  # Hz: every loop is heard at this rate
MAX_SECONDS = 60.0
MAX_CHANNELS = 16
RATES = (8_000, 192_000)  # Hz, lowest and highest
SILENCE_DB = -84.0  # a peak below it is the dither of a 16 bit file, not a loop
FULL_SCALE = 1000.0  # float files may pass 1.0; a peak above this is damage
BLOCK = 65536  # frames read at a time


@dataclass(frozen=True)
class Loop:
    """A loop as it is heard: mono, without an offset from zero.

    samples : float32, shape (n,), at `rate` Hz
    duration_s : of the file itself, before resampling
    acid : what its ACID chunk says ("tempo" BPM, "beats", "one_shot"), None without one
    """

    path: Path
    name: str
    samples: np.ndarray
    rate: int
    duration_s: float
    acid: dict[str, Any] | None = None


def read_loop(path: Path | str) -> Loop:
    """Read one audio file as mono at 44100 Hz; LoopError says in a sentence why a file is refused."""
    return decode(read_bytes(Path(path)), Path(path))


def decode(data: bytes, path: Path) -> Loop:
    """The loop that the bytes of a file hold; LoopError says in a sentence why they are refused."""
    file = io.BytesIO(data)
    acid = read_chunks(file, len(data))
    samples, rate, duration_s = _decode(file)
    return Loop(path, clean(path.name), _at_rate(samples, rate), RATE, duration_s, acid)


def _decode(file: io.BytesIO) -> tuple[np.ndarray, int, float]:
    """Mono samples at the file's own rate, that rate, and the duration in seconds."""
    import soundfile  # late: it loads libsndfile

    try:
        file.seek(0)
        with soundfile.SoundFile(file) as sound:
            rate, channels, announced = sound.samplerate, sound.channels, sound.frames
            if not RATES[0] <= rate <= RATES[1]:
                raise LoopError(f"its rate is {rate} Hz, expected {RATES[0]}..{RATES[1]} Hz: convert it")
            if channels > MAX_CHANNELS:
                raise LoopError(f"it has {channels} channels, expected at most {MAX_CHANNELS}: mix it down")
            if announced > MAX_SECONDS * rate:
                long = f"{announced / rate:.0f} s is too long for a loop"
                raise LoopError(f"{long}, expected at most {MAX_SECONDS:.0f} s: cut it")
            mono, peak = _mono(sound, int(MAX_SECONDS * rate))
    except soundfile.SoundFileError as error:
        reason = clean(getattr(error, "error_string", str(error)).strip().rstrip("."))
        if "regular file" in reason:  # libsndfile's guess at what is wrong with a bad MP3
            reason = "format not recognised"
        if "SF_INFO" in reason:
            reason = "its header makes no sense"
        raise LoopError(f"cannot be read as audio ({reason}): is it really a sound file?") from error
    if len(mono) < announced * (1 - CUT_SHORT):
        raise LoopError(cut_short(f"{announced / rate:.3f} s", f"{len(mono) / rate:.3f} s"))
    return _centred(mono, peak), rate, len(mono) / rate


def _mono(sound: Any, most: int) -> tuple[np.ndarray, float]:
    """The channels' mean (n,), or the loudest channel where the mean cancels out; and the peak of all.

    One block of all channels is in memory at a time.
    """
    mixed, peak, power = [], 0.0, np.zeros(sound.channels)
    for block in _blocks(sound, most):
        if not np.isfinite(block).all():
            raise LoopError("some samples are not numbers (NaN or infinite): export it again")
        peak = max(peak, float(np.abs(block).max()))
        if peak > FULL_SCALE:
            raise LoopError(f"its samples reach {peak:.3g}, full scale is 1: export it again")
        mixed.append(block.mean(axis=1))
        power += np.square(block, dtype=np.float64).sum(axis=0)
    if not mixed:
        raise LoopError("it holds no samples: export it again")
    mono = np.concatenate(mixed)
    if np.abs(mono).max() < 0.25 * peak:  # antiphase: the mix would be silent
        sound.seek(0)
        loudest = int(np.argmax(power))
        mono = np.concatenate([block[:, loudest] for block in _blocks(sound, most)])
    return mono, peak


def _blocks(sound: Any, most: int) -> Iterator[np.ndarray]:
    while most > 0:
        block = sound.read(min(BLOCK, most), dtype="float32", always_2d=True)
        if len(block) == 0:
            return
        most -= len(block)
        yield block


def _centred(mono: np.ndarray, peak: float) -> np.ndarray:
    """Samples (n,) without their offset from zero; LoopError where nothing is left but silence."""
    offset = float(mono.mean(dtype=np.float64))
    if abs(offset) > 0.01 * peak:
        mono = mono - np.float32(offset)
    level = 20 * np.log10(max(float(np.abs(mono).max()), 1e-10))
    if level < SILENCE_DB:
        raise LoopError(f"it is silent (peak {level:.0f} dBFS), expected {SILENCE_DB:.0f} dBFS or more")
    return mono


def _at_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    if rate != RATE:
        import soxr

        samples = soxr.resample(samples, rate, RATE, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)
