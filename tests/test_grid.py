"""Hits land on their nearest step, and what is left over is their offset."""

import numpy as np
import pytest
import soxr
from loop_helpers import BEAT, RATE, beats, hits, write

from training.audio import read_loop
from training.grid import Grid, fit_grid, to_steps
from training.onsets import find_onsets, lead_in, velocities

STRAIGHT = Grid(start_s=0.0, step_s=0.125)


def place(onsets, levels=None, grid=STRAIGHT, steps=32):
    onsets = np.array(onsets, dtype=float)
    return to_steps(onsets, np.full(len(onsets), 0.5) if levels is None else np.array(levels), grid, steps)


@pytest.mark.parametrize("kind", ["click", "kick", "snare", "hat"])
@pytest.mark.parametrize("bpm", [60, 90, 120, 174, 200])
def test_a_loop_on_the_grid_is_heard_within_a_twelfth_of_a_step(bpm, kind):
    sound = beats(bpm=bpm, kind=kind)
    onsets, peaks = find_onsets(sound, RATE)

    on, _, offsets = to_steps(onsets, velocities(peaks), fit_grid(onsets, bpm, lead_in(sound, RATE)), 32)

    assert on.tolist() == hits(BEAT)
    assert np.abs(offsets).max() <= 1 / 12


def test_a_lean_is_kept_as_an_offset():
    on, levels, offsets = place([0.0, 0.15, 0.23], [0.9, 0.5, 0.7])

    assert np.flatnonzero(on).tolist() == [0, 1, 2]
    assert levels[:3] == pytest.approx([0.9, 0.5, 0.7])
    assert offsets[:3] == pytest.approx([0.0, 0.2, -0.16])


def test_rests_have_no_velocity_and_no_offset():
    on, levels, offsets = place([0.26, 1.01])

    assert not levels[~on].any()
    assert not offsets[~on].any()


def test_a_hit_that_rounds_past_the_end_wraps_to_step_0_and_stays_early():
    on, _, offsets = place([3.95])

    assert np.flatnonzero(on).tolist() == [0]
    assert offsets[0] == pytest.approx(-0.4)


def test_a_hit_on_sample_0_is_on_step_0():
    on, _, offsets = place([0.0])

    assert on[0]
    assert offsets[0] == 0.0


def test_what_rings_on_after_the_last_step_is_left_out():
    assert not place([4.2, 5.0])[0].any()


@pytest.mark.parametrize(("levels", "offset"), [((0.3, 0.9), 0.24), ((0.9, 0.3), -0.24), ((0.5, 0.5), -0.24)])
def test_of_two_hits_on_a_step_the_louder_stays_and_of_equals_the_earlier(levels, offset):
    on, kept, offsets = place([0.47, 0.53], levels)

    assert on.sum() == 1
    assert kept[4] == max(levels)
    assert offsets[4] == pytest.approx(offset)


def test_offsets_stay_within_half_a_step():
    onsets = np.sort(np.random.default_rng(0).uniform(0, 4, 400))

    assert np.abs(place(onsets)[2]).max() <= 0.5


def test_an_encoders_delay_is_cut_off():
    onsets = np.array([0.0, 0.5, 0.75, 1.0, 1.5, 1.75]) + 0.025

    assert fit_grid(onsets, 120, lead_s=0.025).start_s == pytest.approx(0.025, abs=0.001)


def test_a_rest_before_the_first_hit_is_not_cut_off():
    onsets = np.array([0.25, 0.5, 1.0, 1.5])

    assert fit_grid(onsets, 120, lead_s=0.25).start_s == pytest.approx(0.0)
    assert fit_grid(np.array([0.086, 0.345, 0.69]), 174, lead_s=0.086).start_s == pytest.approx(
        0.0, abs=0.002
    )


def test_one_late_hit_does_not_move_the_grid():
    assert fit_grid(np.array([0.0, 0.5, 1.03, 1.5]), 120).start_s == pytest.approx(0.0, abs=0.001)


def test_swing_is_measured_and_kept_in_the_offsets():
    steps = np.arange(16)
    onsets = (steps + np.where(steps % 2, 0.32, 0.0)) * 0.125
    grid = fit_grid(onsets, 120)

    assert grid.swing == pytest.approx(0.66, abs=0.01)
    assert place(onsets, grid=grid)[2][1] == pytest.approx(0.32, abs=0.01)


def test_no_hits_give_an_empty_grid():
    grid = fit_grid(np.zeros(0), 120)

    assert grid == Grid(0.0, 0.125)
    assert not place([], grid=grid)[0].any()


@pytest.mark.parametrize("rate", [22050, 48000])
@pytest.mark.parametrize("bpm", [60, 93.7, 135, 200])
def test_the_rate_of_the_file_does_not_move_the_grid(bpm, rate, tmp_path):
    sound = soxr.resample(beats(bpm=bpm, kind="snare"), RATE, rate)
    loop = read_loop(write(tmp_path / "loop.wav", sound, rate))
    onsets, _ = find_onsets(loop.samples, loop.rate)

    on, _, offsets = to_steps(onsets, np.ones(len(onsets)), fit_grid(onsets, bpm), 32)

    assert on.tolist() == hits(BEAT)
    assert np.abs(offsets).max() <= 1 / 12


def test_a_lead_of_the_detector_is_taken_out_at_every_tempo():
    for bpm in (60, 97, 128, 174, 200):
        onsets = np.flatnonzero(hits(BEAT)) * 15 / bpm + 0.006

        assert np.abs(place(onsets, grid=fit_grid(onsets, bpm))[2]).max() <= 1 / 12


def test_loose_hits_do_not_move_the_grid():
    for seed in range(20):
        steps = np.flatnonzero(hits(BEAT)).astype(float)
        steps += 0.15 * np.random.default_rng(seed).standard_normal(len(steps))

        assert abs(fit_grid(steps * 0.125, 120).start_s) < 0.1 * 0.125


def test_hits_of_their_own_lean_do_not_move_the_grid():
    steps = np.arange(16.0)
    steps[4::8] += 0.3  # a snare that is laid back

    assert fit_grid(steps * 0.125, 120).start_s == pytest.approx(0.0, abs=0.003)


@pytest.mark.parametrize("swing", [0.5, 0.54, 0.58, 0.62, 0.66])
def test_swing_is_measured_beside_a_common_shift(swing):
    steps = np.arange(32)
    onsets = (steps + np.where(steps % 2, 2 * swing - 1, 0.0)) * 0.125 + 0.006
    grid = fit_grid(onsets, 120)

    assert grid.swing == pytest.approx(swing, abs=0.01)
    assert grid.start_s == pytest.approx(0.006, abs=0.002)
    assert place(onsets, grid=grid)[2][1::2] == pytest.approx(2 * swing - 1, abs=0.03)


def test_triplets_land_on_steps_of_their_own_and_lean_a_third():
    onsets = np.arange(24) / 3 * 0.5
    on, _, offsets = place(onsets, grid=fit_grid(onsets, 120))

    assert on.tolist() == [True, True, False, True] * 8
    assert offsets[:4] == pytest.approx([0.0, 1 / 3, 0.0, -1 / 3], abs=0.03)


def test_bar_1_begins_where_it_is_said_and_what_comes_before_is_left_out():
    onsets = np.array([0.25, 0.5, 1.0, 1.5])
    grid = fit_grid(onsets, 120, start_s=0.5)

    assert grid.start_s == pytest.approx(0.5, abs=0.001)
    assert np.flatnonzero(place(onsets, grid=grid)[0]).tolist() == [0, 4, 8]


def wrong_steps(shift, loose, fitted):
    """Steps heard wrong in forty loops that are played so late and so loosely."""
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        written = np.sort(rng.choice(32, 14, replace=False))
        onsets = (written + shift + loose * rng.standard_normal(14)) * 0.125
        grid = fit_grid(np.sort(onsets), 120) if fitted else STRAIGHT
        on = place(np.sort(onsets), grid=grid)[0]
        wrong += int((on != np.isin(np.arange(32), written)).sum())
    return wrong


@pytest.mark.parametrize("loose", [0.02, 0.08, 0.15, 0.2])
def test_fitting_harms_no_loop_that_is_on_its_grid(loose):
    assert wrong_steps(0.0, loose, fitted=True) <= wrong_steps(0.0, loose, fitted=False) * 1.03 + 1


@pytest.mark.parametrize("loose", [0.06, 0.08])
def test_fitting_saves_tight_loops_that_are_late_as_a_whole(loose):
    assert wrong_steps(0.4, loose, fitted=True) * 4 < wrong_steps(0.4, loose, fitted=False)
