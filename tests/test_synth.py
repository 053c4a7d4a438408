"""The drum and bass sounds: each keeps to its band, starts with its attack and ends in silence."""

import numpy as np
import pytest

from training.synth import BASSES, DRUMS, RATE, faded, noise


def share(sound: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Share of the energy between two frequencies."""
    power = np.abs(np.fft.rfft(sound, max(len(sound), RATE))) ** 2
    hz = np.fft.rfftfreq(max(len(sound), RATE), 1 / RATE)
    return float(power[(hz >= low_hz) & (hz < high_hz)].sum() / power.sum())


def drum(name: str, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    return DRUMS[name](np.random.default_rng(1), tune, length)


@pytest.mark.parametrize("name", DRUMS)
def test_a_drum_peaks_at_one_and_ends_in_silence(name: str):
    sound = drum(name)

    assert np.isfinite(sound).all()
    assert np.abs(sound).max() == pytest.approx(1.0)
    assert np.abs(sound[-20:]).max() < 0.001


@pytest.mark.parametrize("name", DRUMS)
def test_a_drum_is_loud_within_its_first_three_milliseconds(name: str):
    assert np.abs(drum(name)[: round(0.003 * RATE)]).max() > 0.4


@pytest.mark.parametrize(
    ("names", "low_hz", "high_hz"),
    [(["kick"], 0, 200), (["snare", "clap", "rim"], 200, 3000), (["closed", "open"], 3000, RATE)],
)
def test_low_middle_and_high_drums_keep_to_their_bands(names: list[str], low_hz: float, high_hz: float):
    assert min(share(drum(name), low_hz, high_hz) for name in names) > 0.9


def test_tuning_up_raises_the_pitch_and_length_the_ring():
    assert share(drum("tom", tune=2.0), 200, 600) > 0.8 > share(drum("tom"), 200, 600)
    assert len(drum("kick", length=2.0)) == pytest.approx(2 * len(drum("kick")), rel=0.01)


def test_the_same_generator_gives_the_same_noise_within_its_band():
    first, second = (noise(np.random.default_rng(3), 20000, 1000.0, 4000.0) for _ in range(2))

    assert np.array_equal(first, second)
    assert share(first, 500, 8000) > 0.99


def test_a_fade_leaves_the_attack_alone_and_takes_an_empty_sound():
    sound = faded(np.ones(1000), seconds=500 / RATE)

    assert (sound[:500] == 1).all()
    assert (np.diff(sound[500:]) <= 0).all()
    assert len(faded(np.zeros(0))) == 0


@pytest.mark.parametrize("name", BASSES)
def test_a_bass_note_has_its_pitch_its_length_and_no_clicks(name: str):
    note = BASSES[name].note(110.0, 0.5, accent=0.8)

    assert len(note) == round(0.5 * RATE)
    assert np.abs(note).max() == pytest.approx(1.0)
    assert max(abs(note[0]), abs(note[-1])) < 0.001
    on_partials = sum(share(note, hz - 25, hz + 25) for hz in range(110, 6000, 110))
    assert on_partials > 0.95  # the rest is the skirts of the envelope


@pytest.mark.parametrize("name", BASSES)
def test_an_accent_opens_the_filter_of_a_bass(name: str):
    attack = np.hanning(RATE // 20)  # the first 50 ms
    soft, hard = (BASSES[name].note(55.0, 0.2, accent)[: len(attack)] * attack for accent in (0.3, 1.0))

    assert share(hard, 1000, RATE) > 1.5 * share(soft, 1000, RATE)
