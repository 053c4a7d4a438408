import numpy as np
import pytest

from device.decoder import LATENT_LIMIT, OUTPUT_LIMIT, POSITIONS, Decoder, KnobMap
from device.network import Dense, IntegerNetwork
from training.playability import measure, place_takes, spearman, step_f1


@pytest.fixture
def ladder():
    """A decoder by hand: knob A adds hits one after the other from step 0, the other knobs do nothing."""
    weight = np.zeros((96, 4), np.int8)
    bias = np.zeros(96, np.int32)
    weight[:32, 0] = 1
    bias[:32] = [LATENT_LIMIT - round((n + 0.5) * 2 * LATENT_LIMIT / 32) for n in range(32)]
    layer = Dense(weight, bias, np.ones(96), -OUTPUT_LIMIT, OUTPUT_LIMIT)
    network = IntegerNetwork([layer], -LATENT_LIMIT, LATENT_LIMIT)
    points = np.array([[-LATENT_LIMIT, LATENT_LIMIT]] * 4, np.int16)
    return Decoder(KnobMap(points), network, 1)


def stairs(*counts):
    return np.array([[[n < count for n in range(32)]] for count in counts])


def test_every_figure_of_a_decoder_made_by_hand_is_what_it_must_be(ladder):
    takes = stairs(8, 16, 24)
    positions = np.array([[int(POSITIONS * n / 32), 0, 0, 0] for n in (8, 16, 24)])

    found = measure(ladder, takes, positions, seed=1)

    assert found.reach == 1.0
    assert found.meaning["A"] > 0.99
    assert found.meaning["B"] == 0.0
    assert found.travel == [33.0, 1.0, 1.0, 1.0]
    assert found.evenness == [1.0, 0.0, 0.0, 0.0]
    assert found.likeness < 0.5
    assert found.silence == pytest.approx(1 / 64, abs=0.01)


def test_a_take_that_no_knob_gives_back_is_not_reached(ladder):
    odd = np.zeros((1, 1, 32), bool)
    odd[0, 0, [1, 4, 9, 20, 30]] = True

    assert measure(ladder, odd, np.zeros((1, 4), int), seed=1).reach == 0.0


def test_the_local_search_finds_takes_that_the_encoder_misses(ladder):
    nothing = Dense(
        np.zeros((4, 96), np.int8), np.zeros(4, np.int32), np.ones(4), -LATENT_LIMIT, LATENT_LIMIT
    )
    blind = IntegerNetwork([nothing], -127, 127)
    takes = stairs(3, 16, 31)

    positions = place_takes(ladder, blind, np.zeros((3, 96)), takes)

    assert measure(ladder, takes, positions, seed=1).reach == 1.0


def test_spearman_is_one_for_what_rises_minus_one_for_what_falls_and_nothing_for_what_stands():
    places = np.arange(20)

    assert spearman(places, places**3) == pytest.approx(1.0)
    assert spearman(places, -places) == pytest.approx(-1.0)
    assert spearman(places, np.zeros(20)) == 0.0
    assert spearman(np.array([1, 2, 3, 4]), np.array([1, 1, 2, 2])) == pytest.approx(0.8944, abs=1e-4)


def test_step_f1_counts_hits_found_missed_and_added():
    assert step_f1(stairs(8), stairs(8)) == 1.0
    assert step_f1(stairs(8), stairs(4)) == pytest.approx(2 * 4 / (8 + 4))
    assert step_f1(stairs(0), stairs(0)) == 1.0
