"""The user that the box runs as, its units, its rules, the folder of what it remembers. Builds no program."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

from tools.installer.record import Record
from tools.installer.system import System
from tools.installer.tree import Tree, flush

USER = "fathom"
GROUPS = ("gpio", "spi", "audio", "dialout")
STATE = "/var/lib/fathom"
SAFE = "/var/backups"  # what a player has learned goes here when Fathom goes
GADGET = "fathom-gadget.service"
STATE_MOUNT = "var-lib-fathom.mount"  # that it lies there is enough for systemd to ask for it
UNIT_ENDINGS = (".service", ".socket", ".path", ".timer", ".mount", ".target", ".slice")
PLACES = {  # what lies in systemd/, by the end of its name -> where it goes, and its rights
    **dict.fromkeys(UNIT_ENDINGS, ("/etc/systemd/system", 420)),
    ".rules": ("/etc/udev/rules.d", 0o644),
}
SIGNERS = "/etc/fathom/release_signers"
NAMED = {  # and by its whole name
    "release_signers": (SIGNERS, 0o644),
    "mount.fathom": ("/usr/sbin/mount.fathom", 0o755),
}


def make_user(system: System, record: Record) -> None:
    """User and groups, as far as they are not there; what is made is written down."""
    there = system.groups()
    lacking = [group for group in (*GROUPS, USER) if group not in there]
    new = system.ids(USER) is None
    if not lacking and not new and all(USER in there.get(group, []) for group in GROUPS):
        return
    record.note(system.tree, groups=[group for group in lacking if group != USER])
    if new and not record.user:
        record.user = True
        record.save(system.tree)
    declared = [f"g {group} - -" for group in lacking]
    declared += [f'u {USER} - "Fathom" {STATE} /usr/sbin/nologin'] if new else []
    declared += [f"m {USER} {group}" for group in GROUPS]
    system.declare("\n".join(declared) + "\n")


def make_state(system: System) -> None:
    """The one writable place, with all in it the user's own: it may come from a backup."""
    tree = system.tree
    owner = system.ids(USER)
    tree.folder(STATE, 0o755, owner)  # as systemd has it for a StateDirectory
    if owner is None or tree.dry:
        return
    for path in sorted(tree.path(STATE).rglob("*")):
        seen = path.lstat()
        if (seen.st_uid, seen.st_gid) != owner:
            os.chown(path, *owner, follow_symlinks=False)


def wanted_files(source: Path, own_storage: bool) -> dict[str, tuple[bytes, int]]:
    """What the project lays into the system's folders, by the name there."""
    found = {}
    for path in sorted((source / "systemd").iterdir()):
        place = NAMED.get(path.name)
        if place is None and path.suffix in PLACES:
            folder, mode = PLACES[path.suffix]
            place = f"{folder}/{path.name}", mode
        if place and path.is_file() and (own_storage or path.name != STATE_MOUNT):
            found[place[0]] = path.read_bytes(), place[1]
    return found


def lay(system: System, record: Record, files: dict[str, tuple[bytes, int]]) -> bool:
    """Units and rules into their places; away with those that an older Fathom had. Says if any changed."""
    tree = system.tree
    record.note(tree, folders=tree.missing_folders(files), files=sorted(files))
    changed = False
    for name in [name for name in record.files if name not in files]:
        unit = Path(name).name
        if is_unit(name) and unit in record.enabled:
            system.systemctl("disable", "--now", unit, needed=False)
            record.enabled.remove(unit)
        changed |= tree.remove(name)
        if not tree.dry:
            record.files.remove(name)
            record.save(tree)
    for name, (data, mode) in files.items():
        if name != SIGNERS or not _players(tree, name):
            changed |= tree.write(name, data, mode)
    return changed


def _players(tree: Tree, name: str) -> bool:
    """Whether a file is there that no release brought: the player trusts others."""
    there = tree.read(name)
    brought = [
        path.read_bytes() for path in tree.path("/opt/fathom/releases").glob("*/systemd/release_signers")
    ]
    return there is not None and there not in brought


def is_unit(name: str) -> bool:
    return Path(name).suffix in UNIT_ENDINGS


def to_enable(files: dict[str, tuple[bytes, int]], gadget: bool) -> list[str]:
    """Units that start with the box: those that say by whom they are wanted, and are no templates."""
    units = {Path(name).name: data.decode() for name, (data, _) in files.items() if is_unit(name)}
    return [
        name
        for name, text in units.items()
        if re.search(r"^\[Install\]", text, re.MULTILINE)
        and not name.partition(".")[0].endswith("@")
        and (gadget or name != GADGET)
    ]


def enable(system: System, record: Record, units: list[str]) -> None:
    for unit in [unit for unit in record.enabled if unit not in units]:
        system.systemctl("disable", "--now", unit, needed=False)
        if not system.tree.dry:
            record.enabled.remove(unit)
            record.save(system.tree)
    record.note(system.tree, enabled=units)
    if units:
        system.systemctl("enable", *units)


def stop(system: System) -> None:
    """End every unit of ours that runs, also those made of templates; storage stays mounted."""
    names = [name for name in system.loaded("fathom*") if not name.endswith(".mount")]
    if names:
        system.systemctl("stop", *names, needed=False)


def take_off(system: System, record: Record) -> None:
    """Units, rules and keys out of their places; also units that an update brought."""
    tree = system.tree
    folder = PLACES[".service"][0]
    found = [f"{folder}/{path.name}" for path in tree.path(folder).glob("fathom*") if path.suffix in PLACES]
    names = list(dict.fromkeys([*record.files, *found]))
    units = [Path(name).name for name in names if is_unit(name) and tree.exists(name)]
    if units:
        system.systemctl("disable", *units, needed=False)
    for name in names:
        tree.remove(name)
    for name in sorted(record.folders, reverse=True):
        system.tree.remove_if_empty(name)


def forget_user(system: System, record: Record) -> None:
    if record.user:
        system.forget_user(USER)
    for group in [*record.groups, *([USER] if record.user else [])]:
        if group == USER or not system.groups().get(group):  # somebody may have joined it since
            system.forget_group(group)


def keep_state(tree: Tree, purge: bool) -> None:
    """What was learned goes where the player finds it, or away if that was asked for."""
    top = tree.path(STATE)
    if not top.is_dir() or top.is_symlink():
        return
    if purge or not any(path.is_file() for path in top.rglob("*")):
        tree.remove(STATE)
        return
    kept = f"{SAFE}/fathom-{time.strftime('%Y-%m-%d-%H%M%S')}"
    if tree.dry:
        tree.say(f"would move {STATE} to {kept}")
        return
    target = tree.path(kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in [top, *top.rglob("*")]:
        os.chown(path, 0, 0, follow_symlinks=False)
    shutil.move(top, target)
    flush(target.parent)
    flush(top.parent)
    tree.say(
        f"Slots, settings and loops are kept in {kept}. To have them back: `sudo mv {kept} {STATE}`, then "
        "install again."
    )
