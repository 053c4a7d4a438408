"""Shows how far the learning is, on stderr: a bar where there is a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

REFRESH_S = 0.1


class Quiet:
    """Shows nothing. Base of the others: what they show is given by `__call__`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __call__(self, what: str, done: int, total: int, loss: float | None) -> None:
        """So much of `what` is done: loops, which have no loss, or epochs."""


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
