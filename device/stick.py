"""A USB stick as the engine sees it: what is told of it, what it asks for, what LEARN learns. Opens no file.

The process that copies it, writes a backup to it or restores one is `device.stick_run`. It tells what it does
in messages; what hands ask of the stick it is told in the answers.
"""

from __future__ import annotations

import msgspec

from device.clock import NS_PER_MS
from device.errors import ModelError
from device.settings import Settings
from hw.timing import Time

LOOPS = "loops"  # the folder of a box in which loops are
WORKING = ("copying", "saving", "restoring")
STATES = (*WORKING, "done", "failed", "waiting", "gone")
SILENT_NS = 15_000 * NS_PER_MS  # what goes on is told twice a second: after that nobody is there any more
LONGEST = 300  # characters of a sentence, and of a name


class Stick(msgspec.Struct, frozen=True):
    """What is told of a stick, as it is published. `says` is what came of it, in a sentence."""

    name: str = ""
    state: str = "none"  # or copying, done, failed, waiting (for what it shall do), saving, restoring, gone
    files: int = 0  # that are done
    total: int = 0
    says: str = ""


class Sticks:
    """What became of the last stick, and which loops LEARN is to learn."""

    def __init__(self, time: Time) -> None:
        self.now = Stick()
        self.latest = ""  # folder of the loops that came last, within the box's; "" where none came
        self.wants = ""  # a folder that shall be learned as soon as nothing else is
        self._time = time
        self._heard = -SILENT_NS  # when a stick was last heard of
        self._asked = ""
        self._learns = False  # LEARN was pressed while the stick is copied

    @property
    def working(self) -> bool:
        """Whether the stick must stay in."""
        return self.now.state in WORKING

    @property
    def waiting(self) -> bool:
        """Whether a stick for backups is in, and can be asked."""
        return self.now.state == "waiting"

    @property
    def complaint(self) -> str:
        """What became of a stick that nothing came of, in a sentence."""
        return self.now.says if self.now.state == "failed" else ""

    def hear(self, told: Stick, folder: str, fresh: int, settings: Settings) -> str:
        """Take in what is told of a stick; what it shall do, "backup", "restore" or nothing.

        folder : of the box's, in which its loops are now; `fresh` of them the box did not have
        """
        if told.state not in STATES:
            raise ModelError(f"stick: state {told.state[:20]!r}, expected one of {', '.join(STATES)}.")
        if folder and (not folder.startswith(f"{LOOPS}/") or "/." in folder or "\0" in folder):
            raise ModelError(f"stick: {folder[:60]!r} is no folder of {LOOPS}.")
        if told.state == "gone":
            if self.now.state in ("waiting", *WORKING) and told.name == self.now.name:
                self.now = Stick()
            return ""
        self._heard = self._time.now()
        self.now = Stick(told.name[:LONGEST], told.state, told.files, told.total, told.says[:LONGEST])
        if folder:
            self.latest = folder
            if self._learns or (fresh and settings.stick_learns == "auto"):
                self.wants = folder
            self._learns = False
        if told.state == "failed":
            self._learns = False
        if told.state != "waiting":
            return ""
        asked, self._asked = self._asked, ""
        return asked

    def attend(self) -> None:
        """Notice where nobody tells of a stick any more that was in. A slack job."""
        now = self.now
        if (self.working or self.waiting) and self._time.now() - self._heard >= SILENT_NS:
            says = f"stick {now.name}: what worked on it ended; put it in again."
            self.now = Stick(now.name, "failed", says=says) if self.working else Stick()
            self._asked, self._learns = "", False

    def ask(self, deed: str) -> str:
        """Ask the stick that is in for a "backup" or a "restore", and say so. ModelError where none is in."""
        if not self.waiting:
            raise ModelError(f"{deed}: no stick with a folder fathom-backup is in; put one in first.")
        self._asked = deed
        return f"stick {self.now.name}: a backup is {'written' if deed == 'backup' else 'restored'}."

    def source(self, settings: Settings) -> str:
        """The folder that LEARN learns."""
        return self.latest if self.latest and settings.learn_from == "stick" else LOOPS

    def seen(self) -> None:
        """What failed need not be said any longer."""
        if self.now.state == "failed":
            self.now = Stick()

    def learn(self) -> bool:
        """Whether a stick is still being copied, and is learned after that."""
        self._learns = self.now.state == "copying"
        return self._learns
