import gc
import os
import sys
import threading

import pytest

from device import doctor
from device.doctor import Finding, wakes
from device.realtime import claimed
from device.remote import Remote
from device.slot import pack
from device.slots import SlotFolder
from hw.errors import PanelError
from hw.timing import SimTime


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


def test_the_doctor_wakes_as_the_engine_does_and_gives_its_claims_back(findings):
    def state():
        return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, gc.isenabled(), sys.getswitchinterval()

    before = state()
    timing = findings()["timing"]

    assert state() == before
    assert timing.found.startswith("5 wake-ups: half within ")
    assert "99.9 % within" in timing.found
    assert sum(count for _, count in timing.histogram) == 5
    assert len(timing.bars()) <= 5


def test_claims_are_given_back_whatever_happens():
    before = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK

    with pytest.raises(ZeroDivisionError), claimed():
        assert not gc.isenabled()
        raise ZeroDivisionError

    assert gc.isenabled()
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == before


def test_late_wake_ups_are_judged_with_advice(findings, monkeypatch):
    monkeypatch.setattr(doctor, "wakes", lambda *_: [3_000_000] * 5)

    timing = findings()["timing"]

    assert not timing.ok
    assert timing.advice
    assert timing.histogram == [(3072, 5)]


def test_wake_ups_are_a_spacing_apart_and_none_is_late_in_simulated_time():
    time = SimTime()

    assert list(wakes(time, 10, 2_000_000)) == [0] * 10
    assert time.now() == 20_000_000


def test_a_histogram_is_a_bar_for_every_doubling_and_what_is_rare_shows():
    finding = Finding("timing", True, "", histogram=[(1, 10), (5, 600), (8, 400), (2048, 1)])

    lines = finding.bars()

    assert [line.split()[1] for line in lines] == ["1", "8", "2048"]
    assert [line.count("#") for line in lines] == [1, 40, 1]
    assert [line.split()[-1] for line in lines] == ["10", "1000", "1"]
    assert Finding("python", True, "").bars() == []


def test_a_box_that_plays_is_asked_how_it_does(findings, home, make_box):
    assert not findings()["box"].ok
    assert not findings()["box"].needed

    home.mkdir(exist_ok=True)
    playing = make_box()
    playing.engine.start()
    remote = Remote(playing, home / "control.sock")
    done = threading.Event()

    def serve():
        while not done.wait(0.005):
            remote.serve()

    server = threading.Thread(target=serve)
    server.start()
    try:
        box = findings()["box"]
    finally:
        done.set()
        server.join()
        remote.close()

    assert box.ok
    assert box.found == "a box plays: half within 0 us, 99 % within 0 us, worst 0 us, 0 dropped"
