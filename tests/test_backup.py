"""A backup on a stick holds the whole box, and what comes back is what was backed up, or nothing."""

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from device import backup, restoring
from device.errors import ModelError

FILES = {
    "settings.toml": b"bpm = 90",
    "state.json": b"{}",
    "library.json": b"{}",
    "slots/slot-01.safetensors": b"one",
    "slots/slot-01.previous": b"one before",
    "slots/slot-16.safetensors": b"sixteen",
    "loops/KICKS-abcdef/a 120bpm.wav": b"a" * 5000,
    "loops/KICKS-abcdef/.stick.json": b"{}",
    "loops/.latest": b"KICKS-abcdef",
    "loops/line\nbreak.wav": b"b",
}
APART = {"slots/claims": b"", "heard/x.heard": b"cache", "slots/slot-02.1.new": b"half", "control.lock": b""}


def write(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def held(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] in restoring.ENTRIES
    }


@pytest.fixture
def stick(tmp_path):
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def box(home):
    write(home, {**FILES, **APART})
    return home


@pytest.fixture
def other(tmp_path):
    """Another box, or the same one later."""
    write(tmp_path / "other", {"settings.toml": b"bpm = 200", "slots/slot-05.safetensors": b"five"})
    return tmp_path / "other"


def list_of(stick, number=1):
    return stick / backup.FOLDER / f"backup-{number:04d}.json"


def forge(stick, body=None, number=1, **more):
    """Write a list that is whole, whatever it says."""
    text = json.dumps(body)
    said = {"format": 1, "digest": hashlib.sha256(text.encode()).hexdigest(), "backup": text, **more}
    list_of(stick, number).parent.mkdir(parents=True, exist_ok=True)
    list_of(stick, number).write_text(json.dumps(said))


def refused(do, *words):
    with pytest.raises(ModelError) as error:
        do(*words)
    return str(error.value)


def test_what_was_backed_up_comes_back_and_what_is_no_bodys_own_does_not(box, stick, other):
    said = backup.save(stick, box, None)
    assert said == f"{len(FILES)} files, 1 MB, are in fathom-backup."

    said, changed = backup.restore(stick, other)

    assert held(other) == FILES
    assert changed == set(FILES)
    assert "backup 1 is restored, 10 files" in said
    restoring.undo(other)
    assert held(other) == {"settings.toml": b"bpm = 200", "slots/slot-05.safetensors": b"five"}


def test_what_a_running_box_remembers_is_backed_up_as_it_is_now(box, stick, other):
    backup.save(stick, box, b'{"now": 1}')
    backup.restore(stick, other)
    assert held(other)["state.json"] == b'{"now": 1}'

    (box / "state.json").unlink()
    backup.save(stick, box, b'{"now": 2}')
    backup.restore(stick, other)
    assert held(other)["state.json"] == b'{"now": 2}'


def test_a_second_backup_writes_only_what_is_new_and_two_are_kept(box, stick, other):
    def contents():
        return {path.name: path.stat().st_ino for path in (stick / backup.FOLDER / "files").glob("??/*")}

    backup.save(stick, box, None)
    first = contents()
    for number in range(2, 5):
        (box / "settings.toml").write_text(f"bpm = {100 + number}")
        backup.save(stick, box, None)

    now = contents()
    assert sorted(path.name for path in list_of(stick).parent.glob("*.json")) == [
        "backup-0003.json",
        "backup-0004.json",
    ]
    assert len(now) == len(first) + 1, "the settings of two backups, and all else once"
    assert {now[name] for name in now if name in first} <= set(first.values())
    backup.restore(stick, other)
    assert held(other)["settings.toml"] == b"bpm = 104"


def test_an_empty_box_has_nothing_to_back_up(home, stick):
    assert refused(backup.save, stick, home, None) == (
        "backup: this box has learned and changed nothing yet."
    )
    assert refused(backup.restore, stick, home) == "restore: no backup in fathom-backup; write one first."


def test_links_are_not_followed_into_a_backup(box, stick, other, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (box / "slots" / "slot-03.safetensors").symlink_to(tmp_path / "secret")
    (box / "loops" / "up").symlink_to(tmp_path)
    os.mkfifo(box / "loops" / "pipe.wav")

    backup.save(stick, box, None)
    backup.restore(stick, other)

    assert held(other) == FILES


def test_loops_stay_at_home_where_they_do_not_fit_and_are_then_left_alone(box, stick, other, monkeypatch):
    room = 3000 + backup.SPARE
    usage = backup.shutil.disk_usage
    monkeypatch.setattr(
        backup.shutil,
        "disk_usage",
        lambda path: usage(path)._replace(free=room) if str(path).startswith(str(stick)) else usage(path),
    )
    write(other, {"loops/own.wav": b"own"})

    said = backup.save(stick, box, None)
    backup.restore(stick, other)

    assert said.endswith("; without loops, for which there is no room.")
    assert held(other) == {
        **{name: data for name, data in FILES.items() if not name.startswith("loops")},
        "loops/own.wav": b"own",
    }
    room = backup.SPARE + 5
    assert "are free on the stick: make room" in refused(backup.save, stick, box, None)


def test_a_box_without_room_restores_nothing(box, stick, other, monkeypatch):
    backup.save(stick, box, None)
    monkeypatch.setattr(backup, "LEAST_FREE", 2**62)
    before = held(other)

    assert "are needed, 0 are free: make room." in refused(backup.restore, stick, other)
    assert held(other) == before


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
        lambda path: (path.unlink(), os.mkfifo(path)),
    ],
)
def test_a_backup_of_which_one_file_is_damaged_is_refused_whole(box, stick, other, harm):
    backup.save(stick, box, None)
    digest = hashlib.sha256(b"sixteen").hexdigest()
    harm(stick / backup.FOLDER / "files" / digest[:2] / digest)
    before = held(other)

    assert refused(backup.restore, stick, other) == (
        "restore: backup 1 is damaged (slots/slot-16.safetensors is not what it was); nothing was restored."
    )
    assert held(other) == before
    assert not (other / restoring.READY).exists()


def test_a_damaged_content_is_written_anew_by_the_next_backup(box, stick, other):
    backup.save(stick, box, None)
    digest = hashlib.sha256(b"sixteen").hexdigest()
    (stick / backup.FOLDER / "files" / digest[:2] / digest).write_bytes(b"sixteeM")

    backup.save(stick, box, None)
    backup.restore(stick, other)

    assert held(other) == FILES


GOOD = [hashlib.sha256(b"x").hexdigest(), 1]


@pytest.mark.parametrize(
    "place",
    [
        "../evil",
        "/etc/passwd",
        "loops/../../evil",
        "loops//x",
        "loops/./x",
        "slots/slot-1.safetensors",
        "slots/../settings.toml",
        "heard/x",
        "restore/new/x",
        "control.sock",
        "loops",
        "settings.toml\n",
        "loops/a\0b",
        "loops/" + "d/" * 30 + "x",
    ],
)
def test_a_list_that_names_what_is_no_file_of_a_box_is_refused(stick, other, place):
    forge(stick, {"loops": True, "files": {"settings.toml": GOOD, place: GOOD}})
    before = held(other)

    assert "which is no file of a box; nothing was restored." in refused(backup.restore, stick, other)
    assert held(other) == before


@pytest.mark.parametrize("content", [["../../../etc/passwd", 1], ["0" * 64, -1], ["0" * 64, 2**40], ["", 0]])
def test_a_list_that_names_a_content_that_cannot_be_is_refused(stick, other, content):
    forge(stick, {"loops": True, "files": {"settings.toml": content}})

    assert "nothing was restored." in refused(backup.restore, stick, other)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"format": "one"}', b'{"format": 1}', b"[" * 100_000],
)
def test_a_list_that_is_damaged_or_foreign_is_refused(box, stick, other, data):
    backup.save(stick, box, None)
    list_of(stick, 2).write_bytes(data)
    before = held(other)

    assert refused(backup.restore, stick, other) == (
        "restore: backup-0002.json is damaged, or no list of a backup; nothing was restored."
    )
    assert held(other) == before


def test_a_list_of_another_format_asks_for_an_update(stick, other):
    forge(stick, {"loops": True, "files": {}}, format=2)

    assert refused(backup.restore, stick, other) == (
        "restore: backup-0001.json is of format 2, expected 1; update this box first."
    )


def test_a_list_of_which_one_bit_has_changed_is_refused(box, stick, other):
    backup.save(stick, box, None)
    list_of(stick).write_text(list_of(stick).read_text().replace("slot-16", "slot-15"))

    assert "is damaged" in refused(backup.restore, stick, other)


def test_a_backup_that_was_cut_off_is_none_and_the_one_before_holds(box, stick, other, monkeypatch):
    backup.save(stick, box, None)
    write_safely = backup.write_safely

    def cut(path, data):
        if path.suffix == ".json":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        write_safely(path, data)

    monkeypatch.setattr(backup, "write_safely", cut)
    (box / "settings.toml").write_text("bpm = 300")
    with pytest.raises(OSError, match="Input/output"):
        backup.save(stick, box, None)
    backup.restore(stick, other)

    assert held(other) == FILES
    digest = hashlib.sha256(b"bpm = 300").hexdigest()
    assert not (stick / backup.FOLDER / "files" / digest[:2] / digest).exists(), "no room is lost"


def test_a_stick_that_does_not_give_back_what_was_written_is_said(box, stick, monkeypatch):
    write_safely = backup.write_safely
    monkeypatch.setattr(backup, "write_safely", lambda path, data: write_safely(path, data[:-1] + b"?"))

    assert refused(backup.save, stick, box, None) == (
        "backup: the stick does not give back what was written to it; take another one."
    )


def test_contents_of_a_backup_that_cannot_be_read_are_not_removed(box, stick):
    forge(stick, None, number=7, format=2)
    list_of(stick, 7).write_text("{")
    foreign = stick / backup.FOLDER / "files" / "ab" / ("ab" * 32)
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"of another version")

    backup.save(stick, box, None)

    assert foreign.exists()
    assert list_of(stick, 8).exists()


def test_loops_that_the_box_has_already_are_linked_and_not_copied(box, stick):
    backup.save(stick, box, None)
    loop = box / "loops" / "KICKS-abcdef" / "a 120bpm.wav"
    before = loop.stat().st_ino

    _, changed = backup.restore(stick, box)

    assert held(box) == FILES
    assert changed == set()
    assert loop.stat().st_ino == before
    assert Path(box / restoring.BEFORE / "loops" / "KICKS-abcdef" / "a 120bpm.wav").stat().st_ino == before
