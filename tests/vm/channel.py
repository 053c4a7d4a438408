"""Talks with the agent in the machine: frames, requests and their answers, programs that run. No QEMU.

A frame is four bytes of length (big-endian) and a JSON object; each request has a number, and every answer to
it has the same. `guest/agent.py` is the other end.
"""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

COMMAND_S = 60.0
CHUNK = 1 << 18
Answers = queue.Queue[dict[str, Any]]


class MachineError(Exception):
    """What the machine did not do, with the end of its console where that helps."""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


class Channel:
    """One connection, from power-on to power-off. `check` raises where the machine is off."""

    def __init__(self, connection: socket.socket, check: Callable[[], None]) -> None:
        self._connection, self.check = connection, check
        self._hello: Answers = queue.Queue()
        self._waiting: dict[int, Answers] = {0: self._hello}
        self._next = 1
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def hello(self, timeout: float) -> None:
        """Wait for the agent's first word."""
        self.answer(self._hello, timeout, "the agent's first word")

    def ask(self, do: str, timeout: float = COMMAND_S, **words: Any) -> dict[str, Any]:
        """One question, one answer; MachineError where the agent has only a complaint, or none in time."""
        number, answers = self.send(do, **words)
        try:
            return self.answer(answers, timeout, f"{do} {words.get('path', '')}".strip())
        finally:
            self.forget(number)

    def send(self, do: str, **words: Any) -> tuple[int, Answers]:
        self.check()
        answers: Answers = queue.Queue()
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._waiting[number] = answers
            body = json.dumps({"id": number, "do": do, **words}).encode()
            try:
                self._connection.sendall(len(body).to_bytes(4, "big") + body)
            except OSError as error:
                raise MachineError(f"{do}: the machine does not listen ({error})") from None
        return number, answers

    def answer(self, answers: Answers, timeout: float, what: str) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = answers.get(timeout=0.5)
                break
            except queue.Empty:
                self.check()
                if time.monotonic() > deadline:
                    raise MachineError(f"{what}: no answer in {timeout:.0f} s") from None
        if "error" in answer:
            raise MachineError(f"{what}: {answer['error']}")
        return answer

    def forget(self, number: int) -> None:
        self._waiting.pop(number, None)

    def close(self) -> None:
        """Tell all who wait that nothing comes any more."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        for answers in list(self._waiting.values()):
            answers.put({"error": "the machine's power was cut"})

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._connection.makefile("rb") as file:
            while head := file.read(4):
                answer = json.loads(file.read(int.from_bytes(head, "big")))
                if answers := self._waiting.get(answer.pop("id")):
                    answers.put(answer)


class Program:
    """A command that runs in the machine, started by `Machine.start`."""

    def __init__(self, channel: Channel, argv: list[str], env: dict[str, str], cwd: str, words: str) -> None:
        self._channel, self._words = channel, words
        self._output = {"stdout": bytearray(), "stderr": bytearray()}
        self.status: int | None = None
        self._number, self._answers = channel.send("run", argv=argv, env=env, cwd=cwd)
        try:
            channel.answer(self._answers, COMMAND_S, words)
        except MachineError:
            channel.forget(self._number)
            raise

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        self._take(0)
        return self._output["stdout"].decode(errors="replace")

    @property
    def stderr(self) -> str:
        self._take(0)
        return self._output["stderr"].decode(errors="replace")

    @property
    def running(self) -> bool:
        self._take(0)
        return self.status is None

    def write(self, data: bytes, end: bool = False) -> None:
        """Give it something to read; `end` closes its input."""
        for at in range(0, max(len(data), 1), CHUNK):
            part, last = base64.b64encode(data[at : at + CHUNK]).decode(), at + CHUNK >= len(data)
            self._channel.ask("stdin", process=self._number, data=part, end=end and last)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to it and all that it started."""
        self._channel.ask("kill", process=self._number, signal_number=int(number))

    def until(self, text: str, timeout: float = COMMAND_S) -> str:
        """Wait for a text in what it prints; MachineError where it ends without, or takes longer."""
        deadline = time.monotonic() + timeout
        while text not in self.stdout:
            if self.status is not None or time.monotonic() > deadline:
                why = "took too long" if self.status is None else f"ended with status {self.status}"
                raise MachineError(
                    f"{self._words} {why} before it said {text!r}.\n{self.stdout}{self.stderr}"
                )
            self._take(0.2)
        return self.stdout

    def wait(self, timeout: float = COMMAND_S) -> Done:
        """Wait for its end; where that takes too long it is killed, and MachineError says so."""
        deadline = time.monotonic() + timeout
        while self.status is None:
            left = deadline - time.monotonic()
            if left <= 0:
                with contextlib.suppress(MachineError):
                    self.kill()
                raise MachineError(
                    f"{self._words} did not end in {timeout:.0f} s.\n{self.stdout}{self.stderr}"
                )
            self._take(min(left, 1.0))
        return Done(self.status, self.stdout, self.stderr)

    def _take(self, seconds: float) -> None:
        """What has come; the first of it is waited for, so long."""
        while self.status is None:
            try:
                answer = self._answers.get(timeout=seconds) if seconds else self._answers.get_nowait()
            except queue.Empty:
                self._channel.check()
                return
            seconds = 0.0
            for name, output in self._output.items():
                output += base64.b64decode(answer.get(name, ""))
            if "error" in answer:
                raise MachineError(f"{self._words}: {answer['error']}")
            self.status = answer.get("status")
        self._channel.forget(self._number)
