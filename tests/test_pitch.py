"""Pitch lanes: scales, key, octave, and what a voice makes of them."""

import pytest
from conftest import notes, pattern, run_until
from hypothesis import given
from hypothesis import strategies as st

from device.pitch import MIDDLE_C, SCALES, note_of, snapped
from device.settings import Settings
from device.specs import VOICE_SPECS

SEMITONES = st.integers(-48, 48)
NAMES = st.sampled_from(list(SCALES))


def test_every_scale_has_its_root_and_rises_within_an_octave():
    for name, steps in SCALES.items():
        assert steps[0] == 0, name
        assert list(steps) == sorted(set(steps)), name
        assert steps[-1] < 12, name
    assert VOICE_SPECS["scale"].choices == tuple(SCALES)


@given(SEMITONES, NAMES)
def test_a_scale_pulls_down_to_its_next_note_and_leaves_its_own(semitones, name):
    note = snapped(semitones, name)

    assert note <= semitones
    assert note % 12 in SCALES[name]
    assert not any((between % 12) in SCALES[name] for between in range(note + 1, semitones + 1))
    assert snapped(note, name) == note
    assert snapped(semitones + 12, name) == note + 12


@given(
    st.lists(SEMITONES, min_size=1, max_size=8),
    st.integers(-100, 100),
    NAMES,
    st.integers(0, 11),
    st.integers(-5, 4),
)
def test_every_note_is_one_of_midis_and_of_its_scale(lane, place, name, key, octave):
    note = note_of(lane, place, name, key, octave)

    assert 0 <= note <= 127
    assert (note - key) % 12 in SCALES[name]


def played(make_box, drums, count, **settings):
    how = Settings()
    for name, value in settings.items():
        how = how.changed(f"voice.1.{name}", value)
    box = make_box(pattern(drums), how)
    box.engine.start()
    run_until(box.engine, 9.0)
    return [note - MIDDLE_C for _, note in notes(box.engine)][:count]


def test_a_lane_is_moved_on_by_steps_whether_they_play_or_not(make_box):
    assert played(make_box, "x.x.x.x.x.x.x.x.", 6, pitch=[0, 1, 2, 3, 4, 5, 6, 7]) == [0, 2, 4, 6, 0, 2]


def test_a_lane_is_moved_on_by_hits(make_box):
    assert played(make_box, "x..xx...x..xx...", 10, pitch=[0, 4, 7], pitch_by="hit") == [
        0,
        4,
        7,
        0,
        4,
        7,
        0,
        4,
        7,
        0,
    ]


def test_a_lane_that_is_moved_by_hits_goes_on_where_a_short_voice_begins_again(make_box):
    lane = played(make_box, "x..x.x..x.x.....", 9, pitch=[0, 2, 4, 5], pitch_by="hit", length=7)

    assert lane == [0, 2, 4, 5, 0, 2, 4, 5, 0]


def test_a_lane_may_begin_again_sooner(make_box):
    assert played(make_box, "x" * 16, 7, pitch=[0, 4, 7, 11], pitch_length=3) == [0, 4, 7, 0, 4, 7, 0]
    assert played(make_box, "x" * 16, 4, pitch=[0, 4], pitch_length=8) == [0, 4, 0, 4]


def test_scale_key_and_octave_move_what_is_played(make_box):
    lane = played(make_box, "x" * 16, 4, pitch=[0, 1, 4, -1], scale="minor", key=2, octave=-1)

    assert lane == [2 - 12 + above for above in (0, 0, 3, -2)]


def test_without_a_lane_the_note_is_played(make_box):
    assert played(make_box, "x" * 16, 3, note=61, scale="minor", key=3, octave=2) == [1, 1, 1]


@pytest.mark.parametrize("by", ["step", "hit"])
def test_a_rotated_voice_takes_its_lane_with_its_hits(make_box, by):
    straight = played(make_box, "x.......x.......", 4, pitch=[0, 3, 5, 7], pitch_by=by)
    later = played(make_box, "x.......x.......", 5, pitch=[0, 3, 5, 7], pitch_by=by, rotate=4)

    assert straight == ([0, 0, 0, 0] if by == "step" else [0, 3, 5, 7])
    assert later[:4] == ([0, 0, 0, 0] if by == "step" else [0, 3, 5, 7])
