"""What an installation has put where, written down before it is done. Puts nothing there itself.

It lies beside the releases; a run that was cut off, and an uninstallation, find in it whatever there can be.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields

from tools.installer.tree import Tree

NAME = "/opt/fathom/installation.json"
FORMAT = 1


@dataclass
class Record:
    """Names are absolute. A name stands here from before it is made until after it is gone."""

    files: list[str] = field(default_factory=list)  # units, rules, links, keys
    folders: list[str] = field(default_factory=list)  # made by us; removed where they are empty
    enabled: list[str] = field(default_factory=list)  # units
    user: bool = False  # made by us
    groups: list[str] = field(default_factory=list)  # made by us
    packages: list[str] = field(default_factory=list)  # of Debian, installed for it
    choices: dict[str, bool] = field(default_factory=dict)  # gadget, din, readonly
    dropped: list[str] = field(default_factory=list)  # words taken from the kernel's command line
    added: list[str] = field(default_factory=list)  # words given to it
    reboot: str = ""  # the boot in which something was changed that the next boot reads
    state: str = ""  # where /var/lib/fathom lives, if not on the root: `label` or `file`

    def note(self, tree: Tree, **more: list[str]) -> None:
        """Add names to lists, and write them down if any is new."""
        new = False
        for key, names in more.items():
            held = getattr(self, key)
            for name in names:
                if name not in held:
                    held.append(name)
                    new = True
        if new:
            self.save(tree)

    def save(self, tree: Tree) -> None:
        if not tree.dry:
            tree.write(NAME, json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode() + b"\n")


def read(tree: Tree) -> Record | None:
    """The record of the installation that is there; None where there is none, or none that can be read."""
    try:
        told = json.loads(tree.read(NAME) or b"")
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    known = {part.name: told[part.name] for part in fields(Record) if part.name in told}
    empty = Record()
    if any(type(value) is not type(getattr(empty, name)) for name, value in known.items()):
        return None
    return Record(**known)
