"""Makes, in build/arm64, an arm64 Python for an emulator, so that bits can be compared. Compares nothing.

    make arm64

Python and its libraries are Debian's, fetched as packages and unpacked into one folder: nothing is
installed, no root is needed, and the packages of this machine are not touched. numpy, msgspec and
safetensors come from PyPI, in the versions of `constraints.txt`. Some 40 MB are fetched, 150 MB are kept; a
second run finds it done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "arm64"
CONSTRAINTS = ROOT / "constraints.txt"

EMULATOR = "qemu-aarch64"
SUITE, VERSION = "bookworm", "3.11"  # Debian's, and the Python in it
MIRROR = "http://deb.debian.org/debian"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN = (f"python{VERSION}-minimal", f"libpython{VERSION}-stdlib", "libstdc++6")
PYPI = ("numpy", "msgspec", "safetensors")
WHEELS = (
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
)
MOST_S = 300.0  # for one command

APT = """\
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""


class Arm64Error(Exception):
    """Why there can be none here, in one sentence."""


def command(cpu: str = "max", folder: Path = FOLDER) -> list[str]:
    """What to put before the words of an arm64 Python; Arm64Error where `make arm64` has not made one."""
    if not shutil.which(EMULATOR):
        raise Arm64Error(f"{EMULATOR} is not here: apt-get install qemu-user, then make arm64")
    if not _done(folder):
        raise Arm64Error("there is no arm64 Python of these versions in build/arm64: make arm64")
    root = folder / "root"
    python = root / "usr" / "bin" / f"python{VERSION}"
    return [EMULATOR, "-cpu", cpu, "-L", str(root), str(python), "-B", "-S"]


def packages(folder: Path = FOLDER) -> Path:
    """Where its packages from PyPI are."""
    return folder / "packages"


def make(folder: Path = FOLDER) -> None:
    """Fetch and unpack it; Arm64Error where that cannot be."""
    for tool, package in ((EMULATOR, "qemu-user"), ("apt-get", "apt"), ("dpkg-deb", "dpkg")):
        if not shutil.which(tool):
            raise Arm64Error(f"{tool} is not here: apt-get install {package}")
    if _done(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    apt = folder / "apt"
    for part in ("state/lists/partial", "cache/archives/partial"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYS}] {MIRROR} {SUITE} main\n")
    (apt / "apt.conf").write_text(APT.format(folder=apt))
    settings = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    _do("apt-get", "-q", "update", env=settings)
    _do("apt-get", "-q", "-y", "--download-only", "install", *DEBIAN, env=settings)
    root = folder / "root"
    for archive in sorted((apt / "cache" / "archives").glob("*.deb")):
        _do("dpkg-deb", "-x", archive, root)
    platforms = [word for wheel in WHEELS for word in ("--platform", wheel)]
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    where = ("--target", packages(folder), "--python-version", VERSION, "--only-binary", ":all:")
    _do(*pip, *where, *platforms, "-c", CONSTRAINTS, *PYPI)
    shutil.rmtree(apt)
    (folder / "made").write_text(_wanted())
    try:
        _do(*command(folder=folder), "-c", "import platform; assert platform.machine() == 'aarch64'")
    except Arm64Error:
        (folder / "made").unlink()
        raise


def _done(folder: Path) -> bool:
    made = folder / "made"
    return made.is_file() and made.read_text() == _wanted()


def _wanted() -> str:
    """Changes with all that bears on what is made."""
    pins = [line for line in CONSTRAINTS.read_text().splitlines() if line.split("==")[0] in PYPI]
    return "\n".join([SUITE, MIRROR, *DEBIAN, *pins])


def _do(*words: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command to its end; Arm64Error with its last word where it fails."""
    name = Path(words[0]).name
    try:
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=MOST_S, env=env)
    except subprocess.TimeoutExpired:
        raise Arm64Error(
            f"{Path(words[0]).name} did not end in {MOST_S:.0f} s: is there a network?"
        ) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise Arm64Error(f"{name} could not do it: {said[-1][:200]}")


def main() -> int:
    try:
        make()
    except Arm64Error as error:
        print(f"arm64: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
