from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ModelError
from device.network import Dense, IntegerNetwork


def make(rng, widths=(4, 24, 16, 9)):
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        last = index == len(widths) - 2
        layers.append(
            Dense(
                rng.integers(-127, 128, (outputs, inputs)).astype(np.int8),
                rng.integers(-(2**16), 2**16, outputs).astype(np.int32),
                rng.uniform(1e-4, 1e-2, outputs),
                -2047 if last else 0,
                2047 if last else 255,
            )
        )
    return IntegerNetwork(layers, -2047, 2047)


def exactly(network, codes):
    """The same network in Python's own integers."""
    for layer in network.layers:
        sums = [
            sum(int(w) * int(x) for w, x in zip(row, codes, strict=True)) + int(bias)
            for row, bias in zip(layer.weight, layer.bias, strict=True)
        ]
        codes = [
            min(max(round(total * float(scale)), layer.low), layer.high)
            for total, scale in zip(sums, layer.scale, strict=True)
        ]
    return codes


@given(seed=st.integers(0, 10_000))
def test_the_network_gives_what_exact_integers_give(seed):
    rng = np.random.default_rng(seed)
    network = make(rng)
    codes = rng.integers(-2047, 2048, 4)

    assert network.run(codes).tolist() == exactly(network, codes)


def test_a_batch_gives_the_same_bits_as_its_points_one_by_one():
    rng = np.random.default_rng(3)
    network = make(rng)
    codes = rng.integers(-2047, 2048, (200, 4))

    assert np.array_equal(network.run(codes), [network.run(row) for row in codes])


def test_codes_past_the_range_are_clipped():
    network = make(np.random.default_rng(4))

    assert np.array_equal(network.run(np.full(4, 9999)), network.run(np.full(4, 2047)))


def test_layers_that_do_not_fit_are_refused():
    rng = np.random.default_rng(5)
    first, second = make(rng, (4, 8, 3)).layers[0], make(rng, (4, 9, 3)).layers[1]

    with pytest.raises(ModelError, match=r"decoder.1.weight is \(3, 9\), expected \(3, 8\)"):
        IntegerNetwork([first, second], -1, 1, "decoder")


def test_sums_that_would_not_be_exact_are_refused():
    weight = np.full((1, 1000), 127, np.int8)
    layer = Dense(weight, np.zeros(1, np.int32), np.ones(1), -1, 1)

    with pytest.raises(ModelError, match="would not be exact"):
        IntegerNetwork([layer], -2047, 2047)
