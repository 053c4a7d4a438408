"""Puts the program into a release folder of its own and switches to it. Knows no pins, units or users."""

from __future__ import annotations

import compileall
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tools.installer.errors import InstallError
from tools.installer.record import NAME as RECORD
from tools.installer.tree import Tree, flush

HOME = "/opt/fathom"
RELEASES = f"{HOME}/releases"
CURRENT, PREVIOUS = f"{HOME}/current", f"{HOME}/previous"
PROVEN = f"{HOME}/proven"  # the one that came up last
TRIAL = tuple(f"{HOME}/{name}" for name in ("next", "starts", "notice"))  # of an update
SEAL = "release.json"  # in a release that is whole; written last
COMMAND = "/usr/local/bin/fathom"
EXTRAS = ("midi", "pi")
PARTS = (  # what a release is made of; tests and measurements stay in the clone
    "fathom.py",
    "hw",
    "device",
    "training",
    "systemd",
    "tools",
    "docs",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
)


def sources(folder: Path) -> dict[str, Path]:
    """Every file of a release, by its name within."""
    found = {}
    for part in PARTS:
        top = folder / part
        inside = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in inside:
            name = path.relative_to(folder)
            if path.is_file() and not any(word.startswith((".", "__pycache__")) for word in name.parts):
                found[str(name)] = path
    return found


def fingerprint(files: dict[str, Path]) -> str:
    """Changes with every byte, name and right to be run."""
    told = hashlib.sha256()
    for name, path in sorted(files.items()):
        held = path.read_bytes()
        told.update(f"{name}\0{os.access(path, os.X_OK)}\0{len(held)}\0".encode() + held)
    return told.hexdigest()


def version(folder: Path) -> str:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]


class Program:
    """One release: the folder that it comes from, and the one that it goes to."""

    def __init__(self, tree: Tree, source: Path) -> None:
        self.tree = tree
        self.source = source
        files = sources(source)
        lacking = [
            part
            for part in ("fathom.py", "hw", "device", "training", "systemd")
            if not (source / part).exists()
        ]
        if lacking:
            raise InstallError(
                f"{source} has no {', '.join(lacking)}: it is no whole clone of Fathom. Clone it again."
            )
        self.files = files
        self.name = self._name(version(source), fingerprint(files))
        self.folder = tree.path(f"{RELEASES}/{self.name}")

    def _name(self, number: str, content: str) -> str:
        """The version; with a part of its fingerprint where another content has that name already."""
        there = self.tree.path(f"{RELEASES}/{number}")
        if there == self.source or not _finished(there) or fingerprint(sources(there)) == content:
            return number
        return f"{number}+{content[:8]}"

    def install(self, wheels: Path | None) -> None:
        """Copy it and make its environment. Goes on where a run before was cut off."""
        if self.tree.dry:
            self.tree.say(f"would put Fathom {self.name} with its environment into {RELEASES}/{self.name}")
            return
        self.tree.folder(RELEASES)
        if self.folder != self.source:
            self._copy()
        self._environment(wheels)
        for part in ("hw", "device", "training"):
            compileall.compile_dir(self.folder / part, quiet=2)
        compileall.compile_file(self.folder / "fathom.py", quiet=2)
        self._try()
        os.sync()  # before it is called whole, and anything leads here
        seal = json.dumps({"version": self.name, "manifest": ""})
        self.tree.write(f"{RELEASES}/{self.name}/{SEAL}", f"{seal}\n".encode())

    def _copy(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if fingerprint(sources(self.folder)) == fingerprint(self.files):
            return
        for path in sorted(self.folder.rglob("*"), reverse=True):
            name = path.relative_to(self.folder)
            if name.parts[0] == ".venv" or "__pycache__" in name.parts:
                continue
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif str(name) not in self.files:
                path.unlink()
        for file, source in self.files.items():
            target = self.folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if not (target.is_file() and target.read_bytes() == source.read_bytes()):
                shutil.copyfile(source, target)
            target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)

    def _environment(self, wheels: Path | None) -> None:
        command = [sys.executable, "-I", self.folder / "tools" / "set_up.py", "--venv", self.folder / ".venv"]
        command += [word for extra in EXTRAS for word in ("--extra", extra)]
        command += ["--wheels", wheels] if wheels else []
        status = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL).returncode
        if status:
            raise InstallError(
                "the environment could not be made; the reason stands above. What ran before still runs; "
                "run the "
                "same command again when it is mended."
            )

    def _try(self) -> None:
        """A release that does not start is not switched to."""
        command = self.folder / ".venv" / "bin" / "fathom"
        try:
            done = subprocess.run(
                [command, "--version"], capture_output=True, text=True, timeout=120, cwd="/"
            )
            said = (done.stderr or done.stdout).strip().splitlines()[-1:] if done.returncode else []
            failed = done.returncode != 0
        except (OSError, subprocess.TimeoutExpired) as error:
            failed, said = True, [str(error)]
        if failed:
            raise InstallError(
                f"Fathom {self.name} does not start ({''.join(said) or 'it says nothing'}); what ran "
                "before still runs. "
                "Report this, please."
            )

    def switch(self) -> None:
        """Let `current` lead to this release, and keep the one before for going back."""
        now = self.tree.path(CURRENT)
        before = os.readlink(now) if now.is_symlink() else ""
        target = f"releases/{self.name}"
        if before and before != target and self.tree.path(f"{HOME}/{before}").is_dir():
            self.tree.link(PREVIOUS, before)
        self.tree.link(CURRENT, target)
        self.tree.link(PROVEN, target)
        for name in TRIAL:
            self.tree.remove(name)
        self.tree.link(COMMAND, f"{CURRENT}/.venv/bin/fathom")
        self._tidy()

    def _tidy(self) -> None:
        """Remove releases that neither play nor could be gone back to."""
        kept = {
            Path(os.readlink(path)).name
            for path in map(self.tree.path, (CURRENT, PREVIOUS))
            if path.is_symlink()
        }
        folder = self.tree.path(RELEASES)
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name not in kept | {self.name} and path != self.source and not self.tree.dry:
                shutil.rmtree(path)
                flush(folder)


def _finished(release: Path) -> bool:
    """Whether its environment was made to the end."""
    try:
        return json.loads((release / ".venv" / "fathom-set-up.json").read_text())["state"] == "done"
    except (OSError, ValueError, KeyError, TypeError):
        return False


def remove(tree: Tree) -> None:
    """Take every release away, and what leads to them; the installer's own record stays."""
    command = tree.path(COMMAND)
    if command.is_symlink() and os.readlink(command).startswith(f"{HOME}/"):
        tree.remove(COMMAND)
    tree.remove(CURRENT)
    home = tree.path(HOME)
    for path in sorted(home.iterdir()) if home.is_dir() else ():
        if path.name != Path(RECORD).name:
            tree.remove(f"{HOME}/{path.name}")
