"""The learning as a service of its own: begins and ends when it likes, whether an engine plays or not.

One engine at a time orders at its socket, in the lines of `device.learning`. When the engine goes, what is
being learned goes on: a slot that is nearly done is not lost with it. What came of it meanwhile is handed
over, and told, as soon as an engine is there again. The work is that of `device.learning_run`.
"""

from __future__ import annotations

import base64
import select
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from device.beside import line_of
from device.client import call
from device.learning import BUSY, Learning
from device.learning_run import PIECE, Work
from device.listening import listen
from device.notify import Notify
from device.stopping import stop_pipe
from hw.errors import PanelError


def serve(command: Sequence[str], slots: Path, path: Path, control: Path, notify: Notify) -> None:
    """Learn with `command` what the engine at the socket `path` orders, until a signal ends it.

    A slot that was finished while no engine was there is handed over to the one at the socket `control`.
    """
    stop = stop_pipe()
    listener = listen(path, "learner socket", "FATHOM_LEARNER")
    service = LearnerService(Work(command, slots), listener, slots, control, notify)
    notify.ready("waits for orders")
    try:
        while service.step(stop):
            pass
    finally:
        notify.stopping()
        service.close()
        path.unlink(missing_ok=True)


class LearnerService:
    """The work, and the engine that it is done for, if there is one."""

    def __init__(
        self, work: Work, listener: socket.socket, slots: Path, control: Path, notify: Notify
    ) -> None:
        self._work = work
        self._listener = listener
        self._slots = slots
        self._control = control
        self._notify = notify
        self._engine: socket.socket | None = None
        self._last: Learning | None = None  # what came of a learning that no engine was told of

    def step(self, stop: int) -> bool:
        """Wait for something and do it; False when it is to end."""
        work, engine = self._work, self._engine
        inputs = [stop, self._listener.fileno(), *work.pipes, *([engine.fileno()] if engine else [])]
        ready = select.select(inputs, [], [], work.tick_s)[0]
        if stop in ready:
            return False
        if engine and engine.fileno() in ready:
            self._hear(engine)
        if self._listener.fileno() in ready:
            self._meet()
        if told := work.look(ready):
            self._notify.say(f"{told.state} {told.progress:.0%}" if told.state in BUSY else told.says)
            if told.state not in BUSY and told.says:
                print(told.says, file=sys.stderr, flush=True)
            if not self._tell(told) and told.state not in BUSY:
                self._last = told
        return True

    def close(self) -> None:
        self._work.close()
        self._listener.close()
        self._leave()

    def _meet(self) -> None:
        """Take an engine in, where there is none; tell it what it does not know."""
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it has gone again
            return
        if self._engine is not None:
            connection.close()  # it looks again; who is there is dropped as soon as it is gone
            return
        connection.setblocking(False)
        self._engine = connection
        self._work.forget()
        if now := self._work.learning:
            self._tell(now)
        elif last := self._last:
            self._hand_over(last)
            if self._tell(last):
                self._last = None

    def _hear(self, engine: socket.socket) -> None:
        try:
            data = engine.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._work.take(data)
        else:
            self._leave()

    def _tell(self, learning: Learning) -> bool:
        """Tell the engine; False where it could not be told. One that takes nothing more is left."""
        if self._engine is None:
            return False
        line = line_of(learning)
        try:
            whole = self._engine.send(line) == len(line)
        except OSError:
            whole = False
        if not whole:
            self._leave()
        return whole

    def _hand_over(self, learning: Learning) -> None:
        """Give the engine a slot that it may not have found when it began; it may well have."""
        if learning.state != "done" or learning.slot is None:
            return
        try:
            blob = (self._slots / f"slot-{learning.slot:02d}.safetensors").read_bytes()
            text = base64.b64encode(blob).decode("ascii")
            call(self._control, {"do": "load", "slot": learning.slot, "blob": text})
        except (PanelError, OSError) as error:
            print(f"slot {learning.slot}: not handed over ({error}).", file=sys.stderr, flush=True)

    def _leave(self) -> None:
        if self._engine is not None:
            self._engine.close()
        self._engine = None
