"""Knob positions in, scores and patterns out. This is where four knobs become rhythm.

    knobs 0..1 -> positions 0..1023 -> [knob map] -> latent codes -> [integer decoder] -> codes
          -> scores -> density -> pattern

Reads no files, keeps no time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np

from device.abreast import Abreast
from device.errors import ModelError
from device.network import IntegerNetwork
from device.pattern import STEPS, Pattern

KNOBS = 4  # on the panel, and dimensions of the latent
POSITIONS = 1024  # of a knob: its converter has 10 bits
LATENT_LIMIT = 2047  # a latent is a code of 12 bits, so that no position of a knob is lost
OUTPUT_LIMIT = 2047  # codes of the last layer
LOGIT_SCALE = 1 / 128  # of an output code: +-16 in logits
DENSITY_SPAN = 8.0  # logits between density 0.5 and either end of its travel

HEADS = 3  # hits, velocities, offsets, in this order

# The sigmoid of every output code, to four places: rounding makes the table the same on every machine.
SIGMOID = np.round(1 / (1 + np.exp(-np.arange(-OUTPUT_LIMIT, OUTPUT_LIMIT + 1) * LOGIT_SCALE)), 4)

# The same by code, so that codes below 0 count from the end; REST is a code that no head gives.
REST = OUTPUT_LIMIT + 1
VELOCITY = np.concatenate([SIGMOID[OUTPUT_LIMIT:], [0.0], SIGMOID[:OUTPUT_LIMIT]])
OFFSET = np.concatenate([SIGMOID[OUTPUT_LIMIT:] - 0.5, [0.0], SIGMOID[:OUTPUT_LIMIT] - 0.5])


class KnobMap:
    """Where the travel of each knob leads: straight lines between points that calibration has set.

    points : int16, shape (4, n), latent codes at n even places along the travel, rising.
    """

    def __init__(self, points: np.ndarray):
        if points.ndim != 2 or points.shape[0] != KNOBS or points.shape[1] < 2:
            raise ModelError(f"knobs.points is {points.shape}, expected ({KNOBS}, 2 or more). Learn again.")
        if (np.diff(points.astype(int), axis=1) < 0).any() or np.abs(points.astype(int)).max() > LATENT_LIMIT:
            raise ModelError(f"knobs.points must rise within +-{LATENT_LIMIT}. Learn the slot again.")
        self.points = points
        places = np.linspace(0, POSITIONS - 1, points.shape[1])
        # Latent codes, shape (4, 1024), of every position of every knob.
        self.table = np.stack(
            [np.rint(np.interp(np.arange(POSITIONS), places, row)) for row in points.astype(float)]
        )

    def latents(self, positions: np.ndarray) -> np.ndarray:
        """Latent codes, shape (n, 4), of knob positions 0..1023, shape (n, 4)."""
        return self.table[np.arange(KNOBS), positions]

    def positions(self, latents: np.ndarray) -> np.ndarray:
        """The knob positions, shape (n, 4), whose latent codes come nearest to those given, shape (n, 4)."""
        found = np.empty(latents.shape, int)
        for knob, row in enumerate(self.table):
            right = np.clip(np.searchsorted(row, latents[:, knob]), 1, POSITIONS - 1)
            nearer = latents[:, knob] - row[right - 1] <= row[right] - latents[:, knob]
            found[:, knob] = np.where(nearer, right - 1, right)
        return found


class Decoder:
    """One trained model, ready to play: knob map and integer decoder of one slot."""

    def __init__(self, knob_map: KnobMap, network: IntegerNetwork, voices: int):
        expected = HEADS * voices * STEPS
        if network.outputs != expected or network.inputs != KNOBS:
            raise ModelError(
                f"decoder takes {network.inputs} and gives {network.outputs} codes, "
                f"expected {KNOBS} and {expected} for {voices} voice(s). Learn the slot again."
            )
        self.knob_map = knob_map
        self.network = network
        self.voices = voices
        # Latent codes, shape (4, 1024), of every position of every knob, within what the network takes.
        self.latents = np.clip(knob_map.table, network.input_low, network.input_high)

    def codes(self, positions: np.ndarray) -> np.ndarray:
        """Output codes, shape (n, 3, voices, 32), of knob positions 0..1023, shape (n, 4)."""
        codes = self.network.run(self.knob_map.latents(positions))
        return codes.reshape(len(positions), HEADS, self.voices, STEPS)

    def decode(self, knobs: Sequence[float]) -> Scores:
        """The scores at one position of the four knobs, each 0..1."""
        return self._alone.decode(knobs)

    @cached_property
    def _alone(self) -> Decoders:
        return Decoders([self])


class Decoders:
    """Decoders that the same four knobs move, evaluated in one go. Not for two threads at once."""

    def __init__(self, decoders: Sequence[Decoder]):
        voices = [decoder.voices for decoder in decoders]
        self._shape = (HEADS, sum(voices), STEPS)
        self._networks = Abreast([decoder.network for decoder in decoders], _by_head(voices))
        # Latent codes, shape (4 * 1024, decoders): a row for each position of each knob, knob after knob.
        tables = [decoder.latents.ravel() for decoder in decoders]
        self._latents = np.stack(tables, axis=1)
        self._rows = np.zeros(KNOBS, int)
        self._row = self._rows.data  # numbers go in one by one, which is quicker through this

    def decode(self, knobs: Sequence[float]) -> Scores:
        """The scores of all voices, decoder after decoder, at one position of the four knobs, each 0..1."""
        row = self._row
        for knob, value in zip(range(KNOBS), knobs, strict=True):
            row[knob] = knob * POSITIONS + to_position(value)
        self._latents.take(self._rows, 0, self._networks.points, "clip")
        return Scores(self._networks.run().reshape(self._shape))


def _by_head(voices: Sequence[int]) -> np.ndarray | None:
    """Places, shape (3, all voices, 32), in the codes of decoders of so many voices; None where all stay."""
    if len(voices) == 1:
        return None
    parts = []
    first = 0
    for count in voices:
        parts.append(first + np.arange(HEADS * count * STEPS).reshape(HEADS, count, STEPS))
        first += parts[-1].size
    return np.concatenate(parts, axis=1)


class Scores:
    """What the decoder gives before the density control makes it a pattern: codes, shape (3, voices, 32)."""

    def __init__(self, codes: np.ndarray):
        self.codes = codes

    @property
    def values(self) -> np.ndarray:
        """Scores of hits, 0..1, shape (voices, 32)."""
        return SIGMOID[self.codes[0] + OUTPUT_LIMIT]

    def pattern(self, density: float | Sequence[float] = 0.5) -> Pattern:
        """The pattern at a density 0..1, one for all voices or one each; of fewer, the first voices."""
        codes = self.codes if isinstance(density, int | float) else self.codes[:, : len(density)]
        hits = hits_of(codes[0], density)
        shown = np.where(hits, codes[1:], REST)
        return Pattern(hits, VELOCITY.take(shown[0]), OFFSET.take(shown[1]))


def to_position(knob: float) -> int:
    """The position 0..1023 of a knob value 0..1; a value past the ends is taken as the end."""
    return 0 if knob <= 0.0 else POSITIONS - 1 if knob >= 1.0 else round(knob * (POSITIONS - 1))


def to_positions(knobs: np.ndarray) -> np.ndarray:
    """Knob positions 0..1023 of knob values 0..1; values past the ends are taken as the ends.

    >>> to_positions(np.array([0.0, 0.5, 1.0]))
    array([   0,  512, 1023])
    """
    return np.rint(np.clip(knobs, 0.0, 1.0) * (POSITIONS - 1)).astype(int)


def read_knobs(text: str) -> list[float]:
    """Four knob values 0..1 in a text, with commas or spaces between; ModelError where it is otherwise.

    >>> read_knobs("0.1, 0.2 0.3,1")
    [0.1, 0.2, 0.3, 1.0]
    """
    try:
        knobs = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        knobs = []
    if len(knobs) != KNOBS or not all(0.0 <= knob <= 1.0 for knob in knobs):
        raise ModelError(f"knobs {text.strip()!r}: expected four numbers from 0 to 1, as in 0.5,0.5,0.5,0.5")
    return knobs


def hits_of(codes: np.ndarray, density: float | Sequence[float] = 0.5) -> np.ndarray:
    """Hits, bool, of hit codes, shape (..., voices, 32), at a density for all voices or one each.

    The threshold moves evenly in logits, 0 at density 0.5. Density 0 plays nothing, density 1 every step.
    """
    return codes > _thresholds((density,) if isinstance(density, int | float) else tuple(density))


@lru_cache(maxsize=64)
def _thresholds(densities: tuple[float, ...]) -> np.ndarray:
    """The largest code that is no hit, int, shape (n, 1), at each density. Kept, since densities rest."""
    thresholds = np.array([[_threshold(density)] for density in densities])
    thresholds.flags.writeable = False
    return thresholds


def _threshold(density: float) -> int:
    if density <= 0.0:
        return OUTPUT_LIMIT
    if density >= 1.0:
        return -OUTPUT_LIMIT - 1
    return math.floor((1.0 - 2.0 * density) * (DENSITY_SPAN / LOGIT_SCALE))
