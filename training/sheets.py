"""Puts pictures and MIDI files of loops where the player wants them. Draws and hears nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath

from training.hear import Heard

LONGEST = 200  # bytes of a name, before what is added to it


class Sheets:
    """Files of one kind, one a loop.

    target : a folder, for files that are called like their loops; or a file, and where there are several
        loops FILE-1, FILE-2 and so on. The folder is made. OSError where it cannot be.
    make : writes one
    """

    def __init__(self, target: Path, several: bool, ending: str, make: Callable[[Heard, Path], None]) -> None:
        self.target, self._several, self._ending, self._make = target, several, ending, make
        self._is_folder = target.is_dir() or not target.suffix
        (target if self._is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        self._names: set[str] = set()
        self._number = 0

    def write(self, heard: Heard) -> None:
        """Write one. OSError where it cannot be written."""
        self._make(heard, self._path(heard))

    def _path(self, heard: Heard) -> Path:
        self._number += 1
        if not self._is_folder:
            return (
                self.target.with_stem(f"{self.target.stem}-{self._number}") if self._several else self.target
            )
        stem = PurePath(heard.file).stem.encode()[:LONGEST].decode(errors="ignore")
        name, again = stem, 1
        while name.casefold() in self._names:  # break.wav and break.flac, or of two folders
            again += 1
            name = f"{stem}-{again}"
        self._names.add(name.casefold())
        return self.target / f"{name}{self._ending}"


def write_midi(heard: Heard, path: Path) -> None:
    """Write the takes of a loop as a MIDI file."""
    from training.midi_file import midi_file  # late: it loads mido

    path.write_bytes(midi_file(heard))


def write_picture(heard: Heard, path: Path) -> None:
    """Draw a loop as a PNG."""
    from training.plot import draw  # late: it loads matplotlib

    draw(heard, path)
