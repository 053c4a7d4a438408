"""Giving way and being cancelled, as a process meets it."""

import os
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest
from loop_helpers import beats, write

from device.idle import cancellable
from device.slot import pack
from device.slots import SlotFolder

ROOT = Path(__file__).parents[1]
LONG_S = 120  # who gives way gets little of a busy machine


@pytest.fixture
def loops(tmp_path):
    """Three loops that are learned in a second, and trained for as long as one likes."""
    for name, steps in (("a", "x...x...x...x..."), ("b", "x..x..x...x.x..."), ("c", "..x...x...x...xx")):
        write(tmp_path / "loops" / f"{name}-120bpm.wav", beats(steps * 2))
    return tmp_path / "loops"


def learn(*words):
    """A `fathom learn` that runs, from the moment it says how far it is."""
    process = subprocess.Popen(
        [sys.executable, "fathom.py", "learn", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    process.stderr.readline()
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("progress", ["auto", "json"])
def test_learn_is_cancelled_with_one_sentence_and_the_slot_is_as_it_was(home, loops, slot, number, progress):
    folder = SlotFolder(home / "slots")
    folder.save(3, pack(slot))
    before = {path.name: path.read_bytes() for path in folder.folder.iterdir()}
    process = learn(loops, "--slot", 3, "--trainings", 1000, "--progress", progress, "--eager")

    process.send_signal(number)
    printed, said = process.communicate(timeout=LONG_S)

    assert process.returncode == 1
    assert printed == ""
    assert said.splitlines()[-1] == "cancelled: slot 3 is as it was."
    assert (
        said.count("\n")
        == len([line for line in said.splitlines() if line[:4] in ("hear", "trai", '{"sl')]) + 1
    )
    assert {path.name: path.read_bytes() for path in folder.folder.iterdir()} == before


def test_learn_runs_when_nobody_else_wants_to_and_is_the_first_to_go(home, loops):
    process = learn(loops, "--slot", 1, "--trainings", 1000)
    try:
        assert os.sched_getscheduler(process.pid) == os.SCHED_IDLE
        assert int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) >= 500
        group = Path(f"/proc/{process.pid}/autogroup")
        if group.exists():
            assert group.read_text().split()[-1] == "19"
    finally:
        process.kill()
        process.communicate()


def test_learn_that_is_eager_does_not_give_way(home, loops):
    process = learn(loops, "--slot", 1, "--trainings", 1000, "--eager")
    try:
        assert os.sched_getscheduler(process.pid) != os.SCHED_IDLE
        own = Path("/proc/self/oom_score_adj").read_text()
        assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == own
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("words", "module"),
    [
        *product([["hear", "x"], ["slots"], ["learn", "x", "--slot", "1"]], ["argparse", "json", "numpy"]),
        *product([["--version"]], ["argparse", "json"]),  # it is known without numpy
    ],
)
def test_a_command_that_is_ended_while_it_imports_says_so_in_one_sentence(
    home, tmp_path, monkeypatch, number, words, module
):
    (tmp_path / f"{module}.py").write_text(
        f"import os\nos.kill(os.getpid(), {int(number)})\nraise ImportError\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    done = subprocess.run(
        [sys.executable, "fathom.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "stopped.\n")


def test_what_is_interrupted_says_its_sentence_until_it_is_too_late():
    with pytest.raises(KeyboardInterrupt, match=r"as it was"), cancellable("as it was"):
        signal.raise_signal(signal.SIGTERM)

    with cancellable("as it was") as hold:
        hold()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)


def test_what_swallows_the_interruption_is_interrupted_again():
    swallowed = []
    with pytest.raises(KeyboardInterrupt, match=r"as it was"), cancellable("as it was"):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            swallowed.append(error)
        time.sleep(30)

    assert len(swallowed) == 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_a_library_makes_of_an_interruption_is_one_all_the_same():
    with pytest.raises(KeyboardInterrupt, match=r"as it was"), cancellable("as it was"):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ValueError("invalid bounding box") from None

    with pytest.raises(ValueError, match="ours"), cancellable("as it was"):
        raise ValueError("ours")


def test_where_an_interruption_cannot_be_raised_nothing_is_printed(capfd):
    class Falls:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"as it was"), cancellable("as it was"):
        Falls()
        time.sleep(30)

    assert capfd.readouterr() == ("", "")


def test_signals_are_handled_afterwards_as_they_were_and_one_that_is_ignored_stays_so():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    hung_up = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        before = [signal.getsignal(number) for number in numbers]
        with cancellable("a"), cancellable("b") as hold:
            signal.raise_signal(signal.SIGHUP)
            hold()
        assert [signal.getsignal(number) for number in numbers] == before
    finally:
        signal.signal(signal.SIGHUP, hung_up)


def test_a_slot_that_is_being_written_is_written_whole_or_leaves_nothing(home, tmp_path, monkeypatch, slot):
    folder = SlotFolder(home / "slots")
    folder.save(1, pack(slot))

    def interrupted(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.save(2, pack(slot))

    assert [path.name for path in folder.folder.iterdir()] == ["slot-01.safetensors"]
