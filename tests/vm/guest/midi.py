"""The far end of the USB cables, inside the machine: bytes of a raw MIDI device, and a device to plug in.

The kernel's dummy_hcd has two cables, 0 and 1, each with a device's end (UDC) and a host's. Whoever makes a
gadget on the one end finds a sound card on the other. The far end is taken away from the ALSA sequencer: it
is another machine's, and the box must not see it.
"""

from __future__ import annotations

import glob
import os
import re
import select
import threading
import time

GADGETS = "/sys/kernel/config/usb_gadget"
SEQUENCER = "/sys/bus/snd_seq/devices"
ENDS = {"device": "dummy_udc", "host": "dummy_hcd"}


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


class Midi:
    """Far ends by name, each with what it has received."""

    def __init__(self) -> None:
        self._ends: dict[str, End] = {}

    def make(self, name: str, cable: int, product: str) -> None:
        """A class-compliant USB-MIDI device with one input and one output, not plugged in yet."""
        os.system("modprobe -a libcomposite usb_f_midi snd-usb-audio snd-seq-midi")
        root = f"{GADGETS}/{name}"
        if os.path.isdir(root):
            return
        for folder in ("strings/0x409", "configs/c.1/strings/0x409", "functions/midi.usb0"):
            os.makedirs(f"{root}/{folder}")
        for file, text in {
            "idVendor": "0x1d6b",
            "idProduct": "0x0104",
            "strings/0x409/manufacturer": "Rig",
            "strings/0x409/product": product,
            "strings/0x409/serialnumber": f"{cable:04d}",
            "configs/c.1/strings/0x409/configuration": "MIDI",
            "functions/midi.usb0/in_ports": "1",
            "functions/midi.usb0/out_ports": "1",
            "functions/midi.usb0/id": name,
        }.items():
            _write(f"{root}/{file}", text)
        os.symlink(f"{root}/functions/midi.usb0", f"{root}/configs/c.1/midi.usb0")

    def power(self, name: str, cable: int, on: bool) -> None:
        """Give a device that was made here to its cable, or take it away for good."""
        _write(f"{GADGETS}/{name}/UDC", f"dummy_udc.{cable}\n" if on else "\n")

    def cable(self, cable: int, plugged: bool) -> None:
        """Pull the cable, whoever made the device, or put it back: the host's port loses its power.

        (`soft_connect` of the UDC is no use: on 6.1 the device never answers again.)
        """
        (port,) = glob.glob(f"/sys/devices/platform/dummy_hcd.{cable}/usb*/*-0:1.0/*-port1/disable")
        _write(port, "0" if plugged else "1")

    def open(self, name: str, cable: int, end: str, seconds: float) -> str:
        """Listen at an end of a cable, as soon as there is a device; gives the name of its card."""
        self.close(name)
        deadline = time.monotonic() + seconds
        while not (card := _card(cable, end)):
            if time.monotonic() > deadline:
                raise OSError(f"no sound card at the {end}'s end of cable {cable} in {seconds:.0f} s")
            time.sleep(0.05)
        for device in os.listdir(f"/sys/class/sound/{card}"):
            if found := re.fullmatch(r"midiC(\d+)D(\d+)", device):
                break
        else:
            raise OSError(f"{card} has no MIDI")
        _hide(f"{SEQUENCER}/seq-midi-{found[1]}-{found[2]}")
        self._ends[name] = End(f"/dev/snd/{found[0]}")
        with open(f"/sys/class/sound/{card}/id") as file:
            return file.read().strip()

    def close(self, name: str) -> None:
        if name in self._ends:
            self._ends.pop(name).close()

    def send(self, name: str, data: str) -> int:
        """Send bytes (in hex); gives the time at which the last was taken."""
        return self._ends[name].send(bytes.fromhex(data))

    def received(self, name: str) -> list[tuple[int, str]]:
        """`(ns, bytes in hex)` as they were read, oldest first, since the end was opened."""
        return self._ends[name].received


class End:
    """A raw MIDI device that is read all the time."""

    def __init__(self, path: str) -> None:
        self._device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.received: list[tuple[int, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self._device, select.POLLIN)
        while not self._stop.is_set():
            events = poll.poll(100)
            if not events:
                continue
            ns = time.monotonic_ns()
            try:
                data = os.read(self._device, 4096)
            except BlockingIOError:
                continue
            except OSError:  # the cable is out
                return
            if data:
                self.received.append((ns, data.hex()))
            elif events[0][1] & (select.POLLERR | select.POLLHUP):
                return

    def send(self, data: bytes) -> int:
        deadline = time.monotonic() + 5
        while data:
            try:
                data = data[os.write(self._device, data) :]
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OSError("the cable takes no bytes") from None
                time.sleep(0.001)
        return time.monotonic_ns()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(2)
        os.close(self._device)


def _card(cable: int, end: str) -> str:
    for card in sorted(os.listdir("/sys/class/sound")):
        place = os.path.realpath(f"/sys/class/sound/{card}/device")
        if re.fullmatch(r"card\d+", card) and f"/{ENDS[end]}.{cable}/" in place + "/":
            return card
    return ""


def _hide(device: str) -> None:
    """Take a sequencer's client away; it may come a moment after its card."""
    deadline = time.monotonic() + 3
    while not os.path.exists(f"{device}/driver"):
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)
    _write(f"{device}/driver/unbind", os.path.basename(device))
