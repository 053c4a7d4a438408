import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from device import home as places
from device.errors import ModelError
from device.settings import Settings
from device.slot import pack

ROOT = Path(__file__).parents[1]


def test_a_box_lives_where_it_is_told_else_in_its_clone_else_where_data_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("FATHOM_HOME", str(tmp_path / "box"))
    assert places.home() == tmp_path / "box"
    assert places.socket_path() == tmp_path / "box" / "control.sock"

    monkeypatch.delenv("FATHOM_HOME")
    assert places.home() == Path(__file__).parents[1] / ".fathom"

    monkeypatch.setattr(places, "CLONE", tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert places.home() == tmp_path / "data" / "fathom"

    monkeypatch.delenv("XDG_DATA_HOME")
    assert places.home() == Path.home() / ".local" / "share" / "fathom"


def test_a_box_without_a_settings_file_plays_with_the_defaults(home):
    assert places.load_settings() == (Settings(), [])


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"\xff\xfe", "not a text in UTF-8"),
        (b"bpm = [", "not TOML"),
        (None, "Is a directory"),
        (b"bpm = " + b"9" * 5000, "no setting has"),
        (b"bpm = " + b"[" * 5000, "no setting has"),
    ],
)
def test_a_settings_file_that_cannot_be_read_is_said_and_the_defaults_hold(home, blob, said):
    home.mkdir()
    if blob is None:
        (home / "settings.toml").mkdir()
    else:
        (home / "settings.toml").write_bytes(blob)

    settings, complaints = places.load_settings()

    assert settings == Settings()
    assert len(complaints) == 1
    assert said in complaints[0]


def test_a_byte_order_mark_does_no_harm(home):
    home.mkdir()
    (home / "settings.toml").write_bytes(b"\xef\xbb\xbfbpm = 90")

    assert places.load_settings()[0].bpm == 90


def test_a_slot_that_is_no_slot_is_not_stored(home, slot):
    with pytest.raises(ModelError, match="not a whole slot file"):
        places.store("3", pack(slot)[:-1], print)

    assert places.slot_folder().filled() == []


def test_a_slot_goes_to_its_number_or_to_a_file(home, slot, tmp_path):
    places.store("3", pack(slot), print)
    places.store(str(tmp_path / "new" / "mine.safetensors"), pack(slot), print)

    assert places.load_slot("3").about == slot.about
    assert places.load_slot(str(tmp_path / "new" / "mine.safetensors")).about == slot.about


@pytest.mark.parametrize("word", ["0", "17", "-1", "--5", "banana"])
def test_a_slot_that_cannot_be_written_is_refused_before_any_work(home, word):
    with pytest.raises(ModelError, match="expected a number from 1 to 16"), places.target(word):
        pytest.fail("work was begun")


def test_a_target_that_can_be_written_is_let_through(home, tmp_path):
    for word in ("16", str(tmp_path / "new" / "mine.safetensors")):
        with places.target(word) as target:
            assert target == word


def test_a_free_target_is_the_first_number_that_holds_nothing(home, slot):
    for number in (1, 2, 4):
        places.slot_folder().save(number, pack(slot))
    with places.target("free") as target:
        assert target == "3"

    for number in range(1, 17):
        places.slot_folder().path(number).write_bytes(b"damaged, and perhaps dear to someone")
    with pytest.raises(ModelError, match="all 16 slots are filled"), places.target("free"):
        pytest.fail("work was begun")


CLAIM = """
import sys
from device.home import target
with target(sys.argv[1]) as number:
    print(number, flush=True)
    sys.stdin.read()
"""


@contextmanager
def learning(word):
    """Another process that learns into a slot, and the number that it has."""
    command, pipe = [sys.executable, "-c", CLAIM, word], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def test_two_that_learn_at_once_into_a_free_slot_have_two(home):
    with learning("free") as (first, _), learning("2") as (named, _), learning("free") as (third, _):
        assert [first, named, third] == ["1", "2", "3"]


def test_a_number_is_free_again_when_who_claimed_it_is_killed(home):
    with learning("free") as (number, process):
        process.kill()
        process.wait()
        with learning("free") as (after, _):
            assert number == after == "1"


def test_a_number_that_another_process_claims_can_be_named_all_the_same(home):
    with learning("3") as (_, _), learning("3") as (named, _):
        assert named == "3"


def test_a_word_that_is_no_number_is_refused_where_a_number_is_needed():
    with pytest.raises(ModelError, match="slot 'three': expected a number from 1 to 16"):
        places.number_of("three")
