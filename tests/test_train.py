"""LEARN, the knobs beside it and `train`: what is asked of the learning. On a box in simulated time."""

import pytest
from hand_helpers import lean_on, tip, turn, wait

from device.errors import SettingsError
from device.learning import BUSY, Learning, Wanted
from device.messages import from_words


class Pupil:
    """What the engine sees of a learning, as a test puts it."""

    complaint = ""

    def __init__(self):
        self.learning = Learning()
        self.asked = []

    @property
    def busy(self):
        return self.learning.state in BUSY

    def start(self, wanted):
        self.asked.append(wanted)
        self.learning = Learning("hearing", wanted.slot or None)
        return "being learned"

    def cancel(self):
        self.asked.append("cancel")
        self.learning = Learning()
        return "no longer"


@pytest.fixture
def box(make_box, slot, other_slot):
    box = make_box(library={1: slot, 2: other_slot})
    box.desk.learner = Pupil()
    return box


def lamp(box):
    wait(box, 40)
    return box.panel.lamps.states["learn"]


def test_learn_begins_cancels_and_then_lets_what_was_learned_come_in(box):
    pupil = box.desk.learner
    assert lamp(box) == "off"

    tip(box, "LEARN")
    assert pupil.asked == [Wanted(["loops"], 0, 1, 1, 1)]
    assert lamp(box) == "fast"

    tip(box, "LEARN")
    assert pupil.asked[1:] == ["cancel"]
    assert lamp(box) == "off"

    pupil.learning = Learning("done", 2, 1.0, offered=2)
    assert lamp(box) == "on"
    tip(box, "LEARN")
    assert box.player.numbers == [2]
    box.desk.undo()
    assert box.player.numbers == [1]

    pupil.learning = Learning("failed", 2)
    assert lamp(box) == "double"
    tip(box, "LEARN")
    assert len(pupil.asked) == 3, "it begins again"


def test_learn_for_long_cancels_and_does_not_begin(box):
    lean_on(box, "LEARN")
    assert box.desk.learner.asked == ["cancel"]


def test_knobs_that_turn_while_learn_is_held_set_what_is_learned_and_nothing_begins(box):
    box.panel.buttons.press("LEARN")
    wait(box)
    for knob, place in (("A", 1.0), ("B", 1.0), ("C", 1.0), ("D", 1.0)):
        turn(box, knob, place)
    box.panel.buttons.press("LEARN", "release")
    wait(box)

    settings = box.player.settings
    assert (settings.learn_slot, settings.learn_trainings, settings.learn_voices) == (16, 16, "3")
    assert box.desk.learner.asked == []
    tip(box, "LEARN")
    assert box.desk.learner.asked == [Wanted(["loops"], 16, 3, 1, 16)]


def test_a_box_that_cannot_learn_says_so_when_learn_is_pressed(make_box):
    box = make_box()

    tip(box, "LEARN")

    assert lamp(box) == "off"
    assert box.complaints == ["train: this box has no control socket, through which it is handed a slot."]
    assert box.desk.cancel() == "nothing is being learned."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"slot": 0}, "train: slot = 0: expected 1 to 16"),
        ({"slot": 17}, "train: slot = 17: expected 1 to 16"),
        ({"seed": -1}, "train: seed = -1: expected 0 to 4294967295"),
        ({"trainings": 17}, "train: trainings = 17: expected 1 to 16"),
        ({"voices": 2}, "train: voices = 2: expected 1 or 3"),
        ({"paths": [""]}, "train: '': expected a folder or a loop"),
        ({"paths": ["a\0b"]}, "expected a folder or a loop"),
    ],
)
def test_what_cannot_be_learned_is_refused_at_once(box, words, said):
    with pytest.raises(SettingsError, match=said):
        box.desk.train(**words)
    assert box.desk.learner.asked == []


def test_train_in_words(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert from_words(["train"]) == {"do": "train", "paths": []}
    assert from_words(
        ["train", "drums", "/b", "slot", "3", "voices", "3", "seed", "2", "trainings", "4"]
    ) == {
        "do": "train",
        "paths": [str(tmp_path / "drums"), "/b"],
        "slot": 3,
        "voices": 3,
        "seed": 2,
        "trainings": 4,
    }
    for words in (["slot"], ["slot", "free"], ["slot", "", "x"]):
        with pytest.raises(SettingsError, match="train: slot, expected a number after it"):
            from_words(["train", "x", *words])
    with pytest.raises(SettingsError, match="not a text in UTF-8"):
        from_words(["train", "\udcff"])
