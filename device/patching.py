"""A process beside the engine that keeps its MIDI ports connected with what is plugged in. Carries no MIDI.

Both ends are here: `Patching` in the engine's process, which never waits, and `serve`, the other process.
They speak in lines of JSON through two pipes: wishes one way, events and complaints the other. When the
engine ends, however it does, so does the other.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
from collections.abc import Sequence

import msgspec

from hw.errors import PanelError
from hw.patch_systems import open_ports
from hw.patchbay import Event, PatchBay, Wish

LOOK_S = 1.0  # between two looks at what is plugged in
LONGEST_LINE = 4096  # bytes: what a pipe takes whole or not at all (PIPE_BUF)
LEAVES_S = 1.0  # how long the other process may take to end
PR_SET_PDEATHSIG = 1  # prctl(2): the child of an engine that is killed ends, also while it hangs in a library
ENDED = "MIDI: the patch bay ended, so what is plugged in from now on is not connected by itself."


class Wishes(msgspec.Struct, forbid_unknown_fields=True):
    """What the engine tells: its own ports as they are listed, and what each shall be connected with."""

    own: list[str]
    wishes: list[Wish]


class Report(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What it is told: something happened, or cannot be done."""

    event: Event | None = None
    complaint: str = ""


class Patching:
    """The patch bay as the engine sees it. Start it before realtime priority is claimed: it needs none.

    `command` starts `serve`; `own` names the engine's ports as they are listed. `complaint` is a sentence
    where something is amiss, or empty; the music goes on all the same.
    """

    def __init__(
        self, command: Sequence[str], system: str, own: Sequence[str], wishes: Sequence[Wish]
    ) -> None:
        self.complaint = ""
        self._own = list(own)
        self._line = b""  # what has come of a report that is not whole yet
        self._reports = msgspec.json.Decoder(Report)
        self._child: subprocess.Popen[bytes] | None = None
        try:
            self._child = subprocess.Popen(
                [*command, system],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries print there, and the display is on that terminal
                start_new_session=True,  # Ctrl-C is the engine's
            )
        except OSError as error:
            self.complaint = f"MIDI: no patch bay ({error}), so nothing is connected by itself."
            return
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        self.wish(wishes)

    def wish(self, wishes: Sequence[Wish]) -> bool:
        """Tell what shall be connected from now on, instead of what was. False where it could not be told."""
        line = msgspec.json.encode(Wishes(self._own, list(wishes))) + b"\n"
        if len(line) > LONGEST_LINE:
            self.complaint = (
                f"MIDI: {len(wishes)} wishes for connections take {len(line)} bytes, expected at most "
                f"{LONGEST_LINE}; wish for fewer."
            )
            return False
        if self._child is None:
            return False
        try:
            assert self._child.stdin is not None
            return self._child.stdin.write(line) == len(line)  # None where it would have to wait
        except OSError:  # it has ended; `events` finds out
            return False

    def events(self) -> list[Event]:
        """What came and went since this was last asked: ("connected", our port, theirs). Never waits.

        Also "gone", and "refused" where a port does not let itself be connected.
        """
        if self._child is None:
            return []
        assert self._child.stdout is not None
        data = self._child.stdout.read(LONGEST_LINE)
        if data is None:
            return []
        if not data:
            self.complaint = self.complaint or ENDED
            self.close()
            return []
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[:LONGEST_LINE]
        events = []
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError):
                report = self._reports.decode(line)
                self.complaint = report.complaint or self.complaint
                events += [report.event] if report.event else []
        return events

    def close(self) -> None:
        """End the other process; what it has connected stays so. Safe to call twice."""
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        child.stdout.close()
        try:
            child.wait(LEAVES_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def serve(system: str) -> None:
    """The other process: connect what standard input wishes for, tell standard output, until they close."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(BrokenPipeError):
        try:
            _serve(system)
        except PanelError as error:
            _tell(Report(complaint=str(error)))


def _serve(system: str) -> None:
    bay = PatchBay(open_ports(system, owner=os.getppid()))
    told = Wishes([], [])
    line = b""
    complained = False
    while True:
        if select.select([0], [], [], LOOK_S)[0]:
            data = os.read(0, LONGEST_LINE)
            if not data:
                return
            *lines, line = (line + data).split(b"\n")
            if lines:
                told = msgspec.json.decode(lines[-1], type=Wishes)
        try:
            for event in bay.sync(told.own, told.wishes):
                _tell(Report(event=event))
        except PanelError:
            raise
        except (BrokenPipeError, msgspec.MsgspecError):
            raise
        except Exception as error:  # a port went while it was looked at; the next look finds it gone
            if not complained:
                _tell(
                    Report(complaint=f"MIDI: {system} could not be looked at ({error}); it is tried again.")
                )
            complained = True


def _tell(report: Report) -> None:
    os.write(1, msgspec.json.encode(report) + b"\n")
