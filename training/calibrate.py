"""Maps the travel of the knobs to where the takes are, so that no travel is dead. Trains nothing."""

from __future__ import annotations

import numpy as np

POINTS = 17  # along the travel of each knob
MARGIN = 0.05  # of the takes' span, past either end
EVEN = 0.5  # 0: equal travel between neighbouring takes; 1: equal travel over the span
NARROWEST = 0.5  # span of a latent in which all takes are one, as with a single take


def knob_points(latents: np.ndarray) -> np.ndarray:
    """Latent values at even places along each knob, shape (4, 17), rising, for latents of takes (n, 4)."""
    low, high = latents.min(axis=0), latents.max(axis=0)
    short = high - low < NARROWEST
    centre = (low + high) / 2
    low = np.where(short, centre - NARROWEST / 2, low)
    high = np.where(short, centre + NARROWEST / 2, high)
    margin = (high - low) * MARGIN
    places = np.linspace(0.0, 1.0, POINTS)[:, None]
    even = low - margin + (high - low + 2 * margin) * places  # (17, 4)
    dense = np.quantile(latents, places[:, 0], axis=0)
    dense[0], dense[-1] = even[0], even[-1]
    return np.where(short, even, EVEN * even + (1 - EVEN) * dense).T
