"""Lamps as a player reads them: what they say of the music."""

from itertools import pairwise

from conftest import pattern
from hand_helpers import tip, wait

from device.settings import Settings


def lamps(box):
    return box.panel.lamps.states


def test_play_blinks_slowly_while_another_slot_waits_for_the_bar_line(box):
    assert lamps(box)["play"] == "off"
    box.engine.start()
    wait(box, 500)
    assert lamps(box)["play"] == "on"

    tip(box, "SLOT")
    wait(box, 40)
    assert lamps(box)["play"] == "slow"
    wait(box, 2000)
    assert box.player.ensemble.names == ["slot 2"]
    assert lamps(box)["play"] == "on"


def test_to_wait_for_a_clock_is_no_complaint_of_the_clock_lamp(make_box):
    box = make_box(settings=Settings().changed("clock", "midi"))

    tip(box, "PLAY")
    wait(box, 40)

    assert lamps(box)["play"] == "slow"
    assert lamps(box)["clock"] == "slow"
    assert any(said.startswith("PLAY waits for") for said in box.complaints), "but it is said"


def test_every_trigger_is_seen_however_short(make_box):
    settings = Settings().changed("voices.gate_ms", 1).changed("bpm", 90)
    box = make_box(pattern("x...x...x...x..."), settings)
    seen = ["off"]
    tell = box.panel.lamps.set

    def look(name, state):
        if name == "voice1":
            seen.append(state)
        tell(name, state)

    box.panel.lamps.set = look
    box.engine.start()

    wait(box, 5300)

    assert [(before, after) for before, after in pairwise(seen)].count(("off", "on")) == 8
