"""What a stick is called and how it is written, as udev says. Mounts nothing, and reads no stick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SYS, UDEV = Path("/sys/class/block"), Path("/run/udev/data")
MOUNTS = Path("/run/fathom-stick")  # each stick below, under the kernel's name for it
READ = (
    "vfat",
    "exfat",
)  # others are rarely on sticks, and no kernel is made to read them from strangers
LARGEST = 65536  # bytes of what udev says


@dataclass(frozen=True)
class Volume:
    """A stick: `kind` is its file system, "" where it has none; `known_by` tells it from others."""

    label: str
    kind: str
    known_by: str


def volume(kernel: str, sys: Path = SYS, udev: Path = UDEV) -> Volume:
    """What is known of a stick by the kernel's name for it, such as sda1."""
    said: dict[str, str] = {}
    try:
        number = (sys / kernel / "dev").read_text().strip()
        with (udev / f"b{number}").open(encoding="utf-8", errors="replace") as file:
            for line in file.read(LARGEST).splitlines():
                key, _, value = line.removeprefix("E:").partition("=")
                said[key] = value
    except OSError:
        pass
    label = unquoted(said.get("ID_FS_LABEL_ENC", "")) or said.get("ID_FS_LABEL", "")
    kind, known_by = said.get("ID_FS_TYPE", ""), said.get("ID_FS_UUID", "")
    return Volume(label.strip() or kernel, kind, known_by or label or kernel)


def unquoted(text: str) -> str:
    r"""A text in which udev has written bytes as \x20.

    >>> unquoted(r"MY\x20LOOPS\x2fA")
    'MY LOOPS/A'
    """
    first, *rest = text.encode().split(b"\\x")
    for part in rest:
        try:
            first += bytes([int(part[:2], 16)]) + part[2:]
        except ValueError:
            first += b"\\x" + part
    return first.decode("utf-8", "replace")
