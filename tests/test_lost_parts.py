"""A box whose parts go and come back: it plays on, its knobs move nothing by themselves, and it says so."""

import pytest
from hand_helpers import turn, wait

from device.journal import AGAIN_NS, LONGEST, Journal
from device.memory import Memory
from device.remote import state_of
from device.settings import Settings

GONE = "knobs: no MCP3008 answers on SPI0 (channel 0)."


def lose(box):
    box.panel.knobs.complaint = GONE
    wait(box)


def return_at(box, values):
    """The chip answers again, with the knobs somewhere else."""
    box.panel.knobs.complaint = ""
    box.panel.knobs.values = list(values)
    box.panel.knobs.returns += 1
    wait(box, 100)


def test_knobs_that_come_back_elsewhere_move_nothing_until_a_hand_does(box):
    turn(box, "A", 0.9)
    lose(box)
    return_at(box, [0.1, 0.2, 0.8, 0.9])
    assert box.desk.knobs == [0.9, 0.5, 0.5, 0.5]

    changes = box.desk.changes
    turn(box, "B", 0.3)

    assert box.desk.changes > changes
    assert box.desk.knobs[1] > 0.5
    assert [box.desk.knobs[0], *box.desk.knobs[2:]] == [0.9, 0.5, 0.5]


def test_a_box_that_starts_without_a_chip_has_its_knobs_where_they_were_left(make_box):
    box = make_box(memory=Memory(knobs=[0.1, 0.2, 0.3, 0.4]))
    lose(box)
    assert box.desk.knobs == [0.1, 0.2, 0.3, 0.4]

    return_at(box, [1.0, 1.0, 1.0, 1.0])
    assert box.desk.knobs == [0.1, 0.2, 0.3, 0.4]
    assert box.memory()["knobs"] == [0.1, 0.2, 0.3, 0.4]


def test_what_is_missing_is_in_the_state_and_on_the_lamp_for_as_long_as_it_is(box):
    assert box.panel.lamps.states["clock"] == "off"
    lose(box)
    wait(box, 50)
    assert GONE in state_of(box).notes
    assert box.panel.lamps.states["clock"] == "double"

    return_at(box, [0.5] * 4)
    assert GONE not in state_of(box).notes
    assert box.panel.lamps.states["clock"] == "off"


@pytest.mark.parametrize("playing", [True, False])
def test_a_part_that_is_missing_is_asked_for_again_twice_a_second(box, playing):
    asked = []
    box.panel.jacks.complaint = "jacks: no rights."
    box.panel.jacks.mend = asked.append
    if playing:
        box.sync.start()

    wait(box, 3000)

    assert 5 <= len(asked) <= 7
    assert set(asked) == {not playing}


def test_cv_of_a_box_without_a_chip_moves_nothing(make_box):
    box = make_box(settings=Settings().changed("cv", ["bipolar"] * 4))
    lose(box)

    assert box.desk.places == box.desk.knobs


# --- the journal --------------------------------------------------------------------------------------------


class Said:
    def __init__(self):
        self.there, self.lines, self.ns, self.full = [], [], 0, False
        self.journal = Journal(lambda: self.there, lambda: self.ns, self.write)

    def write(self, line):
        if not self.full:
            self.lines.append(line.decode())
        return not self.full

    def attend(self, *there, after=250_000_000):
        self.ns += after
        self.there = list(there)
        self.journal.attend()


def test_the_journal_says_what_is_wrong_once_and_when_it_is_no_more():
    said = Said()
    for there in ([], ["a."], ["a."], ["a.", "b."], ["b."], [], []):
        said.attend(*there)

    assert said.lines == ["a.\n", "b.\n", "no more: a.\n", "no more: b.\n"]


def test_what_comes_and_goes_all_the_time_is_said_once_a_minute():
    said = Said()
    for n in range(240):
        said.attend(*(["loose."] if n % 2 else []), after=AGAIN_NS // 120)

    assert said.lines.count("loose.\n") == 2


def test_a_journal_that_takes_nothing_is_not_waited_for_and_gets_it_later():
    said = Said()
    said.full = True
    for n in range(100):
        said.attend(f"{n}.")
    said.full = False
    for _ in range(100):
        said.attend()

    assert 0 < len(said.lines) <= 40
    assert said.lines[-1] == "no more: 99.\n"


def test_a_long_sentence_is_cut():
    said = Said()
    said.attend("x" * 2000)

    assert len(said.lines[0]) == LONGEST + 1
