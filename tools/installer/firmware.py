"""Edits `config.txt` and `cmdline.txt` of a Pi, keeps how they were, puts it back. boot.py has the words."""

from __future__ import annotations

from tools.installer import boot
from tools.installer.record import Record
from tools.installer.system import System

BACKUP = ".fathom-before"  # ends the name of what a file was
READONLY = "overlayroot=tmpfs:recurse=0"  # without recurse=0 what is mounted below is overlaid too


class Firmware:
    """The two files that a Pi reads before Linux."""

    def __init__(self, system: System, record: Record) -> None:
        self.system = system
        self.tree = system.tree
        self.record = record
        folder = system.boot_folder()
        self.config, self.command = f"{folder}/config.txt", f"{folder}/cmdline.txt"

    def check(self) -> None:
        """Raises InstallError where the lines of an earlier run are damaged."""
        boot.without_block(self._read(self.config), self.config)

    def apply(self, din: bool, gadget: bool, readonly: bool) -> None:
        text = self._read(self.config)
        wanted = boot.with_block(text, boot.lines(din, gadget), self.config)
        if boot.without_block(text, self.config) == text:
            self._back_up(self.config, text)
        self._replace(self.config, text, wanted)
        for sentence in boot.conflicts(text):
            self.tree.say(sentence)
        self._command_line(boot.CONSOLES if din else "", [READONLY] if readonly else [])

    def restore(self) -> None:
        """Take out what was put in. What the player wrote since stays."""
        text = self._read(self.config)
        self._replace(self.config, text, boot.without_block(text, self.config))
        self._command_line("", [])
        for name in (self.config, self.command):
            self.tree.remove(name + BACKUP)

    def writable_root(self) -> None:
        """Take only the word for the read-only root out."""
        drop = boot.CONSOLES if self.record.dropped else ""
        self._command_line(drop, [])

    def _command_line(self, drop: str, add: list[str]) -> None:
        if not self.tree.exists(self.command):
            return
        text = self._read(self.command)
        base = boot.command_line_back(text, self.record.dropped, self.record.added)
        before = self.tree.read(self.command + BACKUP)
        if before is not None and before.decode("latin-1").split() == base.split():
            base = before.decode("latin-1")  # with its spaces
        wanted, dropped, added = boot.command_line(base, drop, add)
        if wanted == text:
            return
        if wanted != base:
            self._back_up(self.command, base)
        if not self.tree.dry:
            merged = {"dropped": [*self.record.dropped], "added": [*self.record.added]}
            self.record.note(self.tree, dropped=dropped, added=added)  # both are true until it is written
            self._replace(self.command, text, wanted)
            self.record.dropped, self.record.added = dropped, added
            if merged != {"dropped": dropped, "added": added}:
                self.record.save(self.tree)
        else:
            self._replace(self.command, text, wanted)

    def _read(self, name: str) -> str:
        return (self.tree.read(name) or b"").decode("latin-1")  # every byte comes back as it was

    def _back_up(self, name: str, text: str) -> None:
        self.tree.write(name + BACKUP, text.encode("latin-1"), None)

    def _replace(self, name: str, text: str, wanted: str) -> None:
        if wanted == text:
            return
        self.record.reboot = self.system.boot_id()
        self.record.save(self.tree)
        self.tree.write(name, wanted.encode("latin-1"), None)
