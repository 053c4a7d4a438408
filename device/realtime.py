"""Asks the kernel and the interpreter for steady time: realtime priority, locked memory, no collections.

What is refused is said in a sentence; the box plays on without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator

ADVICE = (
    "Put `@audio - rtprio 60` and `@audio - memlock unlimited` into /etc/security/limits.d/fathom.conf, "
    "yourself into the group with `sudo usermod -aG audio $USER`, and log in again."
)
PRIORITY = 50  # of SCHED_FIFO's 1 to 99: above the kernel's interrupt threads on a realtime kernel is no use
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4  # mlockall(2)


def claim(priority: int = PRIORITY) -> list[str]:
    """Take what is allowed; sentences on what is not."""
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(0.0005)
    notes = []
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except (OSError, AttributeError):
        notes.append(f"realtime priority was refused, so other programs can make gates late. {ADVICE}")
    else:
        # Locking matters where others press on memory; ONFAULT keeps what is never used out of it.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0:
            notes.append(f"memory could not be locked, so a full one can make gates late. {ADVICE}")
    return notes


@contextlib.contextmanager
def claimed(priority: int = PRIORITY) -> Iterator[list[str]]:
    """Claim for a while, and give all of it back: for a measurement in a process that does more than that."""
    collecting, interval = gc.isenabled(), sys.getswitchinterval()
    with contextlib.suppress(AttributeError):  # a system that has none of it
        policy, own = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield claim(priority)
    finally:
        with contextlib.suppress(OSError, AttributeError):
            # Who may not claim it as it likes may not take this flag back either.
            os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, own)
            ctypes.CDLL(None).munlockall()
        sys.setswitchinterval(interval)
        gc.unfreeze()
        if collecting:
            gc.enable()
