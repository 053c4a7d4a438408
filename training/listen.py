"""Hears many loops: the player's word first, then what is known already, and the rest in other processes.

It hears none itself. Whatever is wrong with a file, its answer is a sentence, and the others are heard.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from training.cache import Cache, key_of, pack, unpack
from training.errors import LoopError
from training.files import clean, find_loops, read_bytes
from training.hear import SENSITIVITY, Heard, check_voices, hear_bytes, refused
from training.library import BY, Library, content_of
from training.overrides import Word, beside
from training.worker import NICE, Broken, Crew

NAMED, FOUND = b"=", b"?"  # how a loop was come by: only a link that was named is followed


@dataclass(frozen=True)
class Ears:
    """How loops are heard.

    sensitivity : 0..1, and then whatever is said of single loops; None: as is said, else the middle
    cache : what was heard before; None: everything is heard anew
    processes : how many hear at once; None: as many as cores, less one
    """

    voices: int = 1
    sensitivity: float | None = None
    library: Library = field(default_factory=Library)
    cache: Cache | None = None
    processes: int | None = None

    def __post_init__(self) -> None:
        check_voices(self.voices)

    def word(self) -> Word:
        """What the player says with the command itself."""
        return Word(sensitivity=self.sensitivity, by={"sensitivity": "the command"})


class _Answer(msgspec.Struct, array_like=True):
    """What a process says of a loop. `key`: under what it is to be kept, where it is."""

    heard: bytes
    key: str | None = None
    content: str | None = None
    notes: tuple[str, ...] = ()
    overrides: dict[str, int | float | bool] = {}
    cached: bool = False


def hear_all(paths: Iterable[Path | str], ears: Ears | None = None) -> Iterator[Heard]:
    """Hear every loop that the paths name or hold, the refused ones first."""
    named = list(map(Path, paths))
    loops, refusals = find_loops(named)
    yield from (refused(path, reason) for path, reason in refusals)
    yield from hear_found(loops, named, ears or Ears())


def hear_found(loops: Sequence[Path], named: Sequence[Path], ears: Ears) -> Iterator[Heard]:
    """Hear loops that were found, in their order. `named`: those that the player wrote, links among them."""
    followed = set(named)
    jobs = [(NAMED if path in followed else FOUND) + os.fsencode(path) for path in loops]
    nice = NICE if len(jobs) > 1 else 0  # one alone is over before it disturbs
    with Crew(lambda job: _answer(job, ears), ears.processes, nice=nice) as crew:
        for path, answer in zip(loops, crew.run(jobs), strict=True):
            yield _heard(path, answer, ears)
    if ears.cache:
        ears.cache.sweep()


def _heard(path: Path, answer: bytes | Broken, ears: Ears) -> Heard:
    """An answer as what was heard, kept where it is new."""
    if isinstance(answer, Broken):
        return refused(path, clean(answer.reason))
    try:
        said = msgspec.msgpack.decode(answer, type=_Answer)
        heard = unpack(said.heard)
    except (msgspec.DecodeError, ValueError):
        return refused(path, "what was heard made no sense: leave it out")
    if ears.cache and said.key:
        ears.cache.put(said.key, said.heard)
    return replace(
        heard,
        file=clean(str(path)),
        content=said.content,
        notes=said.notes,
        overrides=said.overrides,
        cached=said.cached,
    )


# --- in another process -----------------------------------------------------------------------------------


def _answer(job: bytes, ears: Ears) -> bytes:
    path = Path(os.fsdecode(job[1:]))
    return msgspec.msgpack.encode(_listen(path, job[:1] == NAMED, ears))


def _listen(path: Path, named: bool, ears: Ears) -> _Answer:
    said, notes = beside(path)
    try:
        data = read_bytes(path, follow=named)
    except LoopError as error:
        return _Answer(pack(refused(path, str(error))), notes=tuple(notes))
    content = content_of(data)
    said = ears.word().over(ears.library.word(content).over(said))
    answer = _Answer(b"", None, content, tuple(notes), said.values())
    if said.reject:
        by = said.by["reject"]
        back = "reset" if by == BY else "accept"
        reason = f"rejected, {by} says so: `fathom loops {back}` takes it in"
        answer.heard = pack(refused(path, reason))
        return answer
    sensitivity = SENSITIVITY if said.sensitivity is None else said.sensitivity
    how = {"voices": ears.voices, "sensitivity": sensitivity, "said": said.lines()}
    key = key_of(content, path, **how) if ears.cache else None
    if ears.cache and key and (kept := ears.cache.get(key)) is not None:
        with suppress(ValueError):
            unpack(kept)
            answer.heard, answer.cached = kept, True
            return answer
    answer.heard = pack(hear_bytes(data, path, ears.voices, sensitivity, said))
    answer.key = key
    return answer
