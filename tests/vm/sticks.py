"""Makes USB sticks as files, without root: vfat and exFAT, with and without a partition table, and bad ones.

exFAT is filled here, since no tool of Debian does that without mounting; `mkfs.exfat` makes the empty one and
`fsck.exfat -n` finds nothing wrong with the full one.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .image import run

SECTOR = 512
FIRST = 2048  # the sector at which a partition begins
TYPES = {"vfat": 0x0C, "exfat": 0x07}
Files = Mapping[str, bytes | Path]  # by path on the stick, with slashes


def make_stick(
    path: Path,
    files: Files,
    *,
    system: str = "vfat",
    table: bool = False,
    size_mb: int = 64,
    label: str = "LOOPS",
) -> Path:
    """A stick with these files; `table` puts them in a partition."""
    with tempfile.TemporaryDirectory(dir=path.parent) as work:
        inner = Path(work) / "system"
        with inner.open("wb") as file:
            file.truncate(size_mb << 20)
        if system == "vfat":
            run("mkfs.vfat", "-F", "32", "-n", label, inner)
            _fill_vfat(inner, files, Path(work) / "tree")
        elif system == "exfat":
            run("mkfs.exfat", "-L", label, inner)
            ExFat(inner).fill(files)
        else:
            raise ValueError(f"system is {system!r}; expected vfat or exfat")
        if table:
            _put_behind_table(inner, TYPES[system])
        shutil.move(inner, path)
    return path


def crowded_stick(path: Path, count: int = 100_000, size_mb: int = 64) -> Path:
    """A stick with so many empty files in one folder, all called like loops."""
    return make_stick(
        path, {f"loops/hit {n:06d}.wav": b"" for n in range(count)}, system="exfat", size_mb=size_mb
    )


def lying_stick(path: Path, files: Files, *, system: str = "vfat", size_mb: int = 64) -> Path:
    """A stick whose file system says that it is twice as large as it is; the last file lies past its end.

    The others can be read; reading that one, or the free space, gives an error.
    """
    filler = {"!first.bin": bytes((size_mb << 20) // 2)}
    make_stick(path, {**filler, **files}, system=system, size_mb=size_mb)
    os.truncate(path, (size_mb << 20) // 2)
    return path


def _fill_vfat(image: Path, files: Files, tree: Path) -> None:
    for name, content in files.items():
        place = tree / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(content, place) if isinstance(content, Path) else place.write_bytes(content)
    if files:
        tops = [tree / name for name in dict.fromkeys(name.split("/")[0] for name in files)]
        run("mcopy", "-s", "-Q", "-i", image, *tops, "::/", env={"MTOOLS_SKIP_CHECK": "1"})


def _put_behind_table(image: Path, kind: int) -> None:
    sectors = image.stat().st_size // SECTOR
    entry = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", FIRST, sectors)
    whole = image.with_suffix(".whole")
    with whole.open("wb") as file, image.open("rb") as inner:
        file.write((b"\0" * 446 + entry).ljust(510, b"\0") + b"\x55\xaa")
        file.seek(FIRST * SECTOR)
        shutil.copyfileobj(inner, file, 1 << 20)
    whole.rename(image)


class ExFat:
    """An exFAT file system, fresh from `mkfs.exfat`, to be filled once. Every file lies in one piece."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            boot = file.read(SECTOR)
        self._fat, _, heap, self._clusters, self._root = struct.unpack_from("<5I", boot, 80)
        self._sector = 1 << boot[108]
        self._cluster = self._sector << boot[109]
        self._heap = heap * self._sector
        self._next = self._root + 1  # `mkfs.exfat` lays the root last

    def fill(self, files: Files) -> None:
        tree: dict = {}
        for name, content in files.items():
            *folders, last = name.split("/")
            place = tree
            for folder in folders:
                place = place.setdefault(folder, {})
            place[last] = content
        with self._path.open("r+b") as self._file:
            root = self._read(self._root)
            used = next(n for n in range(0, len(root), 32) if root[n] == 0)
            bitmap = next(root[n : n + 32] for n in range(0, used, 32) if root[n] == 0x81)
            entries = root[:used] + self._entries(tree)
            self._write(self._root, entries[: self._cluster])
            if rest := entries[self._cluster :]:  # the root is no single piece: the FAT has its clusters
                first = self._take(rest)
                last = self._next - 1
                chain = [first, *range(first + 1, last + 1), 0xFFFFFFFF]
                for cluster, following in zip([self._root, *chain], chain, strict=False):
                    self._file.seek(self._fat * self._sector + 4 * cluster)
                    self._file.write(struct.pack("<I", following))
            self._mark(struct.unpack_from("<I", bitmap, 20)[0])

    def _entries(self, folder: dict) -> bytes:
        return b"".join(self._entry(name, content) for name, content in folder.items())

    def _entry(self, name: str, content: dict | bytes | Path) -> bytes:
        is_folder = isinstance(content, dict)
        if isinstance(content, dict):
            data = self._entries(content)
            data = data.ljust(-(-max(len(data), 1) // self._cluster) * self._cluster, b"\0")
        else:
            data = content.read_bytes() if isinstance(content, Path) else content
        first = self._take(data) if data else 0
        units = name.encode("utf-16-le")
        names = [units[n : n + 30].ljust(30, b"\0") for n in range(0, len(units), 30)]
        when = (2026 - 1980) << 25 | 1 << 21 | 1 << 16
        entries = struct.pack(
            "<BBHHHIII5B7x", 0x85, len(names) + 1, 0, 0x10 if is_folder else 0x20, 0, when, when, when,
            0, 0, 0x80, 0x80, 0x80,
        )  # fmt: skip
        entries += struct.pack(
            "<BBBBHHQIIQ", 0xC0, 3 if data else 1, 0, len(units) // 2,
            _rotating_sum(_large(name).encode("utf-16-le")), 0, len(data), 0, first, len(data),
        )  # fmt: skip
        entries += b"".join(b"\xc1\0" + part for part in names)
        return entries[:2] + struct.pack("<H", _rotating_sum(entries[:2] + entries[4:])) + entries[4:]

    def _take(self, data: bytes) -> int:
        """Write data to the next free clusters; gives the first."""
        first = self._next
        self._next += -(-len(data) // self._cluster)
        if self._next > self._clusters + 2:
            raise ValueError(f"{self._path}: the stick is too small for its files")
        self._write(first, data)
        return first

    def _mark(self, bitmap: int) -> None:
        """All clusters so far are in use."""
        used = self._next - 2
        bits = b"\xff" * (used // 8) + bytes([(1 << used % 8) - 1])
        self._write(bitmap, bits)

    def _read(self, cluster: int) -> bytes:
        self._file.seek(self._heap + (cluster - 2) * self._cluster)
        return self._file.read(self._cluster)

    def _write(self, cluster: int, data: bytes) -> None:
        self._file.seek(self._heap + (cluster - 2) * self._cluster)
        self._file.write(data)


def _large(name: str) -> str:
    """In capitals, letter by letter: a sharp s stays one."""
    return "".join(sign.upper() if len(sign.upper()) == 1 else sign for sign in name)


def _rotating_sum(data: bytes) -> int:
    total = 0
    for byte in data:
        total = ((total << 15 | total >> 1) + byte) & 0xFFFF
    return total
