"""What the player says of a loop: which keys, which values, and who wins."""

import os

import pytest
from loop_helpers import beats, write

from training.errors import LoopError
from training.overrides import LARGEST, RANGES, Word, beside, checked, word


def notes(folder, **texts):
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text)
    return beside(folder / "break.wav")


@pytest.mark.parametrize(
    ("key", "value"),
    [("bpm", 30), ("bpm", 300.0), ("bars", 1), ("bars", 32), ("shift", -64), ("shift", 64),
     ("sensitivity", 0), ("sensitivity", 1.0), ("reject", True)],
)  # fmt: skip
def test_a_value_within_its_range_is_taken(key, value):
    assert checked(key, value) == value
    assert type(checked(key, value)) is RANGES[key][0]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("bpm", 1000, "bpm is 1000, expected 30 to 300"),
        ("bpm", float("nan"), "bpm is nan, expected 30 to 300"),
        ("bpm", "fast", "bpm is 'fast', expected 30 to 300"),
        ("bpm", True, "bpm is true, expected 30 to 300"),
        ("bars", 0, "bars is 0, expected a whole number from 1 to 32"),
        ("bars", 2.5, "bars is 2.5, expected a whole number from 1 to 32"),
        ("shift", 10**400, "shift is a number of many digits, expected a whole number from -64 to 64"),
        ("sensitivity", -0.1, "sensitivity is -0.1, expected 0 to 1"),
        ("reject", 1, "reject is 1, expected true or false"),
        ("tempo", 120, "a loop has no 'tempo', expected one of bpm, bars, shift, sensitivity, reject"),
        ("esc\x1b[31m", 1, "a loop has no 'esc?[31m'"),
    ],
)
def test_another_is_refused_by_key_value_and_range(key, value, says):
    with pytest.raises(LoopError) as error:
        checked(key, value)

    assert says in str(error.value)


def test_a_loop_without_notes_has_nothing_said_of_it(tmp_path):
    assert beside(tmp_path / "break.wav") == (Word(), [])


def test_the_nearer_note_wins_key_by_key(tmp_path):
    said, complaints = notes(
        tmp_path,
        fathom__toml="bpm = 90\nbars = 4\nshift = 2\nreject = true",
        break__toml="bpm = 100\nbars = 8",
        break__wav__toml="bpm = 110\nreject = false",
    )

    assert complaints == []
    assert said.values() == {"bpm": 110.0, "bars": 8, "shift": 2, "reject": False}
    assert said.lines() == (
        "break.wav.toml says bpm 110",
        "break.toml says bars 8",
        "fathom.toml says shift 2",
    )


def test_a_note_of_the_folder_above_or_of_another_loop_says_nothing(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "fathom.toml").write_text("bpm = 90")
    (tmp_path / "deep" / "other.toml").write_text("bpm = 90")

    assert beside(tmp_path / "deep" / "break.wav") == (Word(), [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bpm = 1000", "bpm is 1000, expected 30 to 300."),
        ("[table]\nbpm = 90", "a loop has no 'table'"),
        ("bpm = ", "not TOML (Invalid value (at end of document))."),
        ("bpm = " + "9" * 5000, "a number or a nesting that no note has."),
        ("bpm = " + "[" * 50_000, "a number or a nesting that no note has."),
        ("#" * (LARGEST + 1), f"more than {LARGEST} bytes"),
    ],
)
def test_a_note_that_cannot_be_used_is_said_and_the_rest_holds(tmp_path, text, says):
    said, complaints = notes(tmp_path, fathom__toml="bars = 2", break__wav__toml=text)

    assert said.values() == {"bars": 2}
    assert len(complaints) == 1
    assert complaints[0].startswith(f"{tmp_path}/break.wav.toml: ")
    assert says in complaints[0]


def test_a_key_that_cannot_be_used_leaves_the_others(tmp_path):
    said, complaints = notes(tmp_path, break__toml="bpm = 90\nbars = 'two'")

    assert said.values() == {"bpm": 90.0}
    assert complaints == [f"{tmp_path}/break.toml: bars is 'two', expected a whole number from 1 to 32."]


def test_a_note_that_is_no_file_or_leads_elsewhere_is_said_and_not_read(tmp_path):
    outside = tmp_path / "outside.toml"
    outside.write_text("bpm = 90")
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "break.wav.toml").symlink_to(outside)
    (folder / "break.toml").mkdir()
    os.mkfifo(folder / "fathom.toml")

    said, complaints = beside(folder / "break.wav")

    assert said == Word()
    assert [line.partition(": ")[2] for line in complaints] == [
        "cannot be read (not a regular file): leave it out.",
        "cannot be read (not a regular file): leave it out.",
        "cannot be read (a link that is not followed): leave it out.",
    ]


def test_a_note_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "break.toml").write_bytes(b"\xef\xbb\xbfbpm = 90")

    assert beside(tmp_path / "break.wav")[0].bpm == 90


def test_names_too_long_for_a_note_and_names_that_are_no_text_do_no_harm(tmp_path):
    assert beside(write(tmp_path / ("x" * 251 + ".wav"), beats())) == (Word(), [])
    assert beside(tmp_path / os.fsdecode(b"\xff.wav")) == (Word(), [])
    (tmp_path / os.fsdecode(b"\xff.toml")).write_text("bpm = 1")
    assert beside(tmp_path / os.fsdecode(b"\xff.wav"))[1] == [
        f"{tmp_path}/?.toml: bpm is 1, expected 30 to 300."
    ]


def test_who_says_nothing_leaves_what_is_said():
    assert word({}, "a note")[0].over(Word(bars=3)) == Word(bars=3)
