"""Bundles and boxes to try updates on: small trees with a set-up of their own, in a folder for a root."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.release import Source, write
from tools.updater import install as installing
from tools.updater.releases import Releases

TARGET = "3.11-aarch64"
COMMIT = "0" * 40

# A set-up that does what the real one does, without packages: an environment in which one bar can be played.
SET_UP = """
import argparse, os, sys
from pathlib import Path
words = argparse.ArgumentParser()
words.add_argument("--venv", type=Path)
words.add_argument("--wheels", type=Path)
words.add_argument("--extra", action="append")
given = words.parse_args()
assert list(given.wheels.glob("*.whl"))
bin = given.venv / "bin"
bin.mkdir(parents=True)
(bin / "python").symlink_to(sys.executable)
(bin / "fathom").write_text("#!/bin/sh\\nwhile [ $1 != --tape ]; do shift; done\\necho '\\"jack\\"' > $2\\n")
(bin / "fathom").chmod(0o755)
"""
TREE = {
    "tools/set_up.py": SET_UP,
    "tools/updater/__main__.py": "",
    "systemd/fathom.service": "[Service]\nExecStart=/bin/true\n",
    "wheels/nothing-1-py3-none-any.whl": "",
    **{f"{name}.py": "" for name in ("device/play", "hw/panel")},
    **{f"training/{name}.py": "" for name in ("audio", "onsets", "learn")},
}


def need_ssh_keygen():
    if not shutil.which("ssh-keygen"):
        if os.environ.get("FATHOM_CI"):
            pytest.fail("ssh-keygen is missing (Debian: openssh-client), and in CI nothing is skipped")
        pytest.skip("ssh-keygen is not on this machine (Debian: openssh-client)")


class Signer:
    """A key of somebody's, and the line by which a box knows it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.key = folder / "key"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.key]
        subprocess.run(command, check=True)
        public = self.key.with_suffix(".pub").read_text().split()[:2]
        self.line = f'fathom-release namespaces="fathom-update" {" ".join(public)}\n'


def bundle(folder: Path, signer: Signer, version: str = "0.2.0", needs=None, tree=None) -> Path:
    """A signed bundle; `tree` has texts of files that are other than usual."""
    sources = [Source(name, text.encode()) for name, text in (TREE | (tree or {})).items()]
    path = folder / f"fathom-{version}.update"
    folder.mkdir(parents=True, exist_ok=True)
    write(path, version, COMMIT, needs or {TARGET: 1000}, sources, signer.key)
    return path


class Box:
    """A root with one version that plays, the key it trusts, and a stick."""

    def __init__(self, folder: Path, signer: Signer, version: str = "0.1.0") -> None:
        self.releases = Releases(folder / "fathom")
        self.signers = folder / "release_signers"
        self.signers.write_text(f"# who may\n\n{signer.line}")
        self.stick = folder / "sticks" / "sda1"
        self.stick.mkdir(parents=True)
        self.lay(version)

    def lay(self, version: str) -> None:
        """What the installer does."""
        place = self.releases.folder(version)
        (place / "systemd").mkdir(parents=True)
        (place / "systemd" / "fathom.service").write_text(f"[Service]\n# {version}\n")
        self.releases.adopt(version)

    def take(self, path: Path, target: str = TARGET, **more) -> str:
        return installing.install(path, self.releases, self.signers, target=target, **more)

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.releases.root / "releases").iterdir())

    def links(self) -> dict[str, str | None]:
        return {name: self.releases.of(name) for name in ("current", "proven", "previous", "next")}
