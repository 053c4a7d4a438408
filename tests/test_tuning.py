"""Training the onset classifier: what is matched with what, and that it learns."""

import numpy as np
import pytest

from training.candidates import FEATURES, NAMES, Places
from training.onsets import find_onsets
from training.practice import RATE, practice_loop
from training.tuning import BESIDE_WEIGHT, Lesson, fold_of, practised, train


def places(times, fluxes):
    features = np.zeros((len(times), FEATURES), np.float32)
    features[:, NAMES.index("flux")] = fluxes
    return Places(np.array(times), features)


def test_an_onset_is_matched_with_the_strongest_place_nearby():
    lesson = Lesson.of(places([0.49, 0.505, 0.7], [1.0, 5.0, 5.0]), np.array([0.5]), np.array([False]))

    assert lesson.hit.tolist() == [0, 1, 0]
    assert lesson.late_ms[1] == pytest.approx(-5.0)
    assert np.isnan(lesson.late_ms[[0, 2]]).all()
    assert lesson.weight.tolist() == [BESIDE_WEIGHT, 1, 1], "the place beside it is no mistake"


def test_what_is_hardly_heard_counts_neither_way():
    lesson = Lesson.of(places([0.5, 0.9], [1.0, 1.0]), np.array([0.5]), np.array([True]))

    assert lesson.hit.tolist() == [0, 0]
    assert lesson.weight.tolist() == [0, 1]


def test_a_loop_is_always_in_the_same_fold():
    assert fold_of("a song") == fold_of("a song")
    assert {fold_of(f"song {n}") for n in range(100)} == set(range(5))


def test_a_network_that_has_practised_hears_loops_that_it_does_not_know():
    classifier = train(practised(30))
    right = wrong = 0
    for seed in range(1000, 1015):
        loop = practice_loop(seed)
        onsets, _ = find_onsets(loop.samples, RATE, classifier=classifier)
        asked = loop.onsets_s[~loop.optional]
        heard = [np.abs(onsets - at).min(initial=1.0) < 0.05 for at in asked]
        true = [np.abs(loop.onsets_s - at).min(initial=1.0) < 0.05 for at in onsets]
        right += sum(heard)
        wrong += len(heard) - sum(heard) + len(true) - sum(true)

    assert 2 * right / (2 * right + wrong) > 0.8
