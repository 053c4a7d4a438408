"""A safe start: SHIFT at power-on, or --safe, and a box that plays whatever is broken on its disk."""

import time

import pytest
from process_helpers import ask, end, playing

from device import home as home_room
from device.keeper import QUIET_S, save
from device.memory import pack
from device.play import Options, gather, play
from device.slot import pack as pack_slot
from device.slots import SlotFolder
from hw.fingers import GpioButtons
from hw.panel import open_panel
from hw.sim import SimButtons
from hw.table import BUTTONS


def state_of(home):
    return ask(home, do="state")["state"]


def notes_of(home):
    return state_of(home)["notes"]


def memory(**settings):
    return {"settings": {key: [0, value] for key, value in settings.items()}, "knobs": None, "voice": 0}


def test_a_safe_start_plays_the_factory_slot_with_defaults_and_keeps_what_was_remembered(home, slot):
    SlotFolder(home / "slots").save(3, pack_slot(slot))
    (home / "settings.toml").write_text("bpm = 66\n[voice.1]\nnote = 40\n")
    save(home / "state.json", pack(memory(seed=7)))
    before = (home / "state.json").read_bytes()

    with playing(home, "--safe") as box:
        state = state_of(home)
        assert (state["bpm"], state["slots"]) == (120, ["factory slot"])
        assert any(note.startswith("Safe start: ") for note in state["notes"])
        time.sleep(QUIET_S + 1.5)
        assert (home / "state.json").read_bytes() == before
        ask(home, do="set", key="bpm", value=97)
        assert not any(note.startswith("Safe start: ") for note in notes_of(home)), "it is the player's again"
        assert ask(home, do="slots", slots=[3])["ok"], "what was learned can be chosen"
        said = end(box)

    assert "Safe start: " in said
    with playing(home) as box:
        state = state_of(home)
        assert (state["bpm"], state["slots"]) == (97, ["slot 3"])
        end(box)


class HeldButtons(SimButtons):
    """Buttons of which one is down before the box begins."""

    def __init__(self, name):
        super().__init__()
        self.press(name)
        self.presses()


@pytest.mark.parametrize(("button", "bpm"), [("SHIFT", 120), ("PLAY", 66)])
def test_shift_held_at_power_on_is_a_safe_start_and_no_other_button_is(
    home, monkeypatch, tmp_path, button, bpm
):
    home.mkdir()
    (home / "settings.toml").write_text("bpm = 66\n")

    def held(*words, **more):
        panel = open_panel(*words, **more)
        panel.buttons = HeldButtons(button)
        return panel

    said = []
    monkeypatch.setattr("device.play.open_panel", held)

    play(Options(bars=1, simulated_time=True), said.append)

    assert any(line.startswith("Safe start: ") for line in said) == (button == "SHIFT")
    assert any(f" at {bpm} BPM" in line for line in said)


def test_a_button_is_held_as_long_as_it_is_down():
    from gpiozero.pins.mock import MockFactory

    factory = MockFactory()
    buttons = GpioButtons(factory=factory)
    assert buttons.held() == []

    factory.pin(BUTTONS["SHIFT"]).drive_low()
    assert buttons.held() == ["SHIFT"]
    factory.pin(BUTTONS["SHIFT"]).drive_high()

    assert buttons.held() == []
    buttons.close()


def test_flags_hold_in_a_safe_start_as_well(home):
    said = []

    play(Options(bars=1, simulated_time=True, safe=True, bpm=90), said.append)

    assert "playing factory slot at 90 BPM; Ctrl-C stops." in said


def test_where_the_slots_cannot_be_read_at_all_the_factory_slot_plays(home, monkeypatch):
    def dead(*words):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(SlotFolder, "filled", dead)

    library, slots, notes = gather([], [3])

    assert [slot.name for slot in slots] == ["factory slot"]
    assert list(library) == [1]
    assert notes == [f"{home / 'slots'}: Input/output error. The factory slot plays."]


def test_a_disk_that_is_full_or_not_to_be_written_is_said_before_anything_is_lost(home, monkeypatch):
    assert home_room.storage_notes() == []
    assert home.is_dir()

    monkeypatch.setattr(home_room.os, "access", lambda *words: False)
    assert home_room.storage_notes()[0].startswith(f"{home}: cannot be written. Nothing that is learned")
    monkeypatch.undo()
    monkeypatch.setenv("FATHOM_HOME", str(home))
    monkeypatch.setattr(home_room, "LEAST_ROOM", 2**70)
    assert home_room.storage_notes()[0].startswith(f"{home}: the disk is full. Nothing that is learned")


def test_a_folder_that_cannot_be_there_is_said(home):
    home.write_text("a file")

    (note,) = home_room.storage_notes()

    assert note.startswith(f"{home}: File exists. Nothing that is learned or changed is kept")
