"""What a player can change, by name, with undo; read from a whole box."""

import pytest
from conftest import beats, notes, pattern, play_pattern, run_until
from hand_helpers import tip, turn, wait

from device.desk import Desk
from device.errors import ModelError, SettingsError
from device.settings import Settings

LATER = 1100  # ms: after that, the same thing is another change


@pytest.fixture
def box(make_box, slot, other_slot):
    return make_box(library={1: slot, 2: other_slot})


# --- CV -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "amount", "knob", "cv", "place"),
    [
        ("off", 1, 0.5, 0.9, 0.5),
        ("unipolar", 1, 0.25, 0.5, 0.75),
        ("unipolar", 1, 0.75, 0.5, 1.0),
        ("unipolar", -1, 0.75, 0.5, 0.25),
        ("unipolar", 0.5, 0.25, 0.5, 0.5),
        ("bipolar", 1, 0.5, 0.5, 0.5),
        ("bipolar", 1, 0.5, 0.75, 1.0),
        ("bipolar", 1, 0.5, 0.0, 0.0),
        ("bipolar", 0.25, 0.5, 0.0, 0.25),
        ("bipolar", 0, 0.5, 0.0, 0.5),
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


# --- undo ---------------------------------------------------------------------------------------------------


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
    assert box.desk.undone == "nothing to undo."
    box.desk.redo()
    assert box.desk.undone == "nothing to redo."

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


# --- when a change is heard ---------------------------------------------------------------------------------


def at(box, beat, ms=0.0):
    """Let the music come to so long before a beat."""
    ns = box.player.clock.time_at(beat) - round(ms * 1e6)
    while box.engine.time.now() < ns - 100_000:
        box.engine.step()
    box.engine.time.sleep_until(ns)


@pytest.mark.parametrize(
    ("when", "first"), [("now", 1.25), ("step", 1.5), ("bar", 4.0)], ids=["now", "step", "bar"]
)
def test_a_note_changes_now_on_the_next_step_or_on_the_bar(make_box, when, first):
    box = make_box(pattern("x" * 16), Settings(change=when))
    box.engine.start()
    at(box, 1.25, ms=5)  # that step is decided already, its note is not out

    box.desk.change("voice.1.note", 50)
    run_until(box.engine, 5.0)

    played = notes(box.engine)
    assert next(beat for beat, number in played if number == 50) == pytest.approx(first)
    assert all(number == (50 if beat > first - 0.01 else 36) for beat, number in played)


@pytest.mark.parametrize(
    ("when", "wanted"),
    [("now", [1.0, 1.5, 2.0]), ("step", [1.0, 1.5, 2.0]), ("bar", [1.0, 2.0, 3.0, 4.0, 4.5])],
)
def test_a_voice_that_doubles_its_speed_does_so_when_it_is_to(make_box, when, wanted):
    box = make_box(pattern("x...x...x...x..."), Settings(change=when))
    box.engine.start()
    at(box, 1.1)

    box.desk.change("voice.1.multiply", 2)
    run_until(box.engine, wanted[-1] + 0.3)

    assert beats(box.engine, "gate1")[1:] == pytest.approx(wanted)


@pytest.mark.parametrize("when", ["now", "step", "bar"])
def test_the_tempo_changes_at_once_or_exactly_on_the_bar(make_box, when):
    box = make_box(pattern("x" * 16), Settings(change=when))
    box.engine.start()
    at(box, 1.3)
    top = box.player.clock.time_at(0.0)
    turned = 4.0 if when == "bar" else box.player.beat

    box.desk.change("bpm", 60)
    run_until(box.engine, 6.0)

    tape = [e for e in box.engine.output.tape.entries if e.get("jack") == "gate1" and e["level"]]
    assert [entry["beat"] for entry in tape[:24]] == pytest.approx([n / 4 for n in range(24)])
    for entry in tape:
        wanted = min(entry["beat"], turned) * 0.5e9 + max(0.0, entry["beat"] - turned) * 1e9
        assert entry["at_ns"] - top == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize(("when", "first"), [("now", 2.0), ("step", 2.0), ("bar", 4.0)])
def test_what_the_clock_jack_does_changes_when_it_is_to(make_box, when, first):
    box = make_box(pattern("x" * 16), Settings(change=when))
    box.engine.start()
    at(box, 1.6)

    box.desk.change("clock_out", 1)
    run_until(box.engine, 6.5)

    after = [beat for beat in beats(box.engine, "clock") if beat >= first - 1e-6]
    assert after == pytest.approx(list(range(round(first), 7)))


def test_a_voice_that_is_slowed_down_after_a_while_plays_on(make_box):
    box = make_box(pattern("x" * 16))
    box.engine.start()
    at(box, 16.1)

    box.desk.change("voice.1.divide", 2)
    run_until(box.engine, 20.3)

    assert beats(box.engine, "gate1")[-4:] == pytest.approx([18.5, 19.0, 19.5, 20.0])


@pytest.mark.parametrize(("when", "end"), [("now", 1.1), ("step", 1.5), ("bar", 1.5)])
def test_mute_now_ends_a_gate_that_sounds_and_mute_on_the_step_does_not(make_box, when, end):
    box = make_box(pattern("x...x...x...x..."), Settings(change=when).changed("voices.gate", 2.0))
    box.engine.start()
    at(box, 1.1)
    box.desk.change("voice.1.mute", True)
    run_until(box.engine, 5.0)

    downs = beats(box.engine, "gate1", level=0)
    assert downs[1] == pytest.approx(end, abs=0.01)
    assert [beat for beat, _ in notes(box.engine, 0x80)] == pytest.approx(downs)
    assert (len(downs) == 4) == (when == "bar")


def test_a_solo_now_ends_the_others(make_box):
    box = make_box(pattern("x" * 16, "x" * 16), Settings(change="now").changed("voices.gate", 0.9))
    box.engine.start()
    at(box, 1.1)
    box.desk.change("voice.2.solo", True)
    run_until(box.engine, 1.9)

    assert beats(box.engine, "gate1", level=0)[-1] == pytest.approx(1.1, abs=0.01)
    assert beats(box.engine, "gate2")[-1] == pytest.approx(1.75)


# --- program changes out ------------------------------------------------------------------------------------


def programs(box):
    return [
        (entry["at_ns"], entry["midi"])
        for entry in box.engine.output.tape.entries
        if "midi" in entry and entry["midi"][0] & 0xF0 == 0xC0
    ]


@pytest.mark.parametrize("early_ms", [0, 100, 500])
def test_a_slots_number_goes_out_once_and_as_early_as_it_is_set(make_box, slot, other_slot, early_ms):
    settings = Settings(program_out=10, program_early_ms=early_ms)
    box = make_box(settings=settings, library={1: slot, 2: other_slot})
    box.engine.start()
    run_until(box.engine, 1.0)
    tip(box, "SLOT")
    line = box.player.clock.time_at(4.0)
    run_until(box.engine, 9.0)

    ((time, message),) = programs(box)
    assert message == [0xC9, 1]
    assert 0 <= time - (line - early_ms * 1e6) <= 11e6, "jobs have their turn every 5 ms"


def test_a_slots_number_goes_out_at_once_when_the_box_is_stopped(make_box, slot, other_slot):
    box = make_box(settings=Settings(program_out=1), library={1: slot, 2: other_slot})
    wait(box, 100)
    assert programs(box) == [], "nothing has changed"

    began = box.engine.time.now()
    box.desk.choose([2])
    wait(box, 100)
    ((time, message),) = programs(box)
    assert message == [0xC0, 1]
    assert time - began <= 11e6

    box.desk.choose([1])
    wait(box, 100)
    box.desk.choose([1])
    wait(box, 100)
    assert [message for _, message in programs(box)] == [[0xC0, 1], [0xC0, 0]]


def test_a_choice_that_is_taken_back_before_the_bar_is_not_announced(make_box, slot, other_slot):
    box = make_box(settings=Settings(program_out=1), library={1: slot, 2: other_slot})
    box.engine.start()
    run_until(box.engine, 1.0)
    box.desk.choose([2])
    run_until(box.engine, 2.0)
    box.desk.undo()
    run_until(box.engine, 9.0)

    assert programs(box) == []


def test_the_desk_needs_no_panel(box):
    desk = Desk(box.player, box.sync, [0.1, 0.2, 0.3, 0.4])
    play_pattern(box.engine, pattern("x" * 16))

    desk.turn(0, 7.0)

    assert desk.knobs == [1.0, 0.2, 0.3, 0.4]
