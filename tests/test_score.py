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


def test_two_hits_closer_than_the_gap_are_one_the_louder():
    score = Score(GAP)
    score.add([Hit(1.0, 0, 0.1, 40, 0, 36), Hit(1.005, 0, 0.1, 90, 0, 36)])

    assert [event.hit.velocity for event in score.take(9) if event.order == NOTE] == [90]


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
    Hit, st.floats(0, 8), st.integers(0, 2), st.floats(0.001, 4), st.integers(1, 127), st.just(0), st.just(36)
)


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
        levels = [event.order for event in events if event.track == track and event.order != NOTE]
        assert levels == [GATE, END] * (len(levels) // 2)
    assert score.next_beat() is None
