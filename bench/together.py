"""Two boxes over a real JACK server: how much later, and how evenly, the one that follows plays.

The first leads with MIDI clock, the second follows it; both play the same hits. Every gate of the second is
held against the nearest of the first. The server hands MIDI on once in a period of 128 frames at 48 kHz.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path

from bench.box import command
from bench.sums import at_share

SECONDS = 30.0
PATIENCE_S = 10.0
SETTLED_NS = (
    200_000_000  # after the start: a first hit that leans early is together with the top in the follower
)
SERVER = f"fathom-bench-{os.getpid()}"
START = [0xFA]
SETTINGS = {
    "leads": "bpm = 127\n[voices]\ndensity = 0.6\n",
    "follows": 'clock = "midi"\nmidi_clock = "off"\n[voices]\ndensity = 0.6\n',
}

Row = tuple[str, str, str]


def rows(home: Path) -> list[Row]:
    """The distance of their gates; one row that says what is missing where there is no JACK."""
    what = "gates of a box that follows another over JACK"
    if not shutil.which("jackd") or not shutil.which("jack_connect"):
        return [(what, "not measured", "jackd is not here: apt-get install jackd2")]
    with server():
        follows, leads = start("follows", home), start("leads", home)
        try:
            outputs, inputs = found(":out", 2), found(":in", 2)
            subprocess.run(["jack_connect", outputs[1], inputs[0]], check=True, env=environment())
            time.sleep(2.0)
            subprocess.run(command("ctl", "rewind"), check=True, env=environment(home / "leads"))
            time.sleep(SECONDS)
        finally:
            for process in (leads, follows):
                process.terminate()
                process.wait(PATIENCE_S)
    tapes = {name: read(home / name / "tape") for name in SETTINGS}
    begun = max(row["at_ns"] for row in tapes["leads"] if row.get("midi") == START) + SETTLED_NS
    ours, theirs = (gates(tapes[name], begun) for name in ("leads", "follows"))
    apart = [(at - nearest(ours, at)) / 1e6 for at in theirs]
    middle = at_share(apart, 0.5)
    spread = at_share([abs(each - middle) for each in apart], 0.99)
    return [
        (what, f"p50 {middle:.2f} ms later, 99 % within {spread:.2f} ms of that", f"{len(apart)} gates"),
        ("of those, lost or doubled", f"{abs(len(theirs) - len(ours))}", f"of {len(ours)}"),
    ]


@contextlib.contextmanager
def server() -> Iterator[None]:
    words = ["jackd", "-n", SERVER, "-R", "-P", "70", "-d", "dummy", "-r", "48000", "-p", "128"]
    jack = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    try:
        yield
    finally:
        jack.terminate()
        jack.wait(PATIENCE_S)


def start(name: str, home: Path) -> subprocess.Popen[bytes]:
    folder = home / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.toml").write_text(SETTINGS[name])
    words = command("play", "--no-display", "--fresh", "--tape", folder / "tape")
    process = subprocess.Popen(words, env=environment(folder), stderr=subprocess.DEVNULL)
    found(":in", len(list(home.glob("*/tape"))) or 1)
    return process


def found(ending: str, count: int) -> list[str]:
    """The ports with that ending, in the order in which they were opened, once there are so many."""
    until = time.monotonic() + PATIENCE_S
    while True:
        listed = subprocess.run(["jack_lsp"], env=environment(), capture_output=True, text=True).stdout
        ports = [port for port in listed.splitlines() if port.endswith(ending)]
        if len(ports) >= count or time.monotonic() > until:
            return ports
        time.sleep(0.2)


def environment(home: Path | None = None) -> dict[str, str]:
    own = {"FATHOM_HOME": str(home)} if home else {}
    return {**os.environ, "JACK_DEFAULT_SERVER": SERVER, **own}


def read(tape: Path) -> list[dict]:
    return [json.loads(line) for line in tape.read_text().splitlines()]


def gates(tape: list[dict], begun: int) -> list[int]:
    """When the first voice's gate rose after the start."""
    return [
        row["at_ns"] for row in tape if row.get("jack") == "gate1" and row["level"] and row["at_ns"] > begun
    ]


def nearest(times: list[int], at: int) -> int:
    place = bisect(times, at)
    return min(times[max(0, place - 1) : place + 1], key=lambda time: abs(time - at))
