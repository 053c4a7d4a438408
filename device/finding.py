"""What an examination finds: one line, and one piece of advice. Examines nothing."""

from __future__ import annotations

from dataclasses import dataclass

BAR_CELLS = 40  # of the longest bar of a histogram


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is well, what was found and what to do.

    A box plays without what is not `needed`. A `histogram` is (upper edge in microseconds, count), rising.
    """

    check: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = True
    histogram: list[tuple[int, int]] | None = None

    def bars(self) -> list[str]:
        """The histogram as lines of text, one for every doubling; whatever was counted shows."""
        octaves: dict[int, int] = {}
        for upper, count in self.histogram or []:
            edge = 1 << (upper - 1).bit_length()
            octaves[edge] = octaves.get(edge, 0) + count
        longest = max(octaves.values(), default=0)
        return [
            f"within {edge:6d} us  {'#' * -(-count * BAR_CELLS // longest):{BAR_CELLS}s}  {count}"
            for edge, count in octaves.items()
        ]
