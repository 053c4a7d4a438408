"""The onset classifier that comes with the project, and the file it is in."""

import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, hits

from training.candidates import FEATURES, propose
from training.classifier import Classifier, shipped


def test_hits_are_told_from_what_is_none():
    places = propose(beats(), RATE)
    logits, late_s = shipped()(places.features)

    true = np.flatnonzero(hits(BEAT)) * 0.125
    for hit in true:
        assert logits[np.abs(places.times_s - hit).argmin()] > 0
    assert (logits > 0).sum() == len(true)
    assert np.abs(late_s[logits > 0]).max() < 0.01


def test_no_places_are_no_hits():
    logits, late_s = shipped()(np.zeros((0, FEATURES), np.float32))

    assert len(logits) == len(late_s) == 0


def test_a_feature_out_of_all_bounds_counts_no_more_than_an_odd_one():
    places = propose(beats(), RATE)
    mad = places.features.copy()
    mad[:, 3] = 1e30

    assert np.isfinite(shipped()(mad)[0]).all()


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

    for one, other in zip(
        made(features), Classifier.read(tmp_path / "made.safetensors")(features), strict=True
    ):
        assert one == pytest.approx(other)
