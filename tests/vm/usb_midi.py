"""USB-MIDI cables of the machine, byte for byte, seen from the far end. Knows no messages.

There are two. On `Synth`'s the box is the host: somebody's synthesiser, plugged into the box. On `Computer`'s
it is the device, plugged into somebody's computer, once it has made its own gadget on the first UDC of
/sys/class/udc.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from .channel import MachineError
from .machine import Machine


class Bytes(NamedTuple):
    """What came in one reading."""

    ns: int
    data: bytes


class FarEnd:
    """One end of a USB cable, with its raw bytes."""

    def __init__(self, machine: Machine, name: str, cable: int, end: str) -> None:
        self._machine, self.name, self.cable, self._end = machine, name, cable, end
        self.card = ""

    def listen(self, timeout: float = 30.0) -> str:
        """Wait for the device, then receive all that comes; gives the name of the far end's sound card."""
        self.card = self._machine.call(
            "midi", "open", self.name, self.cable, self._end, timeout, timeout=timeout + 10
        )
        return self.card

    def send(self, data: bytes) -> int:
        """Send bytes to the box; gives the time."""
        return self._machine.call("midi", "send", self.name, data.hex())

    def received(self, since_ns: int = 0) -> list[Bytes]:
        """What came since `listen`, with the time of each reading."""
        found = self._machine.call("midi", "received", self.name)
        return [Bytes(ns, bytes.fromhex(data)) for ns, data in found if ns >= since_ns]

    def bytes(self, since_ns: int = 0) -> bytes:
        """The same in one piece."""
        return b"".join(part.data for part in self.received(since_ns))

    def wait_for(self, data: bytes, *, since_ns: int = 0, timeout: float = 30.0) -> bytes:
        """Wait until these bytes have come, with whatever around them."""
        deadline = time.monotonic() + timeout
        while data not in (found := self.bytes(since_ns)):
            if time.monotonic() > deadline:
                raise MachineError(f"{data.hex(' ')} did not come in {timeout:.0f} s, but {found.hex(' ')}")
            time.sleep(0.1)
        return found

    def pull(self) -> None:
        """Pull the cable; what was received is kept until it is plugged again."""
        self._machine.call("midi", "cable", self.cable, False)

    def plug(self, timeout: float = 30.0) -> None:
        """Put the cable back, and listen."""
        self._machine.call("midi", "cable", self.cable, True)
        self.listen(timeout)


class Synth(FarEnd):
    """A class-compliant USB-MIDI device with one port, to be plugged into the box."""

    def __init__(self, machine: Machine, product: str = "Rig Synth") -> None:
        super().__init__(machine, "synth", 1, "device")
        self._product = product
        self._made = False

    def plug(self, timeout: float = 30.0) -> None:
        """Plug it in, the first time or again, and listen."""
        if not self._made:
            self._machine.call("midi", "make", self.name, self.cable, self._product)
            self._machine.call("midi", "power", self.name, self.cable, True)
            self._made = True
        else:
            self._machine.call("midi", "cable", self.cable, True)
        self.listen(timeout)


class Computer(FarEnd):
    """The computer at the other end of the box's own USB cable."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, "computer", 0, "host")
