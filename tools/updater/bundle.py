"""The update bundle: one file, written and read here. Verifies no signature, compares no versions.

    fathom-update 1 295 20480       a line: format, length of the signature, length of the manifest
    -----BEGIN SSH SIGNATURE----    the signature of the manifest's bytes, as ssh-keygen writes it
    {"commit": ...                  the manifest, a JSON text: what it holds, with every file's SHA-256
    ...                             the files, one after another in the manifest's order, with nothing between

It is no archive: what is no plain file with a plain name cannot be said in it, and no unpacker runs as root.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tools.updater.errors import UpdateError

FORMAT = 1
ENDING = ".update"
FIRST_LINE = re.compile(rb"fathom-update (\d{1,6}) (\d{1,9}) (\d{1,9})\n")
LONGEST_LINE = 48  # bytes

MOST_SIGNATURE = 16 * 2**10  # bytes
MOST_MANIFEST = 2 * 2**20
MOST_FILES = 5000
MOST_FILE = 128 * 2**20
MOST_ALL = 2**30
LONGEST_PATH = 200  # signs
PIECE = 2**20  # bytes read at once

VERSION = re.compile(r"(0|[1-9]\d{0,3})(\.(0|[1-9]\d{0,5})){1,3}")
TARGET = re.compile(r"3\.\d{1,2}-[a-z0-9_]{1,20}")  # a Python and a machine: 3.11-aarch64
PART = re.compile(r"[\w.+@-][\w.+@ -]*", re.ASCII)
SEAL = "release.json"
OURS = (".venv", ".git", SEAL)  # what the box makes itself in a release's folder
KEYS = {"format", "version", "commit", "targets", "files"}


@dataclass(frozen=True)
class Item:
    """One file of a bundle. `targets`: who needs it; empty: everybody."""

    path: str
    size: int
    sha256: str
    executable: bool = False
    targets: tuple[str, ...] = ()

    def wanted(self, target: str) -> bool:
        return not self.targets or target in self.targets


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds. `targets`: for which Python and machine, and the bytes that it takes there."""

    version: str
    commit: str
    targets: dict[str, int]
    files: list[Item]
    digest: str = ""  # SHA-256 of its bytes: the bundle's own name

    def pack(self) -> bytes:
        """Its bytes, which are always the same for the same content."""
        files = []
        for item in self.files:
            told: dict[str, Any] = {"path": item.path, "size": item.size, "sha256": item.sha256}
            if item.executable:
                told["executable"] = True
            if item.targets:
                told["targets"] = list(item.targets)
            files.append(told)
        told = {"format": FORMAT, "version": self.version, "commit": self.commit}
        return json.dumps(told | {"targets": self.targets, "files": files}, indent=0, sort_keys=True).encode()


def order(version: str) -> tuple[int, ...]:
    """What versions are compared by; what an installer has put behind a `+` does not count.

    >>> order("0.10.0") > order("0.9.2"), order("1.0") == order("1.0.0")
    (True, True)
    """
    numbers = [int(number) for number in version.partition("+")[0].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def head(signature: bytes, manifest: bytes) -> bytes:
    """What a bundle begins with, before its files."""
    return b"fathom-update %d %d %d\n" % (FORMAT, len(signature), len(manifest)) + signature + manifest


def read_head(file: BinaryIO) -> tuple[bytes, bytes]:
    """The bytes of signature and manifest; the file stands at the first of its files then. UpdateError where
    this is no bundle, one of another format, or larger than any can be."""
    line = file.readline(LONGEST_LINE)
    found = FIRST_LINE.fullmatch(line)
    if not found:
        if not line.startswith(b"fathom-update "):
            raise UpdateError("it is no update bundle, or its beginning is damaged; copy it again.")
        raise UpdateError("its first line is damaged; copy it to the stick again.")
    number, signature, manifest = map(int, found.groups())
    if number != FORMAT:
        raise UpdateError(f"it has format {number}, expected {FORMAT}; take a version between first.")
    for what, size, most in (
        ("signature", signature, MOST_SIGNATURE),
        ("manifest", manifest, MOST_MANIFEST),
    ):
        if size > most:
            raise UpdateError(f"its {what} has {size} bytes, expected at most {most}; it is no good bundle.")
    parts = file.read(signature), file.read(manifest)
    if (len(parts[0]), len(parts[1])) != (signature, manifest):
        raise UpdateError("it is cut off in its first bytes; copy it to the stick again.")
    return parts


def parse(text: bytes) -> Manifest:
    """The manifest of these bytes; UpdateError for any that this version would not write."""
    try:
        told = json.loads(text)
        if told["format"] != FORMAT:
            raise UpdateError(f"its manifest has format {told['format']!r:.20}, expected {FORMAT}.")
        if set(told) != KEYS:
            raise ValueError(f"keys {sorted(set(told) ^ KEYS)} too many or too few")
        version, commit, targets = told["version"], told["commit"], told["targets"]
        if not VERSION.fullmatch(version) or not re.fullmatch(r"[0-9a-f]{40}|", commit):
            raise ValueError("version or commit are none")
        if not targets or not all(TARGET.fullmatch(name) for name in targets):
            raise ValueError("no target, or one that is none")
        if any(type(size) is not int or not 0 <= size <= 8 * MOST_ALL for size in targets.values()):
            raise ValueError("a target's size is none")
        items = [_item(entry, targets) for entry in told["files"]]
        _check_files(items)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UpdateError(f"its manifest cannot be used ({str(error)[:120]}): badly made.") from None
    return Manifest(version, commit, targets, items, hashlib.sha256(text).hexdigest())


def _item(entry: dict[str, Any], targets: Iterable[str]) -> Item:
    if not {"path", "size", "sha256"} <= set(entry) <= {"path", "size", "sha256", "executable", "targets"}:
        raise ValueError(f"a file with the keys {sorted(entry)}")
    path, size, sha256 = entry["path"], entry["size"], entry["sha256"]
    parts = path.split("/")
    plain = all(PART.fullmatch(part) and part not in (".", "..") for part in parts)
    if len(path) > LONGEST_PATH or not plain:
        raise ValueError(f"the path {path!r:.80}")
    if parts[0] in OURS:
        raise ValueError(f"the path {path!r:.80}, which is the box's own")
    if type(size) is not int or not 0 <= size <= MOST_FILE:
        raise ValueError(f"{path} has {size!r:.20} bytes, expected at most {MOST_FILE}")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{path} has no SHA-256")
    executable, wanted = entry.get("executable", False), entry.get("targets", [])
    if type(executable) is not bool or not isinstance(wanted, list) or not set(wanted) <= set(targets):
        raise ValueError(f"{path} is marked for what is not there")
    return Item(path, size, sha256, executable, tuple(wanted))


def _check_files(items: list[Item]) -> None:
    if not 0 < len(items) <= MOST_FILES:
        raise ValueError(f"{len(items)} files, expected 1 to {MOST_FILES}")
    if sum(item.size for item in items) > MOST_ALL:
        raise ValueError(f"files of more than {MOST_ALL} bytes together")
    names = {item.path for item in items}
    if len(names) != len(items):
        raise ValueError("two files of one name")
    if any(str(parent) in names for item in items for parent in Path(item.path).parents):
        raise ValueError("a file that is a folder too")


def unpack(file: BinaryIO, items: Iterable[Item], target: str, folder: Path) -> None:
    """Write the files that a target needs into a new folder, every byte of them through its hash.

    The file may change meanwhile, or go away: what is not as the manifest says ends in an UpdateError.
    """
    for item in items:
        if not item.wanted(target):
            file.seek(item.size, os.SEEK_CUR)
            continue
        path = folder / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if item.executable else 0o644
        )
        found, left = hashlib.sha256(), item.size
        with open(handle, "wb") as written:
            while left and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                found.update(piece)
                written.write(piece)
        if left:
            raise UpdateError(f"it is cut off in {item.path}; copy it to the stick again.")
        if found.hexdigest() != item.sha256:
            raise UpdateError(
                f"{item.path} in it is not as its manifest says (another SHA-256); copy it again."
            )
