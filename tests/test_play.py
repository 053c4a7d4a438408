import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device.slot import pack
from device.slots import SlotFolder

ROOT = Path(__file__).parents[1]


def fathom(*words, **more):
    """Run the command to its end; stdin is no terminal."""
    command = [sys.executable, "fathom.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, **more)


def start(*words):
    """A box that plays until it is told to stop."""
    command = [sys.executable, "fathom.py", "play", *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def wait_until_it_listens():
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and fathom("ctl", "state").returncode:
        time.sleep(0.1)


@pytest.fixture
def folder(home, slot, other_slot):
    folder = SlotFolder(home / "slots")
    folder.save(1, pack(slot))
    folder.save(2, pack(other_slot))
    return folder


def tape_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def balanced(tape):
    """No jack is left high and no note is left on."""
    jacks, sounding = {}, []
    for entry in tape:
        if "jack" in entry:
            jacks[entry["jack"]] = entry["level"]
        elif entry["midi"][0] & 0xF0 == 0x90:
            sounding.append(entry["midi"][1])
        elif entry["midi"][0] & 0xF0 == 0x80:
            sounding.remove(entry["midi"][1])
    return not any(jacks.values()) and not sounding


def test_eight_bars_in_simulated_time_are_what_decode_says_event_by_event(folder, tmp_path):
    knobs = "0.7,0.2,0.9,0.4"

    played = fathom(
        "play", "--slot", 1, "--knobs", knobs, "--bars", 8, "--time", "sim", "--tape", tmp_path / "t"
    )
    decoded = json.loads(fathom("decode", 1, "--knobs", knobs, "--json").stdout)

    assert played.returncode == 0
    tape = tape_of(tmp_path / "t")
    rises = [e["beat"] for e in tape if e.get("jack") == "gate1" and e["level"] == 1]
    notes = [e["beat"] for e in tape if e.get("midi", [0])[0] == 0x90]
    due = [(n + decoded["offsets"][0][n % 32]) / 4 for n in range(128) if decoded["hits"][0][n % 32]]
    assert rises == pytest.approx(due, abs=1e-4)
    clock = [e["beat"] for e in tape if e.get("jack") == "clock" and e["level"] == 1]
    assert clock == [n / 4 for n in range(128)], "eight bars, and not a pulse more"
    assert notes == rises
    assert balanced(tape)
    assert played.stdout == ""


def test_the_same_command_plays_the_same_tape(folder, tmp_path):
    for name in ("a", "b"):
        fathom(
            "play",
            "--slot",
            1,
            "--slot",
            2,
            "--bars",
            4,
            "--seed",
            5,
            "--time",
            "sim",
            "--tape",
            tmp_path / name,
        )

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(tape_of(tmp_path / "a")) > 100


def test_two_bars_in_real_time_take_as_long_as_two_bars(folder, tmp_path):
    played = fathom("play", "--slot", 1, "--bpm", 240, "--bars", 2, "--tape", tmp_path / "t")

    assert played.returncode == 0
    tape = tape_of(tmp_path / "t")
    first, *_, last = [entry for entry in tape if "jack" in entry]
    beats = last["beat"] - first["beat"]
    assert last["due_ns"] - first["due_ns"] == pytest.approx(beats * 60e9 / 240, abs=3)
    assert all(entry["at_ns"] >= entry["due_ns"] for entry in tape if "jack" in entry), "no jack is early"
    assert balanced(tape)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_with_every_gate_low_and_every_note_off(folder, tmp_path, number):
    process = start("--slot", 1, "--bpm", 300, "--tape", tmp_path / "t")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (
        (tmp_path / "t").exists() and (tmp_path / "t").stat().st_size > 2000
    ):
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)

    assert process.returncode == 0
    assert said.splitlines()[-1].endswith("Every gate is low and every note off.")
    assert balanced(tape_of(tmp_path / "t"))


def test_a_running_box_obeys_and_takes_a_newly_learned_slot(folder, tmp_path, other_slot):
    process = start("--slot", 1, "--bpm", 300, "--tape", tmp_path / "t")
    try:
        wait_until_it_listens()
        fathom("slots", "export", 2, tmp_path / "new.safetensors")

        taken = fathom("slots", "import", tmp_path / "new.safetensors", 1)
        time.sleep(2)  # two bars at 300 BPM
        state = json.loads(fathom("ctl", "state").stdout)["state"]
        quit_ = fathom("ctl", "quit")
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert taken.returncode == 0, taken.stderr
    expected = other_slot.decoder.decode([0.5] * 4).pattern().hits[0].astype(int).tolist()
    assert state["hits"][0] == expected
    assert quit_.returncode == 0
    assert "Every gate is low" in said
    assert not (Path(os.environ["FATHOM_HOME"]) / "control.sock").exists()


def test_a_damaged_slot_is_said_in_a_sentence_and_the_last_good_one_plays(folder, slot, tmp_path):
    folder.save(1, pack(slot))
    folder.path(1).write_bytes(pack(slot)[:777])

    played = fathom("play", "--slot", 1, "--bars", 1, "--time", "sim", "--tape", tmp_path / "t")

    assert played.returncode == 0
    assert played.stderr.splitlines()[0].startswith("slot 1: not a whole slot file")
    assert "The one before plays." in played.stderr
    assert balanced(tape_of(tmp_path / "t"))


def test_a_box_that_has_learned_nothing_plays_the_factory_slot(home, tmp_path):
    played = fathom("play", "--bars", 1, "--time", "sim", "--tape", tmp_path / "t")

    assert played.returncode == 0
    assert {e["jack"] for e in tape_of(tmp_path / "t") if "jack" in e} >= {"gate1", "gate2", "gate3"}


def test_what_is_learned_first_takes_the_place_of_the_factory_slot(home, slot, tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(pack(slot))
    box = start("--bpm", 300)
    try:
        wait_until_it_listens()

        taken = fathom("slots", "import", tmp_path / "mine.safetensors", 1)
        time.sleep(2)  # two bars at 300 BPM
        state = json.loads(fathom("ctl", "state").stdout)["state"]
    finally:
        box.terminate()
        box.communicate(timeout=20)
    assert "slot 1 comes in on the next bar line" in taken.stderr
    assert state["slots"] == ["slot 1"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_matter(folder, tmp_path, closed):
    command = f"{sys.executable} fathom.py play --slot 1 --bars 1 --time sim --tape {tmp_path}/t {closed}"

    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert balanced(tape_of(tmp_path / "t"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--slot", "/nowhere/slot.safetensors"], "slot.safetensors: /nowhere/slot.safetensors is not there"),
        (["--slot", "17"], "slot 17: expected a number from 1 to 16"),
        (["--bpm", "1000"], "bpm = 1000.0: expected a number from 20 to 300"),
        (["--settings", "/nowhere.toml"], "/nowhere.toml: cannot be read"),
        (["--tape", "/nowhere/tape"], "/nowhere/tape: No such file or directory"),
        (["--panel", "pi"], "gpiochip"),
    ],
)
def test_what_cannot_be_played_is_one_sentence_and_status_1(home, words, sentence):
    if words[-1] == "pi" and list(Path("/dev").glob("gpiochip*")):
        pytest.skip("this machine has a gpiochip: the missing one cannot be tried here")

    played = fathom("play", "--bars", 1, "--time", "sim", *words)

    assert played.returncode == 1
    assert len(played.stderr.splitlines()) == 1, played.stderr
    assert "Traceback" not in played.stderr
    assert sentence in played.stderr


def test_a_setting_that_cannot_be_used_is_said_and_the_others_hold(folder, home, tmp_path):
    (home / "settings.toml").write_text("bpm = 60\n[voice.1]\nnote = 200\nchannel = 3\n")

    played = fathom("play", "--slot", 1, "--bars", 1, "--time", "sim", "--tape", tmp_path / "t")

    assert "settings.toml: voice.1.note = 200: expected a whole number from 0 to 127" in played.stderr
    tape = tape_of(tmp_path / "t")
    assert {e["midi"][0] & 0x0F for e in tape if "midi" in e and e["midi"][0] < 0xF0} == {2}
    assert tape[-1]["due_ns"] == pytest.approx(4e9, rel=0.1)


def test_a_second_box_with_the_same_socket_plays_without_and_says_so(folder, home, tmp_path):
    first = start("--slot", 1)
    try:
        wait_until_it_listens()

        names = {"FATHOM_HOME": str(tmp_path / "other"), "FATHOM_SOCKET": str(home / "control.sock")}
        second = fathom("play", "--bpm", 300, "--bars", 1, env={**os.environ, **names})

        assert second.returncode == 0
        assert "another Fathom plays there already" in second.stderr
        assert "This one plays without display, keys and ctl." in second.stderr
        assert fathom("ctl", "state").returncode == 0, "the first is still there"
    finally:
        first.terminate()
        first.communicate(timeout=20)


def test_what_is_wrong_with_the_panel_is_told_on_stderr_while_it_plays(folder, home):
    (home / "settings.toml").write_text(
        'midi_out = ["din"]\n[wiring]\nserial = "/dev/nowhere"\n[calibration]\nA = [1, 2]\n'
    )

    played = fathom("play", "--slot", 1, "--bpm", 240, "--bars", 2, "--no-display")

    assert played.returncode == 0
    for sentence in (
        "settings.toml: calibration.A = [1, 2]: expected two counts",
        "MIDI DIN: /dev/nowhere does not open (No such file or directory)",
    ):
        assert played.stderr.count(sentence) == 1


def test_wiring_that_cannot_be_is_said_also_in_simulated_time(folder, home):
    (home / "settings.toml").write_text("[wiring.out]\ngate1 = 9\n")

    played = fathom("play", "--slot", 1, "--bars", 1, "--time", "sim")

    assert played.returncode == 0
    assert "jack gate1 out is on GPIO9, which belongs to SPI0" in played.stderr
    named = fathom("play", "--slot", 1, "--bars", 1, "--time", "sim", "--settings", home / "settings.toml")
    assert named.returncode == 1, "a file that was named must be good"
