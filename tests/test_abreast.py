from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.abreast import Abreast
from device.network import Dense, IntegerNetwork

RANGES = ((0, 255), (0, 255), (0, 1), (0, 0), (0, 2047), (-2047, 2047), (-7, 90), (3, 5), (-9, -2))


@st.composite
def networks(draw, inputs=4):
    """A network of one to four layers: ordinary ones, and ones that no training would give."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    widths = [inputs, *draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))]
    layers = []
    for fan_in, outputs in pairwise(widths):
        kind = draw(st.sampled_from(["ordinary", "halves", "huge", "tiny"]))
        scale = {
            "ordinary": rng.uniform(1e-4, 1e-2, outputs),
            "halves": 2.0 ** rng.integers(-12, 0, outputs),
            "huge": 10.0 ** rng.uniform(0, 300, outputs),
            "tiny": 10.0 ** rng.uniform(-320, -5, outputs),
        }[kind]
        low, high = draw(st.sampled_from(RANGES))
        weight = rng.integers(-127, 128, (outputs, fan_in)).astype(np.int8)
        bias = rng.integers(-(2**16), 2**16, outputs).astype(np.int32)
        layers.append(Dense(weight, bias, scale, low, high))
    return IntegerNetwork(layers, -2047, 2047)


def codes_of(abreast, points):
    abreast.points[...] = np.transpose(points)
    return abreast.run()


@given(several=st.lists(networks(), min_size=1, max_size=5), seed=st.integers(0, 10_000))
def test_networks_abreast_give_the_bits_that_each_gives_alone(several, seed):
    rng = np.random.default_rng(seed)
    abreast = Abreast(several)

    for _ in range(3):
        points = rng.integers(-2047, 2048, (len(several), 4))
        alone = [network.run(point) for network, point in zip(several, points, strict=True)]
        assert np.array_equal(codes_of(abreast, points), np.concatenate(alone))


@given(network=networks(inputs=7), count=st.integers(1, 4))
def test_networks_of_other_widths_and_as_many_as_one_likes(network, count):
    points = np.random.default_rng(count).integers(-2047, 2048, (count, 7))

    found = codes_of(Abreast([network] * count), points)

    assert np.array_equal(found.reshape(count, -1), network.run(points))


@pytest.mark.parametrize("scale", [0.5, 0.25, 1 / 3, 0.1, 1.0])
def test_every_sum_is_rounded_half_to_even(scale):
    first = Dense(np.eye(4, dtype=np.int8), np.zeros(4, np.int32), np.full(4, scale), 0, 255)
    last = Dense(np.eye(4, dtype=np.int8), np.zeros(4, np.int32), np.ones(4), -2047, 2047)
    network = IntegerNetwork([first, last], -2047, 2047)
    abreast = Abreast([network])

    for code in range(-20, 1100):
        point = [code, code + 1, code - 1, -code]
        assert codes_of(abreast, [point]).tolist() == [min(max(round(p * scale), 0), 255) for p in point]


def test_the_outputs_come_in_the_order_that_is_asked_for():
    rng = np.random.default_rng(1)
    layer = Dense(rng.integers(-9, 9, (6, 4)).astype(np.int8), np.zeros(6, np.int32), np.ones(6), -2047, 2047)
    network = IntegerNetwork([layer], -2047, 2047)
    points = rng.integers(-50, 50, (2, 4))
    order = np.array([[0, 6, 1], [7, 11, 5]])

    found = codes_of(Abreast([network, network], order), points)

    assert np.array_equal(found, network.run(points).ravel()[order])


def test_what_was_given_stays_when_the_next_is_evaluated():
    layer = Dense(np.eye(4, dtype=np.int8), np.zeros(4, np.int32), np.ones(4), -2047, 2047)
    abreast = Abreast([IntegerNetwork([layer], -2047, 2047)])

    first = codes_of(abreast, [[1, 2, 3, 4]])
    codes_of(abreast, [[5, 6, 7, 8]])

    assert first.tolist() == [1, 2, 3, 4]
