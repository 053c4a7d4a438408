"""Does one job after another in processes of their own, bounded in memory and time. Knows nothing of loops.

A job that crashes its process, hangs or wants too much is answered by a sentence, and the others go on.
The processes yield to everything else, are the first that the kernel ends when memory runs out, and none
outlives the one that began it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import resource
import select
import signal
import struct
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Self

MOST_S = 60.0  # of computing, or of waiting for nothing, on one job
MOST_BYTES = 512 * 2**20  # of memory, beyond what the process begins with; a minute of sound takes half
MOST_ANSWER = 16 * 2**20  # bytes
NICE = 19
AHEAD = 2  # jobs a process has at once, so that it need not wait for the next
WINDOW = 64  # jobs that are begun beyond the one whose answer is awaited
GIVE_UP = 3  # jobs in a row of which nothing came: the rest is not tried
TICK_S = 1.0
GRACE_S = 1.0  # a process that was ended is waited for so long
PR_SET_PDEATHSIG = 1  # prctl(2)

ANSWERED, BROKEN = b"+", b"-"
HEAD = struct.Struct("<I")
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSYS}


@dataclass(frozen=True)
class Broken:
    """No answer; `reason` says why in a part of a sentence."""

    reason: str


@dataclass
class _Worker:
    pid: int
    asks: int  # descriptor on which jobs go out
    answers: int  # and on which answers come
    jobs: deque[int] = field(default_factory=deque)
    read: bytearray = field(default_factory=bytearray)
    stalled_s: float = 0.0


class Crew:
    """Processes that do `task`, a function from bytes to bytes, begun as they are needed.

    `count` : how many; without it one less than the cores there are, and one at least.
    """

    def __init__(
        self,
        task: Callable[[bytes], bytes],
        count: int | None = None,
        most_s: float = MOST_S,
        most_bytes: int = MOST_BYTES,
        nice: int = NICE,
    ) -> None:
        self._task, self._nice = task, nice
        self._count = count or max(1, len(os.sched_getaffinity(0)) - 1)
        self._most_s, self._most_bytes = most_s, most_bytes
        self._workers: list[_Worker] = []
        self._stalls = 0  # in a row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        while self._workers:
            self._end(self._workers[-1])

    def run(self, jobs: Sequence[bytes]) -> Iterator[bytes | Broken]:
        """The answer to each job, in their order."""
        waiting = deque(range(len(jobs)))
        answers: dict[int, bytes | Broken] = {}
        for due in range(len(jobs)):
            while due not in answers:
                if self._stalls >= GIVE_UP and waiting:
                    given_up = Broken(
                        "not tried, after so many of which nothing came: is the stick still in?"
                    )
                    answers.update(dict.fromkeys(waiting, given_up))
                    waiting.clear()
                else:
                    self._hand_out(jobs, waiting, due + WINDOW)
                    self._listen(answers, waiting)
            yield answers.pop(due)

    def _hand_out(self, jobs: Sequence[bytes], waiting: deque[int], end: int) -> None:
        begun = sum(len(worker.jobs) for worker in self._workers)
        while len(self._workers) < min(self._count, begun + len(waiting)):
            self._workers.append(self._begin())
        while waiting and waiting[0] < end:
            worker = min(self._workers, key=lambda w: len(w.jobs))
            if len(worker.jobs) == AHEAD:
                break
            job = jobs[waiting[0]]
            with contextlib.suppress(BrokenPipeError):  # it has just died: `_listen` sees that
                os.write(worker.asks, HEAD.pack(len(job)) + job)
            worker.jobs.append(waiting.popleft())

    def _listen(self, answers: dict[int, bytes | Broken], waiting: deque[int]) -> None:
        """Take what has come within a second, and end whoever has kept silent for too long."""
        began = time.monotonic()
        ready, _, _ = select.select([worker.answers for worker in self._workers], [], [], TICK_S)
        passed_s = min(time.monotonic() - began, TICK_S)  # not the time for which all of this stood still
        for worker in list(self._workers):
            reason = None
            if worker.answers in ready:
                worker.stalled_s = 0.0
                piece = os.read(worker.answers, 65536)
                worker.read += piece
                if not self._take(worker, answers):
                    reason = "its answer made no sense: leave it out"
                elif not piece:
                    reason = ""  # as its end says
            elif worker.jobs and _waits(worker.pid):
                worker.stalled_s += passed_s
                if worker.stalled_s > self._most_s:
                    self._stalls += 1
                    reason = f"nothing came of it for {self._most_s:.0f} s: is the stick still in?"
            if reason is not None:
                status = self._end(worker)
                if worker.jobs:
                    answers[worker.jobs.popleft()] = Broken(reason or self._epitaph(status))
                waiting.extendleft(reversed(worker.jobs))  # what it had not begun

    def _take(self, worker: _Worker, answers: dict[int, bytes | Broken]) -> bool:
        """Take the whole answers that were read; False where they are none."""
        while len(worker.read) >= HEAD.size:
            (length,) = HEAD.unpack_from(worker.read)
            if not 1 <= length <= MOST_ANSWER or not worker.jobs:
                return False
            end = HEAD.size + length
            if len(worker.read) < end:
                break
            said = bytes(worker.read[HEAD.size : end])
            del worker.read[:end]
            body = said[1:]
            answer = body if said[:1] == ANSWERED else Broken(body.decode("utf-8", "replace"))
            answers[worker.jobs.popleft()] = answer
            self._stalls = 0
        return True

    def _begin(self) -> _Worker:
        asked, asks = os.pipe()
        answers, answered = os.pipe()
        parent, prctl = os.getpid(), ctypes.CDLL(None).prctl
        with warnings.catch_warnings():
            # From 3.12 on Python warns of threads: the child takes no lock that one of ours could hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # else it would finish a loop, or hang, for nobody
                if os.getppid() != parent:
                    os._exit(1)
                for other in self._workers:
                    os.close(other.asks)
                    os.close(other.answers)
                os.close(asks)
                os.close(answers)
                _settle(self._nice, self._most_bytes)
                _work(self._task, asked, answered, self._most_s, self._most_bytes)
            os._exit(1)
        os.close(asked)
        os.close(answered)
        return _Worker(pid, asks, answers)

    def _end(self, worker: _Worker) -> int | None:
        """End a process and give its wait status; None where it does not end (it hangs in the kernel)."""
        self._workers.remove(worker)
        os.close(worker.asks)
        os.close(worker.answers)
        os.kill(worker.pid, signal.SIGKILL)  # one that is dead already keeps its own status
        end = time.monotonic() + GRACE_S
        while True:
            found, status = os.waitpid(worker.pid, os.WNOHANG)
            if found:
                return status
            if time.monotonic() > end:
                return None
            time.sleep(0.001)

    def _epitaph(self, status: int | None) -> str:
        """Why a process has ended by itself, as the answer to its job."""
        number = os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else 0
        if number == signal.SIGXCPU:
            return f"it takes more than {self._most_s:.0f} s of computing: leave it out"
        if number in CRASHES:
            return f"it breaks what reads it ({(signal.strsignal(number) or '').lower()}): leave it out"
        if number == signal.SIGKILL:
            return "what read it was ended from outside, perhaps for want of memory: leave it out"
        return "what read it ended without a word: leave it out"


def _waits(pid: int) -> bool:
    """Whether a process waits, rather than computes or is stopped by the player."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"S", b"D")
    except (OSError, IndexError):
        return True


# --- in the process ---------------------------------------------------------------------------------------


def _settle(nice: int, most_bytes: int) -> None:
    """Make this process one that can be trusted with anything."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # sent to a whole group, they are the parent's, which ends this
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    faulthandler.disable()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # what decoders print of an odd file is not for the player
        os.dup2(nowhere, descriptor)
    os.nice(nice)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(most_bytes)


def _work(
    task: Callable[[bytes], bytes], asked: int, answered: int, most_s: float, most_bytes: int
) -> NoReturn:
    """Do jobs until there are no more."""
    while True:
        (length,) = HEAD.unpack(_read(asked, HEAD.size))
        job = _read(asked, length)
        _limit_computing(most_s)
        try:
            answer = ANSWERED + task(job)
        except MemoryError:
            answer = BROKEN + f"it needs more than {most_bytes / 2**20:.0f} MB of memory: cut it".encode()
        except Exception as error:  # a mistake of ours: said, and the other jobs go on
            answer = BROKEN + _mistake(error).encode("utf-8", "replace")
        _write(answered, HEAD.pack(len(answer)) + answer)


def _read(descriptor: int, count: int) -> bytes:
    """So many bytes; ends the process where there are no more."""
    data = b""
    while len(data) < count:
        piece = os.read(descriptor, count - len(data))
        if not piece:
            os._exit(0)
        data += piece
    return data


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _limit_memory(most_bytes: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm", "rb") as file:
            begins_with = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = begins_with + most_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _limit_computing(most_s: float) -> None:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(OSError, ValueError):
        limit = int(spent.ru_utime + spent.ru_stime + most_s) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _mistake(error: Exception) -> str:
    """A mistake of Fathom's in a part of a sentence, with the place where it is."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    where = f"{os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}" if frame else "?"
    text = " ".join(str(error).split())[:100]
    return f"a mistake of Fathom's ({type(error).__name__} in {where}: {text}): leave it out, and report it"
