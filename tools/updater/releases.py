"""The versions on a box: folders, and links that say which plays. A power cut leaves no step half done.

    /opt/fathom/releases/VERSION/   the project's tree, `.venv`, and `release.json`, which is written last
    /opt/fathom/current             the version that plays
    /opt/fathom/proven              the one that came up last; another than `current` while that is on trial
    /opt/fathom/previous            the one before, for `back`
    /opt/fathom/next                the one that plays from the next start on
    /opt/fathom/starts              how often the one on trial has been started
    /opt/fathom/failed              bundles that did not come up, a SHA-256 and a version a line
    /opt/fathom/notice              what the player is to be told once the engine listens

The installer calls `adopt`. Nothing here knows of bundles, or starts anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tools.updater.bundle import SEAL, VERSION
from tools.updater.errors import UpdateError

ROOT = Path("/opt/fathom")
NAME = re.compile(VERSION.pattern + r"(\+[0-9a-f]{8})?")  # the installer tells two of one version apart so
LINKS = ("current", "proven", "previous", "next")
NEW = ".new"  # ends the name of what is being written
MOST_FAILED = 20  # bundles that are remembered


class Releases:
    """All versions below one folder."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    def folder(self, version: str) -> Path:
        return self.root / "releases" / version

    @contextlib.contextmanager
    def held(self, wait: bool = False) -> Iterator[None]:
        """One at a time: waits for another process that is at it, or ends in an UpdateError."""
        try:
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise UpdateError(f"{self.root}: {error.strerror}; install Fathom first.") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise UpdateError("another update is under way; wait for its end.") from None
            yield
        finally:
            os.close(handle)

    # --- links

    def of(self, name: str) -> str | None:
        """The version that a link leads to; None where there is no link or none to a release."""
        try:
            target = Path(os.readlink(self.root / name))
        except OSError:
            return None
        inside = target.parent in (Path("releases"), self.root / "releases")
        return target.name if inside and NAME.fullmatch(target.name) else None

    def point(self, name: str, version: str) -> None:
        """Let a link lead to a version, in one step."""
        new = self.root / (name + NEW)
        new.unlink(missing_ok=True)
        new.symlink_to(f"releases/{version}")
        new.replace(self.root / name)
        flush(self.root)

    def drop(self, name: str) -> None:
        """Take a link or a file away."""
        if os.path.lexists(self.root / name):
            (self.root / name).unlink()
            flush(self.root)

    def adopt(self, version: str, digest: str = "") -> None:
        """Seal a release that lies ready in its folder and let it play: what the installer calls."""
        before = self.of("current")
        if not self.complete(version):
            self.seal(version, digest)
        self.point("current", version)
        self.point("proven", version)
        for name in ("next", "starts", "notice"):
            self.drop(name)
        if before not in (None, version) and self.complete(str(before)):
            self.point("previous", str(before))
        self.prune()

    # --- folders

    def lay(self, version: str) -> Path:
        """An empty folder for a version that is not there yet, or not whole."""
        folder = self.folder(version)
        if version in map(self.of, LINKS):
            raise UpdateError(f"version {version} is in use; nothing was changed.")
        remove(folder)
        folder.mkdir(parents=True)
        return folder

    def seal(self, version: str, digest: str) -> None:
        """Call a release whole. All that is in its folder is on the disk before."""
        os.sync()
        self.write(f"releases/{version}/{SEAL}", json.dumps({"version": version, "manifest": digest}) + "\n")

    def complete(self, version: str) -> bool:
        return self._sealed(version) is not None

    def digest(self, version: str) -> str:
        """The bundle that a whole release came from; empty where it was no bundle, or there is none."""
        return self._sealed(version) or ""

    def _sealed(self, version: str) -> str | None:
        try:
            told = json.loads((self.folder(version) / SEAL).read_text())
            return str(told["manifest"]) if told["version"] == version else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def prune(self) -> None:
        """Remove every folder that no link leads to: older versions, and what was cut off half-way."""
        kept = set(map(self.of, LINKS))
        for folder in sorted((self.root / "releases").iterdir()):
            if folder.name not in kept:
                remove(folder)

    # --- files

    def write(self, name: str, text: str) -> None:
        """A small file, whole or as it was."""
        path = self.root / name
        new = path.with_name(path.name + NEW)
        with open(new, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        flush(path.parent)

    def read(self, name: str) -> str | None:
        try:
            return (self.root / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    @property
    def starts(self) -> int:
        """How often the version on trial has been started."""
        held = self.read("starts") or ""
        return int(held) if held.strip().isdecimal() else 0

    def failed(self, digest: str) -> bool:
        """Whether the version of that bundle did not come up."""
        return bool(digest) and any(line.startswith(digest) for line in self._failed())

    def mark(self, version: str, failed: bool) -> None:
        """Remember, or forget, that a version did not come up."""
        digest = self.digest(version)
        if digest and failed != self.failed(digest):
            lines = [line for line in self._failed() if not line.startswith(digest)]
            lines += [f"{digest} {version}"] if failed else []
            self.write("failed", "".join(f"{line}\n" for line in lines[-MOST_FAILED:]))

    def _failed(self) -> list[str]:
        return (self.read("failed") or "").splitlines()


def remove(folder: Path) -> None:
    """Take a release's folder away; its seal goes first, so that half of one is never taken for whole."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    if (folder / SEAL).exists():
        (folder / SEAL).unlink()
        flush(folder)
    shutil.rmtree(folder)


def flush(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
