"""Finds loops on a stick and reads them as mono samples. Trusts no file; knows nothing of hits or tempo."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from training.chunks import CUT_SHORT, cut_short, read_chunks
from training.errors import LoopError

RATE = 44100  # Hz: every loop is heard at this rate
SUFFIXES = (".wav", ".wave", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".mp3")
SYSTEM_FOLDERS = ("system volume information", "$recycle.bin", "__macosx")  # what computers leave on sticks
MAX_LOOPS = 5000  # in one call; more would take minutes on a Pi
MAX_ENTRIES = 100_000  # names looked at in one folder tree
MAX_DEPTH = 16  # folders within folders
MAX_BYTES = 50_000_000
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


def clean(name: str) -> str:
    """A file name fit to be shown: what a terminal would obey, or cannot show, becomes `?`.

    >>> clean("red" + chr(27) + "[31m loop.wav")
    'red?[31m loop.wav'
    """
    return "".join("?" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in name)


def find_loops(paths: Iterable[Path | str]) -> tuple[list[Path], list[tuple[Path, str]]]:
    """The audio files that the paths name or hold, and the paths refused, each with a sentence.

    A folder is searched to its depth, sorted by name; hidden files, what computers leave on sticks,
    links and whatever is no regular file are passed over. A file that is named itself is taken even
    when hidden or a link. A file that is named twice is heard once.
    """
    loops: dict[Path, None] = {}
    refused: list[tuple[Path, str]] = []
    for path in map(Path, paths):
        try:
            kind = path.stat().st_mode
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            refused.append((path, f"cannot be opened ({_reason(error)}): check the name"))
            continue
        if stat.S_ISDIR(kind):
            found = list(_walk(path, refused))
            if not found:
                refused.append((path, f"no audio files in this folder, expected {', '.join(SUFFIXES)}"))
        elif path.suffix.lower() in SUFFIXES:
            found = [path]
        else:
            ending = clean(path.suffix) or "nothing"
            refused.append((path, f"its name ends in {ending}, expected {', '.join(SUFFIXES)}: convert it"))
            continue
        room = MAX_LOOPS - len(loops)
        if len(found) > room:
            refused.append(
                (path, f"{len(found)} loops, at most {MAX_LOOPS} at once: {room} of them are heard")
            )
        loops.update(dict.fromkeys(found[:room]))
    return list(loops), refused


def _walk(folder: Path, refused: list[tuple[Path, str]]) -> Iterator[Path]:
    left = MAX_ENTRIES
    todo = [(folder, 0)]
    while todo:
        here, depth = todo.pop()
        try:
            with os.scandir(here) as entries:
                names = sorted((e for e, _ in zip(entries, range(left), strict=False)), key=lambda e: e.name)
        except OSError as error:
            refused.append((here, f"this folder cannot be read ({_reason(error)}): check its permissions"))
            continue
        left -= len(names)
        folders = []
        for entry in names:
            hidden = entry.name.startswith(".") and not entry.name.startswith("..")
            if hidden or entry.name.lower() in SYSTEM_FOLDERS:
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append((Path(entry.path), depth + 1))
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
        if folders and depth == MAX_DEPTH:
            refused.append((here, f"folders deeper than {MAX_DEPTH} are not searched: move the loops up"))
            continue
        todo += reversed(folders)
    if left == 0:
        refused.append((folder, f"more than {MAX_ENTRIES} files: not all of them were looked at"))


def read_loop(path: Path | str) -> Loop:
    """Read one audio file as mono at 44100 Hz; LoopError says in a sentence why a file is refused."""
    path = Path(path)
    try:
        # Not blocking, so that a pipe named .wav cannot hold the box.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise LoopError(f"cannot be opened ({_reason(error)}): check its rights") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise LoopError("is not a regular file, expected an audio file: leave it out")
        if status.st_size == 0:
            raise LoopError("the file is empty (0 bytes): copy it again")
        if status.st_size > MAX_BYTES:
            size = f"{status.st_size / 1e6:.0f} MB"
            raise LoopError(
                f"{size} is too much for a loop, expected at most {MAX_BYTES / 1e6:.0f} MB: cut it"
            )
        try:
            acid = read_chunks(file, status.st_size)
            samples, rate, duration_s = _decode(file)
        except OSError as error:
            raise LoopError(f"reading stopped ({_reason(error)}): is the stick still in?") from error
    return Loop(path, clean(path.name), _at_rate(samples, rate), RATE, duration_s, acid)


def _decode(file: BinaryIO) -> tuple[np.ndarray, int, float]:
    """Mono samples at the file's own rate, that rate, and the duration in seconds."""
    import soundfile  # late: it loads libsndfile

    try:
        file.seek(0)
        with _quiet(), soundfile.SoundFile(file) as sound:
            rate, channels, announced = sound.samplerate, sound.channels, sound.frames
            if not RATES[0] <= rate <= RATES[1]:
                raise LoopError(f"its rate is {rate} Hz, expected {RATES[0]}..{RATES[1]} Hz: convert it")
            if channels > MAX_CHANNELS:
                raise LoopError(f"it has {channels} channels, expected at most {MAX_CHANNELS}: mix it down")
            if announced > MAX_SECONDS * rate:
                long = f"{announced / rate:.0f} s is too long for a loop"
                raise LoopError(f"{long}, expected at most {MAX_SECONDS:.0f} s: cut it")
            blocks = list(_blocks(sound, int(MAX_SECONDS * rate)))
    except soundfile.SoundFileError as error:
        reason = clean(getattr(error, "error_string", str(error)).strip().rstrip("."))
        if "regular file" in reason:  # libsndfile's guess at what is wrong with a bad MP3
            reason = "format not recognised"
        raise LoopError(f"cannot be read as audio ({reason}): is it really a sound file?") from error
    frames = sum(len(block) for block in blocks)
    if frames == 0:
        raise LoopError("it holds no samples: export it again")
    if frames < announced * (1 - CUT_SHORT):
        raise LoopError(cut_short(f"{announced / rate:.3f} s", f"{frames / rate:.3f} s"))
    return _mono(np.concatenate(blocks)), rate, frames / rate


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what libmpg123 prints of an odd MP3 off the player's terminal: what matters is raised."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _blocks(sound: Any, most: int) -> Iterator[np.ndarray]:
    while most > 0:
        block = sound.read(min(BLOCK, most), dtype="float32", always_2d=True)
        if len(block) == 0:
            return
        most -= len(block)
        yield block


def _mono(frames: np.ndarray) -> np.ndarray:
    """The channels' mean (n,), or the loudest channel where the mean cancels out; no offset from zero."""
    if not np.isfinite(frames).all():
        raise LoopError("some samples are not numbers (NaN or infinite): export it again")
    peak = float(np.abs(frames).max())
    if peak > FULL_SCALE:
        raise LoopError(f"its samples reach {peak:.3g}, full scale is 1: export it again")
    mono = frames.mean(axis=1)
    if np.abs(mono).max() < 0.25 * peak:  # antiphase: the mix would be silent
        mono = frames[:, int(np.argmax(np.square(frames).sum(axis=0)))].copy()
    offset = float(mono.mean(dtype=np.float64))
    if abs(offset) > 0.01 * peak:
        mono -= np.float32(offset)
    level = 20 * np.log10(max(float(np.abs(mono).max()), 1e-10))
    if level < SILENCE_DB:
        raise LoopError(f"it is silent (peak {level:.0f} dBFS), expected {SILENCE_DB:.0f} dBFS or more")
    return mono


def _at_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    if rate != RATE:
        import soxr

        samples = soxr.resample(samples, rate, RATE, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)


def _reason(error: Exception) -> str:
    return clean(getattr(error, "strerror", None) or str(error)).lower()
