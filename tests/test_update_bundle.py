"""The bundle: what its manifest may say, and what is made of a file that is none."""

import io
import json

import pytest

from tools.updater import bundle
from tools.updater.bundle import Item, Manifest, order
from tools.updater.errors import UpdateError

SHA = "a" * 64
GOOD = Manifest(
    "0.2.0", "b" * 40, {"3.11-aarch64": 5}, [Item("hw/panel.py", 3, SHA), Item("run", 2, SHA, True)]
)


def told(**changed) -> bytes:
    return json.dumps(json.loads(GOOD.pack()) | changed).encode()


def with_file(**changed) -> bytes:
    return told(files=[{"path": "a", "size": 1, "sha256": SHA} | changed])


def test_a_manifest_is_read_back_as_it_was_written():
    found = bundle.parse(GOOD.pack())

    assert (found.version, found.targets, found.files) == (GOOD.version, GOOD.targets, GOOD.files)
    assert found.pack() == GOOD.pack()


@pytest.mark.parametrize(
    "path",
    [
        "../etc/passwd",
        "a/../../b",
        "/etc/passwd",
        "a//b",
        "a/./b",
        "",
        ".",
        "a/",
        "a\0b",
        "a\nb",
        "-rf\\x",
        "ä",
        "x" * 201,
        ".venv/bin/python",
        ".git/config",
        "release.json",
        7,
        None,
        ["a"],
    ],
)
def test_a_path_that_leads_elsewhere_or_is_no_plain_name_is_refused(path):
    with pytest.raises(UpdateError, match="its manifest cannot be used"):
        bundle.parse(with_file(path=path))


@pytest.mark.parametrize(
    "text",
    [
        with_file(link="/etc/passwd"),
        with_file(device=[8, 0]),
        with_file(mode=0o4755),
        with_file(executable=1),
        with_file(size=-1),
        with_file(size=True),
        with_file(size=2**30),
        with_file(size="1"),
        with_file(sha256="A" * 64),
        with_file(sha256=None),
        with_file(targets=["3.13-aarch64"]),
        with_file(targets=[[]]),
        told(files=[]),
        told(files={"path": 1}),
        told(files=[{"path": "a", "size": 1, "sha256": SHA}] * 2),
        told(files=[{"path": name, "size": 1, "sha256": SHA} for name in ("a", "a/b")]),
        told(files=[{"path": str(n), "size": 1, "sha256": SHA} for n in range(5001)]),
        told(files=[{"path": str(n), "size": 2**27, "sha256": SHA} for n in range(9)]),
        told(version="../0.2.0"),
        told(version="0.2.0\n"),
        told(version=2),
        told(commit="x"),
        told(targets={}),
        told(targets=["3.11-aarch64"]),
        told(targets={"../x": 1}),
        told(targets={"3.11-aarch64": -1}),
        told(more=1),
        b"[]",
        b"{}",
        b"",
        b"\xff",
        b"[" * 100_000,
    ],
    ids=lambda text: "manifest",
)
def test_a_manifest_that_says_what_no_bundle_can_hold_is_refused(text):
    with pytest.raises(UpdateError, match="its manifest cannot be used"):
        bundle.parse(text)


def test_a_manifest_of_another_format_is_named():
    with pytest.raises(UpdateError, match="its manifest has format 2, expected 1"):
        bundle.parse(told(format=2))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "it is no update bundle"),
        (b"PK\3\4" + bytes(100), "it is no update bundle"),
        (b"fathom-update " + b"9" * 100, "its first line is damaged"),
        (b"fathom-update 2 1 1\nxx", "it has format 2, expected 1"),
        (b"fathom-update 1 999999 1\n", "its signature has 999999 bytes, expected at most 16384"),
        (b"fathom-update 1 1 999999999\n", "its manifest has 999999999 bytes, expected at most 2097152"),
        (b"fathom-update 1 10 10\nshort", "it is cut off in its first bytes"),
    ],
)
def test_a_file_that_does_not_begin_as_a_bundle_is_refused_before_much_of_it_is_read(data, sentence):
    with pytest.raises(UpdateError, match=sentence):
        bundle.read_head(io.BytesIO(data))


def test_versions_are_compared_by_their_numbers():
    assert order("0.10.0") > order("0.9.9") > order("0.9")
    assert order("1.0") == order("1.0.0") == order("1.0.0+0123abcd")


def test_files_for_another_python_are_passed_over(tmp_path):
    import hashlib

    items = [
        Item(name, 3, hashlib.sha256(name.encode() * 3).hexdigest(), targets=targets)
        for name, targets in (("a", ()), ("b", ("3.13-aarch64",)), ("c", ("3.11-aarch64",)))
    ]

    bundle.unpack(io.BytesIO(b"aaabbbccc"), items, "3.11-aarch64", tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]
    assert (tmp_path / "c").read_text() == "ccc"


def test_what_is_there_already_is_not_written_through(tmp_path):
    (tmp_path / "elsewhere").write_text("whole")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError):
        bundle.unpack(io.BytesIO(b"x"), [Item("a", 1, SHA)], "3.11-aarch64", tmp_path / "in")
    assert (tmp_path / "elsewhere").read_text() == "whole"
