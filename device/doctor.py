"""Examines a box: panel, MIDI, realtime rights, storage, slots, timing. Changes nothing, repairs nothing."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from device import home
from device.client import call
from device.errors import ModelError
from device.health import Health
from device.realtime import ADVICE, PRIORITY, claimed
from device.slots import FACTORY, free_bytes, load_file
from hw.errors import PanelError
from hw.midi_out import open_midi_out
from hw.panel import open_panel
from hw.timing import RealTime, Time

SPACE_WANTED = 50 * 2**20  # bytes: room for slots, their previous generation and a copied stick
TIMED_WAKES = 1000
WAKE_NS = 2_000_000  # from one to the next: two seconds in all
LATE_US = 1000  # a gate later than this is heard as loose
BAR_CELLS = 40  # of the longest bar of a histogram


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is well, what was found and what to do.

    A box plays without what is not `needed`. A `histogram` is (upper edge in microseconds, count), rising.
    """

    check: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = True
    histogram: list[tuple[int, int]] | None = None

    def bars(self) -> list[str]:
        """The histogram as lines of text, one for every doubling; whatever was counted shows."""
        octaves: dict[int, int] = {}
        for upper, count in self.histogram or []:
            edge = 1 << (upper - 1).bit_length()
            octaves[edge] = octaves.get(edge, 0) + count
        longest = max(octaves.values(), default=0)
        return [
            f"within {edge:6d} us  {'#' * -(-count * BAR_CELLS // longest):{BAR_CELLS}s}  {count}"
            for edge, count in octaves.items()
        ]


def examine(panel: str) -> Iterator[Finding]:
    """All checks, one after the other."""
    yield Finding("python", sys.version_info >= (3, 11), platform.python_version())
    yield _panel(panel)
    yield _midi()
    yield _realtime()
    yield _storage()
    yield from _slots()
    yield _settings()
    box = _box()
    yield box
    yield _timing(beside_box=box.ok)


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
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    found = f"{complaints[0].rstrip('.')}{more}." if complaints else "all keys can be used"
    return Finding("settings", not complaints, found, "Mend the line in settings.toml." if complaints else "")


def _box() -> Finding:
    """Whether a box plays, and how it does."""
    try:
        state = call(home.socket_path(), {"do": "state"})["state"]
    except (PanelError, OSError) as error:
        return Finding("box", False, str(error), "The other checks need none.", needed=False)
    assert isinstance(state, dict)
    health, does = state["health"], "plays" if state["playing"] else "is stopped"
    found = (
        f"a box {does}: half within {health['p50_us']} us, 99 % within {health['p99_us']} us, "
        f"worst {health['worst_us']} us, {health['dropped']} dropped"
    )
    return Finding("box", True, found, needed=False)


def _timing(beside_box: bool) -> Finding:
    """Wake up again and again, as the engine does, and say how late that was.

    With the engine's claims; a box that plays meanwhile keeps its precedence.
    """
    health = Health()
    with claimed(PRIORITY - beside_box) as refused:
        for late in wakes(RealTime(), TIMED_WAKES, WAKE_NS):
            health.wrote(late)
    summary = health.summary()
    found = (
        f"{TIMED_WAKES} wake-ups: half within {summary['p50_us']} us, 99 % within {summary['p99_us']} us, "
        f"99.9 % within {summary['p999_us']} us, worst {summary['worst_us']} us"
    )
    ok = summary["p99_us"] < LATE_US
    advice = "" if ok else " ".join(refused) or "Stop other programs: something holds the processor up."
    return Finding("timing", ok, found, advice, histogram=health.histogram())


def wakes(time: Time, count: int, spacing: int) -> Iterator[int]:
    """Wait so often, as the engine waits for music; nanoseconds from when it was due to when it went on."""
    due = time.now()
    for _ in range(count):
        due = max(due, time.now()) + spacing
        time.sleep_until(due)
        yield time.now() - due
