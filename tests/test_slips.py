"""Fingers that slip: presses and releases that are lost, late or in the wrong order free every button."""

import pytest
from hand_helpers import finger, tip, turn, wait
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from device.box import Box
from device.ensemble import Ensemble
from device.player import Player
from device.settings import Settings
from device.tape import Tape
from hw.panel import open_panel
from hw.table import BUTTONS
from hw.timing import SimTime


@pytest.mark.parametrize("button", ["PLAY", "SLOT", "LEARN"])
def test_shift_may_be_let_go_first(box, button):
    turn(box, "A", 0.8)
    box.desk.tap()
    playing, numbers = box.player.playing, box.player.numbers

    finger(box, "SHIFT", "press")
    finger(box, button, "press")
    finger(box, "SHIFT", "release")
    finger(box, button, "release")

    assert (box.player.playing, box.player.numbers) == (playing, numbers)
    assert (box.desk.knobs[0] == 0.8) == (button == "PLAY"), "undo and generate are what they were to be"


def test_a_release_or_a_hold_without_a_press_does_nothing(box):
    before = box.desk.changes
    for button in BUTTONS:
        finger(box, button, "hold")
        finger(box, button, "release")

    assert not box.player.playing
    assert box.desk.changes == before
    assert box.hands.layer == ""


def test_a_press_whose_release_was_lost_ends_with_the_next(box):
    finger(box, "SHIFT", "press")
    wait(box, 1000)
    tip(box, "SHIFT")

    assert box.hands.layer == ""
    turn(box, "A", 0.8)
    assert box.desk.knobs[0] == 0.8


@effort(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.tuples(st.sampled_from(list(BUTTONS)), st.sampled_from(["press", "hold", "release"])),
                st.tuples(st.integers(0, 3), st.floats(0, 1)),
            ),
            st.sampled_from([0, 20, 300, 700]),
        ),
        max_size=30,
    )
)
def test_whatever_fingers_do_the_next_press_of_each_button_frees_it(slot, other_slot, deeds):
    time = SimTime()
    panel = open_panel("sim", midi_port=None, time=time)
    player = Player(time, Ensemble([slot]), Settings(), {1: slot, 2: other_slot}, panel.knobs.values)
    box = Box(panel, time, player, Tape())

    for (what, how), pause in deeds:
        if isinstance(what, str):
            panel.buttons.press(what, how)
        else:
            panel.knobs.turn(what, how)
        wait(box, pause)
    for button in BUTTONS:
        tip(box, button)
    assert box.hands.layer == ""

    wait(box, 300)
    if player.playing:
        tip(box, "PLAY")
    assert not player.playing
    assert not any(panel.jacks.levels.values())
    tip(box, "PLAY")
    assert player.playing
