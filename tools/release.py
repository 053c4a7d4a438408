"""Builds and signs an update bundle: `make release KEY=path`. Installs nothing: `tools/updater` does.

    .venv/bin/python -m tools.release --key ~/.ssh/fathom-release [--target 3.11-aarch64] [-o build]

The project's files come from the commit that is checked out, and nothing may differ from it; the wheels come
from the package index, in the versions of `constraints.txt`. Same commit, wheels and key: same bytes.
"""

from __future__ import annotations

import argparse
import email.parser
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from tools import set_up
from tools.updater import bundle, signature
from tools.updater.bundle import Item, Manifest
from tools.updater.errors import UpdateError
from tools.updater.install import EXTRAS, WHEELS

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("3.11-aarch64", "3.13-aarch64")  # Raspberry Pi OS bookworm and trixie
GLIBC = range(36, 16, -1)  # 2.36 is bookworm's; wheels for any that is older run there
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
COMPILED = 1.2  # bytes of a .pyc for one of its source


@dataclass(frozen=True)
class Source:
    """A file that goes into a bundle: its name there, its bytes, and who needs it."""

    path: str
    data: bytes | Path
    executable: bool = False
    targets: tuple[str, ...] = ()

    def pieces(self) -> Iterator[bytes]:
        with io.BytesIO(self.data) if isinstance(self.data, bytes) else open(self.data, "rb") as file:
            while piece := file.read(bundle.PIECE):
                yield piece

    def item(self) -> Item:
        found, size = hashlib.sha256(), 0
        for piece in self.pieces():
            found.update(piece)
            size += len(piece)
        return Item(self.path, size, found.hexdigest(), self.executable, self.targets)


def write(
    path: Path, version: str, commit: str, needs: dict[str, int], sources: Iterable[Source], key: Path
) -> None:
    """Write a signed bundle, whole or not at all."""
    ordered = sorted(sources, key=lambda source: source.path)
    text = Manifest(version, commit, needs, [source.item() for source in ordered]).pack()
    bundle.parse(text)  # what a box would refuse is refused here
    new = path.with_name(path.name + ".new")
    with open(new, "wb") as file:
        file.write(bundle.head(signature.sign(text, key), text))
        for source in ordered:
            for piece in source.pieces():
                file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


# --- the project -----------------------------------------------------------------------------------------


def project(root: Path) -> tuple[str, list[Source]]:
    """The commit that is checked out and its files. UpdateError where anything differs from it."""
    changed = _git(root, "status", "--porcelain").decode(errors="replace").splitlines()
    if changed:
        raise UpdateError(
            f"{changed[0][3:]} differs from the commit, and {len(changed) - 1} more; commit or remove what "
            "is new, so that the bundle is what the commit says."
        )
    commit = _git(root, "rev-parse", "HEAD").decode().strip()
    there = [part for part in PARTS if (root / part).exists()]
    sources = []
    with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", "--format=tar", commit, "--", *there))) as tar:
        for member in tar:
            if member.isdir():
                continue
            file = tar.extractfile(member) if member.isreg() else None
            if file is None:
                raise UpdateError(f"{member.name} is no plain file, and a bundle holds no others.")
            sources.append(Source(member.name, file.read(), bool(member.mode & 0o100)))
    return commit, sources


def _git(root: Path, *words: str) -> bytes:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    if done.returncode:
        raise UpdateError(f"git {words[0]}: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout


# --- wheels ----------------------------------------------------------------------------------------------


class Target:
    """A Python on a machine, and which wheels run there."""

    def __init__(self, name: str) -> None:
        if not bundle.TARGET.fullmatch(name):
            raise UpdateError(f"target {name!r}: expected a Python and a machine, as {TARGETS[0]}.")
        self.name = name
        self.python, _, machine = name.partition("-")
        version = tuple(map(int, self.python.split(".")))
        self.platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"manylinux2014_{machine}"]
        self.abi = f"cp{version[0]}{version[1]}"
        tags = [*cpython_tags(version, [self.abi], self.platforms)]
        tags += compatible_tags(version, self.abi, self.platforms)
        self.ranks: dict[Tag, int] = {tag: rank for rank, tag in reversed([*enumerate(tags)])}
        self.surroundings = {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.2",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.2",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    def applies(self, wanted: Requirement, extras: Iterable[str]) -> bool:
        """Whether a requirement is meant for this target. (pip itself asks the Python that it runs on.)"""
        if wanted.marker is None:
            return True
        return any(wanted.marker.evaluate({**self.surroundings, "extra": extra}) for extra in ("", *extras))

    def choose(self, folder: Path, name: str, version: str) -> Path | None:
        """The wheel of a folder that fits best; None where none does."""
        found = []
        for path in folder.glob("*.whl"):
            called, number, _, tags = parse_wheel_filename(path.name)
            ranks = [self.ranks[tag] for tag in tags if tag in self.ranks]
            if called == name and str(number) == version and ranks:
                found.append((min(ranks), path.name))
        return folder / min(found)[1] if found else None

    def fetch(self, folder: Path, pins: Iterable[str]) -> str:
        """Have pip fetch these, without what they need in turn; what it said, where it failed."""
        words = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "-q", "-d", str(folder)]
        words += ["--python-version", self.python, "--implementation", "cp"]
        for abi in (self.abi, "abi3", "none"):
            words += ["--abi", abi]
        for platform in self.platforms:
            words += ["--platform", platform]
        command = [sys.executable, "-m", "pip", "download", *words, *pins]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stderr.strip() if done.returncode else ""


def wheels(root: Path, target: Target, folder: Path) -> list[Path]:
    """All wheels that a target needs, fetched where they are not in the folder yet."""
    told = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;#]+)", (root / "constraints.txt").read_text(), re.MULTILINE))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    pins["pip"] = set_up.PIP.split("-")[1]
    optional = {canonicalize_name(borrowed.requirement) for borrowed in set_up.BORROWED}
    optional |= {canonicalize_name(getattr(borrowed, "instead", "")) for borrowed in set_up.BORROWED}
    waiting = [Requirement(text) for text in told["dependencies"]]
    waiting += [Requirement(text) for extra in EXTRAS for text in told["optional-dependencies"][extra]]
    waiting += [Requirement(name) for name in ("pip", *sorted(optional - {""}))]
    waiting = [wanted for wanted in waiting if target.applies(wanted, ())]
    folder.mkdir(parents=True, exist_ok=True)
    chosen: dict[str, Path] = {}
    seen = set()
    while waiting:
        for name in {canonicalize_name(wanted.name) for wanted in waiting} - set(chosen):
            if name not in pins:
                if name in optional:
                    continue
                raise UpdateError(f"{name} is needed on {target.name} and has no pin in constraints.txt.")
            _provide(target, folder, name, pins[name], name in optional, chosen)
        further = []
        for wanted in waiting:
            name = canonicalize_name(wanted.name)
            for extra in ("", *wanted.extras):
                if name in chosen and (name, extra) not in seen:
                    seen.add((name, extra))
                    further += [need for need in _needs(chosen[name]) if target.applies(need, [extra])]
        waiting = further
    return sorted(chosen.values())


def _provide(
    target: Target, folder: Path, name: str, version: str, optional: bool, chosen: dict[str, Path]
) -> None:
    """Add a package's wheel to those that are chosen. UpdateError where there is none, and it is needed."""
    said = ""
    if not target.choose(folder, name, version):
        said = target.fetch(folder, [f"{name}=={version}"])
    if wheel := target.choose(folder, name, version):
        chosen[name] = wheel
    elif not optional or not set_up.no_wheel_of(said):
        raise UpdateError(f"{name} {version}: no wheel for {target.name} ({said.splitlines()[-1:]}).")


def _needs(wheel: Path) -> list[Requirement]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        told = email.parser.HeaderParser().parsestr(archive.read(name).decode())
    return [Requirement(text) for text in told.get_all("Requires-Dist", [])]


def takes(sources: Iterable[Source], target: str) -> int:
    """Bytes that a release takes on the card of a target, while it is made."""
    total = 0.0
    for source in sources:
        if source.targets and target not in source.targets:
            continue
        total += source.item().size
        if isinstance(source.data, Path):
            with zipfile.ZipFile(source.data) as archive:
                for member in archive.infolist():
                    total += member.file_size * (1 + COMPILED * member.filename.endswith(".py"))
    return int(total)


# --- the whole -------------------------------------------------------------------------------------------


def release(root: Path, key: Path, targets: Iterable[str], folder: Path, version: str = "") -> Path:
    """Make the bundle of the commit that is checked out; its path."""
    commit, sources = project(root)
    version = version or tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    needed: dict[Path, list[str]] = {}
    for name in sorted(targets):
        for wheel in wheels(root, Target(name), folder / "wheels"):
            needed.setdefault(wheel, []).append(name)
    for wheel, names in needed.items():
        sources.append(Source(f"{WHEELS}/{wheel.name}", wheel, targets=tuple(names)))
    needs = {name: takes(sources, name) for name in sorted(targets)}
    path = folder / f"fathom-{version}{bundle.ENDING}"
    write(path, version, commit, needs, sources, key)
    return path


def main(arguments: list[str] | None = None) -> int:
    words = argparse.ArgumentParser("tools.release", description=(__doc__ or "").split("\n")[0])
    words.add_argument("--key", type=Path, required=True, help="private key, or the .pub of one in the agent")
    words.add_argument("--target", action="append", help=f"Python and machine ({' '.join(TARGETS)})")
    words.add_argument(
        "--version", default="", help="instead of that of pyproject.toml, to try an update out"
    )
    words.add_argument(
        "-o", "--folder", type=Path, default=ROOT / "build", help="for bundle and wheels (build)"
    )
    given = words.parse_args(arguments)
    try:
        path = release(ROOT, given.key, given.target or TARGETS, given.folder, given.version)
    except (UpdateError, OSError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    print(f"{path} ({path.stat().st_size / 2**20:.0f} MB); copy it to the root of a stick.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
