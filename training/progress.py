"""Shows how far the learning is, on stderr: a bar where there is a terminal, else a line now and then."""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any, Self

REFRESH_S = 0.1
JSON_S = 0.1  # between two lines for another program


class Quiet:
    """Shows nothing. Base of the others: what they show is given by `__call__`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __call__(self, what: str, done: int, total: int, loss: float | None) -> None:
        """So much of `what` is done: loops, which have no loss, or epochs."""

    def write(self) -> None:
        """What was learned is written now: it is too late to cancel."""


class Lines(Quiet):
    """A line at every tenth."""

    def __init__(self) -> None:
        self._open = sys.stderr is not None
        self._tenth = (-1, "")

    def __call__(self, what: str, done: int, total: int, loss: float | None) -> None:
        tenth = (10 * done // total, what)
        if self._open and tenth != self._tenth:
            self._tenth = tenth
            unit, shown = ("loop", "") if loss is None else ("epoch", f", loss {loss:.4f}")
            print(f"{what}: {unit} {done} of {total}{shown}", file=sys.stderr, flush=True)


class Json(Quiet):
    """For another program: one object a line, at most ten a second, and the first and last of each thing."""

    def __init__(self, slot: str) -> None:
        self._slot = slot
        self._what = ""
        self._next_s = 0.0

    def __enter__(self) -> Self:
        self("hearing", 0, 0, None)
        return self

    def __call__(self, what: str, done: int, total: int, loss: float | None) -> None:
        now = time.monotonic()
        if what == self._what and done < total and now < self._next_s:
            return
        self._what, self._next_s = what, now + JSON_S
        shown = None if loss is None or not math.isfinite(loss) else round(loss, 5)
        row = {"slot": self._slot, "what": what, "done": done, "total": total, "loss": shown}
        if sys.stderr is not None:
            print(json.dumps(row), file=sys.stderr, flush=True)

    def write(self) -> None:
        self("writing", 0, 1, None)


class Bar(Quiet):
    """A progress bar for each thing that is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress: Any = Progress(
            TextColumn("{task.description:>20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            auto_refresh=False,  # no thread beside the music, nor where loops are heard in other processes
        )
        self._tasks: dict[str, Any] = {}
        self._shown_s = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def __call__(self, what: str, done: int, total: int, loss: float | None) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total, loss="")
        shown = "loops" if loss is None else f"loss {loss:.4f}"
        self._progress.update(self._tasks[what], completed=done, loss=shown)
        if done == total or time.monotonic() - self._shown_s > REFRESH_S:
            self._shown_s = time.monotonic()
            self._progress.refresh()
