"""A backup of the whole box in a folder of a stick, and back. Decides nothing of when, and tells no box.

Contents lie under their SHA-256, so that a second backup writes only what is new; a list says which file of
the box is which content. The list is written last: a backup without one is none. What is read from a stick
is believed only where it is as long, and has the digest, that the list says.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from device import restoring
from device.disk import write_safely
from device.errors import ModelError
from device.restoring import ENTRIES

FOLDER = "fathom-backup"  # on the stick; the player makes it, and so says that the stick is for backups
CONTENTS = "files"
FORMAT = 1
GENERATIONS = 2  # backups that stay on a stick
LARGEST_LIST = 8 * 2**20  # bytes
LARGEST = 64 * 10**6  # bytes of a file
MOST = 20_000  # files
DEEPEST = 24  # folders within folders
SPARE = 2 * 10**6  # bytes of a stick that its own bookkeeping may need
LEAST_FREE = 50 * 10**6  # bytes of the box that stay free
LOOPS = "loops"
LISTS = re.compile(r"backup-(\d{4})\.json")
DIGEST = re.compile(r"[0-9a-f]{64}")
# What is backed up; nothing else is ever restored, whatever a list says.
KNOWN = re.compile(
    r"settings\.toml|state\.json|library\.json|slots/slot-\d\d\.(safetensors|previous)|loops/.+", re.DOTALL
)

Tell = Callable[[int, int], None]


class Content(msgspec.Struct, array_like=True):
    """What a file holds: the SHA-256 of it, and its bytes."""

    digest: str
    size: int


class Body(msgspec.Struct):
    """What a backup holds: its files by their place in the box's folder, and whether loops are among them."""

    loops: bool
    files: dict[str, Content]


class List(msgspec.Struct):
    """A list as it lies on the stick: `digest` is the SHA-256 of `backup`, the JSON of a `Body`."""

    format: int
    digest: str = ""
    backup: str = ""


def save(stick: Path, home: Path, memory: bytes | None, tell: Tell = lambda done, of: None) -> str:
    """Write a backup of the box to a stick and say what it holds. OSError where the stick fails.

    memory : what the running box remembers, as its state file would say it; None: as the file does
    """
    if not stick.is_dir():
        raise ModelError(f"backup: {stick} is not there, expected a folder.")
    root = stick / FOLDER
    (root / CONTENTS).mkdir(parents=True, exist_ok=True)
    try:
        return _save(root, home, memory, tell)
    finally:
        with contextlib.suppress(OSError):
            _tidy(root)


def _save(root: Path, home: Path, memory: bytes | None, tell: Tell) -> str:
    files, left_out = _files(home)
    body, wanted = Body(True, {}), 0
    given = {"state.json": memory} if memory else {}
    sizes = {place: path.stat().st_size for place, path in files.items()}
    small = sum(size for place, size in sizes.items() if not place.startswith(f"{LOOPS}/"))
    free = shutil.disk_usage(root).free - SPARE
    if small > free:
        raise ModelError(f"backup: {_mb(small)} MB are needed, {_mb(free)} are free on the stick: make room.")
    held = sum(size for name, size in _held(root))
    if sum(sizes.values()) > free + held:
        body.loops = False
        files = {place: path for place, path in files.items() if not place.startswith(f"{LOOPS}/")}
    for done, (place, path) in enumerate(files.items()):
        tell(done, len(files))
        data = given.get(place) or _read(path)
        if data is None:
            left_out += 1
            continue
        body.files[place] = _keep(root, data)
        wanted += len(data)
    if memory and "state.json" not in body.files:
        body.files["state.json"] = _keep(root, memory)
    if not body.files:
        raise ModelError("backup: this box has learned and changed nothing yet.")
    text = msgspec.json.encode(body).decode()
    number = max((number for number, _ in _lists(root)), default=0) + 1
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_safely(root / f"backup-{number:04d}.json", msgspec.json.encode(List(FORMAT, digest, text)))
    tell(len(files), len(files))
    without = "" if body.loops else "; without loops, for which there is no room"
    without += f"; {left_out} files were left out" if left_out else ""
    return f"{len(body.files)} files, {_mb(wanted)} MB, are in {FOLDER}{without}."


def restore(
    stick: Path, home: Path, tell: Tell = lambda done, of: None, hold: Callable[[], None] = lambda: None
) -> tuple[str, set[str]]:
    """Let the newest backup of a stick take the place of what the box has; say so, and which files differ.

    hold : is called when it is too late to change one's mind

    ModelError says why it is refused, OSError that a disk failed: then nothing has changed.
    """
    root = stick / FOLDER
    number, body = _newest(root)
    home.mkdir(parents=True, exist_ok=True)
    kept = () if body.loops else (LOOPS,)
    needed = sum(content.size for content in body.files.values())
    free = shutil.disk_usage(home).free - LEAST_FREE
    if needed > free:
        raise ModelError(f"restore: {_mb(needed)} MB are needed, {_mb(max(free, 0))} are free: make room.")
    changed: set[str] = set()
    try:
        _fetch(root, number, body, home, changed, tell)
        hold()
        restoring.restore(home, kept)
    finally:
        shutil.rmtree(home / restoring.READY, ignore_errors=True)
    tell(len(body.files), len(body.files))
    return (
        f"backup {number} is restored, {len(body.files)} files; "
        "what was there before comes back with `fathom restore --undo`.",
        changed,
    )


def _fetch(root: Path, number: int, body: Body, home: Path, changed: set[str], tell: Tell) -> None:
    """Make ready what a backup holds; what the box did not have like this is put into `changed`."""
    new = restoring.ready(home)
    for done, (place, content) in enumerate(body.files.items()):
        tell(done, len(body.files))
        target = new / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if place.startswith(f"{LOOPS}/") and _link(home / place, content, target):
            continue
        data = _read(root / CONTENTS / content.digest[:2] / content.digest)
        if data is None or len(data) != content.size or hashlib.sha256(data).hexdigest() != content.digest:
            raise ModelError(
                f"restore: backup {number} is damaged ({place} is not what it was); nothing was restored."
            )
        target.write_bytes(data)
        if _read(home / place) != data:
            changed.add(place)


def _newest(root: Path) -> tuple[int, Body]:
    """The newest backup of a stick; ModelError where there is none, or none that is ours."""
    lists = _lists(root)
    if not lists:
        raise ModelError(f"restore: no backup in {FOLDER}; write one first.")
    number, path = lists[-1]
    data = _read(path, LARGEST_LIST)
    damaged = ModelError(f"restore: {path.name} is damaged, or no list of a backup; nothing was restored.")
    try:
        told = msgspec.json.decode(data or b"", type=List)
        if told.format != FORMAT:
            raise ModelError(
                f"restore: {path.name} is of format {told.format}, expected {FORMAT}; update this box first."
            )
        if hashlib.sha256(told.backup.encode()).hexdigest() != told.digest:
            raise damaged
        body = msgspec.json.decode(told.backup, type=Body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise damaged from None
    if len(body.files) > MOST:
        raise ModelError(f"restore: {path.name} lists more than {MOST} files; nothing was restored.")
    for place, content in body.files.items():
        parts = place.split("/")
        outside = any(part in ("", ".", "..") for part in parts) or "\0" in place or len(parts) > DEEPEST
        good = DIGEST.fullmatch(content.digest) and 0 <= content.size <= LARGEST
        if outside or not good or not KNOWN.fullmatch(place) or (place.startswith(LOOPS) and not body.loops):
            raise ModelError(
                f"restore: {path.name} lists {place[:60]!r}, which is no file of a box; nothing was restored."
            )
    return number, body


def _files(home: Path) -> tuple[dict[str, Path], int]:
    """What is to be backed up, by its place, and how many files of loops cannot be."""
    found: dict[str, Path] = {}
    left_out = 0
    for entry in ENTRIES:
        for path in _walk(home / entry, 0):
            place = path.relative_to(home).as_posix()
            try:
                place.encode()
                good = KNOWN.fullmatch(place) and stat.S_ISREG(path.lstat().st_mode)
            except (UnicodeEncodeError, OSError):
                good = False
            if good and len(found) < MOST:
                found[place] = path
            else:
                left_out += place.startswith(f"{LOOPS}/")
    return found, left_out


def _walk(path: Path, depth: int) -> Iterator[Path]:
    """The files at or below a path, in order; links are not followed, and what is hidden is half written."""
    if path.is_symlink() or not path.is_dir():
        if path.exists() and not path.is_symlink():
            yield path
        return
    for inner in sorted(path.iterdir()) if depth < DEEPEST else ():
        half = inner.name.startswith(".") and inner.name.endswith((".new", ".former"))
        if not half:
            yield from _walk(inner, depth + 1)


def _read(path: Path, most: int = LARGEST) -> bytes | None:
    """A file's bytes; None where it is longer than `most`, gone, or no file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.EACCES, errno.ENXIO):
            return None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    with open(handle, "rb") as file:
        size = os.fstat(handle).st_size
        data = file.read(min(size, most) + 1)  # one more: it may grow, or lie
    return None if len(data) > most else data


def _keep(root: Path, data: bytes) -> Content:
    """Let the stick hold these bytes, and see that it does."""
    content = Content(hashlib.sha256(data).hexdigest(), len(data))
    path = root / CONTENTS / content.digest[:2] / content.digest
    if not _holds(path, content):
        path.parent.mkdir(exist_ok=True)
        write_safely(path, data)
        if not _holds(path, content, afresh=True):
            raise ModelError("backup: the stick does not give back what was written to it; take another one.")
    return content


def _holds(path: Path, content: Content, afresh: bool = False) -> bool:
    """Whether a file holds that; `afresh`: as the disk has it, not as the system remembers it."""
    if afresh:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if not path.is_file() or path.stat().st_size != content.size:
        return False
    return hashlib.sha256(_read(path) or b"").hexdigest() == content.digest


def _link(there: Path, content: Content, target: Path) -> bool:
    """Whether the box has that file already; it is then linked, not written once more."""
    try:
        if there.is_symlink() or there.stat().st_size != content.size:
            return False
        if hashlib.sha256(_read(there) or b"").hexdigest() != content.digest:
            return False
        os.link(there, target)
    except OSError:
        return False
    return True


def _lists(root: Path) -> list[tuple[int, Path]]:
    """The lists of backups on a stick, oldest first."""
    found = ((LISTS.fullmatch(path.name), path) for path in root.iterdir()) if root.is_dir() else ()
    return sorted((int(match[1]), path) for match, path in found if match and path.is_file())


def _held(root: Path) -> Iterator[tuple[Path, int]]:
    """The contents that a stick holds, with their size."""
    for path in (root / CONTENTS).glob("??/*"):
        with contextlib.suppress(OSError):
            yield path, path.stat().st_size


def _tidy(root: Path) -> None:
    """Remove older backups, and contents that no backup lists any more."""
    lists = _lists(root)
    for _, path in lists[:-GENERATIONS]:
        path.unlink(missing_ok=True)
    used = set()
    for _, path in lists[-GENERATIONS:]:
        try:
            told = msgspec.json.decode(_read(path, LARGEST_LIST) or b"", type=List)
            used |= {content.digest for content in msgspec.json.decode(told.backup, type=Body).files.values()}
        except msgspec.MsgspecError:
            return  # it may be of another version: then nothing is removed
    for path, _ in _held(root):
        if path.name not in used:
            path.unlink(missing_ok=True)


def _mb(size: int) -> int:
    return -(-size // 10**6)
