from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.score import END, GATE, NOTE, Score
from device.sequencer import Hit

GAP = 0.01


def edges(score, until=100.0):
    return [(event.beat, event.order) for event in score.take(until)]


def test_a_hit_goes_up_and_comes_down():
    score = Score(GAP)
    score.add([Hit(1.0, 0, 0.5, 100, 0, 36)])

    assert edges(score) == [(1.0, NOTE), (1.0, GATE), (1.5, END)]


def test_a_hit_that_still_sounds_is_cut_short_by_the_gap_before_the_next():
    score = Score(GAP)
    score.add([Hit(1.0, 0, 0.5), Hit(1.25, 0, 0.5)])

    assert edges(score) == [(1.0, GATE), (pytest.approx(1.24), END), (1.25, GATE), (1.75, END)]


def test_a_hit_that_sounds_already_is_cut_short_too():
    score = Score(GAP)
    score.add([Hit(1.0, 0, 4.0)])
    score.take(1.1)

    score.add([Hit(2.0, 0, 0.5)])

    assert edges(score) == [(pytest.approx(1.99), END), (2.0, GATE), (2.5, END)]


@pytest.mark.parametrize("apart", [0.0, 0.005, 0.01, 0.0199])
def test_two_hits_closer_than_two_gaps_are_one_the_louder(apart):
    score = Score(GAP)
    score.add([Hit(1.0, 0, 0.1, 40, 0, 36), Hit(1.0 + apart, 0, 0.1, 90, 0, 36)])

    assert [event.hit.velocity for event in score.take(9) if event.order == NOTE] == [90]


def test_a_louder_hit_between_two_softer_ones_stays_alone():
    score = Score(GAP)
    score.add([Hit(1.0, 0, 0.1, 40, 0, 36), Hit(1.022, 0, 0.1, 50, 0, 36), Hit(1.011, 0, 0.1, 90, 0, 36)])

    assert [event.hit.velocity for event in score.take(9) if event.order == NOTE] == [90]


def test_another_tempo_changes_the_end_of_what_is_timed_and_leaves_that_of_the_others():
    score = Score(GAP)
    score.add([Hit(1.0, 5, 0.1, timed=True), Hit(1.0, 0, 0.1)])
    score.take(1.05)

    score.retime(1.05, 0.5, GAP / 2)

    ends = {(event.track, round(event.beat, 6)) for event in score.take(9) if event.order == END}
    assert ends == {(5, 1.075), (0, 1.1)}
    assert score.gap == GAP / 2


def test_at_one_instant_ends_come_first_then_notes_then_gates():
    score = Score(GAP)
    score.add([Hit(0.5, 1, 0.5, 100, 0, 38), Hit(1.0, 0, 0.5, 100, 0, 36), Hit(1.0, 2, 0.5, 100, 0, 42)])
    score.take(0.9)

    assert [(event.order, event.track) for event in score.take(1.0)] == [
        (END, 1),
        (NOTE, 0),
        (NOTE, 2),
        (GATE, 0),
        (GATE, 2),
    ]


def test_the_next_beat_is_that_of_the_next_event_of_any_track():
    score = Score(GAP)
    assert score.next_beat() is None

    score.add([Hit(2.0, 3, 0.5), Hit(1.0, 5, 0.1)])

    assert score.next_beat() == 1.0


HITS = st.builds(
    lambda beat, track, length, velocity, lead, tie: Hit(
        beat, track, length, velocity, 0, 36, lead=lead, tie=tie
    ),
    st.floats(0, 8),
    st.integers(0, 2),
    st.floats(0.001, 4),
    st.integers(1, 127),
    st.floats(0, 0.2),
    st.booleans(),
)


@given(hits=st.lists(HITS, max_size=30), cuts=st.lists(st.floats(0, 12), max_size=6))
def test_what_is_said_to_be_next_can_be_taken_whatever_is_tied(hits, cuts):
    score = Score(GAP)
    waiting = sorted(hits)
    for until in [*sorted(cuts), 100.0]:
        score.add([hit for hit in waiting if hit.beat <= until + 1])
        waiting = [hit for hit in waiting if hit.beat > until + 1]
        while (beat := score.next_beat()) is not None and beat <= until:
            assert score.take(beat)


def test_a_tied_hit_is_held_over_to_the_next_which_goes_on_from_it():
    score = Score(GAP)
    score.add([Hit(1.0, 0, 1.0, 100, 0, 36, tie=True), Hit(1.5, 0, 0.25, 100, 0, 40)])

    orders = [(event.beat, event.order) for event in score.take(9)]

    assert orders == [(1.0, NOTE), (1.0, GATE), (1.5, NOTE), (1.5, GATE), (1.75, END)]


def test_a_tied_hit_whose_next_is_taken_back_ends_where_it_would():
    score = Score(GAP)
    score.add([Hit(1.0, 0, 1.0, 100, 0, 36, tie=True), Hit(1.5, 0, 0.25, 100, 0, 40)])
    score.take(1.2)

    score.unwait()

    assert [(event.beat, event.order) for event in score.take(9)] == [(2.0, END)]


def test_a_note_is_sent_before_its_gate_and_what_sounds_has_ended_by_then():
    score = Score(GAP)
    score.add([Hit(1.0, 0, 1.0, 100, 0, 36), Hit(1.5, 0, 0.25, 100, 0, 40, lead=0.1)])

    found = [(round(event.beat, 6), event.order) for event in score.take(9)]

    assert found[2:] == [(1.4 - GAP, END), (1.4, NOTE), (1.5, GATE), (1.75, END)]


@given(hits=st.lists(HITS, max_size=30), cuts=st.lists(st.floats(0, 12), max_size=6))
def test_every_hit_that_goes_up_comes_down_before_its_track_goes_up_again(hits, cuts):
    score = Score(GAP)
    events = []
    waiting = sorted(hits)
    for until in [*sorted(cuts), 100.0]:
        score.add([hit for hit in waiting if hit.beat <= until + 1])
        waiting = [hit for hit in waiting if hit.beat > until + 1]
        events += score.take(until)

    for track in range(3):
        edges = [event for event in events if event.track == track and event.order != NOTE]
        assert not edges or edges[-1].order == END
        for edge, after in pairwise(edges):
            assert edge.order == GATE or after.order == GATE
            assert edge.order == GATE or after.beat - edge.beat >= GAP * 0.999
            assert after.order == END or edge.order == END or edge.hit.tie, "only a tied one is held over"
    assert score.next_beat() is None
