"""The learning beside the music, as the engine sees it: told, watched and ended, never waited for. Runs none.

The process beside the engine that does is `device.learning_run`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec
from msgspec.structs import replace

from device.beside import LONGEST_LINE, Beside, line_of
from device.errors import ModelError
from device.learning import BUSY, Learning, Order, Wanted, name_of

LEAVES_S = 2.0  # how long the other process may take to end
ENDED = "learning: the process that starts it ended, so nothing is learned until the box is started again."
AWAY = (
    "learning: its service does not run, so nothing is learned until it does. "
    "`systemctl status fathom-learner` says why."
)
LOST = "learning: its service ended; {} is as it was, and can be learned again when the service is back."
PATIENCE_S = 3.0  # how long a service may be away before that is worth a sentence


class Learner:
    """What is learned, through the process beside the engine that runs it.

    `folder` is the box's own, in which a path that begins at no root lies.
    """

    def __init__(self, beside: Beside, folder: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.learning = Learning()
        self._now = now
        self._there_s = now()  # when somebody was there last
        self._beside = beside
        self._folder = folder
        self._reports = msgspec.json.Decoder(Learning)
        if beside.refused:
            says = f"learning: cannot be started ({beside.refused.strerror})."
            self.learning = Learning("failed", says=says)

    @property
    def complaint(self) -> str:
        """What is amiss, in a sentence, or empty. (What has ended for good is told in `learning`.)"""
        late = not self._beside.ended and self._now() - self._there_s > PATIENCE_S
        return AWAY if late else ""

    @property
    def busy(self) -> bool:
        """Whether something is being learned."""
        return self.learning.state in BUSY

    def start(self, wanted: Wanted) -> str:
        """Begin to learn, and say so. ModelError where that cannot be. Never waits."""
        if self._beside.ended:
            raise ModelError(self.learning.says)
        if self.busy:
            raise ModelError(
                f"train: {name_of(self.learning.slot)} is being learned; wait for it, or cancel it."
            )
        paths = [str(self._folder / path) for path in wanted.paths]
        line = line_of(Order(replace(wanted, paths=paths)))
        if len(line) > LONGEST_LINE:
            raise ModelError(
                f"train: {len(paths)} paths take {len(line)} bytes, expected at most {LONGEST_LINE}."
            )
        if not self._beside.tell(line):
            raise ModelError(AWAY if self._beside.away and not self._beside.ended else ENDED)
        self.learning = Learning("hearing", wanted.slot or None, trainings=wanted.trainings)
        return f"{name_of(wanted.slot or None)} is being learned; the box plays on."

    def cancel(self) -> str:
        """Learn no longer, or let go what is offered; say what comes of it. Never waits."""
        if self.busy:
            self._beside.tell(line_of(Order(None)))
            return f"{name_of(self.learning.slot)} is learned no longer."
        if self.learning.offered is not None:
            slot = self.learning.offered
            self.learning = replace(self.learning, offered=None)
            return f"slot {slot} stays where it is, and what plays goes on."
        return "nothing is being learned."

    def attend(self, playing: Collection[int], held: Collection[int]) -> None:
        """Take in how far it is. `playing` and `held` are the slots that play, and all that the box has.

        A slack job: one read of one pipe, one line decoded. Never waits.
        """
        if self._beside.ended:
            return
        lines = self._beside.lines()
        if lines:
            self._take(lines[-1], playing, held)
        if not self._beside.away:
            self._there_s = self._now()
        elif self._beside.ended:
            self.learning = Learning("failed", self.learning.slot, says=ENDED)
        elif self.busy:
            slot = self.learning.slot
            self.learning = Learning("failed", slot, says=LOST.format(name_of(slot)))
        if self.learning.offered in playing:
            self.learning = replace(self.learning, offered=None)

    def close(self) -> None:
        """End the other process and with it the learning. Safe to call twice."""
        self._beside.close(LEAVES_S)

    def _take(self, line: bytes, playing: Collection[int], held: Collection[int]) -> None:
        """A report says all, so that the last one counts. What was learned and does not play is offered."""
        with contextlib.suppress(msgspec.MsgspecError):
            told = self._reports.decode(line)
            offer = told.state == "done" and told.slot in held and told.slot not in playing
            self.learning = replace(told, offered=told.slot if offer else None)
