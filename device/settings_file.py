"""Writes one table of the settings file, and leaves every other line of it as the player wrote it.

>>> text = "bpm = 90  # mine\\n[calibration]\\n# measured\\nA = [1, 2]\\n"
>>> print(with_table(text, "calibration", {"A": [9, 900]}))
bpm = 90  # mine
[calibration]
# measured
A = [9, 900]
<BLANKLINE>
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from device.errors import SettingsError

HEADER = re.compile(r"\s*\[")


def with_table(text: str, table: str, values: Mapping[str, Sequence[float]]) -> str:
    """The text with these keys of a table set, each to a list of numbers; what else it says stays.

    SettingsError where that cannot be done without touching more, or the text is no TOML.
    """
    try:
        before = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise SettingsError(f"settings.toml is not TOML ({error}): mend it first.") from None
    lines = text.splitlines()
    header = re.compile(rf"\s*\[\s*{table}\s*\]\s*(#.*)?$")
    begin = next((number for number, line in enumerate(lines) if header.match(line)), None)
    if begin is None:
        lines += ["", f"[{table}]"] if lines and lines[-1].strip() else [f"[{table}]"]
        begin = len(lines) - 1
    end = next((n for n in range(begin + 1, len(lines)) if HEADER.match(lines[n])), len(lines))
    last = begin  # line of the table after which others go
    left = dict(values)
    for number in range(begin + 1, end):
        key = lines[number].partition("=")[0].strip(" \t\"'")
        last = number if lines[number].strip() else last
        if key in left:
            comment = re.search(r"\s*#.*$", lines[number])
            lines[number] = _line(key, left.pop(key)) + (comment[0] if comment else "")
    lines[last + 1 : last + 1] = [_line(key, value) for key, value in left.items()]
    after = "\n".join(lines) + "\n"
    wanted = {
        **before,
        table: {**_table(before, table), **{key: list(value) for key, value in values.items()}},
    }
    try:
        same = tomllib.loads(after) == wanted
    except (ValueError, RecursionError):
        same = False
    if not same:
        said = "; ".join(_line(key, value) for key, value in values.items())
        raise SettingsError(
            f"settings.toml has {table} in a form that is not changed safely; write it yourself, under "
            f"[{table}], a line each: {said}"
        )
    return after


def _table(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = settings.get(name, {})
    return table if isinstance(table, dict) else {}


def _line(key: str, value: Sequence[float]) -> str:
    return f"{key} = [{', '.join(f'{number:g}' for number in value)}]"
