"""Writes, links and removes files of a system, so that a power cut leaves whole files or none.

Decides nothing. The system is `/`, or a folder that stands for it. A tree that is `dry` changes nothing and
says what it would do.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from tools.installer.errors import InstallError

NEW = ".fathom-new"  # ends the name of a file that is being written


class Tree:
    """A system's files. Names are absolute, as the installed system sees them."""

    def __init__(self, root: Path, dry: bool, say: Callable[[str], None]) -> None:
        self.root = root
        self.dry = dry
        self.say = say

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def exists(self, name: str) -> bool:
        return os.path.lexists(self.path(name))

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where there is none."""
        try:
            return self.path(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes, mode: int | None = 0o644) -> bool:
        """Put a file there, if it is not there as it shall be. `mode` None: rights are left (vfat)."""
        path = self.path(name)
        right = mode is None or (path.is_file() and path.stat().st_mode & 0o7777 == mode)
        if right and not path.is_symlink() and self.read(name) == data:
            return False
        if self._would(f"write {name}"):
            return True
        self._parents(path)
        new = path.with_name(path.name + NEW)
        with open(new, "wb") as file:
            file.write(data)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        flush(path.parent)
        return True

    def link(self, name: str, target: str) -> bool:
        """Let a name lead to another one, in one step."""
        path = self.path(name)
        if path.is_symlink() and os.readlink(path) == target:
            return False
        if path.exists() and not path.is_symlink():
            raise InstallError(
                f"{name} is there already and is no link of Fathom's; expected none. Move it away, then "
                "again."
            )
        if self._would(f"link {name} -> {target}"):
            return True
        self._parents(path)
        new = path.with_name(path.name + NEW)
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(path)
        flush(path.parent)
        return True

    def folder(self, name: str, mode: int = 0o755, owner: tuple[int, int] | None = None) -> bool:
        """A folder with these rights."""
        path = self.path(name)
        there = path.is_dir()
        if there:
            seen = path.stat()
            if seen.st_mode & 0o7777 == mode and owner in (None, (seen.st_uid, seen.st_gid)):
                return False
        if self._would(f"make the folder {name}"):
            return True
        self._parents(path)
        path.mkdir(exist_ok=True)
        if owner:
            os.chown(path, *owner)
        path.chmod(mode)
        flush(path.parent)
        return not there

    def missing_folders(self, names: Iterable[str]) -> list[str]:
        """The folders that files of these names would need, and that are not there."""
        above = {str(folder) for name in names for folder in Path(name).parents}
        return sorted(folder for folder in above if not self.exists(folder))

    def remove(self, name: str) -> bool:
        """Take away a file, a link, or a folder with all that is in it."""
        path = self.path(name)
        if not os.path.lexists(path):
            path.with_name(path.name + NEW).unlink(missing_ok=True)
            return False
        if self._would(f"remove {name}"):
            return True
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        with contextlib.suppress(OSError):
            path.with_name(path.name + NEW).unlink()
        flush(path.parent)
        return True

    def remove_if_empty(self, name: str) -> None:
        path = self.path(name)
        if not self.dry and path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                path.rmdir()
                flush(path.parent)

    def _parents(self, path: Path) -> None:
        for parent in reversed(path.relative_to(self.root).parents):
            folder = self.root / parent
            if not folder.is_dir():
                folder.mkdir(mode=0o755)
                flush(folder.parent)

    def _would(self, what: str) -> bool:
        if self.dry:
            self.say(f"would {what}")
        return self.dry


def flush(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # vfat in old kernels: sync() in the end does it
            os.fsync(handle)
    finally:
        os.close(handle)
