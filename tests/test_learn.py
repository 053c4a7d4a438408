import numpy as np
import pytest
from conftest import GROOVES, pattern

from device.decoder import POSITIONS, Scores, hits_of
from device.slot import REST, pack, unpack
from training.architectures import ARCHITECTURES, architecture_of
from training.errors import CancelledError, LoopError
from training.learn import Corpus, learn, merit
from training.model import fit

EPOCHS = 20


def test_the_same_takes_and_seed_give_the_same_bytes_whatever_their_order(corpus):
    named = list(zip(corpus.names, corpus.takes, strict=True))

    first = pack(learn(Corpus.of(named), 5, epochs=EPOCHS).slot)
    again = pack(learn(Corpus.of(named[::-1]), 5, epochs=EPOCHS).slot)
    other = pack(learn(Corpus.of(named), 6, epochs=EPOCHS).slot)

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

    made = learn(corpus, epochs=600).slot

    assert len(set(corpus.hits.sum(axis=(1, 2)))) == 1
    assert made.about.playability.meaning["B"] > 0.5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_corpus_of_one_to_three_takes_works(count):
    named = [(f"{n}.wav", pattern(GROOVES[n])) for n in range(count)]

    made = learn(Corpus.of(named), epochs=200).slot

    assert made.about.playability.reach == 1.0


def test_three_voices_are_learned_with_one_latent():
    named = [(f"{n}.wav", pattern(GROOVES[n], GROOVES[(n + 1) % 6], GROOVES[(n + 2) % 6])) for n in range(6)]

    made = learn(Corpus.of(named), epochs=300).slot

    assert made.decoder.decode([0.5] * 4).pattern().hits.shape == (3, 32)
    assert made.about.playability.reach == 1.0


def test_with_ten_takes_two_are_held_out():
    rng = np.random.default_rng(1)
    named = [(f"{n}.wav", pattern("".join(rng.choice(["x", "."], 32)))) for n in range(10)]

    assert 0.0 < learn(Corpus.of(named), epochs=EPOCHS).slot.about.playability.heldout_f1 < 1.0


def test_the_best_of_several_trainings_is_kept_and_its_seed_is_in_the_receipt(corpus):
    made = learn(corpus, 3, trainings=3, epochs=EPOCHS)
    merits = {training.seed: merit(training.report) for training in made.trainings}

    assert set(merits) == {3, 4, 5}
    assert made.slot.about.seed == max(merits, key=merits.__getitem__)
    assert made.slot.about.corpus == corpus.digest()


def test_nothing_to_learn_and_an_unknown_architecture_are_said(corpus):
    with pytest.raises(LoopError, match="nothing to learn"):
        Corpus.of([])
    with pytest.raises(LoopError, match="architecture 'deep': expected one of fathom, deep-steps, paper"):
        learn(corpus, architecture="deep")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_makes_a_slot_that_plays(corpus, name):
    made = learn(corpus, architecture=name, epochs=EPOCHS)
    again = unpack(pack(made.slot), "again")

    pattern = again.decoder.decode([0.2, 0.4, 0.6, 0.8]).pattern(0.9)
    assert again.about.architecture == name
    assert pattern.hits.any()
    assert np.isfinite(made.best.model.losses).all()
    assert set(again.about.knobs) == set("ABCD")


@pytest.mark.parametrize("name", ["fathom", "deep-steps", "paper-1"])
def test_a_network_of_each_kind_learns_to_give_its_takes_back(corpus, name):
    report = learn(corpus, architecture=name, epochs=1500).slot.about.playability

    assert report.reach >= 0.8


def test_with_two_latents_knobs_c_and_d_move_finely_what_a_and_b_move(corpus):
    model = fit(corpus.takes, 1, architecture_of("paper"))
    table, network = model.decoder.knob_map.table, model.decoder.network
    coarse, fine = np.ptp(table, axis=1)[:2], np.ptp(table, axis=1)[2:]
    codes = np.array([[100, -50, 0, 0], [0, 0, 100, -50], [60, -20, 40, -30]])

    assert model.knobs[2:] == ("A, finely", "B, finely")
    assert fine == pytest.approx(coarse / 8, abs=2)
    assert (np.diff(network.run(codes), axis=0) == 0).all()


def test_what_a_network_does_not_give_is_the_habit_of_each_step():
    lines = ["X...x...x...x...", "X..x..x...x.x...", "X.x...x.x...x.xx"]
    named = [(f"{n}.wav", pattern(line, offsets=0.1)) for n, line in enumerate(lines)]

    slot = learn(Corpus.of(named), architecture="paper", epochs=300).slot
    found = slot.decoder.decode([0.5] * 4).pattern(1.0)
    steps = slot.hits.any(axis=(0, 1))

    assert found.offsets[0, steps] == pytest.approx(0.1, abs=0.01)
    assert found.offsets[0, ~steps] == pytest.approx(0.0, abs=0.01)


def test_where_no_take_has_a_fill_knob_c_means_something_else():
    rng = np.random.default_rng(3)
    lines = ["".join(rng.choice(["x", "."], 16, p=[0.3, 0.7])) for _ in range(20)]
    named = [(f"{n}.wav", pattern(line)) for n, line in enumerate(lines)]

    about = learn(Corpus.of(named), epochs=EPOCHS).slot.about

    assert [about.knobs[knob] for knob in "AB"] == ["busy", "off-beat"]
    assert about.knobs["C"] not in ("fill", REST)


def test_a_training_that_is_stopped_leaves_nothing(corpus):
    told = []

    with pytest.raises(CancelledError, match="stopped"):
        learn(
            corpus,
            trainings=2,
            epochs=10,
            progress=lambda *row: told.append(row),
            stop=lambda: len(told) > 12,
        )

    assert len(told) == 13


def test_what_led_to_a_slot_is_there_for_a_report():
    rng = np.random.default_rng(1)
    named = [(f"{n}.wav", pattern("".join(rng.choice(["x", "."], 32)))) for n in range(12)]

    made = learn(Corpus.of(named), 5, trainings=2, epochs=EPOCHS)

    assert [training.seed for training in made.trainings] == [5, 6]
    assert made.best in made.trainings
    assert made.best.model.latents.shape == (12, 4)
    assert len(made.best.model.losses) == len(made.rehearsal.model.held_losses) == EPOCHS
    assert len(made.rehearsal.held) == 2
    assert made.slot.about.playability.heldout_f1 == round(made.rehearsal.step_f1, 4)
    assert set(made.seconds) == {"train", "measure"}


def test_progress_is_told_epoch_by_epoch(corpus):
    told = []

    learn(corpus, epochs=5, progress=lambda *row: told.append(row))

    assert [row[:3] for row in told] == [("training", n, 5) for n in range(1, 6)]
    assert all(np.isfinite(row[3]) for row in told)


def test_fit_places_takes_within_the_travel(corpus):
    model = learn(corpus, 1, epochs=EPOCHS).slot

    assert model.positions.min() >= 0
    assert model.positions.max() < POSITIONS
