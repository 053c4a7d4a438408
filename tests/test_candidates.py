"""Places are proposed where something begins, and described apart from the loop's level."""

import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, grain, hits

from training.candidates import FEATURES, NAMES, propose


def test_every_hit_is_near_a_place():
    times = propose(beats(), RATE).times_s

    for hit in np.flatnonzero(hits(BEAT)) * 0.125:
        assert np.abs(times - hit).min() < 0.004


@pytest.mark.parametrize("length_s", [0.005, 0.015])
def test_a_click_before_digital_silence_and_one_on_the_first_sample_are_proposed(length_s):
    sound = np.zeros(RATE, np.float32)
    for at in (0, RATE // 2):
        click = grain("click", length_s)
        sound[at : at + len(click)] = click

    times = propose(sound, RATE).times_s
    assert np.abs(times).min() < 0.003
    assert np.abs(times - 0.5).min() < 0.003


def test_a_note_that_begins_in_the_sound_of_another_is_proposed():
    time = np.arange(2 * RATE) / RATE
    low = np.sin(2 * np.pi * 110 * time)
    high = 0.25 * np.sin(2 * np.pi * 660 * time) * (time >= 1.0) * np.minimum(1.0, (time - 1.0) / 0.02)

    times = propose((low + high).astype(np.float32), RATE).times_s
    assert np.abs(times - 1.0).min() < 0.03


def test_a_place_is_described_alike_at_every_level():
    sound = beats(kind="snare")
    loud, quiet = propose(sound, RATE), propose(sound * np.float32(0.001), RATE)

    np.testing.assert_allclose(loud.times_s, quiet.times_s)
    np.testing.assert_allclose(loud.features, quiet.features, atol=0.01)


@pytest.mark.parametrize("sound", [np.zeros(RATE), np.zeros(0), np.full(RATE, 0.5), np.ones(10)])
def test_silence_and_a_steady_level_have_no_more_than_their_edges(sound):
    places = propose(sound.astype(np.float32), RATE)

    assert len(places.times_s) <= 2
    assert places.features.shape == (len(places.times_s), FEATURES)
    assert np.isfinite(places.features).all()


def test_every_feature_has_a_name_of_its_own():
    assert len(set(NAMES)) == FEATURES
