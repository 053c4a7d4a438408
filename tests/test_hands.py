"""The panel's language, by hand on a whole box: what is pressed and turned, and what comes of it."""

import itertools

import pytest
from conftest import pattern
from hand_helpers import control, finger, lean_on, tip, turn, wait
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from device.box import Box
from device.ensemble import Ensemble
from device.memory import Memory
from device.player import Player
from device.settings import Settings
from device.tape import Tape
from hw.panel import open_panel
from hw.table import BUTTONS
from hw.timing import SimTime


@pytest.fixture
def box(make_box, slot, other_slot):
    return make_box(library={1: slot, 2: other_slot})


def steps_between(box, knob, to, look, steps=200):
    """What is seen after each of many small movements of a knob."""
    at = "ABCD".index(knob)
    begin = box.panel.knobs.values[at]
    wait(box, 300)
    seen = [look()]
    for step in range(steps):
        box.panel.knobs.turn(at, begin + (to - begin) * (step + 1) / steps)
        wait(box)
        seen.append(look())
    return seen


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


# --- fingers that slip --------------------------------------------------------------------------------------


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


# --- taking over --------------------------------------------------------------------------------------------

TARGETS = [
    "A",
    "bpm",
    "voices.density",
    "edit.gate",
    "voice.3.length",
    "edit.ratchet",
    "edit.scale",
    "clock_in",
]


def small_steps(path, most):
    return all(abs(b - a) <= most for a, b in itertools.pairwise(path))


@pytest.mark.parametrize("target", [*TARGETS, "edit.scale", "clock_in", "voice", "slot"])
@pytest.mark.parametrize("start", [0.1, 0.6, 0.97])
def test_a_knob_leads_anything_from_end_to_end_without_a_leap(box, target, start):
    box.desk.change("shift", [target, "-", "-", "-"])
    box.desk.move(target, start)
    finger(box, "SHIFT", "press")

    up = steps_between(box, "A", 1.0, lambda: box.desk.share_of(target))
    down = steps_between(box, "A", 0.0, lambda: box.desk.share_of(target))

    box.desk.move(target, 1.0)
    assert up[-1] == box.desk.share_of(target)
    box.desk.move(target, 0.0)
    assert down[-1] == box.desk.share_of(target)
    pieces = {"voice": 1 / 4, "slot": 1 / 2, "voice.3.length": 1 / 32, "edit.ratchet": 1 / 8}
    pieces |= {"edit.scale": 1 / 26, "clock_in": 1 / 7}
    assert small_steps(up, pieces.get(target, 0) + 0.05)
    assert small_steps(down, pieces.get(target, 0) + 0.05)
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)


@pytest.mark.parametrize(
    "elsewhere",
    [
        lambda box: box.desk.generate(),
        lambda box: box.desk.go_home(),
        lambda box: control(box, 16, 7),
        lambda box: control(box, 16, 120),
        lambda box: box.desk.undo(),
    ],
    ids=["generate", "home", "low CC", "high CC", "undo"],
)
def test_a_knob_takes_over_without_a_leap_what_was_set_elsewhere(box, elsewhere):
    turn(box, "A", 0.75)
    elsewhere(box)
    value = box.desk.knobs[0]
    assert box.desk.knobs[0] != 0.75

    path = steps_between(box, "A", 0.9, lambda: box.desk.knobs[0], steps=60)
    assert path[0] == value
    assert small_steps(path, 0.03)
    assert all(b > a for a, b in itertools.pairwise(path)), "no movement is dead"


def test_a_box_that_wakes_up_plays_what_it_remembers_and_the_knobs_take_over(make_box):
    places = [0.1, 0.9, 0.3, 0.5]
    box = make_box(memory=Memory(knobs=list(places)))

    wait(box, 500)
    assert box.desk.knobs == places
    path = steps_between(box, "A", 0.6, lambda: box.desk.knobs[0])
    assert small_steps(path, 0.01)
    assert path[-1] > 0.2
    assert box.desk.knobs[1:] == places[1:]


def test_a_knob_that_comes_back_from_a_layer_takes_over_without_a_leap(box):
    finger(box, "SHIFT", "press")
    turn(box, "A", 1.0)
    finger(box, "SHIFT", "release")
    assert box.desk.knobs[0] == 0.5

    path = steps_between(box, "A", 0.0, lambda: box.desk.knobs[0])

    assert small_steps(path, 0.01)
    assert path[-1] == 0.0


def test_voices_that_differ_move_each_from_its_own_place_and_meet_at_the_end(box):
    box.desk.change("voice.2.density", 0.9)
    finger(box, "SHIFT", "press")

    path = steps_between(box, "A", 0.0, lambda: [voice.density for voice in box.player.settings.voices[:3]])

    assert path[0] == [0.5, 0.9, 0.5]
    assert path[100] == pytest.approx([0.25, 0.45, 0.25])
    assert path[-1] == [0.0, 0.0, 0.0]
    assert small_steps([row[1] for row in path], 0.01)


def test_pick_up_waits_for_the_knob_and_jump_does_not(make_box):
    for mode, early in (("pick-up", 0.9), ("jump", 0.6)):
        box = make_box(settings=Settings().changed("takeover", mode))
        box.desk.turn(0, 0.9)

        turn(box, "A", 0.6)
        assert box.desk.knobs[0] == pytest.approx(early)
        turn(box, "A", 0.95)
        assert box.desk.knobs[0] == pytest.approx(0.95)


def test_each_voice_that_is_edited_has_a_place_of_its_own(box):
    finger(box, "PLAY", "press")
    turn(box, "B", 0.2)
    first = box.player.settings.voices[0].length
    box.desk.change("voice", 2)

    path = steps_between(box, "B", 0.3, lambda: box.player.settings.voices[1].length)

    assert path[0] == 32
    assert small_steps(path, 1)
    assert box.player.settings.voices[0].length == first


def test_a_layer_may_have_free_places_and_presses(make_box):
    box = make_box(settings=Settings().changed("shift", ["-", "generate", "voice.2.mute", "tap"]))
    turn(box, "B", 0.4)
    box.desk.go_home()
    finger(box, "SHIFT", "press")
    for knob in "ABC":
        turn(box, knob, 1.0)

    assert box.desk.knobs != [0.5] * 4
    assert box.player.settings.voices[1].mute
    generated = list(box.desk.knobs)
    turn(box, "B", 0.6)
    assert box.desk.knobs == generated, "once, when it passes the middle upwards"


def test_a_knob_put_by_a_message_goes_there_and_its_twin_with_it(box):
    box.hands.put(0, 0.2)

    assert box.panel.knobs.values[0] == box.desk.knobs[0] == 0.2
    turn(box, "A", 0.3)
    assert box.desk.knobs[0] == pytest.approx(0.3)


def test_hands_move_nothing_on_the_tape_of_what_plays(make_box):
    box = make_box(pattern("x" * 16))
    tip(box, "PLAY")
    turn(box, "A", 1.0)
    finger(box, "SHIFT", "press")
    turn(box, "A", 0.7)

    assert box.engine.health.dropped == 0
    assert box.engine.health.worst_ns == 0
