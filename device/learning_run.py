"""The process beside the engine that runs `fathom learn`, watches it and ends it. Learns nothing itself.

The engine's end is `device.learner`; what is wanted comes through standard input. One learning runs at a
time, in a process of its own. (A realtime process that starts another waits until that one, which has no such
priority, has got under way.) When the box ends, however it does, so do both; a learning that is killed is a
sentence, and the slot is as it was.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from device.beside import Lines, line_of
from device.learning import Learning, Order, Wanted, name_of

LONGEST_SENTENCE = 300  # characters
LARGEST_RESULT = 4 * 2**20  # bytes of what `fathom learn --json` prints; thousands of refused loops fit
MOST_SENTENCES = 100  # that are kept of what it complains of
PIECE = 64 * 1024  # bytes read at once
NICE = 10
TICK_S = 0.1  # between two looks at the learning, and between two reports at the least
PATIENCE_S = 0.8  # how long a learning may take to cancel itself: one that gives way gets little time ...
HURRY_S = 0.5  # ... and when the box ends
PR_SET_PDEATHSIG = 1  # prctl(2)
SIGNALS = (signal.SIGINT, signal.SIGTSTP, signal.SIGHUP, signal.SIGTERM)


class Step(msgspec.Struct, frozen=True):
    """A line of `fathom learn --progress json`."""

    what: str
    done: int
    total: int
    loss: float | None = None
    slot: str = ""


def serve(command: Sequence[str], slots: Path) -> None:
    """Learn what standard input asks for with `command`, tell standard output, until they close."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # the box ends first, and then this
    os.nice(NICE)
    work = Work(command, slots)
    with contextlib.suppress(BrokenPipeError):
        while True:
            ready = select.select([0, *work.pipes], [], [], work.tick_s)[0]
            if 0 in ready:
                data = os.read(0, PIECE)
                if not data:
                    break
                work.take(data)
            if told := work.look(ready):
                os.write(1, line_of(told))
    work.close()


class Work:
    """Takes orders, runs one learning at a time, and says how far it is when there is something to say."""

    def __init__(self, command: Sequence[str], slots: Path) -> None:
        self._command = command
        self._slots = slots
        self._orders = msgspec.json.Decoder(Order)
        self._run: Run | None = None
        self._told, self._next_s = Learning(), 0.0
        self._lines = Lines()

    @property
    def learning(self) -> Learning | None:
        """How far it is; None where nothing is being learned."""
        return self._run.learning if self._run else None

    @property
    def pipes(self) -> list[int]:
        """What is to be looked at when there is something in it ..."""
        return self._run.pipes if self._run else []

    @property
    def tick_s(self) -> float | None:
        """... or after so long; None: there is nothing to look at."""
        return TICK_S if self._run else None

    def take(self, data: bytes) -> None:
        """Do what is ordered, as soon as an order is whole. What is no order is left alone."""
        for line in self._lines.take(data):
            with contextlib.suppress(msgspec.MsgspecError):
                order = self._orders.decode(line)
                if self._run is None and order.learn:
                    self._run = Run(self._command, order.learn, self._slots)
                elif self._run and order.learn is None:
                    self._run.cancel(PATIENCE_S)

    def forget(self) -> None:
        """Who gives orders is another one from now on."""
        self._lines = Lines()

    def look(self, ready: Collection[int]) -> Learning | None:
        """Take in what has come through the pipes; how far it is, where that is to be told now."""
        if self._run is None:
            return None
        over, now = self._run.look(ready), self._run.learning
        if over:
            self._run = None
        elif now == self._told or time.monotonic() < self._next_s:
            return None
        self._told, self._next_s = now, time.monotonic() + TICK_S
        return now

    def close(self) -> None:
        """End what is being learned; the slot is as it was."""
        if self._run:
            self._run.cancel(HURRY_S)
            while not self._run.look(select.select(self._run.pipes, [], [], TICK_S)[0]):
                pass
            self._run = None


class Run:
    """One `fathom learn`, from its start to what is to be said of it; `learning` is how far it is."""

    def __init__(self, command: Sequence[str], wanted: Wanted, slots: Path) -> None:
        self.learning = Learning("hearing", wanted.slot or None, trainings=wanted.trainings)
        self.pipes: list[int] = []
        self._slots = slots
        self._said: list[str] = []  # sentences, the last of them at the end
        self._heard = {"out": b"", "err": b""}
        self._cancelled = self._writes = False
        self._kill_s = float("inf")  # when it is no longer waited for
        words = [*command, *wanted.paths, "--slot", wanted.slot or "free", "--voices", wanted.voices]
        words += ["--seed", wanted.seed, "--trainings", wanted.trainings, "--json", "--progress", "json"]
        words += ["--eager"] if wanted.eager else []
        parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

        def begin() -> None:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no process learns on for nobody
            if os.getppid() != parent:
                os._exit(1)

        self._child: subprocess.Popen[bytes] | None = None
        try:
            self._child = subprocess.Popen(
                [*map(str, words)],
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a group of its own, which ends as one
                preexec_fn=begin,
            )
        except OSError as error:
            self._said = [f"learning: cannot be started ({error.strerror})."]
            return
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._names = {self._child.stdout.fileno(): "out", self._child.stderr.fileno(): "err"}
        self.pipes = list(self._names)
        for pipe in self.pipes:
            os.set_blocking(pipe, False)

    def cancel(self, patience_s: float) -> None:
        """Ask it to end; it is killed where it has not by then. What is learned already is written anyway."""
        if self._writes:
            return
        self._cancelled = True
        self._kill_s = min(self._kill_s, time.monotonic() + patience_s)
        if self._child:
            self._child.terminate()

    def look(self, ready: Collection[int]) -> bool:
        """Take in what has come through the pipes; whether it is over."""
        for pipe in ready:
            if pipe in self.pipes:
                self._read(pipe)
        if self._child is None:
            self._end(1)
            return True
        if time.monotonic() >= self._kill_s:
            self._kill()
        pid = self._child.pid
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self._kill()  # what it has started; its number is nobody else's yet
        for pipe in list(self.pipes):
            while self._read(pipe):
                pass
        status = self._child.wait()
        for left in self._slots.glob(f"*.{pid}.new"):  # it was killed while it wrote
            left.unlink(missing_ok=True)
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._child.stdout.close()
        self._child.stderr.close()
        self._end(status)
        return True

    def _kill(self) -> None:
        assert self._child is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def _read(self, pipe: int) -> bool:
        """Take a piece of what a pipe holds; False where it holds nothing now."""
        try:
            data = os.read(pipe, PIECE)
        except BlockingIOError:
            return False
        if not data:
            self.pipes.remove(pipe)
            return False
        name = self._names[pipe]
        self._heard[name] = (self._heard[name] + data)[-LARGEST_RESULT:]
        if name == "err":
            *lines, self._heard[name] = self._heard[name].split(b"\n")
            for line in lines:
                self._hear(line)
        return True

    def _hear(self, line: bytes) -> None:
        """A line of its stderr: how far it is, or a sentence."""
        if not line.startswith(b"{"):
            self._said = [*self._said, line.decode(errors="replace").strip()][-MOST_SENTENCES:]
            return
        with contextlib.suppress(msgspec.MsgspecError, ValueError):
            step = msgspec.json.decode(line, type=Step)
            self.learning = advanced(self.learning, step)
            self._writes = step.what == "writing"
            self._kill_s = float("inf") if self._writes else self._kill_s

    def _end(self, status: int) -> None:
        slot, now = self.learning.slot, self.learning
        if status == 0:
            says = _summary(self._heard["out"], slot)
            self.learning = replace(now, state="done", progress=1.0, says=says)
        elif self._cancelled:
            self.learning = Learning("idle", slot, says=f"cancelled: {name_of(slot)} is as it was.")
        else:
            # Where a single path was refused, why is said as well; of many, `fathom hear` says it.
            *before, last = self._said or [""]
            says = "; ".join([*(sentence.rstrip(".") for sentence in before if len(before) == 1), last])
            if status < 0:
                full = "; is the memory full?" if status == -signal.SIGKILL else ""
                says = f"learning: ended by signal {-status}{full}; {name_of(slot)} is as it was."
            says = says or f"learning: ended with status {status} and said nothing."
            self.learning = Learning("failed", slot, says=says[:LONGEST_SENTENCE])


def advanced(learning: Learning, step: Step) -> Learning:
    """How far the learning is after one step more: hearing, each training and measuring are alike long.

    >>> advanced(Learning(trainings=2), Step("training 2 of 2", 5, 10, 0.25)).progress
    0.625
    """
    word, *more = step.what.split()
    stages = learning.trainings + 2
    share = step.done / step.total if step.total else 0.0
    state, number = word, learning.training
    if word == "hearing":
        stage = 0
    elif word == "training":
        stage = number = int(more[0]) if more else 1
        if number == learning.trainings and share == 1.0:
            state = "measuring"
    else:
        state, stage = "measuring", stages - 1
    progress = round(min(1.0, (stage + share) / stages), 4)
    slot = int(step.slot) if step.slot.isdecimal() else learning.slot
    loss = learning.loss if step.loss is None else step.loss
    return replace(
        learning,
        state=state,
        slot=slot,
        progress=max(learning.progress, progress),
        loss=loss,
        training=number,
    )


class _Playability(msgspec.Struct):
    reach: float


class _Result(msgspec.Struct):
    """The part of what `fathom learn --json` prints that a player is told."""

    takes: int
    rejected: list[msgspec.Raw]
    seconds: dict[str, float]
    playability: _Playability


def _summary(printed: bytes, slot: int | None) -> str:
    try:
        result = msgspec.json.decode(printed, type=_Result)
    except msgspec.MsgspecError:
        return f"{name_of(slot)} is learned."
    without = f", {len(result.rejected)} loops left out" if result.rejected else ""
    return (
        f"slot {slot}: {result.takes} takes learned in {result.seconds.get('total', 0.0):.1f} s{without}; "
        f"reach {result.playability.reach:.2f}."
    )
