import os
from pathlib import Path

import pytest

from device.disk import write_safely
from device.errors import ModelError
from device.folders import exchange
from device.slot import pack
from device.slots import FACTORY, SlotFolder, load_file


@pytest.fixture
def folder(tmp_path):
    return SlotFolder(tmp_path / "slots")


def test_a_saved_slot_is_loaded_and_listed(folder, slot):
    folder.save(3, pack(slot))

    assert folder.filled() == [3]
    assert folder.load(3).about == slot.about


@pytest.mark.parametrize("swaps", [True, False], ids=["in one step", "where the file system cannot"])
def test_the_slot_before_is_kept_and_undo_swaps_the_two(folder, slot, other_slot, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr("device.slots.exchange", lambda a, b: False)
    folder.save(3, pack(slot))
    folder.save(3, pack(other_slot))

    folder.undo(3)
    assert folder.load(3).about == slot.about
    folder.undo(3)
    assert folder.load(3).about == other_slot.about


def test_undo_is_one_step_of_the_file_system(folder, slot, other_slot, monkeypatch):
    folder.save(3, pack(slot))
    folder.save(3, pack(other_slot))
    if not exchange(folder.path(3), folder.previous(3)):
        pytest.skip("this file system cannot swap two files")
    exchange(folder.path(3), folder.previous(3))
    monkeypatch.setattr("device.slots.write_safely", lambda path, blob: pytest.fail("written anew"))

    folder.undo(3)

    assert folder.load(3).about == slot.about


def test_undo_brings_back_a_slot_whose_file_is_gone(folder, slot, other_slot):
    folder.save(3, pack(slot))
    folder.save(3, pack(other_slot))
    folder.path(3).unlink()

    folder.undo(3)

    assert folder.load(3).about == slot.about


def test_a_slot_written_once_has_nothing_to_undo(folder, slot):
    folder.save(3, pack(slot))

    with pytest.raises(ModelError, match="slot 3: nothing to undo"):
        folder.undo(3)


def test_where_a_slot_is_damaged_the_one_before_plays(folder, slot, other_slot):
    folder.save(3, pack(slot))
    folder.save(3, pack(other_slot))
    folder.path(3).write_bytes(pack(other_slot)[:5000])

    found, complaint = folder.last_good(3)

    assert found.about == slot.about
    assert complaint.startswith("slot 3: not a whole slot file")
    assert complaint.endswith("The one before plays.")


def test_a_damaged_slot_does_not_replace_the_last_good_one(folder, slot, other_slot):
    folder.save(3, pack(slot))
    folder.save(3, pack(other_slot))
    folder.path(3).write_bytes(b"rubbish")

    folder.save(3, pack(other_slot))
    folder.undo(3)

    assert folder.load(3).about == slot.about


def test_a_link_is_followed_and_a_device_is_not_replaced(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "file")

    write_safely(tmp_path / "link", b"new")
    write_safely(Path("/dev/null"), b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"
    assert Path("/dev/null").is_char_device()


def test_where_both_are_damaged_the_factory_slot_plays(folder, slot):
    folder.save(3, pack(slot)[:100])

    found, complaint = folder.last_good(3)

    assert found.name == "slot 3 (factory)"
    assert complaint.endswith("The factory slot plays.")


def test_an_empty_slot_says_how_to_fill_it(folder):
    with pytest.raises(ModelError, match="slot 4: empty. Learn into it: fathom learn FOLDER --slot 4"):
        folder.load(4)


@pytest.mark.parametrize("number", [0, 17, 99])
def test_a_number_that_the_panel_has_not_is_refused(folder, number):
    with pytest.raises(ModelError, match="expected a number from 1 to 16"):
        folder.load(number)


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "slot"
    write_safely(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_safely(path, b"new")

    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["slot"]


def test_the_factory_slot_plays_three_voices():
    factory = load_file(FACTORY, "factory slot")

    assert factory.about.voices == 3
    pattern = factory.decoder.decode([0.5] * 4).pattern()
    assert pattern.hits.any(axis=1).all()
