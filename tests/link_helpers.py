"""Peers of an Ableton Link session, each its own process, in a network that has nothing but its loopback.

Run as a program it is one peer: `link_helpers.py BPM` reads requests as JSON, a line each, and answers them.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from midi_helpers import DIE_WITH_PARENT, PATIENCE_S, need

ROOT = Path(__file__).parents[1]
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # sched.h
SIOCSIFFLAGS, UP, MULTICAST = 0x8914, 0x1, 0x1000  # netdevice(7)
libc = ctypes.CDLL(None, use_errno=True)


class Peer:
    """A `hw.link.Link` in a process and a network of its own, or in the network of another peer."""

    def __init__(self, bpm: float, beside: Peer | None = None) -> None:
        try:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(bpm)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                preexec_fn=lambda: _go_inside(beside.process.pid) if beside else _go_alone(),
            )
        except subprocess.SubprocessError:
            need(False, "Link: this machine lets no process have a network of its own; run this as root")

    def ask(self, name: str, *arguments: Any) -> Any:
        """The value of an attribute, or what a method returns."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([name, *arguments]), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        try:
            self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()


def comes(true: Callable[[], bool]) -> bool:
    """Whether that becomes true before patience ends."""
    until = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _go_alone() -> None:
    """Into a new network; without the rights, as the root of a new user namespace."""
    libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise PermissionError
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", UP | MULTICAST))


def _go_inside(pid: int) -> None:
    libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user"):
        _enter(f"/proc/{pid}/ns/user")
    _enter(f"/proc/{pid}/ns/net")


def _enter(namespace: str) -> None:
    with open(namespace) as file:
        if libc.setns(file.fileno(), 0):
            raise PermissionError


def answer(bpm: float) -> None:
    from hw.link import Link

    link = Link(bpm, enabled=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        thing = getattr(link, name)
        print(json.dumps(thing(*arguments) if callable(thing) else thing), flush=True)
    link.close()


if __name__ == "__main__":
    answer(float(sys.argv[1]))
