"""Undo and redo: what is one change, and what comes back; read from a whole box."""

import pytest
from conftest import run_until
from hand_helpers import turn, wait

from device.errors import ModelError, SettingsError

LATER = 1100  # ms: after that, the same thing is another change


def test_thirty_two_changes_are_taken_back_and_made_again(box):
    for n in range(40):
        box.desk.change("bpm", 100 + n)
        wait(box, LATER)

    for n in range(32):
        box.desk.undo()
        assert box.player.settings.bpm == 138 - n
    box.desk.undo()
    assert box.player.settings.bpm == 107
    for n in range(32):
        box.desk.redo()
        assert box.player.settings.bpm == 108 + n
    box.desk.redo()
    assert box.player.settings.bpm == 139


def test_knobs_settings_and_slots_are_taken_back_in_the_order_they_were_changed(box):
    turn(box, "A", 0.9)
    box.desk.change("voice.1.note", 40)
    box.desk.choose([2])
    box.desk.change("voice.1.mute", True)

    box.desk.undo()
    assert not box.player.settings.voices[0].mute
    assert box.player.numbers == [2]
    box.desk.undo()
    assert box.player.numbers == [1]
    box.desk.undo()
    assert box.player.settings.voices[0].note == 36
    assert box.desk.knobs[0] == 0.9
    box.desk.undo()
    assert box.desk.knobs[0] == 0.5
    for _ in range(4):
        box.desk.redo()
    assert (box.desk.knobs[0], box.player.numbers) == (0.9, [2])
    assert box.player.settings.voices[0].mute


def test_slots_that_were_set_as_a_setting_are_taken_back(box):
    box.desk.change("slots", [2])
    assert box.player.numbers == [2]
    box.desk.undo()
    assert box.player.numbers == [1]
    box.desk.redo()
    assert box.player.numbers == [2]

    box.desk.choose([1])
    box.desk.change("slots", [2])
    assert box.player.numbers == [2], "though it was set so before"


def test_slots_are_taken_back_on_the_bar_while_it_plays(box):
    box.engine.start()
    box.desk.choose([2])
    run_until(box.engine, 5.0)
    assert box.player.ensemble.names == ["slot 2"]

    box.desk.undo()
    assert box.player.waiting == ["slot 1"]
    run_until(box.engine, 8.1)
    assert box.player.ensemble.names == ["slot 1"]


def test_a_turn_of_the_hand_is_one_change_and_two_turns_are_two(box):
    turn(box, "A", 0.9)
    wait(box, LATER)
    turn(box, "A", 0.1)

    box.desk.undo()
    assert box.desk.knobs[0] == pytest.approx(0.9)
    box.desk.undo()
    assert box.desk.knobs[0] == 0.5


def test_two_hands_that_turn_for_long_are_two_changes(box):
    wait(box, 300)
    for step in range(200):
        box.panel.knobs.turn(0, 0.5 + step / 400)
        box.panel.knobs.turn(1, 0.5 - step / 400)
        wait(box)

    box.desk.undo()
    box.desk.undo()
    assert box.desk.knobs == [0.5] * 4


def test_generated_twice_in_a_hurry_is_taken_back_one_by_one(box):
    box.desk.generate()
    first = list(box.desk.knobs)
    box.desk.generate()

    box.desk.undo()
    assert box.desk.knobs == first
    box.desk.undo()
    assert box.desk.knobs == [0.5] * 4


def test_a_run_of_taps_is_one_change(box):
    for _ in range(5):
        box.desk.tap()
        wait(box, 1500)
    assert box.player.settings.bpm == pytest.approx(40, abs=1)

    box.desk.undo()

    assert box.player.settings.bpm == 120


def test_a_change_after_undo_leaves_nothing_to_make_again(box):
    box.desk.change("bpm", 100)
    box.desk.undo()
    box.desk.change("voice.1.note", 40)

    box.desk.redo()

    assert box.player.settings.bpm == 120
    assert box.player.settings.voices[0].note == 40


def test_what_changes_nothing_is_nothing_to_take_back(box):
    box.desk.change("voice.1.note", 40)
    box.desk.change("bpm", 120)
    box.desk.choose([1])
    box.desk.turn(0, 0.5)
    with pytest.raises(ModelError):
        box.desk.choose([9])
    with pytest.raises(SettingsError):
        box.desk.change("bpm", 1000)

    box.desk.undo()
    assert box.player.settings.voices[0].note == 36


def test_undo_leaves_the_tempo_of_a_clock_that_leads(box):
    box.desk.change("voice.1.note", 40)
    box.player.slaved = True
    box.player.follow(0.0, box.engine.time.now(), 97.0)

    box.desk.undo()

    assert box.player.settings.voices[0].note == 36
    assert box.player.settings.bpm == 97


def test_undo_with_nothing_to_undo_does_nothing(box):
    box.desk.undo()
    box.desk.redo()

    assert box.desk.changes == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda desk: desk.change("voice.2.swing", 0.54), "voice.2.swing 0.54 -> 0.5"),
        (lambda desk: desk.change("voices.swing", 0.54), "voices.swing 0.54 -> 0.5"),
        (lambda desk: desk.change("voice.3.mute", True), "voice.3.mute on -> off"),
        (lambda desk: desk.change("voice.1.pitch", [0, 7]), "voice.1.pitch (0, 7) -> ()"),
        (lambda desk: desk.change("bpm", 130), "bpm 130 -> 120"),
        (lambda desk: desk.change("slots", [2, 1]), "slot 2 + 1 -> 1"),
        (lambda desk: desk.change("cc.74", "bpm"), "cc.74 bpm -> nothing"),
        (lambda desk: desk.turn(1, 0.75), "B 0.75 -> 0.50"),
    ],
)
def test_undo_and_redo_say_what_they_brought_back(box, change, told):
    change(box.desk)
    there, _, back = told.rpartition(" -> ")
    name, _, value = there.partition(" ")

    box.desk.undo()
    assert box.desk.undone == f"undone: {told}."
    box.desk.redo()
    assert box.desk.undone == f"done again: {name} {back} -> {value}."
    box.desk.turn(3, 0.9)
    assert box.desk.undone == "", "it is told until the next change"


def test_of_many_things_that_come_back_the_first_are_told(box):
    box.desk.turn(0, 0.25)
    box.desk.generate()
    box.desk.undo()

    assert box.desk.undone.startswith("undone: A ")
    assert " -> 0.25, B " in box.desk.undone
    assert "more" not in box.desk.undone, "four knobs find room"
