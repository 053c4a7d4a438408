import numpy as np
import pytest
from conftest import GROOVES, pattern

from device.decoder import LOGIT_SCALE, POSITIONS, Scores, hits_of
from device.encoder import FULL
from device.network import IntegerNetwork
from device.slot import pack
from training.errors import LoopError
from training.learn import Corpus, fit, learn, merit
from training.network import Autoencoder, Batch
from training.optimise import Recipe, train
from training.playability import measure
from training.quantise import integer_decoder, integer_encoder

QUICK = Recipe(epochs=20)


def test_the_same_takes_and_seed_give_the_same_bytes_whatever_their_order(corpus):
    named = list(zip(corpus.names, corpus.takes, strict=True))

    first = pack(learn(Corpus.of(named), 5, recipe=QUICK))
    again = pack(learn(Corpus.of(named[::-1]), 5, recipe=QUICK))
    other = pack(learn(Corpus.of(named), 6, recipe=QUICK))

    assert first == again
    assert first != other


def test_a_few_grooves_are_all_reached_and_seldom_silent(slot):
    report = slot.about.playability

    assert report.reach == 1.0
    assert report.silence < 0.05
    assert report.likeness < 0.6
    assert min(report.travel) > 1
    assert report.heldout_f1 is None


def test_each_take_is_given_back_at_its_own_knob_position(slot):
    found = hits_of(slot.decoder.codes(slot.positions)[:, 0])

    assert np.abs(found.astype(int) - slot.hits).sum(axis=2).max() <= 2


def test_offsets_and_velocities_are_learned_too(slot, corpus):
    codes = slot.decoder.codes(slot.positions)
    take = corpus.takes[0]
    found = Scores(codes[0].astype(int)).pattern()
    both = found.hits & take.hits

    assert both.sum() >= 6
    assert np.abs(found.offsets - take.offsets)[both].mean() < 0.06
    assert np.abs(found.velocities - take.velocities)[both].mean() < 0.1


def test_knob_a_makes_it_busier(slot):
    positions = np.full((POSITIONS, 4), POSITIONS // 2)
    positions[:, 0] = np.arange(POSITIONS)

    counts = hits_of(slot.decoder.codes(positions)[:, 0]).sum(axis=(1, 2))

    assert counts[-100:].mean() > counts[:100].mean() + 3


def test_where_all_loops_are_equally_busy_knob_b_still_moves_them_off_the_beat():
    lines = ["x...x...x...x...", "..x...x...x...x.", ".x...x...x...x..", "...x..x..x...x.."]
    takes = [(f"{n}.wav", pattern(line)) for n, line in enumerate(lines)]
    corpus = Corpus.of(takes)

    made = learn(corpus, recipe=Recipe(epochs=600))

    assert len(set(corpus.hits.sum(axis=(1, 2)))) == 1
    assert made.about.playability.meaning["B"] > 0.5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_corpus_of_one_to_three_takes_works(count):
    named = [(f"{n}.wav", pattern(GROOVES[n])) for n in range(count)]

    made = learn(Corpus.of(named), recipe=Recipe(epochs=200))

    assert made.about.playability.reach == 1.0


def test_three_voices_are_learned_with_one_latent():
    named = [(f"{n}.wav", pattern(GROOVES[n], GROOVES[(n + 1) % 6], GROOVES[(n + 2) % 6])) for n in range(6)]

    made = learn(Corpus.of(named), recipe=Recipe(epochs=300))

    assert made.decoder.decode([0.5] * 4).pattern().hits.shape == (3, 32)
    assert made.about.playability.reach == 1.0


def test_with_ten_takes_two_are_held_out():
    rng = np.random.default_rng(1)
    named = [(f"{n}.wav", pattern("".join(rng.choice(["x", "."], 32)))) for n in range(10)]

    assert 0.0 < learn(Corpus.of(named), recipe=QUICK).about.playability.heldout_f1 < 1.0


def test_the_best_of_several_trainings_is_kept_and_its_seed_is_in_the_receipt(corpus):
    models = {seed: fit(corpus, seed, "fathom", QUICK) for seed in (3, 4, 5)}
    merits = {
        seed: merit(measure(model.decoder, corpus.hits, model.positions, 3)) for seed, model in models.items()
    }

    best = learn(corpus, 3, trainings=3, recipe=QUICK).about

    assert best.seed == max(merits, key=merits.__getitem__)
    assert best.corpus == corpus.digest()


def test_nothing_to_learn_and_an_unknown_architecture_are_said(corpus):
    with pytest.raises(LoopError, match="nothing to learn"):
        Corpus.of([])
    with pytest.raises(LoopError, match="architecture 'deep': expected one of fathom"):
        learn(corpus, architecture="deep")


def test_the_integer_decoder_gives_the_steps_of_the_float_one(corpus):
    rng = np.random.default_rng(7)
    inputs = corpus.codes / FULL
    network = Autoencoder((96, 64, 4, 64, 96), 2, rng)
    train(network, Batch(inputs, np.zeros((len(inputs), 0))), Recipe(epochs=300), rng)
    scale = 3.0 / 2047
    codes = rng.integers(-2047, 2048, (4000, 4))
    integer: IntegerNetwork = integer_decoder(network, codes * scale, scale)

    exact = network.decode(codes * scale)
    found = integer.run(codes)

    same = (exact[:, :32] > 0) == (found[:, :32] > 0)
    assert same.mean() >= 0.995
    assert np.abs(np.clip(exact, -15, 15) - np.clip(found * LOGIT_SCALE, -15, 15)).mean() < 0.15


def test_the_integer_encoder_gives_the_latents_of_the_float_one(corpus):
    rng = np.random.default_rng(8)
    network = Autoencoder((96, 64, 4, 64, 96), 2, rng)
    latents = network.encode(corpus.codes / FULL)
    scale = float(np.abs(latents).max()) / 2047

    found = integer_encoder(network, corpus.codes / FULL, scale).run(corpus.codes) * scale

    assert np.abs(found - latents).max() < 0.02 * np.abs(latents).max()


def test_progress_is_told_epoch_by_epoch(corpus):
    told = []

    learn(corpus, recipe=Recipe(epochs=5), progress=lambda *row: told.append(row))

    assert [row[:3] for row in told] == [("training", n, 5) for n in range(1, 6)]
    assert all(np.isfinite(row[3]) for row in told)


def test_fit_places_takes_within_the_travel(corpus):
    model = fit(corpus, 1, "fathom", QUICK)

    assert model.positions.min() >= 0
    assert model.positions.max() < POSITIONS
