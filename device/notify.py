"""Tells systemd how a service is: ready, still there, about to end, and a line of status. Plays nothing.

The protocol is that of sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names. It never waits:
what the socket does not take at once is lost, and the next one says it again. Where no systemd asks, nothing
is sent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, MutableMapping

NS_PER_US = 1000
SAYS_NS = 2_000_000_000  # between two lines of status at the least
LONGEST = 200  # characters of a status


class Notify:
    """The line to systemd, or to nobody.

    `attend` is a slack job of the engine: systemd hears that it is ready when the job comes round for the
    second time, so that a whole pass has been made, and that it is alive as often as it asks, and only from
    there. A loop that is stuck says nothing, and systemd ends it.
    """

    def __init__(
        self,
        environment: MutableMapping[str, str],
        now: Callable[[], int],
        status: Callable[[], str] | None = None,
    ) -> None:
        """Takes its own from the environment, so that no child speaks in this one's name."""
        address = environment.pop("NOTIFY_SOCKET", "")
        usec, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        mine = pid in ("", str(os.getpid()))
        self.watchdog_ns = int(usec) * NS_PER_US if usec.isdecimal() and mine else 0  # 0: none
        self._now = now
        self._status = status
        self._passes = 0
        self._fed_ns = self._said_ns = 0
        self._said = ""
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                line.connect(address if address[0] == "/" else "\0" + address[1:])
                self._socket = line
            except OSError:  # who asked is gone
                line.close()

    @property
    def asked(self) -> bool:
        """Whether there is somebody to tell."""
        return self._socket is not None

    def ready(self, status: str = "") -> None:
        """It does from now on what it is for."""
        self._tell("READY=1", status)

    def say(self, status: str) -> None:
        """How it is, in one line for `systemctl status`; saying the same again says nothing."""
        if status != self._said:
            self._tell("", status)

    def stopping(self) -> None:
        """It ends by itself, or as it was told to."""
        self._tell("STOPPING=1", "")

    def attend(self) -> None:
        """Say what is due. A slack job: two datagrams at the most, none of which waits."""
        if self._socket is None:
            return
        now = self._now()
        self._passes += 1
        if self._passes == 2:
            self.ready()
        if self.watchdog_ns and (not self._fed_ns or now - self._fed_ns >= self.watchdog_ns // 2):
            self._fed_ns = now
            self._tell("WATCHDOG=1", "")
        elif self._status and self._passes >= 2 and (not self._said_ns or now - self._said_ns >= SAYS_NS):
            self._said_ns = now
            self.say(self._status())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, word: str, status: str) -> None:
        if self._socket is None:
            return
        if status:
            self._said = status
            status = "STATUS=" + " ".join(status.split())[:LONGEST]
        try:
            self._socket.send("\n".join(filter(None, (word, status))).encode())
        except OSError:  # its queue is full, or it is gone
            self._said = ""
