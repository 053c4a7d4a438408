"""Proposes the places of a loop where a hit may be, and describes each in numbers. Judges none.

A place is a peak of the flux (the mean rise over the bands) of two spectra of our own: one exact in time, and
one exact in pitch, for notes that begin in the sound of others. It is described by what they do around it, by
what aubio's spectral flux says there, and by how the sound's energy rises; all is relative to the loop, so
that its level does not matter. `training.onsets` says which places are hits.

The traps that the preparation answers: aubio drops short hits before digital silence (a little noise is laid
under the loop), misses a hit on the first sample (a quarter second of silence is put before it), and its
silence gate is absolute (the loop is brought to full scale).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

PAD_BEFORE_S = 0.25
PAD_AFTER_S = 0.2  # detectors report a few hops late
ECHO_S = 0.1  # of the loop's end, fading, is played backwards after it
NOISE_SEED = 1
SHORTEST_S = 0.01  # of what is looked at
OUR_NOISE_DB = -85.0  # dBFS

WINDOW, HOP = 1024, 256
BANDS, LOWEST_HZ, HIGHEST_HZ = 24, 40.0, 16000.0
LONG_WINDOW, LONG_HOP = 2048, 512  # of the spectrum that is exact in pitch
PITCHES, LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ = 64, 50.0, 10000.0
FLOOR_DB = -55.0  # under the loudest band and moment
LAG, LONG_LAG = 2, 5  # hops over which a rise is taken
PEAK_REACH = 4  # hops: a place is the highest so far around
LEAST_FLUX_DB = 0.6  # mean rise over the bands, of the weakest place that is proposed
FLUX_LATE_S = 0.004  # how late a peak of the flux is
FIRST_S, LAST_S = -0.04, -0.005  # from the loop's start, and to its end: places beyond are its edges

# aubio's spectral flux, as tuned on rendered loops (threshold, window, hop, and so on).
AUBIO_METHOD, AUBIO_WINDOW, AUBIO_HOP = "specflux", 2048, 512
AUBIO_NOISE_DB, AUBIO_GATE_DB = -48.0, -70.0
AUBIO_THRESHOLD, AUBIO_INTERVAL_MS, AUBIO_COMPRESSION = 0.2, 45.0, 0.25
AUBIO_EARLY_S = 0.0025  # how early its times are
AUBIO_FAR_S = 0.06  # a detection further away is none

REFINE_S = 0.02  # the steepest rise is looked for this far around
REFINE_SPAN = 4  # milliseconds before and after an instant that are compared
REFINE_NEED_DB = 3.0
QUIET = 1e-5  # of the loudest millisecond: 50 dB under it, nothing is compared

FINE, COARSE = 8, 4  # groups of bands
PATH = np.array([-12, -6, -3, -1, 1, 3, 6, 12, 20])  # hops at which the levels around a place are taken
PATH_FROM = 3  # of them, the one that the others are compared with


class Places(NamedTuple):
    """times_s : float (k,), ascending, from the first sample. features : float32 (k, FEATURES)."""

    times_s: np.ndarray
    features: np.ndarray


def propose(samples: np.ndarray, rate: int) -> Places:
    """Places of a loop where a hit may be; none where it is silent or all but nothing.

    samples : float32, shape (n,), mono, of any level. rate : Hz; all is tuned at 44100.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0.0 or len(samples) < SHORTEST_S * rate:
        return Places(np.zeros(0), np.zeros((0, len(NAMES)), np.float32))
    sound = (samples / np.float32(peak)).astype(np.float32)
    spectrum = Spectrum(on_noise(sound, rate), rate)
    frames = spectrum.peaks()
    times = spectrum.times(frames)
    inside = (times > FIRST_S) & (times < len(samples) / rate + LAST_S)
    frames, times = frames[inside], times[inside]
    moved, rises = _refine(sound, rate, times)
    parts = [rises, spectrum.describe(frames), _aubio(sound, rate, times)]
    return Places(moved, np.concatenate(parts, axis=1).astype(np.float32))


# --- the sound, prepared ---------------------------------------------------------------------------------


@cache
def _noise(count: int) -> np.ndarray:
    noise = np.random.default_rng(NOISE_SEED).standard_normal(count, dtype=np.float32)
    noise.setflags(write=False)
    return noise


def on_noise(sound: np.ndarray, rate: int, noise_db: float = OUR_NOISE_DB) -> np.ndarray:
    """A sound of full scale on a little noise, with silence before it and its end mirrored after it."""
    before, after = int(PAD_BEFORE_S * rate), int(PAD_AFTER_S * rate)
    length = len(sound) + before + after
    laid = np.tile(_noise(rate), length // rate + 1)[:length] * np.float32(10 ** (noise_db / 20))
    laid[before : before + len(sound)] += sound
    echo = sound[::-1][: round(ECHO_S * rate)]  # mirrored, so that where the file breaks off is no click
    laid[before + len(sound) :][: len(echo)] += echo * np.linspace(1, 0, len(echo), dtype=np.float32) ** 2
    return laid


# --- our own spectrum ------------------------------------------------------------------------------------

SPECTRUM_NAMES = (
    "flux", "short flux", "pitched flux", "long flux", "flux of the strong", "mean flux around",
    "flux before", "flux after", "flux long before", "flux long after", "sharpness",
    *(f"rise {group}" for group in range(FINE)),
    *(f"level {group}" for group in range(FINE)),
    "share that rises 3 dB", "share that rises 8 dB", "mean level", "highest level",
    *(f"magnitude {group}" for group in range(COARSE)),
    *(f"log magnitude {group}" for group in range(COARSE)),
    "magnitude", "log magnitude", "high magnitude", "log high magnitude",
    *(f"path {hop:+d} {group}" for hop in PATH for group in range(COARSE)),
    "strong flux", "median flux", "mean flux", "places a second",
)  # fmt: skip


class Spectrum:
    """Levels of 24 bands in dB, and their rise from one hop to another."""

    def __init__(self, laid: np.ndarray, rate: int) -> None:
        self.rate = rate
        bands = _bands(laid, rate, WINDOW, HOP, _edges(rate, WINDOW, LOWEST_HZ, HIGHEST_HZ, BANDS))
        self.levels = _levels(bands)
        self.magnitudes = np.sqrt(bands)
        self.short_flux = _flux(self.levels, LAG)
        self.long_flux = _flux(self.levels, LONG_LAG)
        edges = _edges(rate, LONG_WINDOW, LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ, PITCHES)
        pitched = _flux(_levels(_bands(laid, rate, LONG_WINDOW, LONG_HOP, edges)), LAG)
        at = np.arange(len(self.levels)) * HOP + WINDOW / 2
        self.pitched_flux = np.interp(at, np.arange(len(pitched)) * LONG_HOP + LONG_WINDOW / 2, pitched)
        self.flux = self.short_flux + self.pitched_flux

    def peaks(self) -> np.ndarray:
        """Frames at which the flux is the highest around, ascending."""
        highest = sliding_window_view(np.pad(self.flux, PEAK_REACH), 2 * PEAK_REACH + 1).max(axis=1)
        return np.flatnonzero((self.flux >= highest) & (self.flux > LEAST_FLUX_DB))

    def times(self, frames: np.ndarray) -> np.ndarray:
        """Seconds from the first sample of the loop."""
        return (frames * HOP + WINDOW / 2) / self.rate - PAD_BEFORE_S - FLUX_LATE_S

    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Features of the places at these frames (k,): (k, len(SPECTRUM_NAMES))."""
        flux, levels = self.flux, self.levels
        here = flux[frames]
        strong = np.sort(here)[::-1]
        top = float(np.median(strong[: max(4, len(strong) // 4)])) + 1e-6 if len(strong) else 1.0
        before, after = (
            around(levels, frames, -10, -4).mean(axis=1),
            around(levels, frames, 1, 6).mean(axis=1),
        )
        attack = around(levels, frames, 0, 3).max(axis=1)
        rise = after - before
        magnitudes = self._magnitude_rises(frames)
        path = _grouped(levels[np.clip(frames[:, None] + PATH, 0, len(levels) - 1)], COARSE)
        path = path - path[:, PATH_FROM : PATH_FROM + 1]
        seconds = len(flux) * HOP / self.rate
        of_the_loop = (top, float(np.median(flux)), float(flux.mean()) / top, len(frames) / seconds)
        columns = [
            here, self.short_flux[frames], self.pitched_flux[frames], self.long_flux[frames], here / top,
            around(flux, frames, -17, 17).mean(axis=1),
            around(flux, frames, -17, -5).max(axis=1), around(flux, frames, 5, 17).max(axis=1),
            around(flux, frames, -35, -5).max(axis=1), around(flux, frames, 5, 35).max(axis=1),
            around(flux, frames, -1, 1).mean(axis=1) / (here + 1e-6),
            _grouped(rise, FINE), _grouped(attack, FINE),
            (rise > 3.0).mean(axis=1), (rise > 8.0).mean(axis=1), attack.mean(axis=1),
            attack.max(axis=1, initial=FLOOR_DB),
            magnitudes, path.reshape(len(frames), len(PATH) * COARSE),
            *(np.full(len(frames), value) for value in of_the_loop),
        ]  # fmt: skip
        return np.concatenate([c if c.ndim == 2 else c[:, None] for c in columns], axis=1)

    def _magnitude_rises(self, frames: np.ndarray) -> np.ndarray:
        """Rises of the magnitude, not of its logarithm: of groups of bands, of all, of the high ones."""
        rises = np.zeros_like(self.magnitudes)
        rises[3:] = np.maximum(self.magnitudes[3:] - self.magnitudes[:-3], 0.0)
        weights = np.arange(1, BANDS + 1) / BANDS
        curves = [*np.add.reduceat(rises, _groups(COARSE), axis=1).T, rises.sum(axis=1), rises @ weights]
        found = []
        for curve in curves:
            found.append(around(curve, frames, -1, 2).max(axis=1) / (np.percentile(curve, 99) + 1e-9))
        found = [np.minimum(values, 10.0) for values in found]
        logs = [np.log(values + 1e-3) for values in found]
        order = [*found[:COARSE], *logs[:COARSE], found[-2], logs[-2], found[-1], logs[-1]]
        return np.stack(order, axis=1)


def _edges(rate: int, window: int, low_hz: float, high_hz: float, count: int) -> np.ndarray:
    """The first bins of so many bands, and of what is above: of even ratio, but each of a bin at least."""
    edges = np.round(np.geomspace(low_hz, min(high_hz, 0.49 * rate), count + 1) * window / rate).astype(int)
    return np.maximum(edges, edges[0] + np.arange(count + 1))


def _bands(laid: np.ndarray, rate: int, window: int, hop: int, edges: np.ndarray) -> np.ndarray:
    """Power of each band, (frames, bands)."""
    frames = sliding_window_view(laid, window)[::hop]
    spectrum = np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.add.reduceat(power, edges, axis=1)[:, :-1]


def _levels(bands: np.ndarray) -> np.ndarray:
    """Power in dB, the loudest at 0."""
    return 10 * np.log10(bands / bands.max() + np.float32(10 ** (FLOOR_DB / 10)))


def _flux(levels: np.ndarray, lag: int) -> np.ndarray:
    """Mean over the bands of how far each rises above the highest of it and its neighbours `lag` hops before.

    The neighbours keep a note that bends from being a new one (Böck and Widmer, "Maximum filter vibrato
    suppression for onset detection", DAFx 2013).
    """
    widest = levels.copy()
    np.maximum(widest[:, 1:], levels[:, :-1], out=widest[:, 1:])
    np.maximum(widest[:, :-1], levels[:, 1:], out=widest[:, :-1])
    flux = np.zeros(len(levels))
    flux[lag:] = np.maximum(levels[lag:] - widest[:-lag], 0.0).mean(axis=1)
    return flux


def around(values: np.ndarray, frames: np.ndarray, first: int, last: int) -> np.ndarray:
    """What a curve (n,) or (n, bands) does from `first` to `last` hops from each frame: (k, hops, ...)."""
    return values[np.clip(frames[:, None] + np.arange(first, last + 1), 0, len(values) - 1)]


def _groups(count: int) -> np.ndarray:
    return np.linspace(0, BANDS, count + 1).astype(int)[:-1]


def _grouped(values: np.ndarray, count: int) -> np.ndarray:
    """The mean of neighbouring bands, the last axis, in so many groups."""
    return np.add.reduceat(values, _groups(count), axis=-1) * (count / BANDS)


# --- aubio -----------------------------------------------------------------------------------------------

AUBIO_NAMES = ("aubio's distance", "aubio's flux", "log of aubio's flux")


def _aubio(sound: np.ndarray, rate: int, times: np.ndarray) -> np.ndarray:
    """What aubio says at each place: how far its next detection is, and its flux, (k, 3)."""
    import aubio  # late: it loads 27 MB

    detector = aubio.onset(AUBIO_METHOD, AUBIO_WINDOW, AUBIO_HOP, rate)
    detector.set_threshold(AUBIO_THRESHOLD)
    detector.set_minioi_ms(AUBIO_INTERVAL_MS)
    detector.set_awhitening(False)
    detector.set_compression(AUBIO_COMPRESSION)
    detector.set_silence(AUBIO_GATE_DB)
    laid = on_noise(sound, rate, AUBIO_NOISE_DB)
    detections, flux = [-1.0], []
    for block in laid[: len(laid) // AUBIO_HOP * AUBIO_HOP].reshape(-1, AUBIO_HOP):
        if detector(block)[0]:
            detections.append(detector.get_last() / rate - PAD_BEFORE_S + AUBIO_EARLY_S)
        flux.append(detector.get_descriptor())
    apart = np.abs(times[:, None] - np.array(detections)).min(axis=1)
    curve = np.array(flux) / (np.percentile(flux, 98) + 1e-9)
    hops = np.round((times + PAD_BEFORE_S) * rate / AUBIO_HOP).astype(int)
    highest = np.minimum(around(curve, hops, -1, round(0.03 * rate / AUBIO_HOP)).max(axis=1), 10.0)
    return np.stack([np.minimum(apart, AUBIO_FAR_S) / AUBIO_FAR_S, highest, np.log(highest + 1e-3)], axis=1)


# --- energy ----------------------------------------------------------------------------------------------

ENERGY_NAMES = ("steepest rise", "rise over 3 ms", "rise over 30 ms", "rise over the seam", "energy",
                "edge over 3 ms", "edge over 30 ms")  # fmt: skip


def _refine(sound: np.ndarray, rate: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move each place (k,) to the steepest rise nearby; features of the energy there (k, 7).

    Looked at are the sound and its differences ("edge") together, in milliseconds.
    """
    block = max(1, round(rate * 0.001))
    block_s = block / rate
    count = len(sound) // block
    centre = np.round(times / block_s).astype(int)
    reach = round(REFINE_S / block_s)
    at = centre[:, None] + np.arange(-reach, reach + 1)  # (k, places) in blocks
    energies = [_Energy(signal, block, count) for signal in (sound, np.diff(sound, prepend=np.float32(0)))]
    rise = sum(np.maximum(energy.rise(at, REFINE_SPAN), 0.0) for energy in energies)
    rise = rise * (1.0 - 0.3 * np.abs(at - centre[:, None]) / reach)
    rise[(at < 0) | (at >= count)] = 0.0
    rows, best = np.arange(len(times)), rise.argmax(axis=1)
    steepest = rise[rows, best]
    moved = np.where(steepest >= REFINE_NEED_DB, at[rows, best] * block_s, np.maximum(times, 0.0))
    blocks = np.round(moved / block_s).astype(int)
    whole, edges = energies
    features = [
        steepest, whole.rise(blocks, 3), whole.rise(blocks, 30), whole.rise_over_seam(blocks, 15),
        whole.level(blocks, 40), edges.rise(blocks, 3), edges.rise(blocks, 30),
    ]  # fmt: skip
    return moved, np.stack(features, axis=1)


class _Energy:
    """Energy of a signal, millisecond by millisecond, summed from its start."""

    def __init__(self, signal: np.ndarray, block: int, count: int) -> None:
        each = np.square(signal[: count * block].reshape(count, block)).mean(axis=1, dtype=np.float64)
        self.total = np.concatenate([[0.0], np.cumsum(each)])
        self.quiet = QUIET * each.max(initial=1e-12)
        self.count = count

    def rise(self, at: np.ndarray, span: int) -> np.ndarray:
        """dB from the `span` milliseconds before to those after."""
        after, here, before = (self._until(at + by) for by in (span, 0, -span))
        return 10 * np.log10((after - here + self.quiet * span) / (here - before + self.quiet * span))

    def rise_over_seam(self, at: np.ndarray, span: int) -> np.ndarray:
        """The same for a loop that goes round: before its start is its end."""
        before = np.where(
            at < span, self._until(at) + self.total[-1] - self._until(self.count + at - span),
            self._until(at) - self._until(at - span),
        )  # fmt: skip
        after = self._until(at + span) - self._until(at)
        return 10 * np.log10((after + self.quiet * span) / (before + self.quiet * span))

    def level(self, at: np.ndarray, span: int) -> np.ndarray:
        """dB of the `span` milliseconds after, over those of the whole loop."""
        mean = (self.total[-1] + 1e-12) / self.count
        return 10 * np.log10((self._until(at + span) - self._until(at)) / span / mean + 1e-5)

    def _until(self, at: np.ndarray) -> np.ndarray:
        return self.total[np.clip(at, 0, self.count)]


NAMES = (*ENERGY_NAMES, *SPECTRUM_NAMES, *AUBIO_NAMES)
FEATURES = len(NAMES)
