"""What was heard comes back as it was, or is heard anew; the folder stays small."""

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from loop_helpers import beats, write

from training import cache as caches
from training.cache import LARGEST, Cache, hearing, key_of, pack, unpack
from training.hear import Heard, hear, refused

KEY = "ab" * 32


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "heard")


def same(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return one == other


@pytest.mark.parametrize("voices", [1, 3])
def test_what_was_heard_comes_back_to_the_bit(tmp_path, voices):
    heard = hear(write(tmp_path / "loop 120bpm.wav", beats("X..x..xX" * 6)), voices)

    again = replace(unpack(pack(heard)), file=heard.file)

    assert heard.ok
    assert len(heard.takes) == 2
    assert same(heard, again)


def test_a_refusal_comes_back():
    assert same(unpack(pack(refused("a.wav", "it is silent"))), Heard(file="", reason="it is silent"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\xff" * 50,
        pack(refused("a.wav", "it is silent"))[:-3],
        pack(Heard(file="", onsets_s=np.zeros(3))).replace(b"<f8", b"|O8"),
        pack(Heard(file="", onsets_s=np.zeros(3))).replace(b"<f8", b"<f4"),
    ],
)
def test_other_bytes_are_not_what_was_heard(body):
    with pytest.raises(ValueError, match="not what was heard"):
        unpack(body)


def test_what_is_kept_is_there_and_else_is_not(cache):
    assert cache.get(KEY) is None
    cache.put(KEY, b"heard")
    assert cache.get(KEY) == b"heard"
    assert cache.get("cd" * 32) is None
    cache.put("../outside", b"heard")
    cache.put("large", b"x" * (LARGEST + 1))
    assert [path.name for path in cache.folder.iterdir()] == [f"{KEY}.heard"]
    assert [path.name for path in cache.folder.parent.iterdir()] == ["heard"]


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:40] + b"X"])
def test_a_damaged_file_is_as_none(cache, damage):
    cache.put(KEY, b"heard and kept")
    path = cache.folder / f"{KEY}.heard"
    path.write_bytes(damage(path.read_bytes()))

    assert cache.get(KEY) is None
    cache.put(KEY, b"heard anew")
    assert cache.get(KEY) == b"heard anew"


def test_a_folder_that_cannot_be_written_is_no_complaint(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "heard")

    cache.put(KEY, b"heard")
    cache.sweep()

    assert cache.get(KEY) is None


def test_what_was_not_used_for_longest_goes_first(cache):
    for age, key in enumerate(("aa", "bb", "cc")):
        cache.put(key, b"x" * 5000)
        os.utime(cache.folder / f"{key}.heard", (0, 1e9 - age * 1000))
    cache.get("cc")  # used: it is as new

    cache.sweep(most_bytes=2 * 8192)

    assert cache.get("bb") is None
    assert cache.get("aa")
    assert cache.get("cc")


def test_whatever_bears_on_a_loop_is_in_its_key(monkeypatch):
    path = Path("/loops/120bpm/break.wav")
    how = {"voices": 1, "sensitivity": 0.5, "said": ()}
    keys = [
        key_of("aa", path, **how),
        key_of("bb", path, **how),
        key_of("aa", path.with_stem("break 90bpm"), **how),
        key_of("aa", Path("/loops/90bpm/break.wav"), **how),
        key_of("aa", path, **{**how, "voices": 3}),
        key_of("aa", path, **{**how, "sensitivity": 0.6}),
        key_of("aa", path, **{**how, "said": ("the library says bars 2",)}),
    ]
    assert key_of("aa", Path("/media/stick/120bpm/break.wav"), **how) == keys[0]
    monkeypatch.setattr(caches, "hearing", lambda: "another version")
    keys.append(key_of("aa", path, **how))

    assert len(set(keys)) == len(keys)


def test_the_code_that_hears_is_known_by_its_files(tmp_path, monkeypatch):
    assert hearing() == hearing.__wrapped__()
    monkeypatch.setattr(caches, "__file__", str(tmp_path / "cache.py"))
    (tmp_path / "onsets.py").write_text("one")
    one = hearing.__wrapped__()
    (tmp_path / "onsets.py").write_text("other")

    assert hearing.__wrapped__() != one
