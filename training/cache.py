"""Keeps what was heard, so that a loop is heard once. Hears nothing, and what is damaged is as good as gone.

One file for each loop and way of hearing, named by all that bears on the result: the bytes of the loop, the
code that hears, what the player says, the names that a tempo may stand in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from training.hear import Heard

LARGEST = 1_000_000  # bytes of one file
MOST_BYTES = 64 * 2**20  # of all files
ENDING = ".heard"
FRESH_S = 86400.0  # one that is used is marked as used once a day: a card is not written for nothing
DTYPES = ("|b1", "|i1", "|u1", "<f4", "<f8", "<i8")
DIGEST = 32  # bytes of the SHA-256 that a file begins with


@dataclass(frozen=True)
class Cache:
    """A folder of what was heard."""

    folder: Path

    def get(self, key: str) -> bytes | None:
        """What was kept, None where it is not there or damaged."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + DIGEST)
                used_s = time.time() - os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        body = data[DIGEST:]
        if hashlib.sha256(body).digest() != data[:DIGEST]:
            return None
        if not 0.0 <= used_s <= FRESH_S:
            with contextlib.suppress(OSError):
                os.utime(path)
        return body

    def put(self, key: str, body: bytes) -> None:
        """Keep what was heard, whole or not at all; that a disk is full or read-only is no complaint."""
        if len(body) > LARGEST or not key.isalnum():  # a key comes from the process that read the loop
            return
        beside = self._path(f"{key}.{os.getpid()}.new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(hashlib.sha256(body).digest() + body)  # not flushed: it can be heard again
            os.replace(beside, self._path(key))
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)

    def sweep(self, most_bytes: int = MOST_BYTES) -> None:
        """Throw away what was not used for longest, until the rest is small enough."""
        with contextlib.suppress(OSError):
            with os.scandir(self.folder) as entries:
                files = [(e.stat(follow_symlinks=False), e.path) for e in entries if e.name.endswith(ENDING)]
            left = sum(_room(status) for status, _ in files)
            for status, path in sorted(files, key=lambda file: file[0].st_mtime):
                if left <= most_bytes:
                    break
                os.unlink(path)
                left -= _room(status)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{ENDING}"


def _room(status: os.stat_result) -> int:
    """Bytes that a file takes on the disk, in blocks of 4 kB."""
    return -(-status.st_size // 4096) * 4096


def key_of(content: str, path: Path, **how: Any) -> str:
    """Under what a loop's hearing is kept: all that the result depends on.

    path : the names of the file and of its folder may say a tempo
    how : voices, sensitivity, what the player says
    """
    names = [os.fsencode(path.stem).hex(), os.fsencode(path.absolute().parent.name).hex()]
    said = msgspec.json.encode([hearing(), content, names, how], order="sorted")
    return hashlib.sha256(said).hexdigest()


@cache
def hearing() -> str:
    """SHA-256 of the code and the data that hear: another version hears anew."""
    sha = hashlib.sha256(np.__version__.encode())
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.is_file():
            sha.update(path.name.encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()


# --- what was heard, as bytes -----------------------------------------------------------------------------


def pack(heard: Heard) -> bytes:
    """What was heard, but for what belongs to this file and this moment alone."""
    return _ENCODER.encode(replace(heard, file="", notes=(), cached=False))


def unpack(body: bytes) -> Heard:
    """What was packed; ValueError where it is not that."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError("not what was heard") from error


def _to_plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(type(value).__name__)


def _from_plain(kind: type, value: Any) -> Any:
    if kind is not np.ndarray:
        raise NotImplementedError(kind.__name__)
    dtype, shape, data = value
    if dtype not in DTYPES or not all(isinstance(length, int) and length >= 0 for length in shape):
        raise ValueError("not an array")
    return np.frombuffer(data, dtype).reshape(shape).copy()


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_to_plain)
_DECODER = msgspec.msgpack.Decoder(Heard, dec_hook=_from_plain)
