"""What is decided about a loop is kept by its content, whole or not at all."""

import json
import threading

import pytest
from loop_helpers import beats, write

from device.disk import write_safely
from training.errors import LoopError
from training.library import Library, alone, content_of, decide, load, pack, previous, save, unpack, unread

A, B = content_of(b"a"), content_of(b"b")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "library.json"


def decided(**values):
    return Library().decided(A, "break.wav", values)


def test_what_was_decided_is_there_the_next_time(path):
    library = decided(bpm=90, bars=2, shift=-1, sensitivity=0.7).decided(B, "b.wav", {"reject": True})

    save(path, library, write_safely)
    found, notes = load(path)

    assert notes == []
    assert found == library
    assert found.word(A).values() == {"bpm": 90.0, "bars": 2, "shift": -1, "sensitivity": 0.7}
    assert found.word(A).lines()[0] == "the library says bpm 90"
    assert found.word(B).reject is True
    assert found.word(content_of(b"c")).values() == {}


def test_a_decision_is_added_to_what_was_decided_before():
    library = decided(bpm=90).decided(A, "renamed.wav", {"bars": 4})

    assert library.word(A).values() == {"bpm": 90.0, "bars": 4}
    assert library.loops[A].name == "renamed.wav"


def test_the_file_can_be_read_by_a_player():
    table = json.loads(pack(decided(bars=2)))

    assert table == {"format": 1, "loops": {A: {"name": "break.wav", "bars": 2}}}


@pytest.mark.parametrize(
    ("blob", "says"),
    [
        (b"", "not a library of loops, or cut off"),
        (b'{"format": 1, "loops": {', "not a library of loops, or cut off"),
        (b'{"format": 2, "loops": {}}', "of format 2, expected 1"),
        (b"\xff" * 100, "not a library of loops"),
        (b"[" * 100_000, "not a library of loops"),
    ],
)
def test_a_damaged_library_is_said_and_the_one_before_holds(path, blob, says):
    save(path, decided(bars=2), write_safely)
    save(path, decided(bars=4), write_safely)
    path.write_bytes(blob)

    library, notes = load(path)

    assert library.word(A).bars == 2
    assert says in notes[0]
    assert notes[1] == "The library before it is used."


def test_a_damaged_library_does_not_take_the_place_of_the_good_one_before(path):
    save(path, decided(bars=2), write_safely)
    save(path, decided(bars=4), write_safely)
    path.write_bytes(b"damaged")

    save(path, decided(bars=8), write_safely)

    assert load(path)[0].word(A).bars == 8
    assert unpack(previous(path).read_bytes(), "")[0].word(A).bars == 2


@pytest.mark.parametrize(
    "blob", [b'{"format": 2, "loops": {"a": {"bars": 3}}}', b'{"format": 1, "loops": {,}}']
)
def test_a_library_that_cannot_be_used_is_laid_aside_before_another_takes_its_place(path, blob):
    path.parent.mkdir()
    path.write_bytes(blob)

    save(path, decided(bars=8), write_safely)

    assert unread(path).read_bytes() == blob
    assert load(path)[0].word(A).bars == 8


def test_where_both_are_gone_nothing_is_decided(path):
    assert load(path) == (Library(), [])
    path.parent.mkdir()
    path.mkdir()
    assert load(path) == (Library(), ["library.json: cannot be read (Is a directory)."])


def test_one_decision_that_cannot_be_used_leaves_the_others():
    table = {
        "format": 1,
        "loops": {A: {"name": "a\x1b.wav", "bars": 99, "bpm": 90}, "no content": {"bars": 1}},
    }

    library, complaints = unpack(json.dumps(table).encode(), "library.json")

    assert library.word(A).values() == {"bpm": 90.0}
    assert list(library.loops) == [A]
    assert complaints == [
        "library.json: a?.wav: bars is 99, expected a whole number from 1 to 32.",
        "library.json: 'no content' is no SHA-256 of a file, in small letters.",
    ]


def test_a_disk_that_is_full_leaves_the_library_as_it_was(path):
    save(path, decided(bars=2), write_safely)

    def full(*_):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        save(path, decided(bars=4), full)

    assert load(path)[0].word(A).bars == 2


def test_loops_are_decided_by_file_or_by_what_the_list_shows(tmp_path):
    file = str(write(tmp_path / "break.wav", beats()))

    library, rows = decide(Library(), "set", [file], {"bars": 2})
    ((content, decision),) = rows
    assert decision.line(content) == f"{content[:8]}  break.wav: bars 2"
    library, _ = decide(library, "reject", [content[:8]], {})
    assert library.word(content).values() == {"bars": 2, "reject": True}
    library, _ = decide(library, "accept", [file], {})
    assert library.word(content).reject is False
    library, rows = decide(library, "reset", [content], {})
    assert library == Library()
    assert rows[0][1].line(content) == f"{content[:8]}  break.wav: as it is heard"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gone.wav", "gone.wav: no such file, and no loop that `fathom loops` shows"),
        ("", "a folder, expected a loop: write what you say of it into fathom.toml in it"),
        ("0123abcd", "0123abcd: no such file"),
        ("empty.wav", "empty.wav: the file is empty"),
    ],
)
def test_what_is_no_loop_is_said(tmp_path, name, says):
    (tmp_path / "empty.wav").write_bytes(b"")

    with pytest.raises(LoopError) as error:
        decide(Library(), "reject", [str(tmp_path / name)], {})

    assert says in str(error.value)


def test_two_that_decide_at_once_wait_for_each_other(path):
    order = []

    def other():
        with alone(path):
            order.append("other")

    with alone(path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.05)
        order.append("one")
    thread.join()

    assert order == ["one", "other"]
