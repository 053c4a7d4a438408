"""Lets a service that waits hear that it is to end. Ends nothing itself."""

from __future__ import annotations

import os
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_pipe() -> int:
    """A pipe that has something to read as soon as one of the signals has come that end a service.

    What waits with `select` looks at it beside the rest; what it is doing then is done first.
    """
    reads, writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def stop(number: int, frame: object) -> None:
        os.write(writes, b"!")

    for number in SIGNALS:
        signal.signal(number, stop)
    return reads
