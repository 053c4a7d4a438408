"""The panel's language, by hand on a whole box: what is pressed and turned, and what comes of it."""

import pytest
from conftest import pattern
from hand_helpers import finger, lean_on, steps_between, tip, turn, wait

from device.settings import Settings

# --- PLAY ---------------------------------------------------------------------------------------------------


def test_play_starts_when_it_is_pressed_and_letting_go_does_nothing(box):
    finger(box, "PLAY", "press")
    assert box.player.playing

    finger(box, "PLAY", "release")
    assert box.player.playing


def test_play_stops_when_it_is_let_go(box):
    tip(box, "PLAY")
    wait(box, 500)

    finger(box, "PLAY", "press")
    assert box.player.playing
    finger(box, "PLAY", "release")
    assert not box.player.playing
    tip(box, "PLAY")
    assert box.player.beat > 0.9, "it goes on where it stopped"


def test_play_for_long_goes_to_the_top_when_it_is_let_go_and_plays_on(box):
    tip(box, "PLAY")
    wait(box, 2000)

    lean_on(box, "PLAY", 900)

    assert box.player.playing
    assert box.player.beat < 0.1


def test_play_for_long_from_a_stop_starts_at_once_and_then_from_the_top(box):
    box.player.locate(9.0)

    finger(box, "PLAY", "press")
    assert box.player.beat == pytest.approx(9.0, abs=0.1)
    wait(box, 600)
    finger(box, "PLAY", "hold")
    finger(box, "PLAY", "release")

    assert box.player.playing
    assert box.player.beat < 0.1


@pytest.mark.parametrize("before", [100, 700])
def test_play_that_was_held_while_a_knob_turned_neither_stops_nor_goes_to_the_top(box, before):
    tip(box, "PLAY")
    wait(box, 1000)
    finger(box, "PLAY", "press")
    wait(box, before)
    if before > 600:
        finger(box, "PLAY", "hold")

    turn(box, "B", 0.2)
    finger(box, "PLAY", "release")

    assert box.player.playing
    assert box.player.beat > 2
    assert box.player.settings.voices[0].length != Settings().voices[0].length
    assert box.desk.knobs[1] == 0.5


def test_play_that_starts_and_is_held_while_a_knob_turns_stays_where_it_is(box):
    finger(box, "PLAY", "press")
    turn(box, "B", 0.2)
    finger(box, "PLAY", "hold")
    finger(box, "PLAY", "release")

    assert box.player.playing
    assert box.player.beat > 1


def test_a_knob_that_is_being_turned_does_not_keep_play_from_stopping(box):
    tip(box, "PLAY")
    for step in range(40):
        box.panel.knobs.turn(0, 0.5 + step / 100)
        if step == 20:
            box.panel.buttons.press("PLAY")
        if step == 25:
            box.panel.buttons.press("PLAY", "release")
        wait(box)

    assert not box.player.playing
    assert box.desk.knobs[0] == pytest.approx(0.89)
    assert box.desk.voice == 0, "the knob stayed what it was"


def test_the_master_stops_while_play_is_pressed_and_the_box_stays_stopped(box):
    tip(box, "PLAY")
    finger(box, "PLAY", "press")
    box.panel.inputs[0].feed(b"\xfc")
    wait(box)
    assert not box.player.playing

    finger(box, "PLAY", "release")

    assert not box.player.playing


# --- SLOT ---------------------------------------------------------------------------------------------------


def test_slot_brings_in_the_next_slot_on_the_bar_and_then_the_first_again(box):
    tip(box, "PLAY")
    wait(box, 300)

    tip(box, "SLOT")
    assert box.player.waiting == ["slot 2"]
    assert box.player.ensemble.names == ["slot 1"]
    while box.player.waiting:
        box.engine.step()
    assert box.player.beat == pytest.approx(4.0, abs=0.02)
    tip(box, "SLOT")
    assert box.player.waiting == ["slot 1"]


def test_slot_where_none_is_filled_is_said_and_ends_nothing(make_box):
    box = make_box()

    tip(box, "SLOT")

    assert "no slot is filled" in box.complaints[0]


def test_slot_held_while_knobs_turn_is_a_layer_and_no_next_slot(box):
    finger(box, "SLOT", "press")
    turn(box, "B", 1.0)
    turn(box, "D", 1.0)
    finger(box, "SLOT", "release")

    assert box.player.numbers == [1]
    assert box.player.settings.voices[0].rotate == 31
    assert box.player.settings.voices[0].ratchet == 8
    assert box.player.settings.voices[1].ratchet == 1, "only the voice that is edited"


def test_a_slow_turn_with_slot_held_goes_through_the_slots(box):
    finger(box, "SLOT", "press")

    there = steps_between(box, "A", 1.0, lambda: box.player.numbers)
    back = steps_between(box, "A", 0.0, lambda: box.player.numbers)

    assert [there[0], there[-1]] == [[1], [2]]
    assert [back[0], back[-1]] == [[2], [1]]


def test_slot_held_for_long_and_let_go_changes_nothing(box):
    lean_on(box, "SLOT")

    assert box.player.numbers == [1]


# --- SHIFT --------------------------------------------------------------------------------------------------


def test_shift_held_turns_density_length_groove_and_tempo(box):
    finger(box, "SHIFT", "press")
    for knob in "ABCD":
        turn(box, knob, 0.25)
    finger(box, "SHIFT", "release")

    settings = box.player.settings
    assert {voice.density for voice in settings.voices} == {0.25}
    assert {voice.length for voice in settings.voices} < set(range(12, 20))
    assert {voice.groove for voice in settings.voices} == {0.5}, "it began at its end, and moves half as fast"
    assert settings.bpm == pytest.approx(20 + (100 / 280) / 2 * 280, abs=0.1)
    assert box.desk.knobs == [0.5] * 4
    assert not box.player.playing


def test_shift_and_play_tap_the_tempo_and_start_nothing(box):
    finger(box, "SHIFT", "press")
    for _ in range(4):
        finger(box, "PLAY", "press")
        finger(box, "PLAY", "release")
        wait(box, 600 - 24)
    finger(box, "SHIFT", "release")

    assert box.player.settings.bpm == pytest.approx(100, abs=2)
    assert not box.player.playing


def test_shift_and_slot_take_back_and_for_long_make_again(box):
    turn(box, "A", 0.8)
    finger(box, "SHIFT", "press")
    tip(box, "SLOT")
    assert box.desk.knobs[0] == 0.5

    lean_on(box, "SLOT")
    finger(box, "SHIFT", "release")

    assert box.desk.knobs[0] == 0.8
    assert box.player.numbers == [1]


def test_shift_and_learn_generate_and_for_long_go_home(box):
    finger(box, "SHIFT", "press")
    tip(box, "LEARN")
    generated = list(box.desk.knobs)
    assert generated != [0.5] * 4

    lean_on(box, "LEARN")
    finger(box, "SHIFT", "release")

    assert box.desk.knobs == [0.5] * 4


def test_shift_twice_freezes_and_twice_again_lets_go(box):
    for held in (True, False):
        tip(box, "SHIFT")
        tip(box, "SHIFT")
        assert box.desk.held is held


def test_shift_once_and_again_later_freezes_nothing(box):
    tip(box, "SHIFT")
    wait(box, 500)
    tip(box, "SHIFT")

    assert not box.desk.held


def test_shift_three_times_is_twice_and_once(box):
    for _ in range(3):
        tip(box, "SHIFT")

    assert box.desk.held


def test_shift_that_was_used_is_not_the_first_of_two(box):
    turn(box, "A", 0.8)
    turn(box, "B", 0.8)
    for _ in range(2):
        finger(box, "SHIFT", "press")
        tip(box, "SLOT")
        finger(box, "SHIFT", "release")

    assert not box.desk.held
    assert box.desk.knobs == [0.5] * 4


def test_hands_move_nothing_on_the_tape_of_what_plays(make_box):
    box = make_box(pattern("x" * 16))
    tip(box, "PLAY")
    turn(box, "A", 1.0)
    finger(box, "SHIFT", "press")
    turn(box, "A", 0.7)

    assert box.engine.health.dropped == 0
    assert box.engine.health.worst_ns == 0
