"""The onset classifier that comes with the project, and the file it is in."""

import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, hits

from training.candidates import FEATURES, propose
from training.classifier import Classifier
from training.onsets import shipped


def test_hits_are_told_from_what_is_none():
    places = propose(beats(), RATE)
    logits, late_ms = shipped().run(places.features).T

    true = np.flatnonzero(hits(BEAT)) * 0.125
    for hit in true:
        assert logits[np.abs(places.times_s - hit).argmin()] > 0
    assert (logits > 0).sum() == len(true)
    assert np.abs(late_ms[logits > 0]).max() < 10


def test_no_places_are_no_hits():
    assert shipped().run(np.zeros((0, FEATURES), np.float32)).shape == (0, 2)


def test_a_feature_out_of_all_bounds_counts_no_more_than_an_odd_one():
    places = propose(beats(), RATE)
    mad = places.features.copy()
    mad[:, 3] = 1e30

    assert np.isfinite(shipped().run(mad)).all()


def test_what_is_written_is_read(tmp_path):
    rng = np.random.default_rng(1)
    made = Classifier(
        np.zeros(5, np.float32),
        np.ones(5, np.float32),
        (rng.normal(size=(5, 4)).astype(np.float32), np.zeros(4, np.float32)),
        (rng.normal(size=(4, 2)).astype(np.float32), np.zeros(2, np.float32)),
    )
    made.write(tmp_path / "made.safetensors")
    features = rng.normal(size=(7, 5)).astype(np.float32)

    read = Classifier.read(tmp_path / "made.safetensors")
    assert made.run(features) == pytest.approx(read.run(features))


def test_two_side_by_side_say_what_each_says():
    hits = Classifier(shipped().mean, shipped().scale, shipped().hidden, shipped().out)
    both = hits.beside(hits)
    places = propose(beats(), RATE).features

    np.testing.assert_allclose(
        both.run(places), np.concatenate([hits.run(places)] * 2, axis=1), rtol=1e-4, atol=1e-4
    )


def test_two_that_see_other_features_do_not_stand_side_by_side():
    other = Classifier(shipped().mean + 1, shipped().scale, shipped().hidden, shipped().out)

    with pytest.raises(ValueError, match="the same features"):
        shipped().beside(other)
