"""A process beside the engine that keeps its MIDI ports connected with what is plugged in. Carries no MIDI.

Both ends are here: `Patching` in the engine's process, which never waits, and `serve`, the other process.
They speak in lines of JSON: wishes one way, events and complaints the other. When the engine ends, however
it does, so does the other.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
from collections.abc import Sequence

import msgspec

from device.beside import LONGEST_LINE, Beside, Lines, line_of
from hw.errors import PanelError
from hw.patch_systems import open_ports
from hw.patchbay import Event, PatchBay, Wish

LOOK_S = 1.0  # between two looks at what is plugged in
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
    """The patch bay as the engine sees it.

    `own` names the engine's ports as they are listed. `complaint` is a sentence where something is amiss, or
    empty; the music goes on all the same.
    """

    def __init__(self, beside: Beside, own: Sequence[str], wishes: Sequence[Wish]) -> None:
        self.complaint = ""
        self._beside = beside
        self._own = list(own)
        self._reports = msgspec.json.Decoder(Report)
        if beside.refused:
            self.complaint = f"MIDI: no patch bay ({beside.refused}), so nothing is connected by itself."
        else:
            self.wish(wishes)

    def wish(self, wishes: Sequence[Wish]) -> bool:
        """Tell what shall be connected from now on, instead of what was. False where it could not be told."""
        line = line_of(Wishes(self._own, list(wishes)))
        if len(line) > LONGEST_LINE:
            self.complaint = (
                f"MIDI: {len(wishes)} wishes for connections take {len(line)} bytes, expected at most "
                f"{LONGEST_LINE}; wish for fewer."
            )
            return False
        return self._beside.tell(line)

    def events(self) -> list[Event]:
        """What came and went since this was last asked: ("connected", our port, theirs). Never waits.

        Also "gone", and "refused" where a port does not let itself be connected.
        """
        if self._beside.ended:
            return []
        events = []
        for line in self._beside.lines():
            with contextlib.suppress(msgspec.MsgspecError):
                report = self._reports.decode(line)
                self.complaint = report.complaint or self.complaint
                events += [report.event] if report.event else []
        if self._beside.ended:
            self.complaint = self.complaint or ENDED
        return events

    def close(self) -> None:
        """End the other process; what it has connected stays so. Safe to call twice."""
        self._beside.close(LEAVES_S)


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
    lines = Lines()
    complained = False
    while True:
        if select.select([0], [], [], LOOK_S)[0]:
            data = os.read(0, LONGEST_LINE)
            if not data:
                return
            if whole := lines.take(data):
                told = msgspec.json.decode(whole[-1], type=Wishes)
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
    os.write(1, line_of(report))
