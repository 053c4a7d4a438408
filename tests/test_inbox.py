import pytest

from device.inbox import MOST, Inbox


def taken(*messages):
    """What is heard of messages that came all at once, in order."""
    inbox = Inbox()
    for message in messages:
        inbox.put(bytes(message))
    heard = []
    while message := inbox.take():
        heard.append(tuple(message))
    return heard


def knob(value, number=16, channel=0):
    return (0xB0 | channel, number, value)


def test_what_came_first_is_heard_first():
    messages = [(0x90, 60, 1), knob(3), (0xC0, 1), (0x80, 60, 0), (0x90, 60, 2)]

    assert taken(*messages) == messages


def test_a_knob_that_turns_faster_than_it_is_heard_is_heard_where_it_has_got_to():
    assert taken(knob(1), (0x90, 60, 1), knob(2), knob(9)) == [knob(9), (0x90, 60, 1)]


def test_other_controllers_and_channels_are_others():
    messages = [knob(1), knob(2, number=17), knob(3, channel=1)]

    assert taken(*messages) == messages


@pytest.mark.parametrize("values", [(127, 0, 127, 0), (0, 127), (127, 127, 127), (0, 0)])
def test_no_press_of_a_switch_is_lost(values):
    assert [value for _, _, value in taken(*map(knob, values))] == list(values)


def test_what_has_been_heard_takes_no_new_value():
    inbox = Inbox()
    inbox.put(bytes(knob(1)))
    inbox.take()
    inbox.put(bytes(knob(2)))

    assert inbox.take() == bytes(knob(2))


def test_notes_without_end_are_let_go_and_a_knob_that_waits_still_moves():
    notes = [(0x90, 60, 1)] * (2 * MOST)

    heard = taken(knob(1), *notes, knob(2))

    assert len(heard) == MOST
    assert heard[0] == knob(2)
