"""Lays the version of a bundle beside the one that plays, tried and whole. Starts and stops nothing.

What is read from a stick is believed in this order: a regular file of a possible size; its signature, over
the bytes of the manifest that are in memory; the manifest; each file, whose bytes go through its hash on the
way to the release's folder. Nothing is read twice, so a stick that changes its mind changes nothing.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tools.updater import bundle, signature
from tools.updater.bundle import Manifest, order
from tools.updater.errors import UpdateError
from tools.updater.releases import Releases, remove

MOST_BUNDLE = bundle.LONGEST_LINE + bundle.MOST_SIGNATURE + bundle.MOST_MANIFEST + bundle.MOST_ALL
LEFT_BEHIND = ("PYTHON", "PIP_", "NOTIFY_")  # of the surroundings of what is tried
SPARE = 64 * 2**20  # bytes that stay free
EXTRAS = ("midi", "pi")  # of pyproject.toml
WHEELS = "wheels"  # folder of a bundle; gone once they are installed
PATIENCE = 20 * 60  # seconds for the environment: a Zero 2 W beside music, with a slow card
TRIAL = 5 * 60  # seconds for one bar
ROOMS = "device.play, hw.panel, training.audio, training.onsets, training.learn"


def find(folder: Path) -> Path:
    """The one bundle at the root of the sticks that are mounted below a folder."""
    found = sorted(
        path
        for path in folder.glob(f"*/*{bundle.ENDING}")
        if not path.name.startswith(".")  # `._x` of macOS
    )
    if not found:
        raise UpdateError(
            f"no stick holds a file that ends in {bundle.ENDING}, outside of folders; copy it there."
        )
    if len(found) > 1:
        names = " and ".join(shown(path.name) for path in found[:2])
        raise UpdateError(f"{len(found)} update bundles are there ({names}), expected one; leave one.")
    return found[0]


def install(
    path: Path,
    releases: Releases,
    signers: Path,
    read: Callable[[], None] = lambda: None,
    anyway: bool = False,
    target: str = "",
) -> str:
    """Make the version of a bundle the one that plays from the next start on; what came of it, in a sentence.

    read : called once the bundle has been read, and its stick may be pulled
    anyway : also a version that is older, or that did not come up before
    """
    target = target or here()
    with releases.held():
        _check_place(releases.root)
        with _open(path) as file:
            manifest = _read(file, signers)
            if said := _there(manifest, releases, anyway):
                return said
            _check_fit(manifest, target)
            _make_room(manifest.targets[target], releases)
            folder = releases.lay(manifest.version)
            try:
                try:
                    bundle.unpack(file, manifest.files, target, folder)
                finally:
                    file.close()  # what is open keeps a stick from being unmounted
                    read()
                _complete(folder)
                releases.seal(manifest.version, manifest.digest)
            except OSError as error:
                remove(folder)
                raise _trouble(error) from None
            except BaseException:
                remove(folder)
                raise
        releases.mark(manifest.version, failed=False)
        releases.point("next", manifest.version)
        releases.prune()
        return _ready(manifest.version, releases)


def here() -> str:
    """This system as a bundle names it: 3.11-aarch64."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}-{sysconfig.get_platform().rpartition('-')[2]}"


def shown(name: str) -> str:
    """A name of a stick's as one may print it."""
    return "".join(sign if sign.isprintable() and sign.isascii() else "?" for sign in name[:60])


def volatile(folder: Path, mounts: str) -> str:
    """What makes a folder forget at the next start, by /proc/self/mountinfo; empty where nothing does.

    >>> volatile(Path("/opt/fathom"), "25 1 0:23 / / rw - overlay overlayroot rw,upperdir=/media/rw")
    'an overlay'
    >>> volatile(Path("/opt/fathom"), "25 1 179:2 / / rw,noatime - ext4 /dev/mmcblk0p2 rw")
    ''
    """
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        point, sort = fields[4], fields[fields.index("-") + 1]
        if Path(point) in (folder, *folder.parents) and len(point) >= len(best):
            best, kind = point, sort
    return {"overlay": "an overlay", "tmpfs": "memory", "ramfs": "memory"}.get(kind, "")


# --- at the door -----------------------------------------------------------------------------------------


def _check_place(root: Path) -> None:
    remedy = "switch the read-only root off (docs/update.md), start the box anew, plug the stick in again."
    if not os.access(root, os.W_OK):
        raise UpdateError(f"{root} cannot be written to; {remedy}")
    if root == Releases().root:
        sort = volatile(root, Path("/proc/self/mountinfo").read_text(errors="replace"))
        if sort:
            raise UpdateError(f"{root} lies in {sort} and would be as before after the next start; {remedy}")


def _open(path: Path) -> BinaryIO:
    """A bundle, if it is a plain file of a size that a bundle can have."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UpdateError("it is a link, expected a file; copy the bundle itself to the stick.") from None
        raise _trouble(error) from None
    seen = os.fstat(handle)
    if stat.S_ISREG(seen.st_mode) and seen.st_size <= MOST_BUNDLE:
        return os.fdopen(handle, "rb")
    os.close(handle)
    if not stat.S_ISREG(seen.st_mode):
        raise UpdateError("it is no plain file; copy the bundle to the stick again.")
    raise UpdateError(f"it has {_mb(seen.st_size)}, expected at most {_mb(MOST_BUNDLE)}: it is no bundle.")


def _read(file: BinaryIO, signers: Path) -> Manifest:
    """The manifest of a bundle that is signed as it must be, and as long as that says."""
    try:
        mark, text = bundle.read_head(file)
        signature.verify(text, mark, signers)
        manifest = bundle.parse(text)
        expected = file.tell() + sum(item.size for item in manifest.files)
        found = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise _trouble(error) from None
    if found != expected:
        cut = "it is cut off" if found < expected else "something was added to it"
        raise UpdateError(f"{cut}: it has {found} bytes, expected {expected}; copy it to the stick again.")
    return manifest


def _there(manifest: Manifest, releases: Releases, anyway: bool) -> str:
    """What is to be said where nothing needs doing; UpdateError where nothing may be done."""
    version, current = manifest.version, releases.of("current")
    if current is None or not releases.complete(current):
        raise UpdateError("no version is installed here that can be gone back to; run the installer.")
    if releases.complete(version):
        if releases.digest(version) != manifest.digest:
            raise UpdateError(
                f"another bundle of version {version} is installed; what changes needs a new version."
            )
        if version == current and releases.of("next") is None:
            return f"version {version} is installed already; nothing was changed."
        if version == releases.of("next"):
            return _ready(version, releases)
    if not anyway and releases.failed(manifest.digest):
        raise UpdateError(
            f"version {version} was tried and did not come up, so {current} stays; take it off the stick "
            "(docs/update.md says how to try it again)."
        )
    if not anyway and order(version) < order(current):
        raise UpdateError(
            f"version {version} is older than {current}, which is installed; take it off the stick "
            "(docs/update.md says how to go back)."
        )
    if releases.complete(version):
        releases.point("next", version)
        return _ready(version, releases)
    return ""


def _ready(version: str, releases: Releases) -> str:
    current = releases.of("current")
    return f"version {version} is ready and comes with the next start; {current} plays on until then."


def _check_fit(manifest: Manifest, target: str) -> None:
    if target not in manifest.targets:
        made = ", ".join(sorted(manifest.targets))
        raise UpdateError(
            f"version {manifest.version} is made for {made} (Python and processor), this box is {target}; "
            "take the bundle that is made for it."
        )


def _make_room(needed: int, releases: Releases) -> None:
    """Check that there is space for what comes; where it is scarce, older versions make room."""
    releases.prune()
    if shutil.disk_usage(releases.root).free >= needed + SPARE:
        return
    for name in ("next", "previous"):
        releases.drop(name)
    releases.prune()
    free = shutil.disk_usage(releases.root).free
    if free < needed + SPARE:
        raise UpdateError(
            f"it needs {_mb(needed + SPARE)} on the card, {_mb(free)} are free; remove loops or backups, "
            "then plug the stick in again."
        )


# --- in its folder ---------------------------------------------------------------------------------------


def _complete(folder: Path) -> None:
    """Make the environment of an unpacked release out of its wheels, and try whether it plays."""
    words = ["--venv", folder / ".venv", "--wheels", folder / WHEELS]
    words += [word for extra in EXTRAS for word in ("--extra", extra)]
    set_up = [sys.executable, "-I", folder / "tools/set_up.py", *words]
    _do("its environment could not be made", set_up, PATIENCE)
    shutil.rmtree(folder / WHEELS)
    python = folder / ".venv/bin/python"
    with tempfile.TemporaryDirectory() as scratch:
        own = {"FATHOM_HOME": scratch, "FATHOM_SOCKET": f"{scratch}/control.sock", "LG_WD": scratch}
        _do("a part of it is missing", [python, "-c", f"import {ROOMS}"], TRIAL, folder, own)
        system = getattr(sys, "_base_executable", sys.executable)  # no environment's packages beside its own
        updater = [system, "-E", "-s", "-m", "tools.updater", "--help"]
        _do("its updater does not run", updater, TRIAL, folder, own)
        tape = Path(scratch, "tape")
        play = ["play", "--panel", "sim", "--time", "sim", "--bars", "1", "--fresh", "--no-display"]
        command = [folder / ".venv/bin/fathom", *play, "--tape", tape]
        _do("it does not play", command, TRIAL, Path(scratch), own)
        if '"jack"' not in tape.read_text(errors="replace"):
            raise UpdateError("it does not play (no gate in its first bar); nothing was changed.")


def _do(
    what: str, command: list, patience: int, folder: Path | None = None, own: dict[str, str] | None = None
) -> None:
    around = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_BEHIND)}
    around |= {"PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", **(own or {})}
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env=around,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UpdateError(f"{what} (no end after {patience // 60} minutes); nothing was changed.") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        said = [line for line in lines if line.startswith("Set-up:")] or lines
        last = said[-1] if said else f"status {done.returncode}"
        raise UpdateError(f"{what} ({shown_line(last)}); nothing was changed.")


def shown_line(line: str) -> str:
    """One line of what a program said, fit for a sentence."""
    return "".join(sign for sign in line if sign.isprintable())[:200].rstrip(".")


def _trouble(error: OSError) -> UpdateError:
    """The sentence for what the system said."""
    if error.errno == errno.ENOSPC:
        return UpdateError("the card is full; remove loops or backups, then plug the stick in again.")
    if error.errno in (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE):
        return UpdateError("it could not be read to its end; leave the stick in until the box says so.")
    name = f"{error.filename}: " if error.filename else ""
    return UpdateError(f"{name}{error.strerror or error}; nothing was changed.")


def _mb(size: int) -> str:
    return f"{-(-size // 2**20)} MB"
