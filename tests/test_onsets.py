"""Hits that we made are found where we put them, however short, quiet or early they are."""

import mir_eval
import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, grain, hits, shared_loops

from training.audio import read_loop
from training.onsets import find_onsets, lead_in, velocities


def places(steps=BEAT, bpm=120.0):
    return np.flatnonzero(hits(steps)) * 15.0 / bpm


@pytest.mark.parametrize("kind", ["click", "kick", "snare", "hat"])
def test_hits_are_found_within_four_milliseconds(kind):
    onsets, peaks = find_onsets(beats(kind=kind), RATE)

    assert onsets == pytest.approx(places(), abs=0.004)
    assert peaks.max() == 1.0
    assert (np.diff(onsets) > 0).all()


def test_a_hit_on_the_first_sample_is_heard():
    assert find_onsets(beats("X" + "." * 31), RATE)[0] == pytest.approx([0.0], abs=0.002)


def test_a_hit_just_before_the_end_is_heard():
    sound = np.concatenate([beats("X...X...X...X...X...X...X......."), grain("snare", 0.03) * 0.8])

    assert find_onsets(sound, RATE)[0][-1] == pytest.approx(4.0, abs=0.004)


@pytest.mark.parametrize("length_s", [0.005, 0.01, 0.02])
def test_gated_hits_before_digital_silence_are_heard(length_s):
    onsets, _ = find_onsets(beats(length_s=length_s), RATE)

    assert onsets == pytest.approx(places(), abs=0.004)


def test_a_loop_at_minus_50_dbfs_is_heard_like_a_loud_one():
    quiet = np.round(beats() * 10 ** (-50 / 20) * 2**23).astype(np.float32) / np.float32(2**23)

    assert find_onsets(quiet, RATE)[0] == pytest.approx(places(), abs=0.004)


def test_silence_has_no_onsets():
    onsets, peaks = find_onsets(np.zeros(RATE, np.float32), RATE)

    assert len(onsets) == len(peaks) == 0


def test_the_same_loop_gives_the_same_onsets():
    sound = beats(kind="kick")

    np.testing.assert_array_equal(find_onsets(sound, RATE)[0], find_onsets(sound, RATE)[0])


def test_more_sensitivity_hears_softer_hits():
    loud = beats("X...X...X...X...X...X...X...X...")
    soft = beats("..X...X...X...X...X...X...X...X.") * 10 ** (-38 / 20)
    counts = [len(find_onsets(loud + soft, RATE, s)[0]) for s in (0.0, 0.5, 1.0)]

    assert counts[0] <= counts[1] < counts[2]
    assert counts[1] == 8


def test_velocity_is_a_line_in_decibels():
    levels = velocities(10 ** (np.array([0.0, -15.0, -30.0, -80.0]) / 20))

    assert levels == pytest.approx([1.0, 0.6, 0.2, 0.05])


def test_velocity_follows_the_loudness_of_the_hit():
    _, peaks = find_onsets(beats("X...x...X...x...X...x...X...x..."), RATE)

    assert velocities(peaks)[::2] == pytest.approx(np.ones(4), abs=0.03)
    assert velocities(peaks)[1::2] == pytest.approx(np.full(4, 1 - 8 * 0.8 / 30), abs=0.04)


def test_the_lead_in_is_the_silence_before_the_first_hit():
    sound = np.concatenate([np.zeros(RATE // 50, np.float32), beats()])

    assert lead_in(sound, RATE) == pytest.approx(0.02, abs=0.001)


def test_onsets_of_shared_loops_are_near_the_true_ones():
    away = []
    for loop in shared_loops()[::12]:
        onsets, _ = find_onsets(read_loop(loop["path"]).samples, RATE)
        true = np.array(loop["onsets_s"])
        away += [onsets[j] - true[i] for i, j in mir_eval.util.match_events(true, onsets, 0.05)]

    assert abs(np.median(away)) < 0.002
    assert np.median(np.abs(away)) < 0.003
