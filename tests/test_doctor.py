import pytest

from device import doctor
from device.slot import pack
from device.slots import SlotFolder
from hw.errors import PanelError


@pytest.fixture
def findings(home, monkeypatch):
    monkeypatch.setattr(doctor, "TIMED_WAKES", 5)
    return lambda panel="sim": {finding.check: finding for finding in doctor.examine(panel)}


def test_a_damaged_slot_is_found_with_the_way_back(findings, home, slot):
    folder = SlotFolder(home / "slots")
    folder.save(2, pack(slot))
    folder.save(5, pack(slot))
    folder.save(5, pack(slot)[:99])
    folder.save(6, pack(slot)[:99])

    found = findings()

    assert found["slot 2"].ok
    assert not found["slot 5"].ok
    assert found["slot 5"].advice == "Go back: fathom slots undo 5"
    assert found["slot 6"].advice == "", "there is nothing to go back to"
    assert found["slot 6"].found.startswith("not a whole slot file")


def test_a_missing_part_is_found_and_the_rest_is_looked_at_all_the_same(findings, monkeypatch):
    def missing(*words, **more):
        raise PanelError("MCP3008: /dev/spidev0.0 is not there")

    monkeypatch.setattr(doctor, "open_panel", missing)
    monkeypatch.setattr(doctor, "open_midi_out", missing)

    found = findings("pi")

    assert not found["panel"].ok
    assert "MCP3008" in found["panel"].found
    assert not found["midi"].ok
    assert not found["midi"].needed
    assert "timing" in found


def test_settings_that_cannot_be_used_are_found(findings, home):
    home.mkdir()
    (home / "settings.toml").write_text("bpm = 5000")

    assert "bpm = 5000" in findings()["settings"].found
