"""The slot file: what one trained model holds, how it is packed and how it is checked. Opens no file.

A slot is one safetensors blob. `unpack` says what a slot must hold and refuses anything else; nothing else
in the project knows a tensor by name.

    decoder.N.weight, .bias, .scale   the integer layers, N from 0        (int8, int32, float64)
    encoder.N.weight, .bias, .scale   the same for takes to latents
    knobs.points                      knob calibration, (4, n)            (int16)
    takes.hits                        what was learned, (takes, voices, 32) (uint8)
    takes.positions                   knob positions of the takes, (takes, 4) (int16)
    metadata "fathom"                 JSON: `format`, `digest` (SHA-256 of all the rest), `about`
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from device.decoder import HEADS, KNOBS, LATENT_LIMIT, OUTPUT_LIMIT, POSITIONS, Decoder, KnobMap
from device.encoder import FULL
from device.errors import ModelError
from device.network import WEIGHT_LIMIT, Dense, IntegerNetwork
from device.pattern import STEPS

FORMAT = 1
LARGEST = 2**20  # bytes; a slot of 2,000 takes of three voices is half of it
MOST_LAYERS = 8
MOST_VOICES = 4

# What a knob is for, where it has no attribute: no figure says how surely it does that.
REST, NO_ATTRIBUTE, FINELY = "what remains", "no attribute", ("A, finely", "B, finely")
NOT_MEANT = (REST, NO_ATTRIBUTE, *FINELY)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The playability of a slot, as measured when it was learned; see `training.playability`."""

    reach: float
    meaning: dict[str, float]
    travel: list[float]
    evenness: list[float]
    likeness: float
    silence: float
    heldout_f1: float | None = None  # None where there were too few takes to hold some out

    def lines(self, knobs: Mapping[str, str] | None = None) -> list[str]:
        """The report for a reader, a figure a line; `knobs` says what each is for."""
        named = {knob: f"{knob} {name}" for knob, name in (knobs or {}).items()}
        for knob, value in self.meaning.items():
            if (knobs or {}).get(knob) not in NOT_MEANT:
                named[knob] = f"{named.get(knob, knob)} {value:.2f}"
        return [
            f"reach {self.reach:.2f}",
            f"meaning {', '.join(named.values())}",
            "travel " + ", ".join(f"{value:.0f}" for value in self.travel),
            f"likeness {self.likeness:.2f}",
            f"silence {self.silence:.3f}",
            "held-out too few takes" if self.heldout_f1 is None else f"held-out {self.heldout_f1:.2f}",
        ]


class _Version(msgspec.Struct):
    """What the metadata of every version has."""

    format: int


class _Envelope(msgspec.Struct):
    """The metadata: one key, since safetensors writes several in any order."""

    format: int
    digest: str
    about: msgspec.Raw


class _Header(msgspec.Struct):
    """The part of a safetensors header that is for us."""

    metadata: dict[str, str] = msgspec.field(name="__metadata__", default_factory=dict)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a slot says of itself. No clock time: the same loops and seed give the same bytes."""

    architecture: str
    voices: int
    ranges: dict[str, list[tuple[int, int]]]  # of the codes that each layer gives, by network
    seed: int
    corpus: str  # SHA-256 of the takes
    takes: list[str]  # names
    versions: dict[str, str]
    playability: Report
    training: dict[str, Any]
    knobs: dict[str, str] = {}  # what each is for; a slot of before says nothing


@dataclass(frozen=True)
class Slot:
    """One trained model, checked and ready to play."""

    name: str
    about: About
    decoder: Decoder
    encoder: IntegerNetwork
    hits: np.ndarray  # bool, (takes, voices, 32)
    positions: np.ndarray  # int, (takes, 4)

    def summary(self) -> dict[str, Any]:
        return {
            "takes": len(self.about.takes),
            "voices": self.about.voices,
            "architecture": self.about.architecture,
            "seed": self.about.seed,
            "corpus": self.about.corpus,
            "playability": msgspec.to_builtins(self.about.playability),
            "knobs": self.about.knobs,
        }

    def lines(self) -> list[str]:
        """How it plays and what its knobs are for, a figure a line."""
        return self.about.playability.lines(self.about.knobs)


def pack(slot: Slot) -> bytes:
    """The bytes of a slot file. What is packed is unpacked again before it is returned."""
    tensors: dict[str, np.ndarray] = {
        "knobs.points": slot.decoder.knob_map.points.astype(np.int16),
        "takes.hits": slot.hits.astype(np.uint8),
        "takes.positions": slot.positions.astype(np.int16),
    }
    for network in (slot.decoder.network, slot.encoder):
        for index, layer in enumerate(network.layers):
            tensors[f"{network.name}.{index}.weight"] = layer.weight
            tensors[f"{network.name}.{index}.bias"] = layer.bias
            tensors[f"{network.name}.{index}.scale"] = layer.scale
    # safetensors 0.8.0 writes a strided array in memory order, without a word: lay each one out flat.
    tensors = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    about = msgspec.json.encode(slot.about, order="sorted")
    envelope = _Envelope(FORMAT, digest(about, tensors), msgspec.Raw(about))
    blob = save(tensors, metadata={"fathom": msgspec.json.encode(envelope).decode()})
    back = load(blob)
    if any(not np.array_equal(back[name], tensor) for name, tensor in tensors.items()):
        raise ModelError(f"{slot.name}: the file would not hold what was learned (a fault of safetensors).")
    unpack(blob, slot.name)
    return blob


def unpack(blob: bytes, name: str) -> Slot:
    """The slot that the bytes of a file hold. Raises ModelError with one sentence that begins with `name`."""
    pieces = unpacking(blob, name)
    while True:
        try:
            next(pieces)
        except StopIteration as done:
            return done.value


def unpacking(blob: bytes, name: str) -> Generator[None, None, Slot]:
    """The same, with pauses between small pieces of work: for who may not be held up."""
    try:
        return (yield from _unpacking(blob, name))
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None


def _unpacking(blob: bytes, name: str) -> Generator[None, None, Slot]:
    if len(blob) > LARGEST:
        raise ModelError(f"{len(blob)} bytes, expected at most {LARGEST}: not a slot of Fathom.")
    try:
        tensors = load(blob)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"not a whole slot file ({error}). Copy it again, or learn the slot again."
        ) from None
    yield
    envelope, about = _about(_metadata(blob))
    yield
    sha = hashlib.sha256(bytes(envelope.about))
    for tensor in _in_order(tensors):
        sha.update(tensor)
        yield
    if envelope.digest != sha.hexdigest():
        raise ModelError("damaged: it does not hold what was written. Copy it again, or undo it.")
    decoder = yield from _network("decoder", tensors, about, -LATENT_LIMIT, LATENT_LIMIT)
    encoder = yield from _network("encoder", tensors, about, -FULL, FULL)
    voices, takes = about.voices, len(about.takes)
    _expect("encoder", (encoder.inputs, encoder.outputs), (HEADS * voices * STEPS, KNOBS))
    hits = _tensor(tensors, "takes.hits", np.uint8, (takes, voices, STEPS)).astype(bool)
    positions = _tensor(tensors, "takes.positions", np.int16, (takes, KNOBS)).astype(int)
    if takes and not 0 <= positions.min() <= positions.max() < POSITIONS:
        raise ModelError(f"takes.positions leaves 0..{POSITIONS - 1}. Learn the slot again.")
    points = _tensor(tensors, "knobs.points", np.int16)
    if tensors:
        raise ModelError(f"holds {sorted(tensors)[0]}, which no slot of format {FORMAT} has. Learn it again.")
    last = decoder.layers[-1]
    _expect("codes of decoder", (last.low, last.high), (-OUTPUT_LIMIT, OUTPUT_LIMIT))
    return Slot(name, about, Decoder(KnobMap(points), decoder, voices), encoder, hits, positions)


def digest(about: bytes, tensors: dict[str, np.ndarray]) -> str:
    """SHA-256 of metadata and tensors: what is read is what was written."""
    sha = hashlib.sha256(about)
    for tensor in _in_order(tensors):
        sha.update(tensor)
    return sha.hexdigest()


def _in_order(tensors: dict[str, np.ndarray]) -> Iterator[bytes]:
    """What of each tensor is digested."""
    for name in sorted(tensors):
        head = f"{name} {tensors[name].dtype} {tensors[name].shape}\n"
        yield head.encode() + np.ascontiguousarray(tensors[name]).tobytes()


def _metadata(blob: bytes) -> str:
    """The text that a blob holds for us; safetensors has found it whole."""
    (length,) = struct.unpack("<Q", blob[:8])
    try:
        metadata = msgspec.json.decode(blob[8 : 8 + length], type=_Header).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        metadata = {}
    if "fathom" not in metadata:
        raise ModelError("a safetensors file, but not a slot of Fathom (it has no metadata 'fathom').")
    return metadata["fathom"]


def _about(text: str) -> tuple[_Envelope, About]:
    try:
        found = msgspec.json.decode(text, type=_Version).format
        if found == FORMAT:
            envelope = msgspec.json.decode(text, type=_Envelope)
            about = msgspec.json.decode(envelope.about, type=About)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error)[:100]
        raise ModelError(f"its metadata cannot be read ({reason}). Learn the slot again.") from None
    if found != FORMAT:
        raise ModelError(f"format {found}, expected {FORMAT}: from another version. Learn the slot again.")
    if not 1 <= about.voices <= MOST_VOICES:
        raise ModelError(f"{about.voices} voices, expected 1 to {MOST_VOICES}. Learn the slot again.")
    return envelope, about


def _network(
    kind: str, tensors: dict[str, np.ndarray], about: About, low: int, high: int
) -> Generator[None, None, IntegerNetwork]:
    ranges = about.ranges.get(kind, [])
    if not 1 <= len(ranges) <= MOST_LAYERS:
        raise ModelError(
            f"{kind} has {len(ranges)} layers, expected 1 to {MOST_LAYERS}. Learn the slot again."
        )
    layers = []
    for index, (least, most) in enumerate(ranges):
        weight = _tensor(tensors, f"{kind}.{index}.weight", np.int8)
        if weight.ndim != 2 or not weight.size or (weight < -WEIGHT_LIMIT).any():
            raise ModelError(
                f"{kind}.{index}.weight is {weight.shape} or leaves +-{WEIGHT_LIMIT}. Learn again."
            )
        bias = _tensor(tensors, f"{kind}.{index}.bias", np.int32, weight.shape[:1])
        scale = _tensor(tensors, f"{kind}.{index}.scale", np.float64, weight.shape[:1])
        if not np.isfinite(scale).all() or (scale <= 0).any():
            raise ModelError(f"{kind}.{index}.scale is not finite and above 0. Learn the slot again.")
        if not -OUTPUT_LIMIT <= least < most <= OUTPUT_LIMIT:
            raise ModelError(f"{kind}.{index} gives {least}..{most}, expected within +-{OUTPUT_LIMIT}.")
        layers.append(Dense(weight, bias, scale, least, most))
        yield
    return (yield from IntegerNetwork.in_pieces(layers, low, high, kind))


def _tensor(
    tensors: dict[str, np.ndarray], name: str, dtype: type, shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """Take one tensor out of the file; ModelError where it is missing or of another type or shape."""
    if name not in tensors:
        raise ModelError(f"{name} is missing. Learn the slot again with this version.")
    tensor = tensors.pop(name)
    if tensor.dtype != dtype:
        raise ModelError(f"{name} is {tensor.dtype}, expected {np.dtype(dtype)}. Learn the slot again.")
    if shape is not None and tensor.shape != shape:
        raise ModelError(
            f"{name} is {tensor.shape}, expected {shape}. Learn the slot again with this version."
        )
    return tensor


def _expect(what: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ModelError(f"{what}: {found}, expected {expected}. Learn the slot again with this version.")
