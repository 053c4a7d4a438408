"""What arrives over MIDI: control changes, what they learn to move, program changes, notes for a lane."""

import pytest
from conftest import notes, pattern, play_pattern, run_until
from hand_helpers import control, note, program, wait
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from device.box import Box
from device.ensemble import Ensemble
from device.errors import SettingsError
from device.memory import Memory
from device.player import Player
from device.settings import Settings
from device.tape import Tape
from hw.panel import open_panel
from hw.timing import SimTime


@pytest.fixture
def box(make_box, slot, other_slot):
    return make_box(library={1: slot, 2: other_slot})


def learn(box, target, number, value=64, channel=1):
    box.controls.learn(target)
    control(box, number, value, channel)


# --- control changes ----------------------------------------------------------------------------------------


def test_control_changes_16_to_19_are_the_knobs(box):
    for knob in range(4):
        control(box, 16 + knob, 127 if knob % 2 else 0, channel=1 + knob)

    assert box.desk.knobs == [0, 1, 0, 1]


def test_a_map_with_a_channel_wins_on_that_channel(make_box):
    settings = Settings().changed("cc.74", "voice.1.density").changed("cc.10.74", "voice.2.density")
    box = make_box(settings=settings)

    control(box, 74, 127, channel=3)
    control(box, 74, 0, channel=10)

    assert [voice.density for voice in box.player.settings.voices[:2]] == [1, 0]


def test_what_is_not_mapped_moves_nothing(box):
    before = box.player.settings
    control(box, 74, 99)
    control(box, 120, 0)  # all sound off is a mode message, and no control change
    box.panel.inputs[0].feed([0xE0, 0, 64])
    box.panel.inputs[0].feed([0xD0, 64])
    wait(box)

    assert box.player.settings == before
    assert box.desk.changes == 0


@pytest.mark.parametrize(("channel", "heard"), [(5, True), (6, False)])
def test_only_the_control_channel_is_heard_where_there_is_one(make_box, slot, other_slot, channel, heard):
    box = make_box(settings=Settings(control_channel=5), library={1: slot, 2: other_slot})

    control(box, 16, 127, channel)
    program(box, 2, channel)

    assert (box.desk.knobs[0] == 1.0) is heard
    assert (box.player.numbers == [2]) is heard


def test_every_value_of_a_control_change_is_a_note_of_its_own(make_box):
    box = make_box(settings=Settings().changed("cc.20", "voice.1.note"))

    for value in (0, 1, 63, 64, 126, 127):
        control(box, 20, value)
        assert box.player.settings.voices[0].note == value


# --- presses ------------------------------------------------------------------------------------------------


@pytest.fixture
def pressed(make_box, slot, other_slot):
    settings = Settings().changed("cc.30", "generate").changed("cc.31", "start").changed("cc.32", "stop")
    settings = settings.changed("cc.33", "next").changed("cc.34", "undo").changed("cc.35", "voice.1.mute")
    return make_box(settings=settings, library={1: slot, 2: other_slot})


def places(box):
    return tuple(box.desk.knobs)


def test_a_button_that_sends_127_and_0_acts_once(pressed):
    seen = [places(pressed)]
    for value in (127, 0, 127, 0):
        control(pressed, 30, value)
        seen.append(places(pressed))

    assert seen[1] == seen[2] != seen[0]
    assert seen[3] == seen[4] != seen[1]


def test_a_button_that_sends_127_alone_acts_each_time(pressed):
    seen = [places(pressed)]
    for _ in range(3):
        control(pressed, 30, 127)
        seen.append(places(pressed))

    assert len(set(seen)) == 4


def test_a_knob_that_passes_the_middle_upwards_acts_once(pressed):
    seen = {places(pressed)}
    for value in [*range(128), *range(126, -1, -1)]:
        control(pressed, 30, value)
        seen.add(places(pressed))

    assert len(seen) == 2


def test_presses_do_what_they_say(pressed):
    control(pressed, 31, 127)
    wait(pressed, 100)
    assert pressed.player.playing
    control(pressed, 33, 127)
    assert pressed.player.waiting == ["slot 2"]
    control(pressed, 34, 127)
    assert pressed.player.numbers == [1]
    control(pressed, 35, 127)
    assert pressed.player.settings.voices[0].mute
    control(pressed, 35, 0)
    assert not pressed.player.settings.voices[0].mute
    control(pressed, 32, 127)
    assert not pressed.player.playing


# --- learning by wiggling -----------------------------------------------------------------------------------


def test_the_next_control_change_is_learned_and_moves_what_it_was_learned_for(box):
    box.controls.learn("voice.1.density")
    assert box.controls.learning == "voice.1.density"

    control(box, 74, 100, channel=10)
    assert box.controls.learning == ""
    assert box.player.settings.voices[0].density == 0.5, "it is learned first, and moves with the next turn"
    control(box, 74, 127, channel=10)
    control(box, 75, 0, channel=10)

    assert box.player.settings.voices[0].density == 1.0
    assert dict(box.player.settings.cc)["10.74"] == "voice.1.density"
    assert box.controls.learned == "control change 74 on channel 10 moves voice.1.density."


def test_a_target_that_is_learned_anew_leaves_the_one_before(box):
    learn(box, "bpm", 74)
    learn(box, "bpm", 75)

    assert box.player.settings.value("cc.1.74") == ""
    assert box.player.settings.value("cc.1.75") == "bpm"


def test_a_control_change_that_moved_something_else_moves_it_no_longer_and_says_so(box):
    learn(box, "bpm", 74)
    learn(box, "voice.1.density", 74)
    assert box.controls.learned == "control change 74 on channel 1 moves voice.1.density instead of bpm."

    control(box, 74, 0)
    assert box.player.settings.bpm == 120
    assert box.player.settings.voices[0].density == 0


def test_a_control_change_that_is_mapped_on_every_channel_keeps_the_others(box):
    learn(box, "bpm", 16, channel=2)
    assert box.controls.learned == "control change 16 on channel 2 moves bpm instead of A."

    control(box, 16, 127, channel=2)
    assert box.player.settings.bpm == 300
    assert box.desk.knobs[0] == 0.5
    control(box, 16, 127, channel=1)
    assert box.desk.knobs[0] == 1.0


def test_what_was_learned_is_taken_back_as_one_change(box):
    before = box.player.settings.cc
    learn(box, "A", 74)
    assert box.player.settings.value("cc.16") == ""

    box.desk.undo()

    assert box.player.settings.cc == before


def test_a_button_that_is_learned_does_not_act_yet(box):
    box.engine.start()
    learn(box, "stop", 20, value=127)
    control(box, 20, 0)
    assert box.player.playing

    control(box, 20, 127)
    assert not box.player.playing


def test_learning_can_be_given_up_and_refuses_what_nothing_can_move(box):
    box.controls.learn("bpm")
    box.controls.learn("")
    control(box, 74, 0)
    assert box.player.settings.bpm == 120

    for target in ("tempo", "voice.1.pitch", "midi_out", "voice.17.note", "cc.16"):
        with pytest.raises(SettingsError, match="expected a setting"):
            box.controls.learn(target)
        assert box.controls.learning == ""


def test_a_map_that_is_full_says_so_and_keeps_what_it_has(make_box):
    settings = Settings()
    for number in range(124):
        settings = settings.changed(
            f"cc.2.{number}" if number < 120 else f"cc.3.{number - 120}", "voice.1.density"
        )
    box = make_box(settings=settings)

    learn(box, "bpm", 74)

    assert "more than 128 are mapped" in box.complaints[0]
    assert box.player.settings == settings


# --- program changes ----------------------------------------------------------------------------------------


def test_a_program_change_brings_in_its_slot_on_the_bar(box):
    box.engine.start()
    run_until(box.engine, 1.0)
    program(box, 2)

    assert box.player.waiting == ["slot 2"]
    run_until(box.engine, 4.1)
    assert box.player.ensemble.names == ["slot 2"]


def test_a_program_change_to_an_empty_slot_says_so_and_changes_nothing(box):
    box.engine.start()
    for number in (9, 100):
        program(box, number)
        assert f"slot {number}: " in box.complaints[0]
    note(box, 60)
    assert box.complaints, "a note that is played does not answer it"

    assert box.player.numbers == [1]
    assert box.player.waiting == []
    assert box.desk.changes == 0
    program(box, 2)
    assert box.complaints == []


def test_a_program_change_to_the_slot_that_plays_is_nothing(box):
    box.engine.start()
    program(box, 1)

    assert box.player.waiting == []
    assert box.desk.changes == 0


def test_program_changes_are_not_heard_where_they_are_off(make_box, slot, other_slot):
    box = make_box(settings=Settings(program_in=False), library={1: slot, 2: other_slot})

    program(box, 2)

    assert box.player.numbers == [1]


# --- notes for a lane ---------------------------------------------------------------------------------------


def lane(box, voice=0):
    return box.player.settings.voices[voice].pitch


def test_notes_are_a_lane_and_the_ninth_begins_it_again(box):
    note(box, 72)
    assert lane(box) == (), "nothing is recorded yet"
    box.desk.record(1)
    for number in range(60, 68):
        note(box, number, channel=7)
    assert lane(box, 1) == tuple(range(8))

    note(box, 48)
    assert lane(box, 1) == (-12,)
    assert box.player.settings.voices[1].pitch_length == 1
    box.desk.record(None)
    note(box, 50)
    assert lane(box, 1) == (-12,)


@effort(max_examples=25, deadline=None)
@given(st.lists(st.integers(12, 108), min_size=1, max_size=8), st.integers(0, 11), st.integers(-1, 1))
def test_notes_are_played_back_as_they_came(slot, numbers, key, octave):
    time = SimTime()
    panel = open_panel("sim", midi_port=None, time=time)
    settings = Settings().changed("voice.1.key", key).changed("voice.1.octave", octave)
    box = Box(panel, time, Player(time, Ensemble([slot]), settings, {1: slot}), Tape())
    play_pattern(box.engine, pattern("x" * 16))
    box.desk.record(0)
    for number in numbers:
        note(box, number)

    box.engine.start()
    run_until(box.engine, 2.1)

    within = [number for number in numbers if abs(number - 60 - key - 12 * octave) <= 48]
    if within == numbers:
        assert [number for _, number in notes(box.engine)][:8] == (numbers * 8)[:8]
    else:
        assert [number % 12 for _, number in notes(box.engine)][:8] == [n % 12 for n in (numbers * 8)[:8]]


def test_a_recording_is_one_change_and_the_next_is_another(box):
    for above in (0, 1):
        box.desk.record(0)
        for number in (60, 64, 67):
            note(box, number + above)
            wait(box, 1500)

    box.desk.undo()
    assert lane(box) == (0, 4, 7)
    assert box.player.settings.voices[0].pitch_length == 3
    box.desk.undo()
    assert lane(box) == ()
    note(box, 62)
    assert lane(box) == (2,), "what is played after undo begins the lane again"


def test_there_are_sixteen_voices_to_record(box):
    for voice in (-1, 16):
        with pytest.raises(SettingsError, match="expected 1 to 16"):
            box.desk.record(voice)


def test_what_was_learned_is_remembered_over_night(make_box, box):
    learn(box, "voice.1.density", 74, channel=10)

    kept = box.memory()["settings"]
    settings, complaints = Memory(settings=kept).over(Settings())

    assert complaints == []
    assert settings == box.player.settings
