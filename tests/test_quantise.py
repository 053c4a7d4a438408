import numpy as np
import pytest
from conftest import pattern

from device.decoder import LOGIT_SCALE, OUTPUT_LIMIT, POSITIONS, hits_of
from device.encoder import FULL, take_codes
from training.architectures import architecture_of
from training.attributes import FIRST
from training.model import fit
from training.playability import measure, place_takes
from training.quantise import run


class FloatDecoder:
    """The float network that a decoder was made from, behind the same knobs."""

    def __init__(self, model):
        self.knob_map, self.voices = model.decoder.knob_map, model.decoder.voices
        self._layers, self._scale = model.layers, model.scale

    def codes(self, positions):
        logits = run(self._layers, self.knob_map.latents(positions) * self._scale)[-1]
        codes = np.clip(logits / LOGIT_SCALE, -OUTPUT_LIMIT, OUTPUT_LIMIT)
        return codes.reshape(len(positions), 3, self.voices, 32)


@pytest.fixture(scope="module")
def beats():
    """Forty takes that are alike in places, as loops of one player are."""
    rng = np.random.default_rng(4)
    chance = np.array([0.95, 0.1, 0.4, 0.2, 0.7, 0.1, 0.4, 0.25] * 4)
    lines = rng.random((40, 32)) < np.clip(chance * rng.uniform(0.5, 1.4, (40, 1)), 0, 1)
    return [pattern("".join("x" if hit else "." for hit in line)) for line in lines]


@pytest.fixture(scope="module", params=["fathom", "deep-steps", "paper-1"])
def model(request, beats):
    return fit(beats, 1, architecture_of(request.param))


def test_the_integer_decoder_gives_the_steps_of_the_float_one(model):
    positions = np.random.default_rng(2).integers(0, POSITIONS, (4000, 4))

    exact = hits_of(FloatDecoder(model).codes(positions)[:, 0])
    found = hits_of(model.decoder.codes(positions)[:, 0])

    assert (exact == found).mean() >= 0.995


def test_every_figure_of_the_integer_decoder_is_that_of_the_float_one(model, beats):
    hits = np.array([take.hits for take in beats])
    reports = []
    for decoder in (model.decoder, FloatDecoder(model)):
        positions = place_takes(decoder, model.encoder, take_codes(beats), hits)
        reports.append(measure(decoder, hits, positions, 1, FIRST))
    integer, exact = reports

    assert integer.reach == pytest.approx(exact.reach, abs=1.01 / len(beats))  # a single take
    within = 0.01 if model.knobs[0] == "busy" else 0.03  # sweeps of five patterns have few ranks to agree in
    for knob in "ABC":
        assert integer.meaning[knob] == pytest.approx(exact.meaning[knob], abs=within)
    assert integer.likeness == pytest.approx(exact.likeness, abs=within)
    assert integer.silence == pytest.approx(exact.silence, abs=within)
    assert integer.travel == pytest.approx(exact.travel, rel=0.2, abs=1.0)  # patterns at an edge flicker


def test_the_integer_encoder_gives_the_latents_of_the_float_one(model, beats):
    codes = take_codes(beats)
    inside = np.abs(model.latents).max() <= model.scale * 2047

    found = model.encoder.run(codes) * model.scale

    wanted = model.latents if inside else np.clip(model.latents, -model.scale * 2047, model.scale * 2047)
    assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()
    assert codes.max() == FULL
