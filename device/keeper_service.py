"""The state keeper as a service of its own: begins and ends when it likes, whether an engine plays or not.

It asks the engine over one connection, so that it knows at once when the engine is gone, and then writes
what it knew last: before the next engine reads it. What another has written meanwhile, an engine that ended
in good order say, is later than that and stays. When something is written is decided by `device.keeper`.
"""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from device.client import Talk
from device.keeper import ASK_S, Keeper, kept, save
from device.locks import alone
from device.notify import Notify
from device.stopping import stop_pipe
from hw.errors import PanelError

AGAIN_S = 0.25  # between two looks for an engine
PATIENCE_S = 3.0  # how long another's hand at the files is waited for
NAME = "keeper"  # by which it complains


def serve(socket: Path, file: Path, notify: Notify) -> None:
    """Keep in `file` what the box at `socket` remembers, whichever box that is, until a signal ends it."""
    stop = stop_pipe()
    notify.ready("waits for a box")
    while not select.select([stop], [], [], AGAIN_S)[0]:
        try:
            talk = Talk(socket)
        except (PanelError, OSError):
            continue
        notify.say("keeps what is changed by hand")
        _Watch(talk, file).run(stop)
        talk.close()
        notify.say("waits for a box")
    notify.stopping()


class _Watch:
    """One box, from when it is found until it is gone, or the keeper ends."""

    def __init__(self, talk: Talk, file: Path) -> None:
        self._talk = talk
        self._file = file
        self._known = ""  # the digest of what was read or written last
        self._keeper: Keeper | None = None  # from when this box has something to keep
        self._failed = ""

    def run(self, stop: int) -> None:
        inputs = [stop, self._talk.connection.fileno()]
        try:
            self._talk.ask({"do": "complain", "of": NAME})  # what a keeper before this one said
            while self._look() and not select.select(inputs, [], [], ASK_S)[0]:
                pass
        except (PanelError, msgspec.MsgspecError) as error:
            _say(str(error))  # a box that hangs or is of another kind: what it said last is kept
        with alone(self._file.parent, PATIENCE_S):
            if self._keeper and kept(self._file) == self._known and not self._keeper.end():
                _say(f"{self._failed} What was changed last is lost.")

    def _look(self) -> bool:
        """Ask once; False where the box is gone."""
        answer = self._talk.ask({"do": "memory"})
        if answer is None:
            return False
        memory, touched = answer.get("memory"), bool(answer.get("touched"))
        if touched and isinstance(memory, dict):  # else what is kept is left alone
            failed = self._failed
            with alone(self._file.parent, PATIENCE_S):
                self._see(memory)
            if failed != self._failed:
                self._complain()
        elif not touched:  # it has been given another memory, which is on the disk already
            self._keeper = None
        return True

    def _see(self, memory: dict[str, Any]) -> None:
        """Let the keeper see what the box says, unless another has written since: it may be the box itself,
        which has just ended. If it has not, it is asked again.
        """
        known = kept(self._file)
        if self._keeper and known != self._known:
            self._keeper = None
            return
        if self._keeper is None:
            self._known = known
            self._keeper = Keeper(self._write, known)
        self._keeper.saw(memory, time.monotonic())

    def _write(self, data: bytes) -> None:
        """Write what the keeper wants written; OSError where that is refused."""
        try:
            save(self._file, data)
        except OSError as error:
            self._failed = f"{self._file}: {error.strerror}."
            raise
        self._failed, self._known = "", kept(self._file)

    def _complain(self) -> None:
        """Let the player know, here and on the box, that nothing is kept, or that it is again."""
        lost = "What is changed by hand is not kept until that is well."
        says = f"{self._failed[-200:]} {lost}" if self._failed else ""
        _say(says or f"{self._file}: what is changed by hand is kept again.")
        self._talk.ask({"do": "complain", "of": NAME, "says": says})


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
