import numpy as np
import pytest

from device.ensemble import Ensemble
from device.settings import Settings


def test_slots_of_one_voice_fill_one_gate_each(slot, other_slot):
    ensemble = Ensemble([slot, other_slot])

    pattern = ensemble.pattern(ensemble.decode([0.2, 0.4, 0.6, 0.8]), Settings())

    assert np.array_equal(pattern.hits[0], slot.decoder.decode([0.2, 0.4, 0.6, 0.8]).pattern().hits[0])
    assert np.array_equal(pattern.hits[1], other_slot.decoder.decode([0.2, 0.4, 0.6, 0.8]).pattern().hits[0])
    assert not pattern.hits[2:].any()


def test_each_voice_has_the_density_of_its_own_gate(slot):
    ensemble = Ensemble([slot, slot])
    settings = Settings().changed("voice.1.density", 0).changed("voice.2.density", 1)

    pattern = ensemble.pattern(ensemble.decode([0.5] * 4), settings)

    assert pattern.hits.sum(axis=1).tolist() == [0, 32, 0, 0]


def test_what_is_more_than_sixteen_voices_stays_silent(slot):
    ensemble = Ensemble([slot] * 18)

    assert ensemble.voices == 18
    assert ensemble.pattern(ensemble.decode([0.5] * 4), Settings()).hits.shape == (16, 32)


@pytest.mark.parametrize(("voices", "expected"), [(1, 4), (4, 4), (7, 7), (17, 16)])
def test_there_is_a_row_for_every_gate_and_for_every_voice_that_may_play(slot, voices, expected):
    ensemble = Ensemble([slot] * voices)

    pattern = ensemble.pattern(ensemble.decode([0.5] * 4), Settings())

    alone = slot.decoder.decode([0.5] * 4).pattern()
    assert pattern.hits.shape == pattern.velocities.shape == pattern.offsets.shape == (expected, 32)
    for voice in range(min(voices, expected)):
        assert np.array_equal(pattern.hits[voice], alone.hits[0])
        assert np.array_equal(pattern.offsets[voice], alone.offsets[0])
