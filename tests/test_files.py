"""Loops are found on a stick, and their bytes read; what leads elsewhere is refused or passed over."""

import errno
import io
import os
import time

import pytest
from loop_helpers import beats, write

import training.files
from training.errors import LoopError
from training.files import MAX_DEPTH, advice, find_loops, read_bytes, reason


def refused(path, **more):
    with pytest.raises(LoopError) as error:
        read_bytes(path, **more)
    return str(error.value)


def test_a_pipe_named_wav_does_not_hold_the_box(tmp_path):
    os.mkfifo(tmp_path / "x.wav")
    started = time.perf_counter()

    assert "not a regular file" in refused(tmp_path / "x.wav")
    assert find_loops([tmp_path])[0] == []
    assert time.perf_counter() - started < 0.5


def test_folders_are_searched_to_their_depth_in_order(tmp_path):
    for name in ("b.wav", "a.WAV", "deep/er/c.flac", "deep/d.Mp3", "x.wav.bak", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")

    found, refusals = find_loops([tmp_path])

    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a.WAV",
        "b.wav",
        "deep/d.Mp3",
        "deep/er/c.flac",
    ]
    assert refusals == []


def test_hidden_things_and_links_are_passed_over(tmp_path):
    for name in (
        ".Trashes/a.wav",
        "._a.wav",
        "__MACOSX/a.wav",
        "System Volume Information/a.wav",
        "real.wav",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.wav").symlink_to(tmp_path / "real.wav")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "zero.wav").symlink_to("/dev/zero")

    assert find_loops([tmp_path]) == ([tmp_path / "real.wav"], [])


def test_a_file_named_twice_is_heard_once(tmp_path):
    path = write(tmp_path / "a.wav", beats())

    assert find_loops([path, str(path), tmp_path])[0] == [path]


def test_an_empty_folder_a_missing_path_and_another_kind_of_file_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")

    found, refusals = find_loops([tmp_path / "empty", tmp_path / "nowhere", tmp_path / "notes.txt"])

    assert found == []
    assert [path.name for path, _ in refusals] == ["empty", "nowhere", "notes.txt"]
    assert "no audio files" in refusals[0][1]
    assert "cannot be opened" in refusals[1][1]
    assert ".txt" in refusals[2][1]


def test_folders_too_deep_are_said_and_not_searched(tmp_path):
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 2))
    write(deep / "a.wav", beats())

    found, refusals = find_loops([tmp_path])

    assert found == []
    assert "deeper than" in refusals[0][1]


def test_a_link_that_was_named_is_followed_and_one_that_was_found_is_not(tmp_path):
    write(tmp_path / "real.wav", beats())
    (tmp_path / "link.wav").symlink_to("real.wav")

    assert find_loops([tmp_path / "link.wav"])[0] == [tmp_path / "link.wav"]
    assert read_bytes(tmp_path / "link.wav") == (tmp_path / "real.wav").read_bytes()
    assert "a link that is not followed" in refused(tmp_path / "link.wav", follow=False)


def test_a_loop_that_is_gone_asks_for_the_stick(tmp_path):
    assert refused(tmp_path / "gone.wav") == (
        "cannot be opened (no such file or directory): is the stick still in?"
    )


def test_a_stick_that_is_pulled_out_while_a_loop_is_read_is_said(tmp_path, monkeypatch):
    class Unplugged(io.FileIO):
        def read(self, _=-1):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = write(tmp_path / "a.wav", beats())
    monkeypatch.setattr(training.files, "open_plain", lambda path, follow: Unplugged(path))

    assert refused(path) == "reading stopped (input/output error): is the stick still in?"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EIO, "(input/output error): is the stick still in?"),
        (errno.ENODEV, "(no such device): is the stick still in?"),
        (errno.EACCES, "(permission denied): check its rights"),
        (errno.ENAMETOOLONG, "(file name too long): leave it out"),
    ],
)
def test_what_the_system_says_comes_with_what_to_do(number, says):
    error = OSError(number, os.strerror(number))

    assert f"({reason(error)}): {advice(error)}" == says


def test_a_folder_that_cannot_be_read_is_said_and_the_others_are_searched(tmp_path, monkeypatch):
    write(tmp_path / "good" / "a.wav", beats())
    (tmp_path / "bad").mkdir()
    scandir = os.scandir

    def unplugged(path):
        if path.name == "bad":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(path)

    monkeypatch.setattr(training.files.os, "scandir", unplugged)
    found, refusals = find_loops([tmp_path])

    assert found == [tmp_path / "good" / "a.wav"]
    assert refusals == [
        (tmp_path / "bad", "this folder cannot be read (input/output error): is the stick still in?")
    ]


def test_more_loops_than_can_be_heard_at_once_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(training.files, "MAX_LOOPS", 2)
    for name in "abc":
        (tmp_path / f"{name}.wav").write_bytes(b"x")

    found, refusals = find_loops([tmp_path])

    assert [path.name for path in found] == ["a.wav", "b.wav"]
    assert "2 of 3 loops are heard, at most 2 at once: take fewer" in refusals[0][1]
