"""Knob positions in, scores and patterns out. This is where four knobs become rhythm.

    knobs 0..1 -> positions 0..1023 -> [knob map] -> latent codes -> [integer decoder] -> codes
          -> scores -> density -> pattern

Reads no files, keeps no time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
        self._table = np.stack(
            [np.rint(np.interp(np.arange(POSITIONS), places, row)) for row in points.astype(float)]
        )

    def latents(self, positions: np.ndarray) -> np.ndarray:
        """Latent codes, shape (n, 4), of knob positions 0..1023, shape (n, 4)."""
        return self._table[np.arange(KNOBS), positions]

    def positions(self, latents: np.ndarray) -> np.ndarray:
        """The knob positions, shape (n, 4), whose latent codes come nearest to those given, shape (n, 4)."""
        found = np.empty(latents.shape, int)
        for knob, row in enumerate(self._table):
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

    def codes(self, positions: np.ndarray) -> np.ndarray:
        """Output codes, shape (n, 3, voices, 32), of knob positions 0..1023, shape (n, 4)."""
        codes = self.network.run(self.knob_map.latents(positions))
        return codes.reshape(len(positions), HEADS, self.voices, STEPS)

    def decode(self, knobs: Sequence[float]) -> Scores:
        """The scores at one position of the four knobs, each 0..1."""
        return Scores(self.codes(to_positions(np.asarray(knobs, float)[None]))[0].astype(int))


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
        codes = self.codes if isinstance(density, float) else self.codes[:, : len(density)]
        hits = hits_of(codes[0], density)
        velocities = np.where(hits, SIGMOID[codes[1] + OUTPUT_LIMIT], 0.0)
        offsets = np.where(hits, SIGMOID[codes[2] + OUTPUT_LIMIT] - 0.5, 0.0)
        return Pattern(hits, velocities, offsets)


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
    each = np.reshape(np.asarray(density, float), (-1, 1))
    threshold = (1.0 - 2.0 * each) * (DENSITY_SPAN / LOGIT_SCALE)
    threshold = np.where(each <= 0.0, OUTPUT_LIMIT, np.where(each >= 1.0, -OUTPUT_LIMIT - 1, threshold))
    return codes > threshold
