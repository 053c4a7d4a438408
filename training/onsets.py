"""Hears where the hits of a loop fall and how hard they are. Knows no tempo, no grid and no files.

Three detectors vote: aubio's spectral flux, aubio's high frequency content, and a flux over 48 bands of
our own; a hit that two of them hear is a hit. Its time is then moved to the steepest rise of the sound
nearby. The traps that the settings answer: aubio drops short hits before digital silence (a little noise
is laid under the loop), misses a hit on the first sample (a quarter second of silence is put before it),
and its silence gate is absolute (the loop is brought to full scale).
"""

from __future__ import annotations

from functools import cache

import numpy as np

PAD_BEFORE_S = 0.25
PAD_AFTER_S = 0.2  # detectors report a few hops late
ECHO_S = 0.1  # of the loop's end, fading, is played backwards after it
AGREE_S = 0.04  # detections of one hit lie within it
NOISE_SEED = 1

# name: noise dBFS, threshold, window, hop, shortest interval ms, log compression, gate dB, bias s
AUBIO = {
    "specflux": (-48.0, 0.2, 2048, 512, 45.0, 0.25, -70.0, -0.0025),
    "hfc": (-68.0, 0.033, 1024, 256, 65.0, 0.0, -70.0, 0.006),
}
FLUX_BANDS = 48
FLUX_WINDOW, FLUX_HOP, FLUX_LAG = 1024, 384, 2
FLUX_FLOOR_DB = -40.0  # under the loudest band and moment
FLUX_RISE_DB = 1.5  # mean rise over the bands, above its neighbourhood
FLUX_BIAS_S = 0.0039
FLOOR_DB = -32.0  # an attack further under the loudest is not a hit
SENSITIVITY_SPAN = 4.0  # sensitivity 0 raises the thresholds this much, 1 lowers them as much
SENSITIVITY_DB = 20.0  # and so for the floor

REFINE_S = 0.015  # the steepest rise is looked for this far around
REFINE_SPAN_S = 0.004  # sound before and after an instant that is compared
REFINE_NEED_DB = 3.0
TOGETHER_S = 0.02  # nearer than this is one hit

PEAK_S = 0.04  # the peak of an attack lies within it
SOFT_DB, SOFT_VELOCITY = -30.0, 0.2  # velocity is a line in dB: 1.0 at 0 dB, 0.2 at -30 dB
LEAST_VELOCITY = 0.05


def find_onsets(samples: np.ndarray, rate: int, sensitivity: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Where the hits are, and the peak of each attack.

    Parameters
    ----------
    samples : float32 array, shape (n,)
        One loop, mono, of any level; it is compared with its own peak.
    rate : int
        In Hz; the settings are tuned at 44100.
    sensitivity : float
        0 hears the plainest hits only, 1 hears every rustle, 0.5 is tuned for step F1.

    Returns
    -------
    onsets_s : float array, shape (k,), seconds from the first sample, ascending
    peaks : float array, shape (k,), within (0, 1]
        The largest sample of the attack, the loudest attack being 1.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0.0:
        return np.zeros(0), np.zeros(0)
    sound = (samples / np.float32(peak)).astype(np.float32)
    less = 1.0 - 2.0 * min(max(sensitivity, 0.0), 1.0)  # -1..1
    scale = SENSITIVITY_SPAN**less
    heard = [_aubio(sound, rate, method, scale) for method in AUBIO]
    heard.append(_flux(sound, rate, scale))
    voted = _vote(heard)
    onsets = _refine(sound, rate, voted[voted > -AGREE_S])  # the noise itself has a beginning
    onsets = onsets[onsets < len(samples) / rate]
    peaks = _peaks(sound, rate, onsets)
    loud = peaks > 10 ** ((FLOOR_DB + SENSITIVITY_DB * less) / 20)
    return onsets[loud], peaks[loud]


def velocities(peaks: np.ndarray) -> np.ndarray:
    """Peaks (k,) as velocities (k,): a line in dB, 1.0 for the loudest, 0.2 at 30 dB below, 0.05 at least.

    >>> velocities(np.array([1.0, 0.1])).round(2)
    array([1.  , 0.47])
    """
    below_db = 20 * np.log10(np.maximum(peaks, 1e-6))
    return np.clip(1.0 + below_db * (1.0 - SOFT_VELOCITY) / -SOFT_DB, LEAST_VELOCITY, 1.0)


def lead_in(samples: np.ndarray, rate: int) -> float:
    """Seconds before the first sample that comes within 40 dB of the peak: air, or an encoder's delay."""
    size = np.abs(samples)
    return float(np.argmax(size > size.max() * 0.01)) / rate


@cache
def _noise(count: int) -> np.ndarray:
    noise = np.random.default_rng(NOISE_SEED).standard_normal(count, dtype=np.float32)
    noise.setflags(write=False)
    return noise


def _laid_on_noise(sound: np.ndarray, rate: int, noise_db: float) -> np.ndarray:
    before, after = int(PAD_BEFORE_S * rate), int(PAD_AFTER_S * rate)
    length = len(sound) + before + after
    second = _noise(rate)
    laid = np.tile(second, length // rate + 1)[:length] * np.float32(10 ** (noise_db / 20))
    laid[before : before + len(sound)] += sound
    echo = sound[::-1][: round(ECHO_S * rate)]  # mirrored, so that where the file breaks off is no click
    laid[before + len(sound) :][: len(echo)] += echo * np.linspace(1, 0, len(echo), dtype=np.float32) ** 2
    return laid


def _aubio(sound: np.ndarray, rate: int, method: str, scale: float) -> np.ndarray:
    """What one method of aubio hears, in seconds (k,), its usual lateness taken off."""
    import aubio  # late: it loads 27 MB

    noise_db, threshold, window, hop, interval_ms, compression, gate_db, bias_s = AUBIO[method]
    detector = aubio.onset(method, window, hop, rate)
    detector.set_threshold(threshold * scale)
    detector.set_minioi_ms(interval_ms)
    detector.set_awhitening(False)
    detector.set_compression(compression)
    detector.set_silence(gate_db)
    laid = _laid_on_noise(sound, rate, noise_db)
    blocks = laid[: len(laid) // hop * hop].reshape(-1, hop)
    times = [detector.get_last() for block in blocks if detector(block)[0]]
    return np.array(times, dtype=np.float64) / rate - PAD_BEFORE_S - bias_s


def _flux(sound: np.ndarray, rate: int, scale: float) -> np.ndarray:
    """Peaks of the mean rise in dB over bands a fifth of an octave wide, in seconds (k,)."""
    levels = _bands(_laid_on_noise(sound, rate, -85.0), rate)
    rise = np.maximum(levels[FLUX_LAG:] - levels[:-FLUX_LAG], 0.0).mean(axis=1)  # (frames - lag,)
    hop_s = FLUX_HOP / rate
    highest = _windows(rise, round(0.03 / hop_s), "constant").max(axis=1)
    usual = _windows(rise, round(0.1 / hop_s), "edge").mean(axis=1)
    found = np.flatnonzero((rise >= highest) & (rise > usual + FLUX_RISE_DB * scale))
    return (found + FLUX_LAG) * hop_s + FLUX_WINDOW / 2 / rate - PAD_BEFORE_S - FLUX_BIAS_S


def _bands(sound: np.ndarray, rate: int) -> np.ndarray:
    """Level in dB, shape (frames, bands), the loudest at 0 and none below the floor."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, FLUX_WINDOW)[::FLUX_HOP]
    spectrum = np.fft.rfft(frames * np.hanning(FLUX_WINDOW).astype(np.float32), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    edges = np.geomspace(40.0, min(16000.0, rate / 2), FLUX_BANDS, endpoint=False)  # Hz
    first = np.ceil(edges * FLUX_WINDOW / rate).astype(int)
    bands = np.add.reduceat(power, first, axis=1)  # an empty band repeats its bin
    return 10 * np.log10(bands / bands.max() + 10 ** (FLUX_FLOOR_DB / 10))


def _windows(values: np.ndarray, reach: int, mode: str) -> np.ndarray:
    padded = np.pad(values, reach, mode=mode)  # type: ignore[call-overload]
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)


def _vote(heard: list[np.ndarray]) -> np.ndarray:
    """The median time of each group of detections, of one per detector, that has two or more."""
    times = np.concatenate(heard)
    voters = np.repeat(np.arange(len(heard)), [len(h) for h in heard])
    order = np.argsort(times, kind="stable")
    times, voters = times[order], voters[order]
    onsets = []
    at = 0
    while at < len(times):
        group = {int(voters[at])}
        end = at + 1
        while end < len(times) and times[end] - times[at] <= AGREE_S and int(voters[end]) not in group:
            group.add(int(voters[end]))
            end += 1
        if len(group) >= 2:
            onsets.append(float(np.median(times[at:end])))
            at = end
        else:
            at += 1
    return np.array(onsets)


def _refine(sound: np.ndarray, rate: int, onsets: np.ndarray) -> np.ndarray:
    """Move each onset (k,) to the steepest rise nearby, of the sound and of its differences together."""
    if len(onsets) == 0:
        return onsets
    block = max(1, round(rate * 0.001))
    block_s = block / rate
    count = len(sound) // block
    span, reach = round(REFINE_SPAN_S / block_s), round(REFINE_S / block_s)
    centre = np.round(onsets / block_s).astype(int)
    at = centre[:, None] + np.arange(-reach, reach + 1)  # (k, places) in blocks
    after, here, before = (np.clip(at + d, 0, count) for d in (span, 0, -span))
    rise_db = np.zeros(at.shape)
    for signal in (sound, np.diff(sound, prepend=np.float32(0))):
        energy = np.square(signal[: count * block].reshape(count, block)).mean(axis=1, dtype=np.float64)
        total = np.concatenate([[0.0], np.cumsum(energy)])
        floor = 1e-5 * energy.max(initial=1e-12) * span  # 50 dB under the loudest millisecond
        ratio = (total[after] - total[here] + floor) / (total[here] - total[before] + floor)
        rise_db += np.maximum(10 * np.log10(ratio), 0.0)
    rise_db *= 1.0 - 0.3 * np.abs(at - centre[:, None]) / reach
    rise_db[(at < 0) | (at >= count)] = 0.0
    best = rise_db.argmax(axis=1)
    rows = np.arange(len(onsets))
    moved = np.where(rise_db[rows, best] >= REFINE_NEED_DB, at[rows, best] * block_s, np.maximum(onsets, 0.0))
    moved = np.sort(moved)
    return moved[np.diff(moved, prepend=-1.0) >= TOGETHER_S]


def _peaks(sound: np.ndarray, rate: int, onsets: np.ndarray) -> np.ndarray:
    """The largest sample within 40 ms of each onset, or until the next, over the largest of all."""
    starts = np.round(onsets * rate).astype(int)
    ends = np.minimum(starts + round(PEAK_S * rate), np.append(starts[1:], len(sound)))
    peaks = np.array([np.abs(sound[a:b]).max(initial=1e-6) for a, b in zip(starts, ends, strict=True)])
    return peaks / peaks.max() if len(peaks) else peaks
