"""Kick, snare and hat fall into three bands, on sounds that we made and on real drums."""

import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, hits, shared_loops

from training.audio import read_loop
from training.bands import three_bands
from training.tuning import bands_of


def places(steps=BEAT, bpm=120.0):
    return np.flatnonzero(hits(steps)) * 15.0 / bpm


def test_kick_snare_and_hat_fall_into_three_bands():
    kick, snare, hat = "X.......X.......", "....X.......X...", "..X...X...X...X."
    sound = beats(kick, kind="kick") + beats(snare, kind="snare") * 0.7 + beats(hat, kind="hat") * 0.4
    at = np.sort(np.concatenate([places(steps) for steps in (kick, snare, hat)]))

    low, middle, high = three_bands(sound, RATE, at)

    assert at[low] == pytest.approx(places(kick))
    assert at[middle] == pytest.approx(places(snare))
    assert set(np.round(places(hat), 6)) <= set(np.round(at[high], 6))
    assert not np.isin(np.round(at[high], 6), np.round(places(kick), 6)).any()


def test_every_onset_sounds_in_one_band_at_least():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)

    assert three_bands(noise, RATE, np.linspace(0.0, 0.99, 30)).any(axis=0).all()
    assert three_bands(noise, RATE, np.zeros(0)).shape == (3, 0)


def test_bands_of_real_drums_are_their_drums():
    loops = [loop for loop in shared_loops() if loop["kind"] == "drums"][::6]
    heard = [(read_loop(loop["path"]).samples, np.array(loop["onsets_s"])) for loop in loops]
    said = np.concatenate([three_bands(samples, RATE, onsets).T for samples, onsets in heard])
    truth = np.concatenate([bands_of(loop) for loop in loops])
    both = (said & truth).sum(axis=0)

    f1 = 2 * both / (said.sum(axis=0) + truth.sum(axis=0))

    assert (f1 >= (0.85, 0.85, 0.75)).all(), f1
