"""Walks a player through the two points of each knob and each CV, and writes them into the settings.

The converter is read through the box that plays, which has the bus; where none does, by itself.
"""

from __future__ import annotations

import contextlib
import statistics
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from device import home
from device.client import call
from device.errors import SettingsError
from device.guide import Guide
from device.outfit import CV_KEYS, VOLTS_KEY, calibrated
from device.settings_file import with_table
from device.slots import write_safely
from device.specs import KNOB_NAMES
from hw.calibration import APART, at_0_and_5_volts
from hw.errors import PanelError
from hw.knobs import Mcp3008Knobs
from hw.table import COUNTS, CV_VOLTS, CVS, KNOBS
from hw.timing import RealTime, Time

SAMPLES = 16
SAMPLE_NS = 15_000_000  # from one to the next: a box that plays reads each channel every 16 ms
SKIP = "s"
TABLE = "calibration"
VOLTS = (0.0, 5.0)

Table = dict[str, list[float]]


def calibrate(
    guide: Guide, read: Callable[[], Sequence[int]], time: Time, volts: tuple[float, float] = VOLTS
) -> Table:
    """Keys of the table `calibration` that were measured. `read` gives the counts of all channels.

    PanelError where nobody answers.
    """
    found: Table = {}
    guide.say("Enter goes on, s and Enter skips one.")
    for name in KNOB_NAMES:
        ends = (f"Turn knob {name} fully left, then press Enter.", "Now fully right, then press Enter.")
        points = _measure(guide, read, time, KNOBS[name], ends, f"knob {name}")
        found |= {name: points} if points else {}
    measured: Table = {}
    for name, key in zip(KNOB_NAMES, CV_KEYS, strict=True):
        asked = tuple(f"Patch {one:g} V into CV {name}, then press Enter." for one in volts)
        points = _measure(guide, read, time, CVS[name], (asked[0], asked[1]), f"CV {name}")
        measured |= {key: points} if points else {}
    if measured:
        found |= {VOLTS_KEY: list(volts), **measured}
    return found


def calibrate_box(guide: Guide, volts: tuple[float, float] = VOLTS) -> None:
    """Measure, write settings.toml, and let a box that plays count so from now on."""
    path = home.settings_path()
    text, before = _table_of(path)
    with _converter() as (read, tell):
        found = calibrate(guide, read, RealTime(), volts)
        if not found:
            guide.say("Nothing was measured, and nothing is changed.")
            return
        table = {**before, **merged(before, found)}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_safely(path, with_table(text, TABLE, table).encode())
        guide.say(f"{', '.join(found)}: written to {path}.")
        tell(table)


@contextlib.contextmanager
def _converter() -> Iterator[tuple[Callable[[], Sequence[int]], Callable[[Table], None]]]:
    """What reads all channels, and what tells who plays that they mean something else. PanelError: none."""
    try:
        playing = call(home.socket_path(), {"do": "panel"}).get("value")
    except PanelError:
        playing = None
    if isinstance(playing, dict):
        if playing["name"] != "pi":
            raise PanelError("calibrate: a box plays whose panel is simulated: nothing to measure; stop it.")
        if not playing["answers"]:
            raise PanelError(f"calibrate: the box that plays says: {' '.join(playing['complaints'])}")

        def tell(table: Table) -> None:
            answer = call(home.socket_path(), {"do": "calibrate", "values": table})
            if not answer.get("ok"):
                raise PanelError(f"calibrate: the box that plays refuses it: {answer.get('error')}")

        yield lambda: call(home.socket_path(), {"do": "panel"})["value"]["counts"], tell  # type: ignore[index]
        return
    knobs = Mcp3008Knobs()
    try:
        if knobs.complaint:
            raise PanelError(knobs.complaint)

        def read() -> Sequence[int]:
            for channel in range(knobs.channels):
                knobs.read(channel)
            if knobs.complaint:
                raise PanelError(knobs.complaint)
            return knobs.counts

        yield read, lambda table: None
    finally:
        knobs.close()


def _table_of(path: Path) -> tuple[str, dict[str, Any]]:
    """The settings file, and what of its calibration can be used."""
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    with_table(text, TABLE, {})  # before the player has turned every knob
    table = tomllib.loads(text).get(TABLE, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path.name}: {calibrated(table)[1][0]}")
    usable = {key: value for key, value in table.items() if not calibrated({key: value})[1]}
    return text, usable


def merged(before: Mapping[str, Any], found: Table) -> Table:
    """What is to be written: what was found, and CVs that were skipped, at the voltages that hold now.

    `before` is the table that is there. PanelError where one of those cannot be told at these voltages.
    """
    if VOLTS_KEY not in found:
        return found
    old, new = list(before.get(VOLTS_KEY, VOLTS)), found[VOLTS_KEY]
    table = dict(found)
    for key in CV_KEYS if old != new else ():
        if key not in before or key in found:
            continue
        zero, five = at_0_and_5_volts((old[0], old[1]), tuple(before[key]))
        points = [round(zero + volts * (five - zero) / CV_VOLTS) for volts in new]
        if not all(0 <= point <= COUNTS for point in points):
            raise PanelError(
                f"calibrate: {key} was measured at {old[0]:g} and {old[1]:g} V, and {new[0]:g} or {new[1]:g} "
                "V are out of its range: measure all four at the same two voltages. Nothing is changed."
            )
        table[key] = [float(point) for point in points]
    return table


def _measure(
    guide: Guide,
    read: Callable[[], Sequence[int]],
    time: Time,
    channel: int,
    asked: tuple[str, str],
    what: str,
) -> list[float]:
    """The counts at both points; nothing where it was skipped, or they are too near to each other."""
    points: list[list[float]] = []
    for sentence in asked:
        answer = guide.ask(sentence)
        if not guide.there:
            raise PanelError("calibrate: nobody answers; run it at a terminal. Nothing is changed.")
        if answer == SKIP:
            return []
        points.append(_rest(read, time))
    moved = [abs(after - before) for before, after in zip(*points, strict=True)]
    if moved[channel] < APART:
        most = max(range(len(moved)), key=lambda other: moved[other])
        instead = f", but channel {most} did: look at the wiring" if moved[most] >= APART else ""
        guide.say(
            f"{what}: channel {channel} went from {points[0][channel]:g} to {points[1][channel]:g}, expected "
            f"at least {APART} counts{instead}. It stays as it was."
        )
        return []
    return [points[0][channel], points[1][channel]]


def _rest(read: Callable[[], Sequence[int]], time: Time) -> list[float]:
    """The counts of all channels, noise taken away."""
    samples = []
    for _ in range(SAMPLES):
        samples.append(list(read()))
        time.sleep_until(time.now() + SAMPLE_NS, exact=False)
    return [int(statistics.median(channel)) for channel in zip(*samples, strict=True)]
