"""The number of the slot that plays, sent out as a program change."""

import pytest
from conftest import run_until
from hand_helpers import tip, wait

from device.settings import Settings


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
