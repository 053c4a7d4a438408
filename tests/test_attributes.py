import numpy as np
import pytest
from conftest import pattern

from training.attributes import FIRST, NAMES, attributes, closest, worth_knobs
from training.model import stacked


def stairs(*counts):
    return np.array([[[n < count for n in range(32)]] for count in counts])


def values(*lines, offsets=None):
    return attributes(*stacked([pattern(line, offsets=offsets) for line in lines]), NAMES)


def of(name, *lines, **more):
    return values(*lines, **more)[:, NAMES.index(name)]


def test_attributes_are_those_of_the_design():
    four = stairs(0)[0]
    four[0, ::4] = True
    last = stairs(0)[0]
    last[0, 31] = True

    found = attributes(np.array([four, last, stairs(0)[0]]))

    assert found[0].tolist() == [8.0, (0 + 2 + 1 + 2) / 4, 0.0]
    assert found[1].tolist() == [1.0, 4.0, 1.0]
    assert found[2].tolist() == [0.0, 0.0, 0.0]


def test_a_hit_that_is_followed_by_a_rest_on_a_heavier_step_is_syncopated():
    straight, syncopated = of("syncopated", "x...x...x...x...", "...x...x...x...x")

    assert straight == 0.0
    assert syncopated == 1.0


def test_late_in_the_bar_uneven_late_and_contrast():
    early, late = of("late in the bar", "xxxx............", "............xxxx")
    assert early < 0.2 < 0.8 < late
    even, uneven = of("uneven", "x...x...x...x...", "xx......x.......")
    assert even == 0.0 < uneven
    assert of("contrast", "x...x...x...x...", "X...x...X...x...").tolist() == pytest.approx([0.0, 0.2])


def test_the_mean_offset_is_of_the_hits_alone():
    assert of("late", "x...x...x...x...", offsets=-0.25) == pytest.approx([-0.25])


def test_a_pattern_without_a_hit_has_nothing_of_any():
    assert values("." * 16).tolist() == [[0.0] * len(NAMES)]


def test_each_knob_has_its_own_attribute_where_takes_differ_in_all():
    rng = np.random.default_rng(1)

    assert worth_knobs(rng.normal(size=(30, len(NAMES))), 3) == [0, 1, 2]


def test_a_knob_whose_attribute_is_the_same_in_all_takes_gets_the_next():
    columns = np.random.default_rng(2).normal(size=(30, len(NAMES)))
    columns[:, 2] = 0.0  # no fill
    columns[:, 3] = columns[:, 1]  # syncopated is off-beat by another name

    assert worth_knobs(columns, 3) == [0, 1, 4]


def test_a_single_take_gives_no_knob_an_attribute():
    assert worth_knobs(values("x...x...x...x..."), len(FIRST)) == [None] * 3


def test_latents_are_turned_towards_the_attributes_that_they_follow():
    rng = np.random.default_rng(3)
    wanted = rng.normal(size=(50, 3))
    latents = np.stack([rng.normal(size=50), -wanted[:, 1], wanted[:, 2], -wanted[:, 0]], axis=1)

    order, signs = closest(latents, wanted)

    assert order == [3, 1, 2, 0]
    assert signs.tolist() == [-1.0, -1.0, 1.0, 1.0]
