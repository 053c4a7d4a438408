"""How a knob takes over: the value never jumps, no travel is dead, and knob and value meet."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.takeover import FASTEST, SAME, SLOWEST, taken_over

PLACES = st.floats(0, 1)
WALKS = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def walked(value, knob, walk, mode="catch-up"):
    """The values and places of a knob on a walk, each `(value, knob)`."""
    path = [(value, knob)]
    for there in walk:
        value = taken_over(value, knob, there, mode)
        knob = there
        path.append((value, knob))
    return path


def stroke(begin, end, movements=50):
    return [begin + (end - begin) * (n + 1) / movements for n in range(movements)]


@given(PLACES, PLACES, WALKS, st.sampled_from(["catch-up", "pick-up", "jump"]))
def test_the_value_stays_within_its_travel(value, knob, walk, mode):
    assert all(0 <= value <= 1 for value, _ in walked(value, knob, walk, mode))


@given(PLACES, PLACES, WALKS)
def test_a_small_movement_of_the_knob_is_a_small_one_of_the_value(value, knob, walk):
    path = walked(value, knob, walk)

    for (before, was), (after, now) in itertools.pairwise(path):
        assert abs(after - before) <= FASTEST * abs(now - was) + SAME + 1e-9


@given(PLACES, PLACES, WALKS)
def test_every_movement_moves_the_value_the_same_way_unless_it_is_at_the_end(value, knob, walk):
    path = walked(value, knob, walk)

    for (before, was), (after, now) in itertools.pairwise(path):
        moved = now - was
        if abs(before - was) <= SAME:
            assert after == (now if moved else before), "knob and value are one"
        elif moved > 0:
            assert after >= min(1.0, before + moved * SLOWEST) - 1e-9
        elif moved < 0:
            assert after <= max(0.0, before + moved * SLOWEST) + 1e-9


@given(PLACES, PLACES, WALKS)
def test_knob_and_value_never_part_and_are_one_once_they_have_met(value, knob, walk):
    path = walked(value, knob, walk)
    gaps = [abs(value - knob) for value, knob in path]

    for (_, was), (_, now), before, after in zip(path, path[1:], gaps, gaps[1:], strict=False):
        assert after <= max(before, SAME) + 1e-9
        if before <= SAME and now != was:
            assert after == 0


@given(PLACES, PLACES)
def test_a_stroke_from_end_to_end_makes_them_one(value, knob):
    path = walked(value, knob, [*stroke(knob, 0.0), *stroke(0.0, 1.0)])

    assert path[-1] == (1.0, 1.0)
    assert walked(value, knob, [*stroke(knob, 1.0), *stroke(1.0, 0.0)])[-1] == (0.0, 0.0)


@given(PLACES, st.floats(0.1, 0.9), st.integers(1, 200))
def test_a_tenth_of_the_travel_is_enough_to_reach_the_end(value, knob, movements):
    for end in (0.0, 1.0):
        assert walked(value, knob, stroke(knob, end, movements))[-1][0] == pytest.approx(end, abs=SAME)


@given(PLACES, PLACES, WALKS)
def test_pick_up_waits_until_the_knob_comes_by(value, knob, walk):
    path = walked(value, knob, walk, "pick-up")

    for (before, was), (after, now) in itertools.pairwise(path):
        passed = min(was, now) - SAME <= before <= max(was, now) + SAME and was != now
        assert after in (before, now)
        assert after == before or passed


def test_jump_is_where_the_knob_is():
    assert taken_over(0.9, 0.1, 0.2, "jump") == 0.2


def test_a_knob_that_does_not_move_moves_nothing():
    for mode in ("catch-up", "pick-up", "jump"):
        assert taken_over(0.9, 0.1, 0.1, mode) == 0.9
