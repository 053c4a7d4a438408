"""Runs inside the machine and does what the host asks over a virtio port. Knows nothing of Fathom.

A frame is four bytes of length (big-endian) and a JSON object; bytes travel as base64. Each request has a
number, and each answer has that of its request; requests are served side by side. Only the standard library.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

PORT = "/dev/virtio-ports/fathom.agent"
CHUNK = 1 << 18


class Port:
    """The virtio port. Reading it gives nothing while no host is connected; then it is tried again."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._writing = threading.Lock()

    def exactly(self, length: int) -> bytes:
        parts = []
        while length:
            part = os.read(self._file, min(length, CHUNK))
            if not part:
                time.sleep(0.05)
                continue
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def receive(self) -> dict[str, Any]:
        return json.loads(self.exactly(int.from_bytes(self.exactly(4), "big")))

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        frame = len(body).to_bytes(4, "big") + body
        with self._writing:
            while frame:
                frame = frame[os.write(self._file, frame) :]


class Agent:
    """Serves requests until the machine goes down."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._making = threading.Lock()
        self._parts: dict[str, Any] = {}  # long-lived helpers, by name: see `do_call`

    def serve(self) -> None:
        self._port.send({"id": 0, "hello": os.uname().release})
        while True:
            request = self._port.receive()
            if request["do"] in ("stdin", "kill"):  # in the order in which they came
                self._answer(request)
            else:
                threading.Thread(target=self._answer, args=(request,), daemon=True).start()

    def _answer(self, request: dict[str, Any]) -> None:
        number = request.pop("id")
        try:
            answer = getattr(self, "do_" + request.pop("do"))(number, **request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        self._port.send({"id": number, **answer})

    def do_run(self, number: int, argv: list[str], env: dict[str, str], cwd: str) -> dict[str, Any]:
        """Start a program in a group of its own; what it writes goes to the host as it comes."""
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **env},
            cwd=cwd,
            start_new_session=True,
        )
        self._running[number] = process
        self._port.send({"id": number, "started": process.pid})
        assert process.stdout
        assert process.stderr
        names = {process.stdout.fileno(): "stdout", process.stderr.fileno(): "stderr"}
        poll = select.poll()
        for descriptor in names:
            poll.register(descriptor, select.POLLIN | select.POLLHUP)
        ended = None
        while names:
            for descriptor, _ in poll.poll(200):
                data = os.read(descriptor, CHUNK)
                if data:
                    self._port.send({"id": number, names[descriptor]: base64.b64encode(data).decode()})
                else:
                    poll.unregister(descriptor)
                    del names[descriptor]
            # A daemon that it left behind may hold the pipes open for ever.
            if process.poll() is not None:
                if ended and time.monotonic() - ended > 0.5:
                    break
                ended = ended or time.monotonic()
        status = process.wait()
        del self._running[number]
        for file in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                file.close()  # type: ignore[union-attr]
        return {"status": status}

    def do_stdin(self, number: int, process: int, data: str = "", end: bool = False) -> dict[str, Any]:
        running = self._running.get(process)
        if running and running.stdin:
            try:
                running.stdin.write(base64.b64decode(data))
                running.stdin.flush()
                if end:
                    running.stdin.close()
            except (BrokenPipeError, ValueError):
                pass
        return {}

    def do_kill(self, number: int, process: int, signal_number: int = signal.SIGKILL) -> dict[str, Any]:
        running = self._running.get(process)
        if running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal_number)
        return {}

    def do_read(self, number: int, path: str, offset: int = 0, length: int = CHUNK) -> dict[str, Any]:
        with open(path, "rb") as file:
            if offset:
                file.seek(offset)
            return {"data": base64.b64encode(file.read(length)).decode()}

    def do_write(
        self, number: int, path: str, data: str, append: bool = False, mode: int | None = None
    ) -> dict[str, Any]:
        """One `write`, as files in /sys want it; folders are made."""
        flags = os.O_WRONLY | (os.O_APPEND if append else os.O_TRUNC)
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            flags |= os.O_CREAT
        descriptor = os.open(path, flags, 0o644 if mode is None else mode)
        try:
            rest = base64.b64decode(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if mode is not None:
                os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
        return {}

    def do_list(self, number: int, path: str) -> dict[str, Any]:
        return {"names": sorted(os.listdir(path))}

    def do_now(self, number: int) -> dict[str, Any]:
        return {"ns": time.monotonic_ns()}

    def do_call(self, number: int, part: str, method: str, words: list[Any]) -> dict[str, Any]:
        """Call a method of a helper that lives here, beside its devices: module `part`, class `Part`."""
        with self._making:
            if part not in self._parts:
                self._parts[part] = getattr(__import__(part), part.capitalize())()
        return {"result": getattr(self._parts[part], method)(*words)}


def main() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    deadline = time.monotonic() + 60
    while not os.path.exists(PORT):
        if time.monotonic() > deadline:
            sys.exit(f"agent: no {PORT}")
        time.sleep(0.02)
    Agent(Port(PORT)).serve()


if __name__ == "__main__":
    main()
