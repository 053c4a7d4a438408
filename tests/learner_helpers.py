"""Learners with a stand-in for what learns, and how the engine looks at them."""

import sys
import time

from device.beside import Child
from device.learner import Learner
from device.learning import BUSY, Wanted

SERVE = "import sys; from pathlib import Path; from device.learning_run import serve; "


def wanted(*paths, slot=3, trainings=2):
    return Wanted(list(paths), slot, 1, 1, trainings)


def learner_of_script(code, folder):
    """A learner whose `fathom learn` is a few lines of Python."""
    child = [sys.executable, "-c", f"import json, os, signal, sys, time\n{code}"]
    command = [sys.executable, "-c", f"{SERVE}serve({child!r}, Path(sys.argv[1]))"]
    return Learner(Child([*command, str(folder / "slots")]), folder)


def attend(learner, until, playing=(), held=range(1, 17)):
    """Let the engine look again and again until something is so; how far the learning is then."""
    deadline = time.monotonic() + 30
    while not until(learner.learning) and time.monotonic() < deadline:
        learner.attend(playing, held)
        time.sleep(0.005)
    return learner.learning


def over(learning):
    return learning.state not in BUSY
