"""The DIN sockets of the machine, byte for byte: the other side of its second serial port, /dev/serial0."""

from __future__ import annotations

import contextlib
import threading
import time

from .channel import MachineError
from .machine import Machine


class Din:
    """What the box sends since the machine was switched on, or since this was made; one for each start."""

    def __init__(self, machine: Machine) -> None:
        self._cable = machine.cable("din")
        self._heard = bytearray()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, data: bytes) -> None:
        """Send bytes to the box."""
        self._cable.sendall(data)

    def bytes(self) -> bytes:
        return bytes(self._heard)

    def wait_for(self, data: bytes, timeout: float = 30.0) -> bytes:
        """Wait until these bytes have come, with whatever around them."""
        deadline = time.monotonic() + timeout
        while data not in self._heard:
            if time.monotonic() > deadline:
                raise MachineError(
                    f"{data.hex(' ')} did not come in {timeout:.0f} s, but {self._heard.hex(' ')}"
                )
            time.sleep(0.05)
        return self.bytes()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._cable.recv(4096):
                self._heard += data
