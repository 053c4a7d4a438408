"""What is written of loops goes where the player wants it."""

import pytest

from training.hear import Heard
from training.sheets import Sheets


def written(target, names, several=True):
    paths = []
    sheets = Sheets(target, several, ".mid", lambda heard, path: paths.append(path))
    for name in names:
        sheets.write(Heard(name))
    return paths


def test_one_loop_goes_to_the_file_and_several_are_numbered(tmp_path):
    assert written(tmp_path / "a.mid", ["x.wav"], several=False) == [tmp_path / "a.mid"]
    assert written(tmp_path / "a.mid", ["x.wav", "y.wav"]) == [tmp_path / "a-1.mid", tmp_path / "a-2.mid"]


def test_in_a_folder_each_is_called_like_its_loop(tmp_path):
    names = ["d/break 90.5.wav", "e/Break 90.5.flac", "e/tom.wav", "..wav", "?.wav"]

    assert [path.name for path in written(tmp_path / "new" / "deep", names)] == [
        "break 90.5.mid", "Break 90.5-2.mid", "tom.mid", "..mid", "?.mid",
    ]  # fmt: skip
    assert (tmp_path / "new" / "deep").is_dir()


def test_a_folder_with_a_dot_is_a_folder(tmp_path):
    (tmp_path / "loops.d").mkdir()

    assert written(tmp_path / "loops.d", ["a.wav"]) == [tmp_path / "loops.d" / "a.mid"]


def test_a_name_of_255_bytes_has_room_for_what_is_added(tmp_path):
    for path in written(tmp_path, ["é" * 125 + ".wav", "é" * 125 + ".flac"]):
        assert len(path.name.encode()) <= 255
        path.write_bytes(b"")


def test_the_folder_of_the_file_is_made_and_where_that_fails_nothing_is_begun(tmp_path):
    written(tmp_path / "new" / "a.mid", [])
    assert (tmp_path / "new").is_dir()

    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        written(tmp_path / "file" / "a.mid", ["x.wav"])
