"""Fetches what the box needs from PyPI, as wheels for the machine's Python. Installs nothing.

    PYTHONPATH=tests python3 -m vm.wheels [3.11 | 3.13]

The machine has no network: an installer takes the folder, which is kept in the cache by what is asked for.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from .image import ImageError, cache_folder, locked, run

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("midi", "pi")
GLIBC = ("2_34", "2_28", "2_27", "2_17")  # newest first: lgpio has wheels for 2.34 alone
TOOLS = ("pip", "setuptools", "wheel")
# No wheel on PyPI: for a Python that has none either, the distribution's package serves (tools/set_up.py).
BORROWED = {"3.13": ("python-rtmidi", "lgpio")}


def wheelhouse(
    python: str = "3.11",
    extras: Sequence[str] = EXTRAS,
    *,
    machine: str = "x86_64",
    more: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """A folder with wheels of all that the project and these extras require; ImageError without one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *TOOLS, *more]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    without = BORROWED.get(python, ())
    wanted = [line for line in wanted if re.split(r"[^\w.-]", line, maxsplit=1)[0] not in without]
    constraints = ROOT / "constraints.txt"
    key = "\0".join([python, machine, *GLIBC, *wanted, constraints.read_text()])
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"wheels-{python}-{machine}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    with locked(cache / "wheels.lock"):
        if not folder.is_dir():
            say(f"fetching {folder.name}")
            with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as work:
                _fetch(wanted, constraints, python, machine, Path(work) / "made")
                (Path(work) / "made").rename(folder)
    os.utime(folder)
    return folder


def _fetch(wanted: list[str], constraints: Path, python: str, machine: str, folder: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    platforms = [word for glibc in GLIBC for word in ("--platform", f"manylinux_{glibc}_{machine}")]
    target = ("--python-version", python, "--implementation", "cp", *platforms)
    run(
        *pip, "download", "--only-binary", ":all:", *target, "-c", constraints, "--dest", folder, *wanted
    )  # fmt: skip


def main(words: list[str]) -> int:
    try:
        print(wheelhouse(*words, say=lambda line: print(line, file=sys.stderr)))
    except ImageError as error:
        print(f"wheels: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
