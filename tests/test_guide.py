"""The guide at a pipe: answers, waiting, and a player who is not there."""

import os

import pytest

from device.guide import Guide


@pytest.fixture
def typed():
    out, into = os.pipe()
    yield Guide(out), lambda text: os.write(into, text.encode()), lambda: os.close(into)
    os.close(out)


def test_an_answer_is_a_line_in_small_letters(typed, capsys):
    guide, type_in, close = typed
    type_in("  S\nyes\n\nno\n")

    assert guide.ask("left?") == "s"
    assert [guide.agrees("lit?") for _ in range(3)] == [True, True, False]
    assert capsys.readouterr() == ("", "left?\n" + "lit? [Y/n]\n" * 3)
    close()


def test_waiting_ends_when_it_is_so_or_with_enter_or_in_time(typed):
    guide, type_in, close = typed
    looks = iter([False, False, True])
    assert guide.wait(lambda: next(looks), 5.0)

    type_in("\n")
    assert not guide.wait(lambda: False, 5.0)
    assert not guide.wait(lambda: False, 0.02)
    close()


def test_nobody_is_waited_for_where_the_terminal_is_closed(typed):
    guide, _, close = typed
    close()

    assert guide.ask("there?") == ""
    assert not guide.there
    assert not guide.agrees("there?")
    assert not guide.wait(lambda: False, 60.0)
