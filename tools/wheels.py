"""Says which packages of the box come as wheels, for each machine and Python, and which must be built.

    make wheels                               # all four
    python tools/wheels.py aarch64-3.13       # one
    python tools/wheels.py aarch64-3.13 --fetch FOLDER   # and its wheels, for `systemd/install --wheels`

pip itself decides, as it would on the box; what is required there by a marker (`python_version`, the
machine) is worked out here, since pip knows only the machine that it runs on. Nothing is installed. Ends with
1 where a package would come in another version than the one pinned (lgpio 0.0.0.2 is an empty placeholder),
or would have to be built and nobody has said how.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.set_up import (  # noqa: E402
    BORROWED,
    CONSTRAINTS,
    PIP,
    PIP_SHA256,
    Borrowed,
    SetUpError,
    download,
    no_wheel_of,
    reason,
)

EXTRAS = ("midi", "pi")
MACHINES = ("aarch64", "x86_64")
PYTHONS = ("3.11", "3.13")  # of bookworm and trixie
GLIBC = ("2_36", "2_34", "2_28", "2_27", "2_17")  # bookworm has 2.36; lgpio has wheels for 2.34 alone
MOST_S = 300  # for one question to pip


@dataclass(frozen=True)
class Target:
    """A machine and a Python, as `aarch64-3.13`."""

    machine: str
    python: str

    @classmethod
    def of(cls, text: str) -> Target:
        machine, _, python = text.partition("-")
        if machine not in MACHINES or python not in PYTHONS:
            known = ", ".join(f"{machine}-{python}" for machine in MACHINES for python in PYTHONS)
            raise argparse.ArgumentTypeError(f"{text!r} is not known; expected one of {known}")
        return cls(machine, python)

    def __str__(self) -> str:
        return f"{self.machine}-{self.python}"

    def words(self) -> list[str]:
        """What makes pip choose for it."""
        tag = self.python.replace(".", "")
        found = ["--only-binary=:all:", "--implementation=cp", f"--python-version={self.python}"]
        found += [f"--abi={abi}" for abi in (f"cp{tag}", "abi3", "none")]
        platforms = [f"manylinux_{glibc}" for glibc in GLIBC] + ["manylinux2014", "linux"]
        return found + [f"--platform={platform}_{self.machine}" for platform in platforms]

    def surroundings(self) -> dict[str, str]:
        """What markers ask for."""
        return {
            "python_version": self.python,
            "python_full_version": f"{self.python}.5",
            "implementation_version": f"{self.python}.5",
            "platform_machine": self.machine,
            "platform_system": "Linux",
            "sys_platform": "linux",
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "extra": "",
        }


@dataclass
class Answer:
    """What pip found for a target: versions that have wheels, names that have none."""

    target: Target
    wheels: dict[str, str] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)

    def wrong(self, pins: dict[str, str]) -> list[str]:
        """Sentences about what must not be."""
        found = [
            f"{name} {version} would be installed, expected {pins.get(name, 'a pin in constraints.txt')}"
            for name, version in self.wheels.items()
            if pins.get(name) != version
        ]
        known = {borrowed.requirement for borrowed in BORROWED}
        return found + [
            f"{name} has no wheel, and tools/set_up.py has no other way to it"
            for name in self.without
            if name not in known
        ]

    def line(self) -> str:
        built = [
            f"{borrowed.requirement} ({way(borrowed)})"
            for borrowed in BORROWED
            if borrowed.requirement in self.without
        ]
        rest = f"; no wheel of {', '.join(built)}" if built else ", nothing to build"
        return f"{self.target}: {len(self.wheels)} wheels{rest}"


def way(borrowed: Borrowed) -> str:
    return f"from Debian's {borrowed.package}, or built with {borrowed.build_packages}"


def pins(text: str) -> dict[str, str]:
    """
    >>> pins("# core\\nnumpy==2.4.6  # the last for 3.11\\n")
    {'numpy': '2.4.6'}
    """
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def applies(requirement: str, target: Target) -> bool:
    """Whether a requirement is one on that machine.

    >>> applies("lgpio==0.2.2.0; python_version < '3.13'", Target("aarch64", "3.13"))
    False
    """
    from packaging.requirements import Requirement

    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate(target.surroundings())


def wanted(project: dict, target: Target) -> list[str]:
    """What the project asks for there, by name; what may be borrowed among it."""
    found = list(project["dependencies"])
    for extra in EXTRAS:
        found += project["optional-dependencies"][extra]
    names = [name_of(requirement) for requirement in found if applies(requirement, target)]
    for borrowed in BORROWED:
        if borrowed.extra in EXTRAS and borrowed.instead not in names:
            names.append(borrowed.requirement)
    return list(dict.fromkeys(names))


def ask(names: list[str], target: Target, constraints: Path) -> tuple[list[dict], list[str]]:
    """pip's report on these alone, and those of them that it finds no wheel of."""
    held = pins(constraints.read_text())
    left = list(names)
    without: list[str] = []
    while left:
        with tempfile.TemporaryDirectory() as nowhere:
            command = [sys.executable, "-I", "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps"]
            command += ["--disable-pip-version-check", "--ignore-installed", "--target", nowhere]
            command += ["--ignore-requires-python"]  # it would look at the Python that runs it
            exact = [f"{name}=={held[name]}" if name in held else name for name in left]
            command += [*target.words(), "--report", f"{nowhere}/report", *exact]
            done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S)
            if done.returncode == 0:
                return json.loads(Path(nowhere, "report").read_text())["install"], without
        lacking = name_of(no_wheel_of(done.stderr))
        if lacking not in left:
            raise SetUpError(reason(done.stderr), done.stderr)
        left.remove(lacking)
        without.append(lacking)
    return [], without


def resolve(project: dict, target: Target, constraints: Path = CONSTRAINTS) -> Answer:
    """All that the box needs there, with what that needs in turn."""
    from packaging.specifiers import SpecifierSet

    answer = Answer(target)
    frontier = wanted(project, target)
    while frontier:
        report, without = ask(frontier, target, constraints)
        answer.without += without
        needed = []
        for item in report:
            told = item["metadata"]
            if not SpecifierSet(told.get("requires_python", "")).contains(target.python):
                answer.without.append(name_of(told["name"]))
                continue
            answer.wheels[name_of(told["name"])] = told["version"]
            needed += [one for one in told.get("requires_dist", []) if applies(one, target)]
        known = {*answer.wheels, *answer.without}
        frontier = [name for name in dict.fromkeys(map(name_of, needed)) if name not in known]
    return answer


def fetch(answer: Answer, folder: Path) -> None:
    """The wheels into a folder, with that of pip itself."""
    folder.mkdir(parents=True, exist_ok=True)
    exact = [f"{name}=={version}" for name, version in answer.wheels.items()]
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check"]
    command = [
        *pip,
        "download",
        "--quiet",
        "--no-deps",
        *answer.target.words(),
        "--dest",
        str(folder),
        *exact,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * MOST_S)
    if done.returncode:
        raise SetUpError(reason(done.stderr), done.stderr)
    (folder / PIP).write_bytes(download(PIP, PIP_SHA256))


def main(arguments: list[str] | None = None) -> int:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    every = [Target(machine, python) for machine in MACHINES for python in PYTHONS]
    words.add_argument(
        "targets", nargs="*", type=Target.of, metavar="MACHINE-PYTHON", help="all, where none is said"
    )
    words.add_argument("--fetch", type=Path, metavar="FOLDER", help="put the wheels of one target there")
    given = words.parse_args(arguments)
    if given.fetch and len(given.targets) != 1:
        words.error("--fetch wants one target")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    held, well = pins(CONSTRAINTS.read_text()), True
    try:
        for target in given.targets or every:
            answer = resolve(project, target)
            print(answer.line(), flush=True)
            for sentence in answer.wrong(held):
                print(f"{target}: {sentence}.", file=sys.stderr)
                well = False
            if given.fetch:
                fetch(answer, given.fetch)
    except (SetUpError, subprocess.TimeoutExpired) as error:
        print(f"Wheels: {error}\n{getattr(error, 'said', '')}", file=sys.stderr)
        return 1
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
