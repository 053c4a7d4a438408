"""The machine: boots an image, runs commands in it, takes its power, moves its sticks. Knows no panel.

Everything has a time limit.
"""

from __future__ import annotations

import base64
import contextlib
import io
import shlex
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .channel import CHUNK, COMMAND_S, Channel, Done, MachineError, Program
from .image import Image
from .qemu import Qemu, accelerator, command_line

GUEST = Path(__file__).resolve().parent / "guest"
BOOT_S = 300.0  # 15 s on an idle machine with two cores, many times as long on a busy one
KERNEL_WORDS = (
    "root=/dev/vda rw console=ttyS0 quiet mitigations=off nokaslr audit=0 tsc=reliable "
    "random.trust_cpu=on systemd.show_status=false net.ifnames=0"
)
SHARED = "ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose"
Command = str | Sequence[str | Path]


class Machine:
    """One machine with one disk; `with Machine(image) as machine:` boots it and takes its power at the end.

    `base` is the disk of another one that is off (`Machine.disk`), to begin with instead of the image's; it
    is not written to. `share` names folders of the host that the machine finds, read-only, under /host/NAME.
    `words` are more words for the kernel. `network` is "none" or "restricted" (a card, nobody to talk to).
    """

    def __init__(
        self,
        image: Image,
        folder: Path | None = None,
        *,
        base: Path | None = None,
        share: Mapping[str, Path] | None = None,
        words: str = "",
        memory_mb: int = 1536,
        processors: int = 2,
        network: str = "none",
    ) -> None:
        self.image = image
        self.words = words
        self.kept: dict[str, str] = {}  # words for each further start: what a power cut does not move
        self._given, self._base = folder, base
        self._share = dict(share or {})
        self._memory_mb, self._processors, self._network = memory_mb, processors, network
        self._qemu: Qemu | None = None
        self._channel: Channel | None = None
        self.starts = 0  # how often it was switched on
        self.boot_s = 0.0  # from power to the target, the last time

    def __enter__(self) -> Machine:
        self.folder = self._given or Path(tempfile.mkdtemp(prefix="fathom-vm-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.disk = self.folder / "disk.qcow2"
        if not self.disk.exists():
            below = ("qcow2", self._base) if self._base else ("raw", self.image.disk)
            words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", below[0], "-b", str(below[1])]
            subprocess.run([*words, str(self.disk)], check=True, timeout=60)
        try:
            self.power_on()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        """Take its power and forget its disk. Safe to call twice."""
        self.power_cut()
        if self._given is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- power ---------------------------------------------------------------------------------------------

    def power_on(self, until: str = "multi-user.target", timeout: float = BOOT_S, words: str = "") -> None:
        """Boot, and wait for that unit; an empty name waits only until commands are answered.

        `words` are for the kernel, for this start alone.
        """
        began = time.monotonic()
        self.starts += 1
        try:
            self._qemu = self._start(words)
            self._channel = Channel(self._qemu.channels["agent"], self._check)
            self._channel.hello(began + timeout - time.monotonic())
            self._mount_shared()
            if until:
                self.wait_for_unit(until, timeout=began + timeout - time.monotonic())
        except (MachineError, OSError) as error:
            raise MachineError(f"the machine did not start: {error}\n{self.console()[-3000:]}") from None
        self.boot_s = time.monotonic() - began

    def power_cut(self) -> None:
        """The plug is pulled: whatever was not on the disk is gone. Safe where it is off."""
        if self._channel:
            self._channel.close()
        if self._qemu:
            self._qemu.kill()
        self._qemu = self._channel = None

    def power_off(self, timeout: float = 90.0) -> None:
        """Shut down as a player does who asks for it."""
        self.start("systemctl poweroff")
        off = self._qemu is not None and self._qemu.wait(timeout)
        said = "" if off else self.console()[-3000:]
        self.power_cut()
        if not off:
            raise MachineError(f"it was not off after {timeout:.0f} s.\n{said}")

    @property
    def on(self) -> bool:
        return self._qemu is not None and self._qemu.running

    def console(self) -> str:
        """What the kernel printed since the machine was made."""
        paths = sorted(self.folder.glob("console-*.log"))
        return "".join(path.read_text(errors="replace") for path in paths)

    # --- commands and files --------------------------------------------------------------------------------

    def start(
        self,
        command: Command,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        stdin: bytes | None = b"",
    ) -> Program:
        """Start a command as root: a string is a line of sh, a list is a program and its words.

        It reads `stdin` to its end; with None its input stays open for `Program.write`.
        """
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        words = command if isinstance(command, str) else shlex.join(argv)
        program = Program(self._agent, argv, dict(env or {}), cwd, words)
        if stdin is not None:
            program.write(stdin, end=True)
        return program

    def run(
        self,
        command: Command,
        *,
        timeout: float = COMMAND_S,
        check: bool = True,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> Done:
        """Run a command to its end; MachineError where it takes longer, or fails and `check` is set."""
        done = self.start(command, env=env, cwd=cwd, stdin=stdin).wait(timeout)
        if check and done.status:
            raise MachineError(f"{command} failed with status {done.status}.\n{done.stdout}{done.stderr}")
        return done

    def wait_for(
        self, command: Command, timeout: float = COMMAND_S, every: float = 0.2, what: str = ""
    ) -> Done:
        """Run a command again and again until it succeeds."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.run(command, check=False, timeout=max(5.0, timeout))
            if not done.status:
                return done
            if time.monotonic() > deadline:
                raise MachineError(
                    f"{what or command}: not so within {timeout:.0f} s.\n{done.stdout}{done.stderr}"
                )
            time.sleep(every)

    def wait_for_unit(self, unit: str, timeout: float = COMMAND_S) -> None:
        """Wait until systemd has that unit active."""
        self.wait_for(["systemctl", "is-active", "--quiet", unit], timeout, 0.5, f"{unit} is active")

    def journal(self, unit: str = "", lines: int = 200) -> str:
        """The last lines of the journal of this start, of one unit or of all."""
        which = ["-u", unit] if unit else []
        return self.run(
            ["journalctl", "-b", "--no-pager", "-o", "short-monotonic", "-n", str(lines), *which]
        ).stdout

    def read(self, path: str) -> bytes:
        """A whole file of the machine."""
        parts: list[bytes] = []
        while True:
            answer = self._agent.ask("read", path=path, offset=sum(map(len, parts)))
            parts.append(base64.b64decode(answer["data"]))
            if len(parts[-1]) < CHUNK:
                return b"".join(parts)

    def write(self, path: str, data: bytes | str, mode: int | None = None) -> None:
        """Write a file, or a value for a file in /sys; folders are made."""
        data = data.encode() if isinstance(data, str) else data
        for at in range(0, max(len(data), 1), CHUNK):
            part = base64.b64encode(data[at : at + CHUNK]).decode()
            self._agent.ask("write", path=path, data=part, append=at > 0, mode=mode)

    def exists(self, path: str) -> bool:
        return self.run(["test", "-e", path], check=False).status == 0

    def copy_in(self, source: Path, target: str, leave_out: Sequence[str] = (".git", "__pycache__")) -> None:
        """Copy a file or a folder of the host to a place in the machine."""
        if source.is_file():
            self.write(target, source.read_bytes(), source.stat().st_mode & 0o777)
            return

        def keep(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            return None if Path(entry.name).name in leave_out else entry

        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(source, ".", filter=keep)
        quoted = shlex.quote(target)
        self.run(f"mkdir -p {quoted} && tar -C {quoted} -xf -", stdin=packed.getvalue(), timeout=300)

    def copy_out(self, source: str, target: Path) -> None:
        """Copy a file of the machine to the host."""
        target.write_bytes(self.read(source))

    def now_ns(self) -> int:
        """The machine's monotonic clock: that of edges, of the tape and of MIDI that was recorded."""
        return self._agent.ask("now")["ns"]

    def call(self, part: str, method: str, *words: Any, timeout: float = COMMAND_S) -> Any:
        """Call a method of a helper in guest/, which lives on inside the agent from its first call."""
        return self._agent.ask("call", timeout, part=part, method=method, words=list(words))["result"]

    # --- sticks and disks ----------------------------------------------------------------------------------

    def plug(
        self, image: Path, name: str = "stick", *, bytes_per_s: int = 0, read_only: bool = False
    ) -> None:
        """Put a USB stick in. `bytes_per_s` makes it a slow one."""
        node: dict[str, Any] = {
            "driver": "raw",
            "node-name": f"{name}-node",
            "read-only": read_only,
            "file": {"driver": "file", "filename": str(image)},
        }
        if bytes_per_s:
            self.qmp("object-add", {
                "qom-type": "throttle-group", "id": f"{name}-speed",
                "limits": {"bps-total": bytes_per_s},
            })  # fmt: skip
            outer = {"node-name": node.pop("node-name"), "throttle-group": f"{name}-speed"}
            node = {"driver": "throttle", **outer, "file": node}
        self.qmp("blockdev-add", node)
        self.qmp("device_add", {
            "driver": "usb-storage", "id": name, "bus": "usb.0", "drive": f"{name}-node", "removable": True,
        })  # fmt: skip

    def pull(self, name: str = "stick", timeout: float = 20.0) -> None:
        """Pull a USB stick out, whatever is being done with it."""
        self.qmp("device_del", {"id": name})
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.qmp("blockdev-del", {"node-name": f"{name}-node"})
                break
            except MachineError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        with contextlib.suppress(MachineError):
            self.qmp("object-del", {"id": f"{name}-speed"})

    def qmp(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Ask QEMU itself; MachineError with its reason where it refuses."""
        if not self._qemu:
            raise MachineError("the machine is off")
        return self._qemu.ask(command, arguments)

    def cable(self, name: str) -> socket.socket:
        """The other end of a serial port of this start: "din"."""
        if not self._qemu:
            raise MachineError("the machine is off")
        return self._qemu.channels[name]

    # --- underneath ----------------------------------------------------------------------------------------

    def _start(self, words: str) -> Qemu:
        kept = " ".join(f"{name}={value}" for name, value in self.kept.items())
        all_words = " ".join([KERNEL_WORDS, self.words, kept, words])
        command = [
            *command_line(accelerator(self.image), self.image, all_words),
            *("-smp", str(self._processors), "-m", str(self._memory_mb)),
            *("-serial", f"file:{self.folder}/console-{self.starts:03d}.log"),
            *("-drive", f"file={self.disk},if=virtio,format=qcow2,cache=writeback,discard=unmap"),
            *("-device", "virtio-rng-pci", "-device", "qemu-xhci,id=usb", "-device", "virtio-serial-pci"),
        ]
        for name, folder in {"rig": GUEST, **self._share}.items():
            options = "security_model=none,readonly=on,multidevs=remap"
            command += ["-virtfs", f"local,path={folder},mount_tag={name},{options}"]
        if self._network == "restricted":
            command += ["-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net"]
        else:
            command += ["-nic", "none"]
        channels = {"agent": "virtserialport,name=fathom.agent", "din": "isa-serial"}
        return Qemu(command, channels, self.folder / f"qemu-{self.starts:03d}.log")

    def _mount_shared(self) -> None:
        for name in self._share:
            place = f"/host/{shlex.quote(name)}"
            self.run(f"mkdir -p {place} && mount -t 9p -o {SHARED} {shlex.quote(name)} {place}")

    def _check(self) -> None:
        if not self.on:
            raise MachineError("the machine is off")

    @property
    def _agent(self) -> Channel:
        if not self._channel:
            raise MachineError("the machine is off")
        return self._channel
