"""The process of one stick: copies its loops, backs up and restores, and tells the box. Mounts nothing.

It runs beside the engine as a user without rights, from when the stick is in until it may be pulled (or is:
then it is ended by a signal). The engine's end is `device.stick`. What copies is given to it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from device import backup, restoring
from device.client import call
from device.disk import write_safely
from device.errors import ModelError
from device.folders import put
from device.home import (
    LATEST,
    hand_over,
    home,
    load_settings,
    loops_folder,
    slot_folder,
    socket_path,
    state_path,
)
from device.idle import cancellable
from device.keeper import recall
from device.memory import pack
from device.settings import Settings
from device.stick import LONGEST, LOOPS, WORKING
from device.volume import MOUNTS, READ, volume
from hw.errors import PanelError

Say = Callable[[str], None]
DONE, FAILED = 0, 1  # exit status
UPDATE = ".update"  # ending of what another unit takes from a stick
WANTS_BACKUP = 75  # exit status: the stick shall be mounted anew, so that it can be written to
TELL_S = 0.5
MOST_SAID = 3  # of files that were left out
LONGEST_NAME = 60


class Copied(Protocol):
    """What came of the copying."""

    folder: Path
    files: int
    fresh: int
    left_out: list[tuple[str, str]]


class Copier(Protocol):
    """What copies loops: `training.copying`, which this room does not know."""

    def copy_loops(
        self, stick: Path, place: Path, put: Callable[[Path, Path], None], tell: Callable[[int, int], None]
    ) -> Copied: ...

    def folder_name(self, label: str, known_by: str) -> str: ...

    def has_loops(self, stick: Path) -> bool: ...


class Teller:
    """Tells a box what becomes of a stick, also while nothing changes. That none runs is no complaint."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hold: Callable[[], None] = lambda: None  # called when it is too late to end what goes on
        self._now: dict[str, Any] = {"do": "stick", "name": name, "state": "gone"}
        self._ends = threading.Event()

    def __call__(self, state: str, says: str = "", **more: Any) -> str:
        """Tell it at once; what the stick shall do, where it waits."""
        self._now |= {"state": state, "says": says[:LONGEST]}
        return self._send(more)

    @property
    def busy(self) -> bool:
        """Whether the stick must stay in."""
        return self._now["state"] in WORKING

    def count(self, done: int, of: int) -> None:
        """So many files are done; told with the next look."""
        self._now |= {"files": done, "total": of}

    @contextlib.contextmanager
    def working(self, state: str) -> Iterator[None]:
        """Tell again and again that something goes on, until it does not."""
        self(state)
        self._ends.clear()
        thread = threading.Thread(target=self._go_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ends.set()
            thread.join(4 * TELL_S)

    def _go_on(self) -> None:
        while not self._ends.wait(TELL_S):
            self._send({})

    def _send(self, more: dict[str, Any]) -> str:
        try:
            return str(call(socket_path(), {**self._now, **more}).get("value") or "")
        except (PanelError, OSError, msgspec.DecodeError):
            return ""


def attend(kernel: str, copier: Copier, say: Say, mounts: Path = MOUNTS) -> int:
    """Do what a stick is there for, by the kernel's name for it; the exit status."""
    stick, mount = volume(kernel), mounts / kernel
    name = printable(stick.label)
    with _told(name, say) as teller:
        if stick.kind not in READ:
            holds = f"holds {stick.kind}" if stick.kind else "holds no file system"
            raise ModelError(f"{holds}, expected FAT32 or exFAT: format it anew on a computer.")
        if not os.path.ismount(mount):
            raise ModelError(f"its {stick.kind} cannot be mounted (damaged?): check it on a computer.")
        keeps, says = (mount / backup.FOLDER).is_dir(), ""
        brings = any(name.endswith(UPDATE) for name in os.listdir(mount))
        if not (keeps or brings) or copier.has_loops(mount):
            says = _copy(mount, stick.known_by, copier, teller, say)
        while keeps:
            asked = teller("waiting", says)
            if asked == "backup":
                teller("saving")
                return WANTS_BACKUP
            if asked == "restore":
                _restore(mount, teller, say)
                break
            time.sleep(TELL_S)
        return DONE
    return FAILED


def take_in(folder: Path, copier: Copier, say: Say) -> int:
    """Copy the loops of a folder to the box, as those of a stick of that name; the exit status."""
    real = folder.resolve()
    with _told(printable(real.name), say) as teller:
        if not folder.is_dir():
            raise ModelError(f"{folder} is not there, expected a folder of loops.")
        _copy(folder, str(real), copier, teller, say)
        return DONE
    return FAILED


def save(folder: Path, say: Say) -> int:
    """Write a backup of the box into a folder; the exit status."""
    mounted = folder.parent == MOUNTS
    name = printable(volume(folder.name).label if mounted else folder.resolve().name)
    with _told(name, say) as teller:
        with teller.working("saving"):
            says = f"stick {name}: {backup.save(folder, home(), _memory(), teller.count)}"
            teller("saving", says)  # one that is mounted may be pulled when it no longer is: see `finish`
        if not mounted:
            teller("done", says)
        say(says)
        return DONE
    return FAILED


def finish(kernel: str) -> int:
    """Tell a running box that a stick is no longer mounted, after a backup; the exit status."""
    teller = Teller(printable(volume(kernel).label))
    with contextlib.suppress(PanelError, OSError, KeyError, msgspec.DecodeError):
        now: Any = call(socket_path(), {"do": "state"})["state"]
        stick = now["stick"]
        if stick["state"] == "saving" and stick["says"]:
            teller("done", f"{stick['says']} It can be pulled.")
        elif stick["state"] == "saving":
            teller("failed", f"stick {stick['name']}: the backup was not finished; the one before stays.")
    return DONE


def restore(folder: Path, say: Say) -> int:
    """Let the newest backup in a folder take the place of what the box has; the exit status."""
    with _told(printable(folder.resolve().name), say) as teller:
        _restore(folder, teller, say)
        return DONE
    return FAILED


def undo(say: Say) -> int:
    """Let what was there before a backup was restored come back; the exit status."""
    before = _contents()
    restoring.undo(home())
    say("what was there before the backup was restored is back; saying so again changes it once more.")
    _adopt({place for place, data in _contents().items() if before.get(place) != data}, say)
    return DONE


def summary(copied: Copied) -> str:
    """What came of a copying, in words."""
    out = len(copied.left_out)
    first = ": ".join(part[-LONGEST_NAME:] for part in copied.left_out[0]) if out else ""
    without = f", {out} left out ({first})" if out else ""
    fresh = "none of them new" if not copied.fresh else f"{copied.fresh} of them new"
    return f"{copied.files} loops are on the box, {fresh}{without}"


def printable(name: str) -> str:
    """The name of a stick, fit to be shown."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)[:LONGEST_NAME] or "?"


# --- within ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _told(name: str, say: Say) -> Iterator[Teller]:
    """Let what goes wrong be a sentence, to the player and to the box; who asks for it goes on after that."""
    teller = Teller(name)
    try:
        with cancellable("pulled, or ended, before it was done; what was there before stays.") as hold:
            teller.hold = hold
            yield teller
        return
    except (PanelError, ValueError, OSError) as error:
        sentence = _sentence(error)
    except KeyboardInterrupt as stop:
        if not teller.busy:  # it did what it was there for, and was pulled
            teller("gone")
            return
        sentence = str(stop)
    teller("failed", f"stick {name}: {sentence}")
    say(f"stick {name}: {sentence}")


def _sentence(error: Exception) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return _ended(str(error))
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}; what was there before stays."


def _ended(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _copy(folder: Path, known_by: str, copier: Copier, teller: Teller, say: Say) -> str:
    """Copy loops, and say so; the sentence."""
    with teller.working("copying"):
        place = loops_folder() / copier.folder_name(teller.name, known_by)
        try:
            copied = copier.copy_loops(folder, place, put, teller.count)
        except ValueError as error:
            raise ModelError(f"{_ended(str(error))} Nothing of it was taken.") from None
        write_safely(loops_folder() / LATEST, f"{place.name}\n".encode())
    says = f"stick {teller.name}: {summary(copied)}.{_free(folder)}"
    teller("done", says, folder=f"{LOOPS}/{place.name}", fresh=copied.fresh)
    for file, sentence in copied.left_out[:MOST_SAID]:
        say(f"stick {teller.name}: {file}: {sentence}.")
    say(says)
    return says


def _restore(folder: Path, teller: Teller, say: Say) -> None:
    with teller.working("restoring"):
        said, changed = backup.restore(folder, home(), teller.count, teller.hold)
        _adopt(changed, say)
    says = f"stick {teller.name}: {said}{_free(folder)}"
    teller("done", says)
    say(says)


def _free(folder: Path) -> str:
    """What is to be said of a stick that is no longer needed."""
    return " It can be pulled." if os.path.ismount(folder) else ""


def _memory() -> bytes | None:
    """What a running box remembers at this moment, as its state file would say it."""
    try:
        memory = call(socket_path(), {"do": "memory"}).get("memory")
    except (PanelError, OSError, msgspec.DecodeError):
        return None
    return pack(memory) if isinstance(memory, dict) else None


def _contents() -> dict[str, bytes]:
    folder = slot_folder()
    return {
        f"slots/{folder.path(number).name}": folder.path(number).read_bytes() for number in folder.filled()
    }


def _adopt(changed: Collection[str], say: Say) -> None:
    """Let a running box be as its files say by now. Its music goes on: what plays comes in on the bar."""
    if not socket_path().exists():
        return
    folder = slot_folder()
    for number in folder.filled():
        if f"slots/{folder.path(number).name}" in changed:
            hand_over(number, folder.path(number).read_bytes(), say)
    origin, notes = load_settings()
    memory, said = recall(state_path())
    complaints = [*notes, *said, *memory.over(origin)[1]]
    message: dict[str, object] = {
        "do": "adopt",
        "settings": {key: value for key, value, _ in origin.differences(Settings())},
        "held": memory.settings,
        "knobs": memory.knobs,
        "voice": memory.voice,
        "slots": folder.filled(),
    }
    try:
        answer = call(socket_path(), message)
        complaints.append(str(answer.get("says") or f"{answer.get('error')} Start the box again."))
    except (PanelError, OSError, msgspec.DecodeError) as error:
        complaints.append(f"{error} Start the box again.")
    for complaint in complaints:
        say(complaint)
