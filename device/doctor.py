"""Examines a box: panel, MIDI, realtime rights, storage, slots, timing. Changes nothing, repairs nothing."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from device import home
from device.client import call
from device.errors import ModelError
from device.finding import Finding
from device.guide import Guide
from device.health import Health
from device.loopback import COUNT, over_din, over_ports
from device.realtime import ADVICE, PRIORITY, claimed
from device.slots import FACTORY, free_bytes, load_file
from device.walk import converter, walk
from hw.din import Serial
from hw.errors import PanelError
from hw.midi_out import open_midi_out
from hw.panel import open_panel
from hw.table import DIN
from hw.timing import RealTime, Time

STICKS = Path("/run/fathom-stick")  # where sticks are mounted, each in a folder of its own

SPACE_WANTED = 50 * 2**20  # bytes: room for slots, their previous generation and a copied stick
TIMED_WAKES = 1000
WAKE_NS = 2_000_000  # from one to the next: two seconds in all
LATE_US = 1000  # a gate later than this is heard as loose


def examine(
    panel: str, guide: Guide | None = None, jumpers: Sequence[tuple[str, str]] = ()
) -> Iterator[Finding]:
    """All checks, one after the other; with a guide also those that need hands."""
    yield Finding("python", sys.version_info >= (3, 11), platform.python_version())
    if panel == "pi":
        yield from _parts(guide, jumpers)
    else:
        yield _panel(panel)
    yield _midi()
    if panel == "pi":
        yield _loopback()
        yield from _din(guide)
    yield _realtime()
    if panel == "pi":
        yield _stick()
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


def _parts(guide: Guide | None, jumpers: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """Each part of the box's own panel; of a box that plays, what that tells."""
    outfit, _ = home.load_outfit(cv=home.load_settings()[0].cv)
    ask = _playing_panel()
    if ask is not None:
        yield Finding(
            "panel",
            not jumpers,
            "a box plays and holds jacks, buttons and LEDs.",
            "To try those, stop it first: sudo systemctl stop fathom",
            needed=bool(jumpers),
        )
        answer = ask()
        for complaint in answer["complaints"]:
            if not complaint.startswith("knobs:"):
                yield Finding("panel", False, complaint)
        wrong = next((said for said in answer["complaints"] if said.startswith("knobs:")), "")
        yield from converter(lambda: ask()["counts"], wrong, answer["pulled_up"], outfit.calibration, guide)
        return
    time = RealTime()
    try:
        panel = open_panel(
            "pi", midi_port=None, time=time, wiring=outfit.wiring, calibration=outfit.calibration
        )
    except PanelError as error:
        yield Finding("panel", False, str(error))
        return
    try:
        yield from walk(panel, time, outfit, guide, jumpers)
    finally:
        panel.close()


def _playing_panel() -> Callable[[], Any] | None:
    """What asks a box that plays for its panel, where one does and its panel is no simulated one."""

    def ask() -> Any:
        return call(home.socket_path(), {"do": "panel"}).get("value")

    try:
        answer = ask()
    except (PanelError, OSError):
        return None
    return ask if isinstance(answer, dict) and answer["name"] == "pi" else None


def _loopback() -> Finding:
    """Notes from a port of ours to another."""
    try:
        heard = over_ports()
    except PanelError as error:
        found = str(error).removeprefix("MIDI: ")
        return Finding("midi loopback", False, found, "Gates play without it.", needed=False)
    ok = heard.seen == COUNT
    advice = "" if ok else "Look whether the system for MIDI is overloaded, and run it again."
    return Finding("midi loopback", ok, str(heard), advice, needed=False)


def _din(guide: Guide | None) -> Iterator[Finding]:
    """The DIN sockets, where the settings name them or a player puts a cable between them."""
    settings, _ = home.load_settings()
    named = DIN in (*settings.midi_out, *settings.midi_in)
    wiring = home.load_outfit()[0].wiring
    if not named and not Path(wiring.serial).exists():
        return
    if _playing_panel() is not None and named:
        yield Finding("din", True, "the box that plays has it", needed=False)
        return
    serial = Serial(wiring.serial)
    try:
        if serial.complaint:
            found, _, advice = serial.complaint.removeprefix("MIDI DIN: ").partition(". ")
            yield Finding("din", False, f"{found}.", advice, needed=named)
            return
        yield Finding("din", True, f"{wiring.serial} opens at 31250 baud")
        if guide is not None and guide.agrees("Put a cable from DIN out to DIN in. Is it there?"):
            heard = over_din(serial, RealTime())
            ok = heard.seen == COUNT
            advice = (
                "" if ok else "Look at the opto-coupler and its resistors, and which way round the cable is."
            )
            yield Finding("din loopback", ok, str(heard), advice)
    finally:
        serial.close()


def _stick() -> Finding:
    """Which sticks are plugged in and mounted."""
    sticks = sorted(path.name for path in STICKS.iterdir()) if STICKS.is_dir() else []
    if not sticks:
        return Finding("stick", False, "none is plugged in.", "The box plays without one.", needed=False)
    return Finding("stick", True, f"{', '.join(sticks)} is mounted")


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
    settings, complaints = home.load_settings()
    complaints = [*complaints, *home.load_outfit(cv=settings.cv)[1]]
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
