"""Two boxes over real MIDI: one leads, the other follows, starts and stops with it."""

import json
import os
import subprocess
import sys
import time
from bisect import bisect
from pathlib import Path

import numpy as np
import pytest
from midi_helpers import jack_server, need

ROOT = Path(__file__).parents[1]
BPM = 140
SETTINGS = {
    "leads": f"bpm = {BPM}\n[voices]\ndensity = 0.6\n",
    "follows": 'clock = "midi"\n[voices]\ndensity = 0.6\n',
}


@pytest.fixture
def boxes(monkeypatch, tmp_path):
    """Both, connected, over a JACK server of their own."""
    try:
        import rtmidi  # noqa: F401
    except ImportError:
        need(False, "two boxes: python-rtmidi is not here; install fathom[midi] to run this")
    if os.path.exists("/dev/snd/seq"):
        pytest.skip("two boxes over JACK: this machine has the ALSA sequencer, and the box prefers it")
    with jack_server(monkeypatch):
        time.sleep(1.0)
        started = [start(tmp_path, "follows"), start(tmp_path, "leads")]
        try:
            outputs, inputs = ports(":out"), ports(":in")
            subprocess.run(["jack_connect", outputs[1], inputs[0]], check=True)
            yield tmp_path
        finally:
            for process in started:
                process.terminate()
                process.communicate(timeout=20)


def start(folder, name):
    home = folder / name
    home.mkdir()
    (home / "settings.toml").write_text(SETTINGS[name])
    words = [sys.executable, "fathom.py", "play", "--no-display", "--tape", str(home / "tape")]
    environment = {**os.environ, "FATHOM_HOME": str(home)}
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 15
    while not (home / "control.sock").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    return process


def ports(ending):
    listed = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=True).stdout
    found = [port for port in listed.splitlines() if port.endswith(ending)]
    assert len(found) == 2, listed
    return found


def ask(folder, name, message):
    words = [sys.executable, "fathom.py", "ctl", message]
    environment = {**os.environ, "FATHOM_HOME": str(folder / name)}
    return json.loads(subprocess.run(words, cwd=ROOT, env=environment, capture_output=True).stdout)


def gates(folder, name, since=0):
    rows = map(json.loads, (folder / name / "tape").read_text().splitlines())
    return [r["at_ns"] for r in rows if r.get("jack") == "gate1" and r["level"] and r["at_ns"] > since]


def nearest(times, at):
    place = bisect(times, at)
    return min(times[max(0, place - 1) : place + 1], key=lambda time: abs(time - at))


def test_a_box_that_follows_starts_plays_and_stops_with_the_one_that_leads(boxes):
    time.sleep(1.0)
    begun = time.monotonic_ns()
    ask(boxes, "leads", "rewind")
    time.sleep(6.0)
    state = ask(boxes, "follows", "state")["state"]
    ask(boxes, "leads", "stop")
    time.sleep(0.3)
    stopped = ask(boxes, "follows", "state")["state"]

    assert state["clock"] == "midi"
    assert state["bpm"] == pytest.approx(BPM, abs=0.5)
    assert not stopped["playing"]
    time.sleep(0.2)
    leads, follows = gates(boxes, "leads", begun), gates(boxes, "follows", begun)
    apart = np.array([at - nearest(leads, at) for at in follows]) / 1e6
    assert abs(len(leads) - len(follows)) <= 1
    half_a_step = 60_000 / BPM / 4 / 2
    assert np.percentile(np.abs(apart[2:]), 95) < half_a_step, "every hit at its own step"
