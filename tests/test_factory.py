"""The slot that ships with the project is the one that `make factory` makes."""

import numpy as np
import pytest

from device.slots import FACTORY, load_file
from training.demo import write_demo_loops
from training.learn import Corpus
from training.listen import Ears, hear_all


@pytest.fixture(scope="module")
def factory():
    return load_file(FACTORY, "factory slot")


def test_the_factory_slot_holds_what_is_heard_in_the_demo_drums(factory, tmp_path):
    write_demo_loops(tmp_path, seed=1)
    heard = list(hear_all([tmp_path / "drums"], Ears(voices=3)))
    corpus = Corpus.of([(one.file.rpartition("/")[2], take) for one in heard for take in one.takes])

    assert list(corpus.names) == factory.about.takes
    assert np.array_equal(corpus.hits, factory.hits), "make it again with `make factory`"
    assert factory.about.seed == 1


def test_the_factory_slot_is_worth_playing(factory):
    report = factory.about.playability

    assert report.reach == 1.0
    assert report.silence <= 0.005
    assert report.likeness <= 0.3
    assert min(report.travel) >= 16
    assert min(report.meaning.values()) > 0.7
