"""What a player can change, by name, with undo; read from a whole box."""

import pytest
from conftest import pattern, play_pattern
from hand_helpers import turn, wait

from device.desk import Desk
from device.errors import SettingsError
from device.settings import Settings

# --- CV -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "amount", "knob", "cv", "place"),
    [
        ("off", 1, 0.5, 0.9, 0.5),
        ("unipolar", 1, 0.25, 0.5, 0.75),
        ("unipolar", 1, 0.75, 0.5, 1.0),
        ("unipolar", -1, 0.75, 0.5, 0.25),
        ("unipolar", 0.5, 0.25, 0.5, 0.5),
        ("unipolar", 1, 0.25, -0.5, 0.25),
        ("bipolar", 1, 0.5, 0.0, 0.5),
        ("bipolar", 1, 0.5, 0.5, 1.0),
        ("bipolar", 1, 0.5, -1.0, 0.0),
        ("bipolar", 0.25, 0.5, -1.0, 0.25),
        ("bipolar", 0, 0.5, -1.0, 0.5),
    ],
)
def test_cv_is_added_to_its_knob(make_box, mode, amount, knob, cv, place):
    settings = Settings().changed("cv", ["off", mode, "off", "off"]).changed("cv_amount", [1, amount, 1, 1])
    box = make_box(settings=settings)
    box.desk.turn(1, knob)
    box.panel.knobs.cv = [0.9, cv, 0.9, 0.9]
    wait(box)

    assert box.desk.places == pytest.approx([0.5, place, 0.5, 0.5])
    assert box.player.planner.scene.positions[1] == round(place * 1023)
    assert box.desk.knobs[1] == knob, "the knob itself stays"


def test_how_cv_is_added_is_heard_as_soon_as_it_is_set(box):
    box.panel.knobs.patch(0, 0.25)
    wait(box)
    assert box.player.planner.scene.positions[0] == round(0.75 * 1023)

    box.desk.change("cv_amount", [-1, 1, 1, 1])
    assert box.player.planner.scene.positions[0] == round(0.25 * 1023)
    box.desk.change("cv", ["off"] * 4)
    assert box.player.planner.scene.positions[0] == round(0.5 * 1023)


def test_cv_moves_the_pattern_and_is_no_change_of_the_players(box):
    before = box.desk.changes
    for step in range(20):
        box.panel.knobs.patch(0, step / 40)
        wait(box)

    assert box.desk.changes == before


# --- hold, generate, home -----------------------------------------------------------------------------------


def test_hold_freezes_the_pattern_and_lets_it_go_where_the_knobs_are(box):
    before = box.player.pattern.hits.copy()
    box.desk.hold()
    turn(box, "A", 1.0)
    box.panel.knobs.patch(1, 0.5)
    box.desk.generate()
    wait(box)
    assert (box.player.pattern.hits == before).all()

    box.desk.turn(0, 0.9)
    box.desk.hold()
    assert box.player.planner.scene.positions == [round(place * 1023) for place in box.desk.places]


def test_a_slot_that_comes_in_while_it_holds_holds_at_the_same_place(box):
    box.desk.hold(True)
    box.desk.turn(0, 1.0)
    box.desk.choose([2])

    assert box.player.ensemble.names == ["slot 2"]
    assert box.player.planner.scene.positions == [512] * 4
    box.desk.hold(True)
    assert box.desk.held, "said twice it is the same"


def test_generate_goes_through_the_same_places_with_the_same_seed(make_box):
    def places(seed):
        box = make_box(settings=Settings(seed=seed))
        box.desk.generate()
        first = list(box.desk.knobs)
        box.desk.generate()
        return first, list(box.desk.knobs)

    assert places(3) == places(3)
    assert places(3) != places(4)
    box = make_box(settings=Settings(seed=4))
    box.desk.generate()
    box.desk.change("seed", 3)
    box.desk.generate()
    assert box.desk.knobs == places(3)[0], "another seed begins anew"


def test_home_is_where_it_is_set(box):
    box.desk.change("home", [0.1, 0.2, 0.3, 0.4])
    box.desk.act("home")

    assert box.desk.knobs == [0.1, 0.2, 0.3, 0.4]
    assert box.player.planner.scene.positions == [102, 205, 307, 409]


# --- by name ------------------------------------------------------------------------------------------------


def test_slot_slots_and_voice_are_set_by_name(box):
    box.desk.change("slot", 2)
    assert box.desk.value("slot") == box.desk.value("slots") == [2]
    box.desk.change("slots", [1, 2])
    assert box.desk.value("slots") == [1, 2]
    box.desk.change("voice", 3)
    box.desk.change("edit.length", 7)

    assert box.desk.value("voice") == 3
    assert box.player.settings.voices[2].length == 7
    for key, value in (("voice", 17), ("voice", True), ("voice", "x"), ("slot", 0), ("slots", "x")):
        with pytest.raises(SettingsError, match=f"{key.rstrip('s')}s? = .*expected"):
            box.desk.change(key, value)


def test_what_is_set_can_be_asked_for_by_name(box):
    box.desk.change("voice.2.density", 0.7)

    assert box.desk.value("bpm") == 120
    assert box.desk.value("A") == 0.5
    assert box.desk.value("voice.2.density") == 0.7
    assert box.desk.value("edit.density") == 0.5
    assert box.desk.value("voices.note")[:3] == [36, 38, 42]
    assert box.desk.value("voices.groove") == 1.0
    assert box.desk.value("cc.16") == "A"
    with pytest.raises(SettingsError, match="tempo is not a setting"):
        box.desk.value("tempo")


def test_a_switch_that_is_nudged_is_the_other_way(box):
    for muted in (True, False, True):
        box.desk.nudge("voice.2.mute", 1)
        assert box.player.settings.voices[1].mute is muted


def test_every_share_of_the_travel_is_a_value_and_its_own_share_again(box):
    for target in ("bpm", "voice.1.gate", "voice.1.velocity_curve", "voice.1.length", "voice.1.mute"):
        for n in range(65):
            box.desk.move(target, n / 64)
            value = box.desk.value(target)
            box.desk.move(target, box.desk.share_of(target))
            assert box.desk.value(target) == pytest.approx(value, rel=1e-3)
    for target, low, high in (("voice.1.gate", 0.02, 32), ("voice.1.velocity_curve", 0.25, 4)):
        box.desk.move(target, 0)
        assert box.desk.value(target) == low
        box.desk.move(target, 1)
        assert box.desk.value(target) == high
    box.desk.move("voice.1.velocity_curve", 0.5)
    assert box.desk.value("voice.1.velocity_curve") == 1


def test_the_edited_voice_stays_in_reach_when_fewer_play(box, make_box, slot):
    many = make_box(slots=[slot] * 12)
    many.desk.move("voice", 1.0)
    assert many.desk.voice == 11

    box.desk.voice = 11
    assert 0 <= box.desk.share_of("voice") <= 1


def test_the_desk_needs_no_panel(box):
    desk = Desk(box.player, box.sync, [0.1, 0.2, 0.3, 0.4])
    play_pattern(box.engine, pattern("x" * 16))

    desk.turn(0, 7.0)

    assert desk.knobs == [1.0, 0.2, 0.3, 0.4]
