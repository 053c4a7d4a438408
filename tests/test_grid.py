"""Hits land on their nearest step, and what is left over is their offset."""

import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, hits

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
    assert fit_grid(np.array([0.0, 0.5, 1.03, 1.5]), 120).start_s == pytest.approx(0.0)


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
