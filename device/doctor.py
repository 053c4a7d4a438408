"""Examines a box: panel, MIDI, realtime rights, storage, slots, timing. Changes nothing, repairs nothing."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from device import home
from device.errors import ModelError
from device.realtime import ADVICE
from device.slots import FACTORY, free_bytes, load_file
from hw.errors import PanelError
from hw.midi_out import open_midi_out
from hw.panel import open_panel
from hw.timing import RealTime

SPACE_WANTED = 50 * 2**20  # bytes: room for slots, their previous generation and a copied stick
TIMED_WAKES = 500
WAKE_NS = 2_000_000
LATE_US = 1000  # a gate later than this is heard as loose


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is well, what was found and what to do.

    A box plays without what is not `needed`.
    """

    check: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = True


def examine(panel: str) -> Iterator[Finding]:
    """All checks, one after the other."""
    yield Finding("python", sys.version_info >= (3, 11), platform.python_version())
    yield _panel(panel)
    yield _midi()
    yield _realtime()
    yield _storage()
    yield from _slots()
    yield _settings()
    yield _timing()


def _panel(kind: str) -> Finding:
    try:
        open_panel(kind, midi_port=None).close()
    except PanelError as error:
        return Finding("panel", False, str(error))
    return Finding("panel", True, "simulated" if kind == "sim" else "all parts answer")


def _midi() -> Finding:
    try:
        port = open_midi_out("Fathom doctor")
    except PanelError as error:
        found = str(error).removeprefix("MIDI: ")
        return Finding("midi", False, found, "Gates play without it.", needed=False)
    system = port.system
    port.close()
    return Finding("midi", True, f"a virtual port opens ({system})")


def _realtime() -> Finding:
    ok = max(resource.getrlimit(resource.RLIMIT_RTPRIO)) > 0 or os.geteuid() == 0
    found = "priority is allowed" if ok else "priority is refused"
    return Finding("realtime", ok, found, "" if ok else ADVICE, needed=False)


def _storage() -> Finding:
    free = free_bytes(home.home())
    ok = free >= SPACE_WANTED
    found = f"{free // 2**20} MB free for slots in {home.home()}"
    return Finding("storage", ok, found, "" if ok else f"Make room: {SPACE_WANTED // 2**20} MB are wanted.")


def _slots() -> Iterator[Finding]:
    folder = home.slot_folder()
    try:
        load_file(FACTORY, "factory slot")
        yield Finding("factory slot", True, "plays")
    except ModelError as error:
        yield Finding("factory slot", False, str(error), "Install Fathom again.")
    for number in folder.filled():
        try:
            slot = folder.load(number)
            voices = "1 voice" if slot.about.voices == 1 else f"{slot.about.voices} voices"
            yield Finding(f"slot {number}", True, f"{len(slot.about.takes)} takes, {voices}")
        except ModelError as error:
            found = str(error).removeprefix(f"slot {number}: ")
            back = folder.previous(number).exists()
            advice = f"Go back: fathom slots undo {number}" if back else ""
            yield Finding(f"slot {number}", False, found, advice)


def _settings() -> Finding:
    _, complaints = home.load_settings()
    found = complaints[0] if complaints else "all keys can be used"
    return Finding("settings", not complaints, found, "Mend the line in settings.toml." if complaints else "")


def _timing() -> Finding:
    """Wake up again and again, as the engine does, and say how late that was."""
    time = RealTime()
    late = []
    due = time.now()
    for _ in range(TIMED_WAKES):
        due = max(due, time.now()) + WAKE_NS
        time.sleep_until(due)
        late.append((time.now() - due) / 1000)
    late.sort()
    p50, p99, worst = late[TIMED_WAKES // 2], late[int(TIMED_WAKES * 0.99)], late[-1]
    found = (
        f"{TIMED_WAKES} wake-ups: half within {p50:.0f} us, 99 % within {p99:.0f} us, worst {worst:.0f} us"
    )
    ok = p99 < LATE_US
    return Finding("timing", ok, found, "" if ok else "Stop other programs, or allow realtime priority.")
