"""Boxes as real processes: what plays, what runs beside it, and talk with it."""

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from device.client import call
from hw.errors import PanelError

ROOT = Path(__file__).parents[1]


def ask(home, **message):
    return call(home / "control.sock", message)


@contextmanager
def playing(home, *words, prepare=None, **more):
    """A box that plays in its own session, from when it listens; killed in the end where it still runs."""
    box = subprocess.Popen(
        [sys.executable, "fathom.py", "play", "--no-display", *map(str, words)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,
        **more,
    )
    deadline = time.monotonic() + 20
    while True:
        try:
            ask(home, do="state")
            break
        except PanelError:
            assert time.monotonic() < deadline
            assert box.poll() is None, box.stderr.read()
            time.sleep(0.02)
    try:
        yield box
    finally:
        box.kill()
        box.communicate()


def end(box):
    """Quit in good order; what was said."""
    box.terminate()
    _, said = box.communicate(timeout=20)
    assert box.returncode == 0, said
    assert "Traceback" not in said
    return said


def child_of(pid, word):
    """The number of the child that was started with a word, once it has started; None where there is none."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for number in children(pid):
            if word in command_of(number):
                return number
        time.sleep(0.02)
    return None


def children(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def wait_until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()
