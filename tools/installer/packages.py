"""Which packages of Debian the box needs, and gets them. Knows nothing of wheels but where there are none."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.installer.errors import InstallError
from tools.installer.record import Record
from tools.installer.system import System


@dataclass(frozen=True)
class Need:
    """A package that does something for us: the first of these names that the system has or can have."""

    names: tuple[str, ...]
    why: str
    optional: bool = False


BUILD_LGPIO = ("swig", "gcc", "python3-dev")


def needs(python: tuple[int, int], machine: str, wheels: Path | None, ensurepip: bool) -> list[Need]:
    """What this Python on this machine wants of the distribution.

    >>> [need.names[0] for need in needs((3, 11), "aarch64", None, True)]
    ['libasound2t64', 'openssh-client', 'ca-certificates']
    >>> [need.names[0] for need in needs((3, 13), "aarch64", None, True)]
    ['libasound2t64', 'openssh-client', 'ca-certificates', 'python3-rtmidi']
    """
    found = [
        Need(("libasound2t64", "libasound2"), "MIDI ports"),
        Need(("openssh-client",), "verifying updates"),
    ]
    if wheels is None:
        found.append(Need(("ca-certificates",), "fetching packages"))
    if wheels is not None and not ensurepip and not any(wheels.glob("pip-*.whl")):
        found.append(Need(("python3-venv",), "pip, which the folder of wheels does not have"))
    if python >= (3, 13) and not _held(wheels, "python_rtmidi"):
        found.append(Need(("python3-rtmidi",), "MIDI: python-rtmidi has no wheel for this Python"))
    if not lgpio_has_wheel(python, machine) and not _held(wheels, "lgpio"):
        found.append(
            Need(("python3-lgpio",), "buttons and lamps: lgpio has no wheel for this Python", optional=True)
        )
    return found


def lgpio_has_wheel(python: tuple[int, int], machine: str) -> bool:
    """lgpio itself up to 3.12; Adafruit's build of it for 3.13 on ARM."""
    return python < (3, 13) or (python == (3, 13) and machine == "aarch64")


def _held(wheels: Path | None, name: str) -> bool:
    return wheels is not None and any(wheels.glob(f"{name}-*.whl"))


def provide(system: System, record: Record, wheels: Path | None, readonly: bool) -> None:
    """Install what is missing, and say what for."""
    python = sys.version_info[:2]
    wanted = needs(python, platform.machine(), wheels, importlib.util.find_spec("ensurepip") is not None)
    if readonly:
        wanted.append(Need(("overlayroot",), "a root that is read-only"))
    if not system.live:
        system.tree.say(
            f"packages of Debian ({', '.join(need.names[-1] for need in wanted)}): not looked at in a folder"
        )
        return
    missing = [need for need in wanted if not any(map(_installed, need.names))]
    if not missing:
        return
    if wheels is not None:
        lacking = [need for need in missing if not need.optional]
        if lacking:
            named = ", ".join(f"{need.names[-1]} ({need.why})" for need in lacking)
            raise InstallError(f"not installed: {named}; with --wheels nothing is fetched. Install it first.")
        return
    if not all(any(map(_available, need.names)) for need in missing):
        system.tell("packages", "apt-get", "-q", "update")
    chosen: list[str] = []
    for need in missing:
        name = next(filter(_available, need.names), None)
        if name:
            system.tree.say(f"package {name}: {need.why}")
            chosen.append(name)
        elif need.names == ("python3-lgpio",):
            system.tree.say("lgpio is built: no wheel for this Python, and this Debian has no python3-lgpio")
            chosen += [tool for tool in BUILD_LGPIO if not _installed(tool)]
        elif not system.tree.dry:
            raise InstallError(
                f"apt knows no package {' or '.join(need.names)} ({need.why}): is there a network, and does "
                "/etc/apt/sources.list name Debian or Raspberry Pi OS?"
            )
    if chosen:
        record.note(system.tree, packages=chosen)
        system.tell("packages", "apt-get", "-q", "-y", "--no-install-recommends", "install", *chosen)


def _installed(name: str) -> bool:
    said = _ask("dpkg-query", "-W", "-f", "${db:Status-Status}", name)
    return said == "installed"


def _available(name: str) -> bool:
    said = _ask("apt-cache", "policy", name)
    return "Candidate:" in said and "Candidate: (none)" not in said


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout
    except OSError:
        return ""
