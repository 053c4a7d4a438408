"""A process beside the engine that starts the learning, watches it and ends it. Learns nothing itself.

Both ends are here: `Learner` in the engine's process, which never waits, and `serve`, the other process. That
runs `fathom learn` in a third, one at a time. (A realtime process that starts another waits until that one,
which has no such priority, has got under way.) They speak in lines of JSON through two pipes. When the box
ends, however it does, so do both others; a learning that is killed is a sentence, and the slot is as it was.
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

from device.errors import ModelError

LONGEST_LINE = 4096  # bytes: what a pipe takes whole or not at all (PIPE_BUF)
LONGEST_SENTENCE = 300  # characters
LARGEST_RESULT = 4 * 2**20  # bytes of what `fathom learn --json` prints; thousands of refused loops fit
MOST_SENTENCES = 100  # that are kept of what it complains of
PIECE = 64 * 1024  # bytes read at once
NICE = 10
TICK_S = 0.1  # between two looks at the learning, and between two reports at the least
PATIENCE_S = 0.8  # how long a learning may take to cancel itself: one that gives way gets little time ...
HURRY_S = 0.5  # ... and when the box ends
LEAVES_S = 2.0  # how long the other process may take to end
PR_SET_PDEATHSIG = 1  # prctl(2)
SIGNALS = (signal.SIGINT, signal.SIGTSTP, signal.SIGHUP, signal.SIGTERM)
BUSY = ("hearing", "training", "measuring")
ENDED = "learning: the process that starts it ended, so nothing is learned until the box is started again."


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall be learned. Slot 0 is the next that is free."""

    paths: list[str]
    slot: int
    voices: int
    seed: int
    trainings: int
    eager: bool = False  # it need not give way to all else that runs


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the engine tells: learn this; None: learn no longer."""

    learn: Wanted | None


class Learning(msgspec.Struct, frozen=True):
    """How far the learning is, as it is published. `says` is what came of the last one, in a sentence."""

    state: str = "idle"  # or hearing, training, measuring, done, failed
    slot: int | None = None  # that is learned, or was last; None until a free one is found
    progress: float = 0.0  # 0..1
    loss: float | None = None
    training: int = 0  # counted from 1
    trainings: int = 0
    says: str = ""
    offered: int | None = None  # a slot that was learned and does not play yet


class Step(msgspec.Struct, frozen=True):
    """A line of `fathom learn --progress json`."""

    what: str
    done: int
    total: int
    loss: float | None = None
    slot: str = ""


class Learner:
    """The learning as the engine sees it. Start it before realtime priority is claimed: it needs none.

    `command` starts `serve`; `folder` is the box's own, in which a path that begins at no root lies; `slots`
    is where slots are kept.
    """

    def __init__(self, command: Sequence[str], folder: Path, slots: Path) -> None:
        self.learning = Learning()
        self._folder = folder
        self._line = b""  # what has come of a report that is not whole yet
        self._reports = msgspec.json.Decoder(Learning)
        self._child: subprocess.Popen[bytes] | None = None
        try:
            self._child = subprocess.Popen(
                [*command, str(slots)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a display may be on it
                start_new_session=True,  # Ctrl-C is the engine's
            )
        except OSError as error:
            self.learning = Learning("failed", says=f"learning: cannot be started ({error.strerror}).")
            return
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)

    @property
    def busy(self) -> bool:
        """Whether something is being learned."""
        return self.learning.state in BUSY

    def start(self, wanted: Wanted) -> str:
        """Begin to learn, and say so. ModelError where that cannot be. Never waits."""
        if self._child is None:
            raise ModelError(self.learning.says)
        if self.busy:
            raise ModelError(
                f"train: {_slot(self.learning.slot)} is being learned; wait for it, or cancel it."
            )
        paths = [str(self._folder / path) for path in wanted.paths]
        line = msgspec.json.encode(Order(msgspec.structs.replace(wanted, paths=paths))) + b"\n"
        if len(line) > LONGEST_LINE:
            raise ModelError(
                f"train: {len(paths)} paths take {len(line)} bytes, expected at most {LONGEST_LINE}."
            )
        if not self._tell(line):
            raise ModelError(ENDED)
        self.learning = Learning("hearing", wanted.slot or None, trainings=wanted.trainings)
        return f"{_slot(wanted.slot or None)} is being learned; the box plays on."

    def cancel(self) -> str:
        """Learn no longer, or let go what is offered; say what comes of it. Never waits."""
        if self.busy:
            self._tell(msgspec.json.encode(Order(None)) + b"\n")
            return f"{_slot(self.learning.slot)} is learned no longer."
        if self.learning.offered is not None:
            slot = self.learning.offered
            self.learning = replace(self.learning, offered=None)
            return f"slot {slot} stays where it is, and what plays goes on."
        return "nothing is being learned."

    def attend(self, playing: Collection[int], held: Collection[int]) -> None:
        """Take in how far it is. `playing` and `held` are the slots that play, and all that the box has.

        A slack job: one read of one pipe, one line decoded. Never waits.
        """
        if self._child is None:
            return
        assert self._child.stdout is not None
        data = self._child.stdout.read(LONGEST_LINE)
        if data:
            *lines, self._line = (self._line + data).split(b"\n")
            self._line = self._line[:LONGEST_LINE]
            if lines:
                self._take(lines[-1], playing, held)
        elif data is not None and self._child.poll() is not None:
            self._leave()
            self.learning = Learning("failed", self.learning.slot, says=ENDED)
        if self.learning.offered in playing:
            self.learning = replace(self.learning, offered=None)

    def close(self) -> None:
        """End the other process and with it the learning. Safe to call twice."""
        child = self._child
        if child is None:
            return
        self._leave()
        try:
            child.wait(LEAVES_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _take(self, line: bytes, playing: Collection[int], held: Collection[int]) -> None:
        """A report says all, so that the last one counts. What was learned and does not play is offered."""
        with contextlib.suppress(msgspec.MsgspecError):
            told = self._reports.decode(line)
            offer = told.state == "done" and told.slot in held and told.slot not in playing
            self.learning = replace(told, offered=told.slot if offer else None)

    def _tell(self, line: bytes) -> bool:
        if self._child is None:
            return False
        try:
            assert self._child.stdin is not None
            return self._child.stdin.write(line) == len(line)  # None where it would have to wait
        except OSError:  # it has ended; `attend` finds out
            return False

    def _leave(self) -> None:
        child, self._child = self._child, None
        assert child is not None
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()


def _slot(number: int | None) -> str:
    return "the next free slot" if number is None else f"slot {number}"


# --- the other process ------------------------------------------------------------------------------------


def serve(command: Sequence[str], slots: Path) -> None:
    """Learn what standard input asks for with `command`, tell standard output, until they close."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # the box ends first, and then this
    os.nice(NICE)
    run: Run | None = None
    line = b""
    told, next_s = Learning(), 0.0
    with contextlib.suppress(BrokenPipeError):
        while True:
            ready = select.select([0, *(run.pipes if run else [])], [], [], TICK_S if run else None)[0]
            if 0 in ready:
                data = os.read(0, PIECE)
                if not data:
                    break
                *lines, line = (line + data).split(b"\n")
                for order in map(msgspec.json.Decoder(Order).decode, lines):
                    if run is None and order.learn:
                        run = Run(command, order.learn, slots)
                    elif run and order.learn is None:
                        run.cancel(PATIENCE_S)
            if run is None:
                continue
            over = run.look(ready)
            if over or (run.learning != told and time.monotonic() >= next_s):
                told, next_s = run.learning, time.monotonic() + TICK_S
                os.write(1, msgspec.json.encode(told) + b"\n")
            if over:
                run = None
    if run:
        run.cancel(HURRY_S)
        while not run.look(select.select(run.pipes, [], [], TICK_S)[0]):
            pass


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
            self.learning = Learning("idle", slot, says=f"cancelled: {_slot(slot)} is as it was.")
        else:
            # Where a single path was refused, why is said as well; of many, `fathom hear` says it.
            *before, last = self._said or [""]
            says = "; ".join([*(sentence.rstrip(".") for sentence in before if len(before) == 1), last])
            if status < 0:
                full = "; is the memory full?" if status == -signal.SIGKILL else ""
                says = f"learning: ended by signal {-status}{full}; {_slot(slot)} is as it was."
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
        return f"{_slot(slot)} is learned."
    without = f", {len(result.rejected)} loops left out" if result.rejected else ""
    return (
        f"slot {slot}: {result.takes} takes learned in {result.seconds.get('total', 0.0):.1f} s{without}; "
        f"reach {result.playability.reach:.2f}."
    )
