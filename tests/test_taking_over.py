"""Knobs take over what was set elsewhere, or in another layer, without a leap; by hand on a whole box."""

import itertools

import pytest
from hand_helpers import control, finger, steps_between, turn, wait

from device.memory import Memory
from device.settings import Settings

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
