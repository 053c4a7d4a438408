"""A file is written whole or not at all, and what a power cut left of one is cleared away."""

import os
import subprocess

import pytest

from device.disk import write_safely


@pytest.fixture
def ended():
    """The number of a process that is gone."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_what_a_cut_off_writer_left_is_gone_with_the_next_writing(tmp_path, ended):
    path = tmp_path / "state.json"
    left = tmp_path / f"state.json.{ended}.new"
    left.write_bytes(b"half")

    write_safely(path, b"whole")

    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]
    assert path.read_bytes() == b"whole"


def test_what_is_another_files_or_another_writers_stays(tmp_path, ended):
    names = {
        f"state.json.{os.getppid()}.new",
        f"other.json.{ended}.new",
        "state.json.mine.new",
        "state.json.new",
    }
    for name in names:
        (tmp_path / name).write_bytes(b"")

    write_safely(tmp_path / "state.json", b"whole")

    assert {entry.name for entry in tmp_path.iterdir()} == {*names, "state.json"}
