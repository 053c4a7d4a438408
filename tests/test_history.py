"""Undo and redo, apart from what is changed."""

from device.history import GESTURE_NS, KEPT, History

LATER = 2 * GESTURE_NS


def test_thirty_two_changes_are_taken_back_and_made_again():
    history = History()
    for n in range(40):
        history.changed("bpm", n, now=n * LATER)

    back = [history.undo(40 - n) for n in range(KEPT)]
    assert back == list(range(39, 7, -1))
    assert history.undo(8) is None, "there were more than are kept"
    assert [history.redo(8 + n) for n in range(KEPT)] == list(range(9, 41))
    assert history.redo(40) is None


def test_turns_without_a_pause_are_one_change():
    history = History()
    for n in range(10):
        history.changed("A", n, now=n * GESTURE_NS // 10)
    history.changed("A", 10, now=3 * GESTURE_NS)

    assert [history.undo(11), history.undo(10), history.undo(0)] == [10, 0, None]


def test_two_hands_on_two_knobs_are_two_changes_however_long_they_turn():
    history = History()
    for n in range(100):
        history.changed("AB"[n % 2], n, now=n * GESTURE_NS // 50)

    assert [history.undo(100), history.undo(1), history.undo(0)] == [1, 0, None]


def test_what_is_one_change_by_itself_is_one_however_soon_it_comes():
    history = History()
    for n in range(3):
        history.changed("generate", n, now=n, within=0)

    assert [history.undo(3), history.undo(2), history.undo(1)] == [2, 1, 0]


def test_a_change_after_undo_forgets_what_was_undone():
    history = History()
    history.changed("A", "one", now=0)
    assert history.undo("two") == "one"
    history.changed("A", "one", now=1)

    assert history.redo("three") is None
    assert history.undo("three") == "one", "and the gesture before the undo is over"


def test_what_was_turned_there_and_back_is_passed_over():
    history = History()
    history.changed("bpm", "slow", now=0)
    history.changed("A", "fast", now=LATER)

    assert history.undo("fast") == "slow"
    assert history.redo("slow") == "fast"
