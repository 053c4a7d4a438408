"""Says which of three bands each onset sounds in, for drum loops as three voices. Finds no onsets itself."""

from __future__ import annotations

import numpy as np

# Low, middle, high: tuned for kick, snare and hats on drum loops.
BAND_EDGES_HZ = (120.0, 5000.0)
BAND_RISES_DB = (4.0, 0.0, 1.0)
BAND_SHARES_DB = (-12.0, -4.0, -22.0)  # of the attack's power, at least
BAND_SPAN_S = 0.046


def three_bands(samples: np.ndarray, rate: int, onsets: np.ndarray) -> np.ndarray:
    """Which of the low, middle and high band each onset (n,) sounds in: bool, shape (3, n).

    A band sounds where its power rises and is a fair share of the attack's. On drums they are close
    to kick, snare and hats; every onset sounds in one band at least.
    """
    reach = round(BAND_SPAN_S * rate)
    if len(onsets) == 0:
        return np.zeros((3, 0), dtype=bool)
    padded = np.concatenate([np.zeros(reach, np.float32), samples, np.zeros(reach, np.float32)])
    at = np.round(onsets * rate).astype(int) + reach - round(0.001 * rate)  # just before the attack
    edges = np.searchsorted(np.fft.rfftfreq(2048, 1 / rate), (0.0, *BAND_EDGES_HZ))
    fade = np.hanning(2 * reach).astype(np.float32)

    def power_db(starts: np.ndarray, window: np.ndarray) -> np.ndarray:  # -> (n, 3)
        frames = padded[np.maximum(starts, 0)[:, None] + np.arange(reach)] * window
        power = np.square(np.abs(np.fft.rfft(frames, 2048, axis=1)))
        return 10 * np.log10(np.add.reduceat(power, edges, axis=1) + 1e-9)

    attack, before = power_db(at, fade[reach:]), power_db(at - reach, fade[:reach])
    share = attack - 10 * np.log10((10 ** (attack / 10)).sum(axis=1, keepdims=True)) - BAND_SHARES_DB
    sounds = (share > 0) & (attack - before > BAND_RISES_DB)
    sounds[np.arange(len(onsets)), share.argmax(axis=1)] |= ~sounds.any(axis=1)
    return sounds.T
