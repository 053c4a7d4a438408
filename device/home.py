"""Where a box keeps what is its own: slots, settings, library, control socket. Plays nothing.

FATHOM_HOME names the folder; without it, it is `.fathom` in the clone, beside the rooms. A Fathom that was
installed as a package keeps its own where the XDG base directory specification says.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from device.disk import write_safely
from device.errors import ModelError, SettingsError
from device.outfit import Outfit, read_outfit
from device.restoring import complete, pending
from device.settings import Settings, read_settings
from device.specs import SLOTS
from device.stick import LOOPS
from hw.errors import PanelError

if TYPE_CHECKING:  # they load arrays, and not all that looks for a path needs those
    from device.slot import Slot
    from device.slots import SlotFolder

LEAST_ROOM = 256 * 1024  # bytes: a state file and a slot
LATEST = ".latest"  # in the folder of loops: names that of the stick that came last
LONGEST_NAME = 255
CLONE = Path(__file__).resolve().parents[1]


def home() -> Path:
    """The folder of this box. A restoring that a power cut has interrupted is brought to its end first."""
    folder = _folder()
    if pending(folder):
        with contextlib.suppress(OSError):  # the disk is read-only, say: the box plays all the same
            complete(folder)
    return folder


def _folder() -> Path:
    if named := os.environ.get("FATHOM_HOME"):
        return Path(named)
    if (CLONE / "pyproject.toml").exists():
        return CLONE / ".fathom"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "fathom"


def slot_folder() -> SlotFolder:
    from device.slots import SlotFolder

    return SlotFolder(home() / "slots")


def socket_path() -> Path:
    """Where a running box listens: FATHOM_SOCKET, or `control.sock` in its folder."""
    return Path(os.environ.get("FATHOM_SOCKET") or home() / "control.sock")


def learner_path() -> Path:
    """Where the learner's service listens: FATHOM_LEARNER, or `learner.sock` in the box's folder."""
    return Path(os.environ.get("FATHOM_LEARNER") or home() / "learner.sock")


def state_path() -> Path:
    """What the box remembers over night."""
    return home() / "state.json"


def storage_notes() -> list[str]:
    """What is to be said where nothing can be kept in the box's folder."""
    folder = home()
    lost = "Nothing that is learned or changed is kept; the box plays all the same."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        room = shutil.disk_usage(folder).free
    except OSError as error:
        return [f"{folder}: {error.strerror}. {lost}"]
    if not os.access(folder, os.W_OK):
        return [f"{folder}: cannot be written. {lost}"]
    return [f"{folder}: the disk is full. {lost}"] if room < LEAST_ROOM else []


def library_path() -> Path:
    """What the player has decided about single loops."""
    return home() / "library.json"


def loops_folder() -> Path:
    """The loops of this box, those of each stick in a folder of their own."""
    return home() / LOOPS


def latest_loops() -> str:
    """The folder of the loops that came last, within the box's own; "" where no stick ever brought some."""
    try:
        name = (loops_folder() / LATEST).read_text(encoding="utf-8")[:LONGEST_NAME].strip()
    except (OSError, UnicodeDecodeError):
        return ""
    there = name and not name.startswith(".") and "/" not in name and "\0" not in name
    return f"{LOOPS}/{name}" if there and (loops_folder() / name).is_dir() else ""


def cache_folder() -> Path:
    """What was heard in loops, so that none is heard twice."""
    return home() / "heard"


def load_settings(path: Path | None = None) -> tuple[Settings, list[str]]:
    """Settings of `settings.toml` in the box's folder, and what cannot be used in it: the rest holds.

    A file that was named must be good: SettingsError otherwise.
    """
    text, complaints = _text(path)
    settings, more = read_settings(text, settings_path(path).name)
    if path and (complaints or more):
        raise SettingsError(" ".join([*complaints, *more]))
    return settings, [*complaints, *more]


def load_outfit(path: Path | None = None, cv: Sequence[str] = ()) -> tuple[Outfit, list[str]]:
    """Wiring and calibration of the same file, and what cannot be used in it, as with the settings.

    `cv` is the setting of that name.
    """
    text, _ = _text(path)
    outfit, complaints = read_outfit(text, settings_path(path).name, cv)
    if path and complaints:
        raise SettingsError(" ".join(complaints))
    return outfit, complaints


def settings_path(path: Path | None = None) -> Path:
    """The settings file: the one that was named, or that of the box."""
    return path or home() / "settings.toml"


def _text(path: Path | None) -> tuple[str, list[str]]:
    """What the settings file says, and a sentence where it cannot be read."""
    chosen = settings_path(path)
    try:
        return chosen.read_text(encoding="utf-8-sig"), []
    except (FileNotFoundError, NotADirectoryError) as error:
        return "", [f"{chosen}: cannot be read ({error.strerror})."] if path else []
    except OSError as error:
        return "", [f"{chosen}: cannot be read ({error.strerror})."]
    except UnicodeDecodeError:
        return "", [f"{chosen}: not a text in UTF-8."]


def is_number(word: str) -> bool:
    """Whether a word means a numbered slot, and not a file."""
    return word.isdecimal() and word.isascii() and len(word) < 5


def number_of(word: str) -> int:
    """A slot's number; ModelError for anything else."""
    if not is_number(word):
        raise ModelError(f"slot {word!r}: expected a number from 1 to {SLOTS}.")
    return int(word)


@contextlib.contextmanager
def target(word: str) -> Iterator[str]:
    """Where a slot is to be written: a number, of `free` the first that is empty and not taken, or a file.

    Raises before any work is done where that cannot be: a number, a name, rights. While this lasts no other
    process is given the number for `free`.
    """
    folder = slot_folder()
    if word == "free":
        check_file(folder.claims)
        with folder.claimed() as number:
            check_file(folder.path(number))
            yield str(number)
    elif is_number(word.removeprefix("-")):
        check_file(folder.path(int(word)))
        with folder.claimed(int(word)):
            yield word
    elif "/" not in word and "." not in word:
        raise ModelError(f"slot {word!r}: expected a number from 1 to {SLOTS}, or a file: {word}.safetensors")
    else:
        check_file(Path(word))
        yield word


def check_file(path: Path) -> None:
    """Raise before any work is done where a file could not be written; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))


def load_slot(word: str) -> Slot:
    """The slot of a number or of a file. Raises ModelError where it is empty or refused."""
    from device.slots import load_file

    return slot_folder().load(int(word)) if is_number(word) else load_file(Path(word), Path(word).name)


def store(word: str, blob: bytes, say: Callable[[str], None]) -> None:
    """Write a slot to its number or file, checked, and hand it to the box where one plays."""
    from device.slot import unpack

    unpack(blob, f"slot {word}")
    if is_number(word):
        slot_folder().save(int(word), blob)
        hand_over(int(word), blob, say)
    else:
        Path(word).parent.mkdir(parents=True, exist_ok=True)
        write_safely(Path(word), blob)


def hand_over(number: int, blob: bytes, say: Callable[[str], None]) -> None:
    """Offer a slot to a running box, which swaps it in on the bar line. That none runs is no complaint."""
    if not socket_path().exists():
        return
    from device.client import call

    try:
        answer = call(
            socket_path(), {"do": "load", "slot": number, "blob": base64.b64encode(blob).decode("ascii")}
        )
        say(str(answer.get("says") or answer.get("error")))
    except PanelError as error:
        say(str(error))
