"""What training minimises: losses of the outputs and of the latents, with their slopes. Knows no layers.

Outputs are logits of up to three heads of voices x 32: hits (binary cross-entropy, or squared error where an
architecture wants it), velocities and offsets (squared error where there is a hit: a rest has neither).
Latents are drawn into the stretch of -1..1 where their take belongs, and along a knob the attribute of what
is given shall rise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 1e-6  # of what is divided by
STEEP = 1.2  # spreads of an attribute over the takes that it shall rise by in half the travel of its knob


@dataclass(frozen=True)
class Weights:
    """What each part of the loss counts."""

    velocity: float = 0.5
    offset: float = 0.5
    aim: float = 1.0  # that latents lie where they belong
    place: float = 1.0  # of places between the takes, beside the takes themselves
    rise: float = 3.0  # that attributes rise with their knobs

    def of_heads(self, heads: Sequence[int]) -> np.ndarray:
        return np.array([(1.0, self.velocity, self.offset)[head] for head in heads[1:]])


class OutputLoss:
    """The loss of some rows of logits, the first of which are takes and the rest places between them.

    It reads and writes the same arrays at each call, all (rows, heads * width):

    logits : what a network gives
    answers : what the sigmoid of each logit should be
    slope : where the slope by logit goes
    takes : how many of the rows are takes; their loss alone is told
    heads : which heads there are, hits first, of 0 hits, 1 velocities, 2 offsets
    squared : squared error for the hits too
    p : the sigmoids, once it was called
    """

    def __init__(
        self,
        logits: np.ndarray,
        answers: np.ndarray,
        slope: np.ndarray,
        takes: int,
        heads: Sequence[int],
        weights: Weights,
        squared: bool = False,
    ):
        rows, shape = len(logits), (len(logits), len(heads), logits.shape[1] // len(heads))
        self.logits, self.answers, self.slope, self.squared = logits, answers, slope, squared
        p, error, rest = (np.zeros_like(slope) for _ in range(3))
        self.p, self._errors, self._weights = p, error, weights
        p, error, rest, slopes = (each.reshape(shape) for each in (p, error, rest, slope))
        self._hits = answers.reshape(shape)[:, :1]
        self._takes_hits = self._hits[:takes]
        self._hit_p, self._hit_error, self._hit_slope = p[:, 0], error[:, 0], slopes[:, 0]
        self._hit_rest, self._take_error = rest[:, 0], error[:takes, 0]
        self._least = float(np.finfo(slope.dtype).eps)
        self._take_log = np.zeros((takes, shape[2]), slope.dtype)
        self._p, self._error, self._rest, self._slope = p[:, 1:], error[:, 1:], rest[:, 1:], slopes[:, 1:]
        self._takes_error, self._takes_rest = self._error[:takes], self._rest[:takes]
        self._more = weights.of_heads(heads).astype(slope.dtype)
        self._hit_scale = np.zeros((rows, 1), slope.dtype)
        self._scale = np.zeros((rows, len(heads) - 1, 1), slope.dtype)
        self._takes = takes
        self._place: float | None = None
        self.weigh(1.0)

    def weigh(self, place: float) -> None:
        """Say what places between takes count from now on, beside their weight."""
        if place == self._place:
            return
        self._place = place
        rows = np.ones((len(self._scale), 1))
        rows[self._takes :] = place * self._weights.place
        self._hit_scale[...] = rows / self._take_log.size
        self._scale[...] = 2.0 * rows[:, None] * self._more[:, None]

    def __call__(self) -> float:
        """The loss of the takes; the slope of all rows is written."""
        flat = self.p
        np.multiply(self.logits, 0.5, out=flat)
        np.tanh(flat, out=flat)  # the sigmoid, by way of a function that does not overflow
        flat *= 0.5
        flat += 0.5
        np.subtract(flat, self.answers, out=self._errors)
        log = self._take_log
        if self.squared:
            np.square(self._take_error, out=log)
            loss = float(log.sum()) / log.size
            np.subtract(1.0, self._hit_p, out=self._hit_rest)
            self._hit_rest *= self._hit_p
            self._hit_error *= self._hit_rest
            self._hit_error *= 2.0
        else:
            np.abs(self._take_error, out=log)
            np.subtract(1.0 + self._least, log, out=log)
            np.log(log, out=log)
            loss = -float(log.sum()) / log.size
        np.multiply(self._hit_error, self._hit_scale, out=self._hit_slope)
        if len(self._more):
            count = max(float(self._takes_hits.sum()), 1.0)
            self._error *= self._hits
            np.square(self._takes_error, out=self._takes_rest)
            loss += float(self._takes_rest.sum(axis=(0, 2)) @ self._more) / count
            np.subtract(1.0, self._p, out=self._rest)
            self._rest *= self._p
            self._rest *= self._error
            np.multiply(self._rest, self._scale / count, out=self._slope)
        return loss


def aim_loss(
    latents: np.ndarray, low: np.ndarray, high: np.ndarray, weight: float, slope: np.ndarray
) -> float:
    """Squared distance of latents, (n, latents), from where they belong, low to high; adds to `slope`."""
    past = np.minimum(np.maximum(latents, low), high)
    np.subtract(latents, past, out=past)
    slope += past * (2.0 * weight / len(latents))
    return weight * float(np.vdot(past, past)) / len(latents)


@dataclass(frozen=True)
class Meaning:
    """An attribute that a knob has: the number of hits, or the mean over them of what a hit counts.

    counted : (voices * 32,), None for the number; spread : its standard deviation over the takes
    """

    knob: int
    counted: np.ndarray | None
    spread: float


class RiseLoss:
    """Draws attributes up along their knobs, between pairs of places that differ in one knob alone.

    p : probabilities of hits at the places, (2 * pairs, width): first the low ends, then the high ones
    slope : by logit, to which this adds
    knobs, far : of each pair: which of `meanings`, and how far its ends are apart, (pairs,)
    """

    def __init__(
        self,
        p: np.ndarray,
        slope: np.ndarray,
        meanings: Sequence[Meaning],
        knobs: np.ndarray,
        far: np.ndarray,
        weight: float,
    ):
        pairs = len(far)
        self._p, self._slope, self._weight = p[: 2 * pairs], slope[: 2 * pairs], weight
        self._knobs, self._far = knobs, far
        counted = [np.ones(p.shape[1]) if m.counted is None else m.counted for m in meanings]
        self._counted = np.array(counted, p.dtype)
        self._number = np.array([m.counted is None for m in meanings])
        self._spread = np.array([max(m.spread, LEAST) for m in meanings], p.dtype)

    def __call__(self, place: float) -> None:
        """Add the slope, `place` times."""
        p, pairs = self._p, len(self._far)
        knobs = np.concatenate([self._knobs, self._knobs])
        counted, number, spread = self._counted[knobs], self._number[knobs], self._spread[knobs]
        hits = p.sum(axis=1)
        hits += LEAST
        value = np.einsum("ij,ij->i", p, counted)
        value[~number] /= hits[~number]
        counted -= np.where(number, 0.0, value)[:, None]
        value /= spread
        short = STEEP * self._far - (value[pairs:] - value[:pairs])
        pull = np.tanh(np.maximum(short, 0.0)) * (self._weight * place / pairs)
        scale = np.concatenate([pull, -pull]) / spread
        scale[~number] /= hits[~number]
        counted *= p
        counted *= 1.0 - p
        counted *= scale[:, None]
        self._slope += counted
