"""A stick as the box meets it: lamp, LEARN, SLOT with LEARN, and what the process of the stick tells it."""

import pytest
from hand_helpers import finger, tip, turn, wait
from learner_helpers import attend, over

from device.errors import ModelError
from device.remote import state_of
from device.settings import Settings
from device.stick import Stick

DONE = """print(json.dumps({"takes": 3, "rejected": [], "seconds": {}, "playability": {"reach": 1.0}}))"""
ECHO = """sys.stderr.write(sys.argv[1] + "\\n"); sys.exit(1)"""


def told(box, state, folder="", fresh=0, says="", name="KICKS"):
    return box.desk.sticks.hear(Stick(name, state, says=says), folder, fresh, box.player.settings)


def learned(box):
    """What came of the learning that a stick has begun: the stand-in says which folder it was given."""
    box.desk.attend_learning()
    return attend(box.desk.learner, over).says


@pytest.fixture
def learns(make_box, make_learner, slot, other_slot):
    """A box whose learner fails with the name of the folder that it was to learn."""

    def make(**settings):
        changed = Settings()
        for key, value in settings.items():
            changed = changed.changed(key, value)
        box = make_box(settings=changed, library={1: slot, 3: other_slot})
        box.desk.learner = make_learner(ECHO)
        return box

    return make


# --- the lamp -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "lamp"),
    [("copying", "fast"), ("saving", "fast"), ("restoring", "fast"), ("waiting", "slow"), ("done", "off")],
)
def test_the_lamp_of_learn_shows_what_a_stick_does(box, state, lamp):
    told(box, state)
    wait(box, 100)

    assert box.panel.lamps.states["learn"] == lamp


def test_a_stick_of_which_nothing_came_is_a_complaint_until_learn_is_pressed(box):
    told(box, "failed", says="stick KICKS: pulled.")
    wait(box, 100)
    assert box.panel.lamps.states["learn"] == "double"
    assert "stick KICKS: pulled." in state_of(box).notes

    tip(box, "LEARN")
    wait(box, 100)

    assert box.panel.lamps.states["learn"] != "double"
    assert "stick KICKS: pulled." not in state_of(box).notes


def test_what_works_on_a_stick_and_falls_silent_is_said(box):
    told(box, "copying")
    wait(box, 17_000)

    assert box.desk.sticks.now.state == "failed"
    assert box.desk.sticks.complaint == "stick KICKS: what worked on it ended; put it in again."


def test_what_goes_on_is_published(box):
    box.desk.sticks.hear(Stick("KICKS", "copying", 3, 12), "", 0, Settings())

    assert state_of(box).stick == Stick("KICKS", "copying", 3, 12)


# --- learning -----------------------------------------------------------------------------------------------


def test_new_loops_of_a_stick_are_learned_by_themselves(learns):
    box = learns()

    told(box, "done", folder="loops/KICKS-abcdef", fresh=3)

    assert learned(box).endswith("/loops/KICKS-abcdef")


@pytest.mark.parametrize(("settings", "fresh"), [({}, 0), ({"stick_learns": "button"}, 3)])
def test_a_stick_that_brings_nothing_new_or_shall_wait_is_learned_with_learn(learns, settings, fresh):
    box = learns(**settings)
    told(box, "done", folder="loops/KICKS-abcdef", fresh=fresh)
    box.desk.attend_learning()
    assert not box.desk.learner.busy

    tip(box, "LEARN")

    assert learned(box).endswith("/loops/KICKS-abcdef")


def test_learn_learns_the_stick_that_came_last_or_all_loops(learns):
    box = learns(stick_learns="button")
    assert box.desk.sticks.source(box.player.settings) == "loops", "no stick has come yet"
    for name in ("ONE", "TWO"):
        told(box, "done", folder=f"loops/{name}-abcdef", fresh=1)
    assert box.desk.sticks.source(box.player.settings) == "loops/TWO-abcdef"

    box.desk.change("learn_from", "all")
    tip(box, "LEARN")

    assert learned(box).endswith("/loops")


def test_learn_while_a_stick_is_copied_learns_it_when_it_is(learns):
    box = learns(stick_learns="button")
    told(box, "copying")
    tip(box, "LEARN")
    box.desk.attend_learning()
    assert not box.desk.learner.busy

    told(box, "done", folder="loops/KICKS-abcdef")

    assert learned(box).endswith("/loops/KICKS-abcdef")


def test_learn_while_a_stick_is_copied_still_cancels_a_learning(make_box, make_learner, slot):
    box = make_box(library={1: slot})
    box.desk.learner = make_learner("time.sleep(30)")
    box.desk.train()
    told(box, "copying")

    tip(box, "LEARN")
    told(box, "done", folder="loops/KICKS-abcdef")

    assert attend(box.desk.learner, over).says.startswith("cancelled")
    assert box.desk.sticks.wants == ""


def test_a_stick_waits_for_a_learning_that_goes_on(learns):
    box = learns()
    told(box, "done", folder="loops/ONE-abcdef", fresh=1)
    box.desk.attend_learning()
    told(box, "done", folder="loops/TWO-abcdef", fresh=1)
    box.desk.attend_learning()
    assert attend(box.desk.learner, over).says.endswith("/loops/ONE-abcdef")

    assert learned(box).endswith("/loops/TWO-abcdef")


@pytest.mark.parametrize(("plays", "waiting"), [(True, ["slot 2"]), (False, [])])
def test_what_was_learned_comes_in_on_the_bar_by_itself_where_that_is_set(
    make_box, make_learner, slot, other_slot, plays, waiting
):
    settings = Settings().changed("learn_plays", plays).changed("learn_slot", 3)
    box = make_box(settings=settings, library={1: slot, 3: other_slot})
    box.desk.learner = make_learner(DONE)
    box.player.start()
    told(box, "done", folder="loops/KICKS-abcdef", fresh=1)
    box.desk.attend_learning()
    for _ in range(400):
        box.desk.attend_learning()
        if not box.desk.learner.busy:
            break
        attend_once(box)

    assert box.player.waiting == waiting
    assert box.desk.learner.learning.offered == 3


def attend_once(box):
    import time

    time.sleep(0.02)


@pytest.mark.parametrize("folder", ["/etc", "slots", "loops/../slots", "loops/.hidden", "loops/a\0"])
def test_a_folder_that_is_not_among_the_loops_is_refused(box, folder):
    with pytest.raises(ModelError, match="is no folder of loops"):
        told(box, "done", folder=folder, fresh=1)


def test_a_state_that_no_stick_has_is_refused(box):
    with pytest.raises(ModelError, match="state 'dancing', expected one of copying"):
        told(box, "dancing")


# --- SLOT and LEARN -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("SLOT", "LEARN"), ("LEARN", "SLOT")])
@pytest.mark.parametrize("first", [0, 1])
def test_slot_and_learn_let_go_ask_for_a_backup_and_do_nothing_else(box, order, first):
    told(box, "waiting")
    before = box.player.numbers

    for button in order:
        finger(box, button, "press")
    wait(box, 200)
    finger(box, order[first], "release")
    finger(box, order[1 - first], "release")

    assert told(box, "waiting") == "backup"
    assert told(box, "waiting") == "", "once"
    assert box.player.numbers == before
    assert not box.hands.complaint


def test_slot_and_learn_held_for_three_seconds_ask_to_restore(box):
    told(box, "waiting")

    finger(box, "SLOT", "press")
    finger(box, "LEARN", "press")
    wait(box, 700)
    for button in ("SLOT", "LEARN"):
        finger(box, button, "hold")
    wait(box, 2000)
    assert told(box, "waiting") == ""
    wait(box, 500)
    assert told(box, "waiting") == "restore", "while they are still held"
    finger(box, "SLOT", "release")
    finger(box, "LEARN", "release")

    assert told(box, "waiting") == ""


def test_slot_and_learn_without_a_stick_for_backups_are_a_sentence(box):
    for button in ("SLOT", "LEARN"):
        finger(box, button, "press")
    for button in ("SLOT", "LEARN"):
        finger(box, button, "release")

    assert box.hands.complaint == ("backup: no stick with a folder fathom-backup is in; put one in first.")


def test_a_knob_that_is_turned_while_both_are_held_asks_for_nothing(box):
    told(box, "waiting")
    for button in ("SLOT", "LEARN"):
        finger(box, button, "press")
    turn(box, "B", 0.9)
    wait(box, 4000)
    for button in ("SLOT", "LEARN"):
        finger(box, button, "release")

    assert told(box, "waiting") == ""


def test_learn_pressed_in_the_layer_of_slot_asks_for_nothing(box):
    told(box, "waiting")
    finger(box, "SLOT", "press")
    turn(box, "B", 0.9)
    finger(box, "LEARN", "press")
    finger(box, "LEARN", "release")
    finger(box, "SLOT", "release")

    assert told(box, "waiting") == ""


def test_a_stick_that_is_gone_can_be_asked_for_nothing(box):
    told(box, "waiting")
    told(box, "gone", name="OTHER")
    assert box.desk.sticks.ask("backup") == "stick KICKS: a backup is written."
    told(box, "gone")

    with pytest.raises(ModelError, match="no stick"):
        box.desk.sticks.ask("restore")
    told(box, "waiting")
    wait(box, 17_000)
    with pytest.raises(ModelError, match="no stick"):
        box.desk.sticks.ask("restore")


# --- another memory -----------------------------------------------------------------------------------------


def adopt(box, given, held, knobs=None, voice=0, slots=(1, 2)):
    for _ in box.adopt(given, held, knobs, voice, list(slots)):
        pass


def test_another_memory_is_adopted_while_it_plays_and_taken_back_by_one_undo(box):
    tip(box, "PLAY")
    wait(box, 300)
    box.desk.change("bpm", 97.0)

    adopt(
        box,
        {"bpm": 140.0, "voice.2.note": 50},
        {"slots": ([], [2]), "bpm": (140.0, 150.0)},
        [0.1, 0.2, 0.3, 0.4],
        2,
    )

    assert box.player.playing
    assert box.player.settings.bpm == 150.0
    assert box.player.settings.voices[1].note == 50
    assert box.player.waiting == ["slot 2"], "on the bar line"
    assert (box.desk.knobs, box.desk.voice) == ([0.1, 0.2, 0.3, 0.4], 2)
    assert box.memory() == {
        "settings": {"slots": ([], [2]), "bpm": (140.0, 150.0)},
        "knobs": [0.1, 0.2, 0.3, 0.4],
        "voice": 2,
    }
    box.desk.undo()
    assert box.player.settings.bpm == 97.0
    assert box.player.waiting == ["slot 1"] or box.player.ensemble.names == ["slot 1"]


def test_a_memory_that_cannot_be_used_changes_nothing(box):
    before = box.memory()

    with pytest.raises(ValueError, match="bpm = 9000"):
        adopt(box, {"bpm": 9000}, {})

    assert box.memory() == before


def test_slots_that_are_no_longer_there_are_no_longer_chosen(box):
    adopt(box, {}, {}, slots=[2])

    assert sorted(box.player.library) == [2]
    assert box.player.ensemble.names == ["slot 2"]
