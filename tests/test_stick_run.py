"""The process of a stick: what it does with which stick, what it tells the box, and with a box that plays."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from learner_helpers import over
from loop_helpers import beats, write
from process_helpers import ROOT, ask, end, playing, wait_until

import fathom
from device import stick_run
from device.home import latest_loops
from device.learning import Learning
from device.slot import pack
from device.slots import SlotFolder
from device.volume import Volume, volume
from training import copying


class Box:
    """Stands for a running box: remembers what it is told, and asks what it is to ask."""

    def __init__(self, monkeypatch, *asks):
        self.told = []
        self.state = {}
        self._asks = list(asks)
        monkeypatch.setattr(stick_run, "call", self)

    def __call__(self, path, message):
        self.told.append(message)
        waits = message.get("state") == "waiting"
        return {"ok": True, "state": self.state, "value": self._asks.pop(0) if waits and self._asks else ""}

    @property
    def states(self):
        """What was told, each once."""
        states = [message["state"] for message in self.told if message["do"] == "stick"]
        return [state for state, before in zip(states, [None, *states], strict=False) if state != before]


@pytest.fixture
def mounts(tmp_path):
    (tmp_path / "mounts" / "sda1").mkdir(parents=True)
    return tmp_path / "mounts"


@pytest.fixture
def attend(mounts, monkeypatch):
    """Lets a stick be in; its exit status, and what was said."""

    def run(kind="vfat", mounted=True, label="KICKS"):
        monkeypatch.setattr(stick_run, "volume", lambda _: Volume(label, kind, "4A21-0B7F"))
        monkeypatch.setattr(stick_run.os.path, "ismount", lambda _: mounted)
        monkeypatch.setattr(stick_run, "TELL_S", 0.01)
        said = []
        return stick_run.attend("sda1", copying, said.append, mounts), said

    return run


def test_a_stick_is_copied_and_can_be_pulled(home, mounts, attend, monkeypatch):
    (mounts / "sda1" / "a.wav").write_bytes(b"a")
    (mounts / "sda1" / "empty.wav").touch()
    box = Box(monkeypatch)

    status, said = attend()

    place = home / "loops" / copying.folder_name("KICKS", "4A21-0B7F")
    assert (status, [path.name for path in place.glob("*.wav")]) == (0, ["a.wav"])
    assert box.states == ["copying", "done"]
    assert (box.told[-1]["folder"], box.told[-1]["fresh"]) == (f"loops/{place.name}", 1)
    assert said == [
        "stick KICKS: empty.wav: the file is empty (0 bytes): copy it again.",
        "stick KICKS: 1 loops are on the box, 1 of them new, 1 left out (empty.wav: the file is empty "
        "(0 bytes): copy it again). It can be pulled.",
    ]
    assert latest_loops() == f"loops/{place.name}"


@pytest.mark.parametrize(
    ("kind", "mounted", "says"),
    [
        ("ext4", False, "holds ext4, expected FAT32 or exFAT: format it anew on a computer."),
        ("", False, "holds no file system, expected FAT32 or exFAT: format it anew on a computer."),
        ("vfat", False, "its vfat cannot be mounted (damaged?): check it on a computer."),
    ],
)
def test_a_stick_that_cannot_be_read_is_a_sentence(home, attend, monkeypatch, kind, mounted, says):
    box = Box(monkeypatch)

    assert attend(kind, mounted) == (1, [f"stick KICKS: {says}"])
    assert (box.states, box.told[-1]["says"]) == (["failed"], f"stick KICKS: {says}")


def test_a_stick_without_loops_is_a_sentence_and_one_for_backups_needs_none(
    home, mounts, attend, monkeypatch
):
    Box(monkeypatch)
    status, said = attend()
    assert status == 1
    assert said[0].startswith("stick KICKS: no audio files in this folder, expected .wav")

    (mounts / "sda1" / "fathom-backup").mkdir()
    box = Box(monkeypatch, "", "backup")
    assert attend() == (stick_run.WANTS_BACKUP, [])
    assert box.states == ["waiting", "saving"]


def test_a_stick_that_brings_an_update_needs_no_loops(home, mounts, attend, monkeypatch):
    (mounts / "sda1" / "fathom-9.update").touch()
    box = Box(monkeypatch)

    assert attend() == (0, [])
    assert box.states == []


def test_a_stick_for_backups_is_copied_and_then_gives_back_what_it_has(home, mounts, attend, monkeypatch):
    (home / "slots").mkdir(parents=True)
    (home / "settings.toml").write_text("bpm = 90")
    (mounts / "sda1" / "a.wav").write_bytes(b"a")
    assert stick_run.save(mounts / "sda1", print) == 0
    (home / "settings.toml").write_text("bpm = 91")
    box = Box(monkeypatch, "", "", "restore")

    status, said = attend()

    assert status == 0
    assert box.states == ["copying", "done", "waiting", "restoring", "done"]
    assert (home / "settings.toml").read_text() == "bpm = 90"
    assert "backup 1 is restored" in said[-1]
    assert stick_run.undo(print) == 0
    assert (home / "settings.toml").read_text() == "bpm = 91"


def test_a_stick_that_fails_in_its_midst_is_one_sentence_and_nothing_of_it_is_taken(
    home, mounts, attend, monkeypatch
):
    (mounts / "sda1" / "a.wav").write_bytes(b"a")
    box = Box(monkeypatch)

    def fails(path, follow):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(copying, "open_plain", fails)

    says = (
        "stick KICKS: a.wav cannot be read (input/output error): is the stick still in? "
        "Nothing of it was taken."
    )
    assert attend() == (1, [says])
    assert (box.states, box.told[-1]["says"]) == (["copying", "failed"], says)
    assert list((home / "loops").iterdir()) == []


def test_what_is_told_stays_short_whatever_names_a_stick_has(home, mounts, attend, monkeypatch):
    deep = mounts.joinpath("sda1", *["d" * 200] * 14)
    deep.mkdir(parents=True)
    (deep / "empty.wav").touch()
    (mounts / "sda1" / "a.wav").write_bytes(b"a")
    box = Box(monkeypatch)

    assert attend(label="\x1b" * 500)[0] == 0
    assert len(box.told[-1]["says"]) <= 300
    assert box.told[-1]["name"] == "?" * 60


def test_a_disk_that_fails_is_a_sentence(home, mounts, attend, monkeypatch):
    (mounts / "sda1" / "a.wav").write_bytes(b"a")
    Box(monkeypatch)

    def full(new, place):
        raise OSError(28, "No space left on device", str(new))

    monkeypatch.setattr(stick_run, "put", full)
    status, said = attend()

    assert status == 1
    assert said[0].endswith(
        "KICKS-" + copying.letters("4A21-0B7F") + ".new: No space left on device; "
        "what was there before stays."
    )


def test_a_backup_is_told_as_done_when_it_is_no_longer_mounted(monkeypatch):
    box = Box(monkeypatch)
    monkeypatch.setattr(stick_run, "volume", lambda _: Volume("KICKS", "vfat", "1"))

    for says, told in (("stick KICKS: 3 files.", "done"), ("", "failed")):
        box.state = {"stick": {"name": "KICKS", "state": "saving", "says": says}}
        stick_run.finish("sda1")
        assert box.told[-1]["state"] == told
    assert box.told[-1]["says"].startswith("stick KICKS: the backup was not finished")


def test_what_udev_says_of_a_stick(tmp_path):
    (tmp_path / "sys" / "sda1").mkdir(parents=True)
    (tmp_path / "sys" / "sda1" / "dev").write_text("8:1\n")
    data = tmp_path / "b8:1"
    data.write_bytes(
        b"S:disk/by-id/x\nE:ID_FS_LABEL=MY_LOOPS\nE:ID_FS_LABEL_ENC=MY\\x20LOOPS\\xff\n"
        b"E:ID_FS_TYPE=vfat\nE:ID_FS_UUID=4A21-0B7F\n"
    )

    assert volume("sda1", tmp_path / "sys", tmp_path) == Volume("MY LOOPS\ufffd", "vfat", "4A21-0B7F")
    data.write_bytes(b"\xff" * 100)
    assert volume("sda1", tmp_path / "sys", tmp_path) == Volume("sda1", "", "sda1")
    assert volume("sdb", tmp_path / "sys", tmp_path) == Volume("sdb", "", "sdb")


# --- with boxes that play -----------------------------------------------------------------------------------


def state_of(home):
    return ask(home, do="state")["state"]


def run(*words):
    done = subprocess.run(
        [sys.executable, "fathom.py", *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr
    return done


def test_loops_go_in_and_are_learned_while_it_plays(home, slot, tmp_path):
    SlotFolder(home / "slots").save(1, pack(slot))
    for name, steps in (("a", "x...x...x...x..."), ("b", "x..x..x...x.x..."), ("c", "..x...x...x...xx")):
        write(tmp_path / "STICK" / f"{name}-120bpm.wav", beats(steps * 2))
    with playing(home, "--slot", 1) as box:
        done = run("import", tmp_path / "STICK")
        assert done.returncode == 0
        assert done.stderr == "stick STICK: 3 loops are on the box, 3 of them new.\n"
        assert state_of(home)["stick"]["state"] == "done"
        assert wait_until(lambda: state_of(home)["learner"]["state"] != "idle")
        assert wait_until(lambda: over(Learning(**state_of(home)["learner"])), 180)
        now = state_of(home)
        assert (now["learner"]["state"], now["learner"]["offered"]) == ("done", 2), now["learner"]
        assert now["slots"] == ["slot 1"], "what plays plays on"
        run("import", tmp_path / "STICK")
        assert state_of(home)["stick"]["says"].startswith(
            "stick STICK: 3 loops are on the box, none of them new"
        )
        assert not wait_until(lambda: state_of(home)["learner"]["state"] == "hearing", 1)
        end(box)
    assert SlotFolder(home / "slots").load(2).about.takes == ["a-120bpm.wav", "b-120bpm.wav", "c-120bpm.wav"]


def test_a_box_that_plays_is_restored_and_remembers_that(home, slot, other_slot, tmp_path):
    folder = SlotFolder(home / "slots")
    folder.save(1, pack(slot))
    (home / "settings.toml").write_text("bpm = 100\n")
    with playing(home) as box:
        ask(home, do="set", key="bpm", value=97)
        assert run("backup", tmp_path).returncode == 0
        end(box)
    folder.save(1, pack(other_slot))
    folder.save(2, pack(slot))
    (home / "settings.toml").write_text("bpm = 140\n")
    with playing(home) as box:
        ask(home, do="set", key="voices.swing", value=0.6)
        before = state_of(home)["beat"]
        done = run("restore", tmp_path)
        assert done.returncode == 0, done.stderr
        now = state_of(home)
        assert now["playing"]
        assert now["beat"] > before
        assert now["bpm"] == 97
        assert ask(home, do="get", key="voice.1.swing")["value"] == 0.5
        assert now["stick"]["state"] == "done"
        assert wait_until(lambda: state_of(home)["slots"] == ["slot 1"] and not state_of(home)["waiting"])
        refused = ask(home, do="slots", slots=[2])
        assert refused["error"] == "slot 2: empty; filled slots: 1."
        end(box)
    assert folder.load(1).about.takes == slot.about.takes
    assert folder.filled() == [1]
    with playing(home) as box:
        assert state_of(home)["bpm"] == 97, "as it was left when it was backed up"
        end(box)


def test_a_stick_that_is_pulled_ends_the_copying_with_a_sentence(home, tmp_path):
    for number in range(400):
        (tmp_path / "STICK" / f"{number}").mkdir(parents=True)
        (tmp_path / "STICK" / f"{number}" / "a.wav").write_bytes(os.urandom(300_000))
    child = subprocess.Popen(
        [sys.executable, "fathom.py", "import", str(tmp_path / "STICK")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_until(lambda: list(home.glob("loops/.*/*/a.wav")))
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=20)

    assert said == ("stick STICK: pulled, or ended, before it was done; what was there before stays.\n")
    assert child.returncode == 1
    assert [path.name for path in (home / "loops").iterdir()] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["import", "nowhere"], "stick nowhere: nowhere is not there, expected a folder of loops.\n"),
        (["backup", "nowhere"], "stick nowhere: backup: nowhere is not there, expected a folder.\n"),
        (["restore", "nowhere"], "stick nowhere: restore: no backup in fathom-backup; write one first.\n"),
        (["restore", "--undo"], "restore: nothing to undo, nothing was restored here yet.\n"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_status_1(home, capsys, monkeypatch, tmp_path, words, says):
    monkeypatch.chdir(tmp_path)

    assert fathom.main(words) == 1
    assert capsys.readouterr().err == says


def test_restore_wants_a_folder_or_undo(home):
    for words in (["restore"], ["restore", "x", "--undo"]):
        with pytest.raises(SystemExit) as stop:
            fathom.main(words)
        assert stop.value.code == 2
