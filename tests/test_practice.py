"""Practice loops: the truth that comes with them is where something begins in their sound."""

import numpy as np
import pytest

from training.practice import RATE, practice_loop

LOOPS = [practice_loop(seed) for seed in range(40)]


def test_the_same_number_gives_the_same_loop():
    one, other = practice_loop(7), practice_loop(7)

    np.testing.assert_array_equal(one.samples, other.samples)
    np.testing.assert_array_equal(one.onsets_s, other.onsets_s)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_is_sound_with_onsets_inside_it(loop):
    assert np.isfinite(loop.samples).all()
    assert 0.2 < np.abs(loop.samples).max() <= 1.0
    assert len(loop.onsets_s) == len(loop.optional) > 0
    assert (np.diff(loop.onsets_s) > 0).all()
    assert loop.onsets_s[0] >= 0
    assert loop.onsets_s[-1] < len(loop.samples) / RATE


def test_drums_rise_where_the_truth_says():
    rises = []
    for loop in LOOPS:
        if loop.kind != "drums":
            continue
        energy = np.concatenate([[0.0], np.cumsum(np.square(loop.samples, dtype=np.float64))])
        at = np.round(loop.onsets_s[~loop.optional] * RATE).astype(int)
        span = RATE // 200
        inside = at[(at > span) & (at < len(loop.samples) - span)]
        after, before = energy[inside + span] - energy[inside], energy[inside] - energy[inside - span]
        rises += (10 * np.log10((after + 1e-9) / (before + 1e-9))).tolist()

    assert np.median(rises) > 6.0


def test_every_kind_is_practised():
    assert {loop.kind for loop in LOOPS} >= {"drums", "synth", "mix"}
