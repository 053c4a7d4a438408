"""Says what is refused, loop by loop, and sums up what would be said too often. Refuses nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Self

from training.hear import Heard

ONE_BY_ONE = 5  # so many of a kind in a folder are said; the rest is counted


class Complaints:
    """Says each sentence once, and of many that are alike in a folder the first few and how many more.

    `refusals`: whether those are said at all.
    """

    def __init__(self, say: Callable[[str], None], refusals: bool = True) -> None:
        self._say, self._refusals = say, refusals
        self._said: set[str] = set()
        self._alike: dict[tuple[str, str], tuple[int, str]] = {}  # by folder and kind: how many, the last

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for (folder, _), (count, reason) in self._alike.items():
            if (more := count - ONE_BY_ONE) > 0:
                self._say(
                    f"{folder}: {more} more {'is' if more == 1 else 'are'} refused like these: {reason}"
                )
        self._alike.clear()

    def __call__(self, heard: Heard) -> None:
        """Say what is to be said of a loop."""
        for note in heard.notes:
            if note not in self._said:
                self._said.add(note)
                self._say(note)
        if heard.reason is None or not self._refusals:
            return
        kind = (str(PurePath(heard.file).parent), re.sub(r"\d[\d.,]*", "#", heard.reason))
        count = self._alike.get(kind, (0, ""))[0] + 1
        self._alike[kind] = (count, heard.reason)
        if count <= ONE_BY_ONE:
            self._say(str(heard.error))
