"""Storage of its own for what the box remembers, where the root is read-only. Edits no boot files."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools.installer import services
from tools.installer.errors import InstallError
from tools.installer.record import Record
from tools.installer.system import System

LABEL = "fathom"
FILE = "fathom-state.img"  # beside config.txt: mount.fathom looks for it there
FILE_MB = 256
LEFT_MB = 100  # for the next kernels
ASIDE = "/run/fathom-storage"


def provide(system: System, record: Record) -> None:
    """An ext4 for what the box remembers, with all of it on it: a partition labelled `fathom`, else a file.

    What lies in the folder stays there too: it is played from if the storage is ever beyond repair.
    """
    tree = system.tree
    if record.state:
        return
    if not system.live:
        tree.say("storage of its own: not made in a folder")
        return
    device = _labelled()
    image = tree.path(f"{system.boot_folder()}/{FILE}")
    if not device and not image.exists():
        free = shutil.disk_usage(image.parent).free // 2**20
        if free < FILE_MB + LEFT_MB:
            raise InstallError(
                f"--readonly: there is no partition labelled {LABEL}, and {image.parent} has {free} MB "
                "free, expected "
                f"{FILE_MB + LEFT_MB}: make an ext4 partition (`sudo mkfs.ext4 -L {LABEL} /dev/...`), then "
                "again."
            )
    if tree.dry:
        tree.say(f"would copy {services.STATE} to {device or image}, and mount that there")
        return
    services.stop(system)
    if not device and not image.exists():
        tree.say(f"No partition is labelled {LABEL}: {image}, {FILE_MB} MB, holds what the box remembers.")
        _make(system, image)
    with _aside(system) as aside:
        source = tree.path(services.STATE)
        if not any((aside / name).exists() for name in ("slots", "state.json", "settings.toml")):
            system.run("storage", "cp", "-a", f"{source}/.", aside)
        system.run("storage", "sync", "-f", aside)
    record.state = "label" if device else "file"
    record.save(tree)


def give_back(system: System, record: Record) -> None:
    """What the box remembers goes to the folder below its storage; the file goes, a partition stays."""
    tree = system.tree
    if not record.state or not system.live:
        return
    if tree.dry:
        tree.say(f"would copy what the box remembers back to the root's {services.STATE}")
        return
    system.systemctl("stop", services.STATE_MOUNT, needed=False)
    if _is_mount(Path(services.STATE)):
        system.run("storage", "umount", services.STATE)
    with _aside(system) as aside:
        if _is_mount(aside):
            target = tree.path(services.STATE)
            for path in target.iterdir() if target.is_dir() else ():
                tree.remove(f"{services.STATE}/{path.name}")
            system.run("storage", "cp", "-a", f"{aside}/.", target)
            shutil.rmtree(target / "lost+found", ignore_errors=True)
            system.run("storage", "sync", "-f", target)
    if record.state == "file":
        tree.remove(f"{system.boot_folder()}/{FILE}")
    else:
        tree.say(f"The partition labelled {LABEL} is no longer used and holds a copy; format it as you like.")
    record.state = ""
    record.save(tree)


def _make(system: System, image: Path) -> None:
    """A file with an ext4 in it, with every byte of it laid out: nothing of vfat's own changes later."""
    new = image.with_name(image.name + ".new")
    with open(new, "wb") as file:
        for _ in range(FILE_MB):
            file.write(bytes(2**20))
    system.run("storage", "mkfs.ext4", "-q", "-F", "-L", LABEL + "-file", new)
    system.run("storage", "sync", "-f", new)
    new.rename(image)


@contextlib.contextmanager
def _aside(system: System) -> Iterator[Path]:
    """The storage, mounted where nobody else looks."""
    aside = Path(ASIDE)
    aside.mkdir(exist_ok=True)
    helper = system.tree.path("/usr/sbin/mount.fathom")
    system.run("storage", helper, LABEL, aside)
    try:
        if not _is_storage(aside):
            raise InstallError(
                f"the storage for {services.STATE} cannot be mounted, expected an ext4 labelled {LABEL} or "
                f"{FILE}: "
                "`sudo fsck.ext4 -f` on it, then again."
            )
        yield aside
    finally:
        system.run("storage", "umount", aside)
        aside.rmdir()


def _labelled() -> str:
    return subprocess.run(["blkid", "-L", LABEL], capture_output=True, text=True, check=False).stdout.strip()


def _is_mount(path: Path) -> bool:
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return any(line.split()[1] == str(path) for line in mounts)


def _is_storage(path: Path) -> bool:
    """Whether an ext4 is mounted there, not the folder itself."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = {row[0] for row in mounts if row[1] == "/"}
    return any(row[1] == str(path) and row[2] == "ext4" and row[0] not in root for row in mounts)
