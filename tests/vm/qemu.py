"""QEMU as a process: its command line, its sockets, its own language (QMP). Knows nothing of what it boots.

It ends with the process that started it, whatever becomes of that.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .channel import MachineError
from .image import Image, cache_folder

PROBE_S = 10.0
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


class Qemu:
    """A running QEMU with the sockets that `channels` name, connected. Its own words go to `log`."""

    def __init__(self, command: Sequence[str], channels: Mapping[str, str], log: Path) -> None:
        """`channels` is by name a device that is put on that socket."""
        self._log = log
        self._lock = threading.Lock()
        sockets = Path(tempfile.mkdtemp(prefix="vm-", dir="/tmp"))  # the path of a socket has to be short
        words = [*DIE_WITH_PARENT, *command]
        for name, device in {**channels, "qmp": ""}.items():
            words += ["-chardev", f"socket,id={name},path={sockets}/{name},server=on,wait=off"]
            words += ["-device", f"{device},chardev={name}"] if device else []
        words += ["-mon", "chardev=qmp,mode=control"]
        with log.open("wb") as file:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            self.channels = {name: self._connect(sockets / name) for name in channels}
            with self._connect(sockets / "qmp") as connection:
                self._qmp = connection.makefile("rwb")  # keeps it open
            self._qmp.readline()
            self.ask("qmp_capabilities")
        except BaseException:
            self.kill()
            raise
        finally:
            shutil.rmtree(sockets, ignore_errors=True)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """At once, as when a plug is pulled. Safe to call twice."""
        self._process.kill()
        self._process.wait(30)
        for channel in (*getattr(self, "channels", {}).values(), getattr(self, "_qmp", None)):
            if channel:
                channel.close()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended by itself within that time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ask(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """A command of QMP; MachineError with QEMU's reason where it refuses."""
        request = {"execute": command, **({"arguments": arguments} if arguments else {})}
        with self._lock:
            self._qmp.write(json.dumps(request).encode() + b"\n")
            self._qmp.flush()
            while True:
                line = self._qmp.readline()
                if not line:
                    raise MachineError(f"QEMU said nothing to {command}.")
                answer = json.loads(line)
                if "error" in answer:
                    raise MachineError(f"{command}: {answer['error']['desc']}")
                if "return" in answer:
                    return answer["return"]

    def _connect(self, path: Path) -> socket.socket:
        deadline = time.monotonic() + 20
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(path))
                return connection
            except OSError:
                connection.close()
                if not self.running or time.monotonic() > deadline:
                    raise MachineError(f"QEMU did not begin: {self._log.read_text().strip()}") from None
                time.sleep(0.02)


def command_line(accelerator: str, image: Image, words: str) -> list[str]:
    """What every start begins with; `words` are for the kernel."""
    fast = accelerator == "kvm"
    return [
        *("qemu-system-x86_64", "-M", "q35,usb=off,sata=off,i8042=off", "-display", "none"),
        *("-nodefaults", "-no-user-config", "-no-reboot"),
        *("-accel", "kvm" if fast else "tcg,thread=multi,tb-size=512", "-cpu", "host" if fast else "max"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", words),
    ]


def accelerator(image: Image) -> str:
    """`kvm` where a kernel really boots with it, else `tcg`: a /dev/kvm that opens proves nothing.

    Asked once for each start of this computer; FATHOM_VM_ACCEL says it without asking.
    """
    if said := os.environ.get("FATHOM_VM_ACCEL"):
        return said
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = cache_folder() / f"accelerator-{start}"
    if not known.exists():
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text("kvm" if _boots_with_kvm(image) else "tcg")
    return known.read_text()


def _boots_with_kvm(image: Image) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        console = Path(folder) / "console"
        console.touch()
        words = command_line("kvm", image, "console=ttyS0 panic=-1")
        probe = subprocess.Popen(
            [*DIE_WITH_PARENT, *words, "-m", "512", "-serial", f"file:{console}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + PROBE_S
            while time.monotonic() < deadline and probe.poll() is None:
                if "Run /init as init process" in console.read_text(errors="replace"):
                    return True
                time.sleep(0.1)
            return False
        finally:
            probe.kill()
            probe.wait(30)
