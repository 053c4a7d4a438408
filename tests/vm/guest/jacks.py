"""The far end of the panel's lines, inside the machine: pulls inputs, reads outputs, mirrors by jumper.

Line numbers and levels only; what hangs on a line is the host's business.
"""

from __future__ import annotations

import os
import re
import select
import threading
import time

LINES = "/run/rig-lines"
INSTANCES = "/sys/kernel/tracing/instances"
PRIORITY = 90  # a cable is never late: above all that the box runs
SPIN_NS = 300_000


class Jacks:
    """Keeps the files of the lines open, so that a change of level is one write."""

    def __init__(self) -> None:
        self._pulls: dict[int, int] = {}
        self._train: threading.Thread | None = None
        self._written: list[int] = []
        self._stop = threading.Event()
        self._jumpers: dict[str, tuple[threading.Thread, threading.Event]] = {}

    def set(self, line: int, level: int) -> int:
        """Pull a line up or down; gives the time at which that was done."""
        if line not in self._pulls:
            self._pulls[line] = os.open(f"{LINES}/sim_gpio{line}/pull", os.O_WRONLY)
        os.pwrite(self._pulls[line], b"pull-up" if level else b"pull-down", 0)
        return time.monotonic_ns()

    def levels(self, lines: list[int]) -> list[int]:
        found = []
        for line in lines:
            with open(f"{LINES}/sim_gpio{line}/value") as file:
                found.append(int(file.read()))
        return found

    def begin(self, steps: list[list[int]], rounds: int = 1, period_ns: int = 0) -> int:
        """Write `[ns, line, level]`, `rounds` times over; gives the time that ns are counted from."""
        self.end(0.0)
        self._written, self._stop = [], threading.Event()
        start = time.monotonic_ns() + 20_000_000
        words = (steps, rounds, period_ns, start, self._stop)
        self._train = threading.Thread(target=self._run, args=words, daemon=True)
        self._train.start()
        return start

    def end(self, seconds: float) -> list[int]:
        """Wait for the end of what `begin` began, that long at most; gives when each step was written."""
        if self._train:
            self._train.join(seconds)
            self._stop.set()
            self._train.join()
        self._train = None
        return self._written

    def _run(
        self, steps: list[list[int]], rounds: int, period_ns: int, start: int, stop: threading.Event
    ) -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        for number in range(rounds):
            for ns, line, level in steps:
                due = start + number * period_ns + ns
                while (left := due - time.monotonic_ns()) > SPIN_NS:
                    if stop.wait(min(left - SPIN_NS, 100_000_000) / 1e9):
                        return
                while time.monotonic_ns() < due:
                    pass
                self._written.append(self.set(line, level))
            if stop.is_set():
                return

    def join(self, gpio: int, line: int, inverted: bool) -> None:
        """A cable from an output (by the kernel's number) to an input line."""
        self.part(gpio, line)
        name = f"jumper-{gpio}-{line}"
        folder = f"{INSTANCES}/{name}"
        os.makedirs(folder, exist_ok=True)
        for file, text in (
            ("events/gpio/gpio_value/filter", f"get==0 && gpio=={gpio}"),
            ("events/gpio/gpio_value/enable", "1"),
        ):
            with open(f"{folder}/{file}", "w") as open_file:
                open_file.write(text)
        stop = threading.Event()
        words = (f"{folder}/trace_pipe", line, inverted, stop)
        thread = threading.Thread(target=self._mirror, args=words, daemon=True)
        thread.start()
        self._jumpers[name] = (thread, stop)

    def part(self, gpio: int, line: int) -> None:
        """Take that cable out; nothing happens where there is none."""
        name = f"jumper-{gpio}-{line}"
        if name in self._jumpers:
            thread, stop = self._jumpers.pop(name)
            stop.set()
            thread.join(5)
            with open(f"{INSTANCES}/{name}/events/gpio/gpio_value/enable", "w") as file:
                file.write("0")

    def _mirror(self, pipe: str, line: int, inverted: bool, stop: threading.Event) -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        try:
            while not stop.is_set():
                if not poll.poll(100):
                    continue
                try:
                    text = os.read(descriptor, 65536)
                except BlockingIOError:
                    continue
                for level in re.findall(rb"gpio_value: \d+ set ([01])", text):
                    self.set(line, int(level) ^ inverted)
        finally:
            os.close(descriptor)
