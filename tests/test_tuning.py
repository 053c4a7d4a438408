"""Training the onset classifier: what is matched with what, and that it learns."""

import numpy as np
import pytest
from loop_helpers import beats, hits

from training.bands import three_bands
from training.candidates import FEATURES, NAMES, Places
from training.onsets import find_onsets
from training.practice import RATE, practice_loop
from training.tuning import BESIDE_WEIGHT, Lesson, bands_of, fold_of, practised, train, train_bands


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


def test_drums_are_told_apart_by_what_they_are_called():
    said = bands_of({"onset_classes": ["kick", "snare+chh", "ride", "tlo+thi+bell"]})

    assert said.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1]]


def test_a_network_of_bands_learns_from_labelled_drums():
    steps = {"kick": "X...X...X...X...", "snare": "..X.....X...X...", "hat": ".X.X.X.X.X.X.X.X"}
    called = {"kick": "kick", "snare": "snare", "hat": "chh"}
    rows = []
    for kind, row in steps.items():
        places = np.flatnonzero(hits(row)) * 0.125
        classes = [called[kind]] * len(places)
        truth = {
            "kind": "drums",
            "onsets_s": places,
            "onset_optional": [0] * len(places),
            "onset_classes": classes,
        }
        rows.append((truth, beats(row, kind=kind)))
    classifier = train_bands(rows * 12)

    for band, (truth, samples) in enumerate(rows):
        said = three_bands(samples, RATE, np.array(truth["onsets_s"]), classifier)
        assert said[band].all()
        assert not np.delete(said, band, axis=0).any()
