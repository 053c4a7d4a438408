"""Gives way: a process beside the engine takes what is left of the machine, and can be cancelled.

The other side of `device.realtime`. Learns nothing and plays nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

NICEST = 19
FIRST_TO_GO = (
    500  # of 1000: where memory runs out, this process ends before others (oom_score_adj in proc(5))
)
IMPORTLIB = "<frozen importlib._bootstrap>"
AGAIN_S = 0.4  # a library may swallow what is raised while it calls back: then it is raised again
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


def give_way() -> None:
    """Run only where nobody else wants to. What is refused is left out: it does no harm.

    Reads and writes of a process at SCHED_IDLE are in the idle class as well, where it was given no other.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (OSError, AttributeError):
        with contextlib.suppress(OSError):
            os.nice(NICEST)
    with contextlib.suppress(OSError, ValueError), open("/proc/self/oom_score_adj", "r+") as score:
        score.write(str(max(FIRST_TO_GO, int(score.read()))))
    if os.getsid(0) == os.getpid():  # else it would be the shell's as well
        # A session shares the processor with others as one: within it, being idle is worth nothing.
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as group:
            group.write(str(NICEST))


@contextlib.contextmanager
def cancellable(sentence: str) -> Iterator[Callable[[], None]]:
    """Let Ctrl-C, a service's stop and a closed terminal raise KeyboardInterrupt with a sentence.

    While something is imported they end the process: libraries make an ImportError of it, or worse.
    What it gives is called when it is too late for that: from then on, to the end of the block, they are
    ignored. One that is ignored already stays so.
    """

    cancelled = False

    def cancel(number: int, frame: FrameType | None) -> None:
        nonlocal cancelled
        cancelled = True
        if _imports(frame):
            _leave(sentence)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        raise KeyboardInterrupt(sentence)

    former: dict[int, Any] = {}
    complain = sys.unraisablehook

    def swallowed(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):  # that is raised again
            complain(unraisable)

    def hold() -> None:
        for number in former:
            signal.signal(number, signal.SIG_IGN)

    if threading.current_thread() is threading.main_thread():  # no other may ask for signals
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                former[number] = signal.signal(number, cancel)
    sys.unraisablehook = swallowed
    try:
        yield hold
    except Exception:
        if cancelled:  # a library stumbled over what was raised in its midst
            raise KeyboardInterrupt(sentence) from None
        raise
    finally:
        sys.unraisablehook = complain
        if former:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for restored, before in former.items():
            signal.signal(restored, before)


def _leave(sentence: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{sentence}\n".encode())
    os._exit(1)


def _imports(frame: FrameType | None) -> bool:
    """Whether something is being imported there."""
    while frame is not None:
        if frame.f_code.co_filename == IMPORTLIB:
            return True
        frame = frame.f_back
    return False
