"""A stick's loops are copied whole or not at all, whatever is on it and whenever it is pulled."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loop_helpers import beats, write

import training.copying
from device.folders import put
from training.copying import MARK, copy_loops, folder_name, has_loops, tame
from training.errors import LoopError
from training.files import MAX_BYTES, find_loops
from training.overrides import beside

PLACE = "KICKS-abcdef"


@pytest.fixture
def stick(tmp_path):
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def place(tmp_path):
    return tmp_path / "home" / "loops" / PLACE


def fill(folder, **files):
    """Files by name: `_` is a folder's end, and each is wav."""
    for name, data in files.items():
        path = folder / (name.replace("_", "/") + ".wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def held(folder):
    """What a folder holds: content by place, without what it says of itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARK
    }


def refused(stick, place, **more):
    with pytest.raises(LoopError) as error:
        copy_loops(stick, place, put, **more)
    assert not list(place.parent.glob(".*")), "nothing is left half"
    return str(error.value)


def test_loops_and_the_notes_beside_them_are_copied_and_nothing_else(stick, place):
    fill(stick, a=b"a", deep_b=b"b")
    for name in ("fathom.toml", "a.wav.toml", "deep/b.toml", "settings.toml", "readme.txt", "deep/c.toml"):
        (stick / name).write_text("bars = 2")
    (stick / ".Trashes").mkdir()
    fill(stick / ".Trashes", gone=b"x")

    copied = copy_loops(stick, place, put)

    assert sorted(held(place)) == ["a.wav", "a.wav.toml", "deep/b.toml", "deep/b.wav", "fathom.toml"]
    assert (copied.files, copied.fresh, copied.left_out) == (2, 2, [])
    assert beside(place / "a.wav")[0].bars == 2


def test_a_copy_is_heard_as_the_stick_would_be(stick, place):
    write(stick / "a 120bpm.wav", beats())
    copy_loops(stick, place, put)

    assert [path.name for path in find_loops([place])[0]] == ["a 120bpm.wav"]
    assert (place / "a 120bpm.wav").read_bytes() == (stick / "a 120bpm.wav").read_bytes()


def test_a_stick_that_comes_back_holds_what_it_holds_now(stick, place):
    fill(stick, a=b"a", b=b"b")
    copy_loops(stick, place, put)
    (stick / "b.wav").unlink()
    fill(stick, c=b"c", a=b"other")

    copied = copy_loops(stick, place, put)

    assert held(place) == {"a.wav": b"other", "c.wav": b"c"}
    assert (copied.files, copied.fresh) == (2, 2)


def test_a_stick_with_nothing_new_changes_nothing(stick, place):
    fill(stick, a=b"a")
    copy_loops(stick, place, put)
    before = place.stat().st_ino

    copied = copy_loops(stick, place, put)

    assert (copied.files, copied.fresh) == (1, 0)
    assert place.stat().st_ino == before


def test_content_that_the_box_has_is_not_written_twice_whatever_it_is_called(stick, place, tmp_path):
    fill(stick, a=b"same", b=b"same")
    copy_loops(stick, place, put)
    other = tmp_path / "other"
    fill(other, c=b"same")

    copied = copy_loops(other, place.with_name("OTHER-abcdef"), put)

    inodes = {path.stat().st_ino for path in (*place.glob("*.wav"), copied.folder / "c.wav")}
    assert len(inodes) == 1
    assert copied.fresh == 0


def test_content_that_the_box_holds_as_a_link_is_written(stick, place, tmp_path):
    fill(stick, a=b"same")
    copy_loops(stick, place, put)
    os.replace(place / "a.wav", tmp_path / "elsewhere")
    (place / "a.wav").symlink_to(tmp_path / "elsewhere")

    copied = copy_loops(stick, place.with_name("OTHER-abcdef"), put)

    assert held(copied.folder) == {"a.wav": b"same"}
    assert not (copied.folder / "a.wav").is_symlink()


def test_what_is_called_the_same_content_by_a_box_but_is_other_is_written(stick, place, tmp_path):
    fill(stick, a=b"good")
    copy_loops(stick, place, put)
    (place / "a.wav").write_bytes(b"edited on the box")

    copied = copy_loops(stick, place.with_name("OTHER-abcdef"), put)

    assert held(copied.folder) == {"a.wav": b"good"}


def test_links_pipes_and_devices_are_not_followed(stick, place, tmp_path):
    fill(stick, real=b"r")
    (tmp_path / "secret.wav").write_bytes(b"secret")
    (stick / "link.wav").symlink_to(tmp_path / "secret.wav")
    (stick / "up").symlink_to(tmp_path)
    (stick / "real.wav.toml").symlink_to(tmp_path / "secret.wav")
    os.mkfifo(stick / "pipe.wav")
    os.mkfifo(stick / "fathom.toml")
    if os.geteuid() == 0:
        os.mknod(stick / "zero.wav", 0o20666, os.makedev(1, 5))

    copy_loops(stick, place, put)

    assert held(place) == {"real.wav": b"r"}


def test_a_loop_that_becomes_a_link_while_it_is_copied_is_left_out(stick, place, monkeypatch):
    fill(stick, a=b"a", b=b"b")
    find = training.copying.find_loops

    def found(paths):
        loops = find(paths)
        (stick / "a.wav").unlink()
        (stick / "a.wav").symlink_to("/etc/passwd")
        return loops

    monkeypatch.setattr(training.copying, "find_loops", found)
    copied = copy_loops(stick, place, put)

    assert held(place) == {"b.wav": b"b"}
    assert copied.left_out == [("a.wav", "cannot be read (a link that is not followed): leave it out")]


@pytest.mark.parametrize(
    "name",
    [
        "line\nbreak.wav",
        "esc\x1b[31mred.wav",
        "\u202egpj.wav",
        "-rf.wav",
        "..wav",
        "x" * 251 + ".wav",
        "é" * 125 + ".wav",
        "\U0001f941 drum.WAV",
        os.fsdecode(b"bad-utf8-\xff\xfe.wav"),
        "what?.wav",
    ],
)
def test_names_are_tamed_and_a_note_stays_beside_its_loop(stick, place, name):
    (stick / name).write_bytes(b"a")
    (stick / "plain.wav").write_bytes(b"p")
    if len(os.fsencode(name)) < 250:
        (stick / f"{name}.toml").write_text("bars = 3")

    copied = copy_loops(stick, place, put)

    assert copied.files == 2
    for path in find_loops([place])[0]:
        assert path.name.isprintable()
        assert len(os.fsencode(path.name)) < 160
        if len(os.fsencode(name)) < 250 and path.name != "plain.wav":
            assert beside(path)[0].bars == 3


def test_names_that_differ_stay_different_and_no_number_is_added_that_could_be_a_tempo():
    names = ["a\x01.wav", "a\x02.wav", "a?.wav", "a_.wav", "x" * 130 + "1.wav", "x" * 130 + "2.wav"]

    assert len({tame(name) for name in names}) == len(names)
    assert not any(sign.isdigit() for sign in tame("a\x01.wav"))


@pytest.mark.parametrize(
    "label", ["", "..", ".hidden", "a/b", "-rf", "\x1b[2J", "x" * 300, "__MACOSX", "日本"]
)
def test_any_label_gives_a_folder_that_is_searched(label, tmp_path):
    name = folder_name(label, "4A21-0B7F")
    fill(tmp_path / name, a=b"a")

    assert len(find_loops([tmp_path])[0]) == 1
    assert len(name) < 60
    assert name.isprintable()
    assert folder_name(label, "4A21-0B7E") != name


def test_a_stick_that_is_pulled_leaves_what_was_there_before(stick, place, monkeypatch):
    fill(stick, a=b"a", b=b"b")
    copy_loops(stick, place, put)
    fill(stick, a=b"new", b=b"new too")
    opened = training.copying.open_plain

    def pulled(path, follow):
        if path.name == "b.wav":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, follow)

    monkeypatch.setattr(training.copying, "open_plain", pulled)

    assert refused(stick, place) == "b.wav cannot be read (input/output error): is the stick still in?"
    assert held(place) == {"a.wav": b"a", "b.wav": b"b"}


def test_a_folder_of_the_stick_that_fails_is_the_end_of_it_and_one_without_rights_is_left_out(
    stick, place, monkeypatch
):
    fill(stick, a=b"a", bad_b=b"b")
    scandir = os.scandir
    number = errno.EACCES

    def fails(path):
        if Path(path).name == "bad":
            raise OSError(number, os.strerror(number))
        return scandir(path)

    monkeypatch.setattr(training.files.os, "scandir", fails)
    copied = copy_loops(stick, place, put)
    assert [name for name, _ in copied.left_out] == ["bad"]

    number = errno.EIO
    assert refused(stick, place) == (
        "bad: this folder cannot be read (input/output error): is the stick still in?"
    )


def test_a_stick_that_lies_about_its_size_is_one_sentence(stick, place, monkeypatch):
    """A file that is longer than what can be read of it: the reading fails in its midst."""
    fill(stick, a=b"a" * 3_000_000)

    class Short:
        def __init__(self, path, follow):
            self.file = path.open("rb")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def read(self, size):
            if self.file.tell() >= 1_000_000:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return self.file.read(size)

    monkeypatch.setattr(training.copying, "open_plain", Short)

    assert refused(stick, place) == "a.wav cannot be read (input/output error): is the stick still in?"
    assert not place.exists()


def test_what_is_too_large_or_empty_is_left_out_and_said(stick, place):
    fill(stick, a=b"a", empty=b"")
    with (stick / "big.wav").open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    copied = copy_loops(stick, place, put)

    assert sorted(held(place)) == ["a.wav"]
    assert dict(copied.left_out) == {
        "big.wav": "more than 50 MB is too much for a loop: cut it",
        "empty.wav": "the file is empty (0 bytes): copy it again",
    }


def test_a_stick_of_which_nothing_can_be_read_is_a_sentence(stick, place):
    fill(stick, empty=b"")

    assert refused(stick, place) == (
        "none of its loops can be read (empty.wav the file is empty (0 bytes): copy it again)"
    )
    assert not place.exists()


def test_a_stick_without_audio_is_a_sentence(stick, place):
    (stick / "readme.txt").write_text("hello")

    assert refused(stick, place).startswith("no audio files in this folder, expected .wav")
    assert not has_loops(stick)


@pytest.mark.parametrize(
    ("cap", "value", "says"),
    [
        ("MOST_BYTES", 1_000_000, "holds more than 1 MB of loops: put fewer on it"),
        ("LEAST_FREE", 2**62, "would stay free on the box: remove loops that it no longer needs"),
        ("MAX_LOOPS", 1, "holds more than 1 loops, expected at most so many: put fewer on it"),
    ],
)
def test_more_than_the_box_takes_is_refused_whole(stick, place, monkeypatch, cap, value, says):
    fill(stick, a=b"a" * 700_000, b=b"b" * 700_000)
    monkeypatch.setattr(training.copying, cap, value)
    monkeypatch.setattr(training.files, "MAX_LOOPS", training.copying.MAX_LOOPS)

    assert says in refused(stick, place)
    assert not place.exists()


def test_a_hundred_thousand_files_are_one_sentence(stick, place, monkeypatch):
    monkeypatch.setattr(training.files, "MAX_ENTRIES", 50)
    for number in range(60):
        (stick / f"{number}.txt").touch()
    fill(stick, **{"0": b"a"})

    assert refused(stick, place) == "holds more than 100000 files: put the loops on a stick of their own"


def test_a_slow_stick_is_not_waited_for(stick, place):
    fill(stick, a=b"a", b=b"b")
    clock = iter(range(0, 10_000, 100))

    assert refused(stick, place, now=lambda: next(clock)) == (
        "copying takes longer than 180 s: put fewer loops on it"
    )


def test_how_far_it_is_is_told(stick, place):
    fill(stick, a=b"a", b=b"b")
    told = []

    copy_loops(stick, place, put, lambda done, of: told.append((done, of)))

    assert told == [(0, 2), (1, 2), (2, 2)]


COPY = """
import sys, time
from pathlib import Path
from device.folders import put
from training import copying
opened = copying.open_plain
def slow(path, follow):
    time.sleep(0.05)
    return opened(path, follow)
copying.open_plain = slow
print("begins", flush=True)
copying.copy_loops(Path(sys.argv[1]), Path(sys.argv[2]), put)
"""


def test_a_copying_that_is_killed_leaves_what_was_there_and_the_next_one_clears_up(stick, place):
    fill(stick, a=b"old")
    copy_loops(stick, place, put)
    fill(stick, **{f"n{number}": b"new" for number in range(60)})
    child = subprocess.Popen(
        [sys.executable, "-c", COPY, str(stick), str(place)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
    )
    child.stdout.readline()
    deadline = time.monotonic() + 20
    while not list(place.parent.glob(".*/n0.wav")) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()

    assert list(place.parent.glob(".*.new"))
    assert held(place) == {"a.wav": b"old"}
    assert find_loops([place.parent])[0] == [place / "a.wav"], "what is half is not heard"
    copied = copy_loops(stick, place, put)
    assert copied.files == 61
    assert not list(place.parent.glob(".*.new"))


def test_without_an_exchange_what_was_being_replaced_comes_back(stick, place, monkeypatch):
    fill(stick, a=b"a")
    monkeypatch.setattr("device.folders.exchange", lambda a, b: False)
    copy_loops(stick, place, put)
    fill(stick, b=b"b")
    copy_loops(stick, place, put)
    assert sorted(held(place)) == ["a.wav", "b.wav"]

    os.rename(place, place.with_name(f".{PLACE}.former"))  # the power was cut between two steps
    other = place.with_name("OTHER-abcdef")
    copy_loops(stick, other, put)

    assert sorted(held(place)) == ["a.wav", "b.wav"]


def test_a_mark_that_is_damaged_or_lies_does_no_harm(stick, place):
    fill(stick, a=b"a")
    copy_loops(stick, place, put)
    for mark in (b"{", b'{"format": 1, "files": {"../../x.wav": "00"}}', json.dumps([1]).encode()):
        (place / MARK).write_bytes(mark)

        assert copy_loops(stick, place, put).files == 1
        assert held(place) == {"a.wav": b"a"}
