"""Walks the chunks of WAV and AIFF files, bounds checked: what libsndfile does not tell. Decodes no sound."""

from __future__ import annotations

import math
import struct
from typing import Any, BinaryIO

from training.errors import LoopError

CUT_SHORT = 0.01  # share of the announced sound that may be missing


def read_chunks(file: BinaryIO, size: int) -> dict[str, Any] | None:
    """Walk the chunks of a WAV or AIFF file: its ACID chunk, or LoopError when its sound is cut short.

    libsndfile reads a shortened file without a word; a data size of 0 or 2**32 - 1 is a recorder's
    way of saying that it does not know.
    """
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        order = "<"
    elif head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        order = ">"
    else:
        return None
    acid = None
    at = 12
    for _ in range(1000):  # chunks: a sane file has ten
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            break
        length = struct.unpack(order + "I", header[4:])[0]
        if header[:4] in (b"data", b"SSND") and 0 < length < 0xFFFFFF00:
            there = size - at - 8
            if there < length * (1 - CUT_SHORT):
                raise LoopError(cut_short(f"{length} bytes", f"{there}"))
        if header[:4] == b"acid" and length >= 24:
            acid = _acid(file.read(24)) or acid
        at += 8 + length + length % 2
    return acid


def _acid(body: bytes) -> dict[str, Any] | None:
    if len(body) < 24:
        return None
    flags, _root, _, _, beats, denominator, numerator, tempo = struct.unpack("<IHHfIHHf", body)
    if not math.isfinite(tempo):
        tempo = 0.0
    acid: dict[str, Any] = {"one_shot": bool(flags & 1), "beats": int(beats), "tempo": float(tempo)}
    if 1 <= numerator <= 16 and denominator in (2, 4, 8, 16) and numerator != denominator:
        acid["meter"] = (int(numerator), int(denominator))
    return acid


def cut_short(announced: str, found: str) -> str:
    return f"the file is cut short, {announced} of sound announced and {found} there: copy it again"
