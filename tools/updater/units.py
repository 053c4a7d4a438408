"""Brings the units of a release to systemd, and starts the box anew. Chooses no release.

Rules for devices, packages and what the firmware reads are the installer's: an update leaves them alone.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tools.updater.releases import NEW, flush

SYSTEM = Path("/etc/systemd/system")
ENDINGS = (".service", ".path", ".timer", ".socket", ".target")
ENGINE = "fathom.service"
BESIDE = (
    "fathom-learner.service",
    "fathom-keeper.service",
)  # they hold the program in memory too
PATIENCE = 60  # seconds
Run = Callable[..., object]


def _systemctl(*words: str) -> None:
    """What cannot be done here stands in the journal; the next start of the box does it anyway."""
    subprocess.run(["systemctl", "--quiet", *words], check=False, timeout=PATIENCE)


class Units:
    """The units of Fathom that systemd knows."""

    def __init__(self, folder: Path = SYSTEM, systemctl: Run = _systemctl) -> None:
        self.folder = folder
        self.systemctl = systemctl

    def settle(self, release: Path, other: Path) -> None:
        """Let systemd have the units of a release, and none that only the other release has."""
        wanted, gone = _units(release), set(_units(other)) - set(_units(release))
        changed, new = False, []
        for name, text in wanted.items():
            path = self.folder / name
            if path.is_symlink() or (path.exists() and path.read_bytes() == text):
                continue  # a link is the doing of whoever runs the box, or leads to the release itself
            if not path.exists() and re.search(rb"^WantedBy=", text, re.MULTILINE):
                new.append(name)
            self._write(path, text)
            changed = True
        for name in sorted(gone):
            if (self.folder / name).is_file():
                self.systemctl("disable", name)
                (self.folder / name).unlink(missing_ok=True)
                changed = True
        if changed:
            flush(self.folder)
            self.systemctl("daemon-reload")
        if new:
            self.systemctl("enable", *new)
            self.systemctl("start", "--no-block", *new)

    def restart(self) -> None:
        """Let the engine begin anew, and what runs beside it."""
        self.systemctl("reset-failed", ENGINE)
        self.systemctl("restart", "--no-block", ENGINE)
        if there := [name for name in BESIDE if (self.folder / name).exists()]:
            self.systemctl("try-restart", "--no-block", *there)

    def _write(self, path: Path, text: bytes) -> None:
        new = path.with_name(path.name + NEW)
        with open(new, "wb") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def _units(release: Path) -> dict[str, bytes]:
    folder = release / "systemd"
    found = sorted(folder.glob("fathom*")) if folder.is_dir() else []
    return {path.name: path.read_bytes() for path in found if path.suffix in ENDINGS and path.is_file()}
