"""Gathers what is said of a loop's tempo, bars and meter: names, ACID chunk, the player. Hears no sound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from device.pattern import BEATS_PER_BAR
from training.errors import LoopError
from training.names import TEMPO, Said, read_name

MAX_BARS = 32
MISSING_BARS = 0.49  # share of its last bar that a loop may lack

# What a clue adds to the score of a tempo that agrees with it, in natural logarithms of odds.
NAME, FOLDER = 60.0, 6.0  # a file's name is the player's word
NAME_NUMBER, FOLDER_NUMBER = 3.0, 1.5
LIKELY = 2.0  # a key beside the number: as sample packs write it
ACID, ACID_AGREES = 6.0, 3.0  # its tempo; its beats at its tempo last as long as the file
BARS = {"file name": 8.0, "folder name": 1.0}  # a pack of four-bar loops also holds others
METER_SURE, METER = 10.0, 3.0
AGREES = 0.02  # share by which the beats of an ACID chunk may miss the length of the file


@dataclass(frozen=True)
class Clue:
    """A tempo, or a number of beats, and what it adds where it is met."""

    value: float
    score: float
    says: str


@dataclass(frozen=True)
class Clues:
    """All that is said. `decided`: only the tempos named are considered."""

    tempos: list[Clue] = field(default_factory=list)
    beats: list[Clue] = field(default_factory=list)
    threes: Clue | None = None  # the meter is no four: how many quarter beats a bar has
    triplets: bool = False
    one_shot: str = ""
    decided: bool = False


def gather(name: str, folder: str, acid: dict[str, Any] | None, duration_s: float) -> Clues:
    """What names and ACID chunk say of a file that lasts `duration_s`."""
    tempos, beats, meters, one_shot = [], [], [], ""
    by_name = read_name(name)
    by_folder = read_name(folder)
    for said, where, sure, number in (
        (by_name, "file name", NAME, NAME_NUMBER),
        (by_folder, "folder name", FOLDER, FOLDER_NUMBER),
    ):
        tempos += _tempos(said, where, sure, number)
        if said.bars is not None and said.bars <= MAX_BARS:
            beats.append(Clue(said.bars * BEATS_PER_BAR, BARS[where], f"{where} says {bars_of(said.bars)}"))
        if said.meter is not None and said.meter != (12, 8):  # four beats of triplets
            beats_a_bar = said.meter[0] * 4 / said.meter[1]
            score = METER_SURE if said.meter_sure else METER
            meters.append(Clue(beats_a_bar, score, f"{where} says {said.meter[0]}/{said.meter[1]}"))
        if said.one_shot and not one_shot:
            one_shot = f"{where} says one-shot"
    if acid and acid.get("one_shot"):
        one_shot = one_shot or "ACID chunk says one-shot"
    elif acid:
        tempos += _acid_tempos(acid, duration_s)
        if acid["beats"] % BEATS_PER_BAR == 0 and 0 < acid["beats"] <= MAX_BARS * BEATS_PER_BAR:
            beats.append(Clue(acid["beats"], ACID / 2, f"ACID chunk says {acid['beats']} beats"))
        if meter := acid.get("meter"):
            meters.append(Clue(meter[0] * 4 / meter[1], METER, f"ACID chunk says {meter[0]}/{meter[1]}"))
    odd = [clue for clue in meters if clue.value % BEATS_PER_BAR and BEATS_PER_BAR % clue.value]
    return Clues(
        tempos=tempos,
        beats=beats,
        threes=max(odd, key=lambda clue: clue.score) if odd else None,
        triplets=by_name.triplets or by_folder.triplets,
        one_shot=one_shot,
        decided=any(clue.score >= NAME / 4 for clue in tempos),
    )


def _tempos(said: Said, where: str, sure: float, number: float) -> list[Clue]:
    if said.tempos:
        share = sure / len(said.tempos)
        return [Clue(bpm, share, f"{where} says {bpm:.6g} BPM") for bpm in said.tempos]
    return [
        Clue(bpm, (number + LIKELY * likely) / len(said.numbers), f"{where} has the number {bpm:.6g}")
        for bpm, likely in said.numbers
    ]


def _acid_tempos(acid: dict[str, Any], duration_s: float) -> list[Clue]:
    clues = []
    by_beats = 60.0 * acid["beats"] / duration_s
    agree = acid["tempo"] > 0 and abs(by_beats / acid["tempo"] - 1) <= AGREES
    if TEMPO[0] <= acid["tempo"] <= TEMPO[1]:
        score = ACID + ACID_AGREES * agree
        clues.append(Clue(acid["tempo"], score, f"ACID chunk says {acid['tempo']:.4g} BPM"))
    if TEMPO[0] <= by_beats <= TEMPO[1] and not agree:
        clues.append(Clue(by_beats, ACID / 2, f"ACID chunk says {acid['beats']} beats"))
    return clues


def check_word(duration_s: float, bpm: float | None, bars: int | None) -> None:
    """LoopError where what the player says of a loop is out of range, or cannot be true of the file."""
    if bpm is not None and not (math.isfinite(bpm) and TEMPO[0] <= bpm <= TEMPO[1]):
        raise LoopError(f"you say {bpm:g} BPM, expected {TEMPO[0]:.0f} to {TEMPO[1]:.0f}: correct it")
    if bars is not None and not 1 <= bars <= MAX_BARS:
        raise LoopError(f"you say {bars_of(bars)}, expected 1 to {MAX_BARS}: correct it")
    if bars is None:
        return
    if bpm is not None:
        bar_s = 60.0 * BEATS_PER_BAR / bpm
        most = int(duration_s / bar_s + MISSING_BARS)
        if bars > most:
            what = f"you say {bars_of(bars)} at {bpm:.6g} BPM, which last {bars * bar_s:.3f} s"
            way_out = f"say {bars_of(most)} or another tempo" if most else "say a faster tempo"
            raise LoopError(f"{what}, the file lasts {duration_s:.3f} s: {way_out}")
    else:
        shortest_s = bars * 60.0 * BEATS_PER_BAR / TEMPO[1]
        if duration_s < shortest_s:
            what = f"you say {bars_of(bars)}, which last at least {shortest_s:.3f} s at {TEMPO[1]:.0f} BPM"
            raise LoopError(f"{what}, the file lasts {duration_s:.3f} s: say fewer bars")


def bars_of(bars: int) -> str:
    return "1 bar" if bars == 1 else f"{bars} bars"
