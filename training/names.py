"""Reads tempo, bars, meter and feel out of the words of a name. Opens no file and hears no sound."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

TEMPO = (30.0, 300.0)  # BPM that a name may say
LONE_TEMPO = (60.0, 200.0)  # and without the word bpm

_NUMBER = r"(?<![0-9])(?<![0-9][.,])([0-9]{2,3}(?:[.,][0-9]{1,3})?)"
_WORD = r"(?:bpm|b\.p\.m\.?|tempo)"
_GAP = r"[\s_.:=()\[\]-]{0,3}"
_BEFORE = re.compile(_NUMBER + rf"({_GAP}){_WORD}(?:(?![a-z])|(?<=[0-9]bpm))")  # Loop124bpmKit
_AFTER = re.compile(rf"(?<![a-z]){_WORD}({_GAP}){_NUMBER}(?![0-9])")
_TOKEN = re.compile(r"[a-z]+|[0-9]+(?:[.,][0-9]+)?|#|.", re.DOTALL)
_LONE = re.compile(r"[1-9][0-9]{1,2}(?:[.,][0-9]{1,2})?")
_KEY = re.compile(r"[a-g](?:b|is|s|sharp|flat)?(?:m|min|maj|minor|major)?")
_BARS = re.compile(r"(?<![0-9.,])([0-9]{1,2})[\s_-]*bars?(?![a-z])")
_METER = re.compile(r"(?<![0-9])(2|3|4|5|6|7|9|11|12)\s?[-_/:\u2044\u2215]\s?(4|8)(?![0-9])")
_METER_WORD = re.compile(r"time(?! ?stretch)|meter|metre|signature|feel|waltz")
_TRIPLETS = re.compile(r"triplet|shuffle|swung|12\s?[-_/]\s?8(?![0-9])")
_ONE_SHOT = re.compile(r"one[\s_-]?shots?(?![a-z])")

# What a number counts or measures where it is no tempo.
_UNITS = {
    *("s", "sec", "secs", "seconds", "ms", "hz", "khz", "k", "kb", "kbps", "kbs", "mb", "bit", "bits", "db"),
    *("st", "nd", "rd", "th", "x", "inch", "in", "ft", "cm", "mm", "percent", "cents", "semitones"),
    *("bars", "bar", "beats", "loops", "samples", "hits", "sounds", "breaks", "presets", "of"),
}
# What stands before the number of a take or a volume.
_COUNTERS = {
    *("take", "takes", "tk", "no", "nr", "num", "number", "vol", "volume", "part", "pt", "pack", "v", "ver"),
    *("version", "rev", "track", "trk", "preset", "patch", "prog", "program", "disc", "disk", "cd"),
    *("index", "id", "slot", "bank", "bounce", "render", "edit", "copy", "file", "rec", "session", "idea"),
}
_MACHINES = {  # whose numbers would do as a tempo
    *("tr66", "tr77", "cr68", "cr78", "sh101", "juno60", "juno106", "cs60", "cs70", "cs80", "mpc60", "mc101"),
    *("dx100", "cz101", "dr110", "kpr77", "mks70", "mks80", "jp80", "d110", "u87", "km84", "ve100", "vl70"),
}
_SEPARATORS = set(" _-+.()[]{},;~&")


@dataclass(frozen=True)
class Said:
    """What one name says. Nothing is weighed here.

    tempos : BPM with the word bpm or tempo beside them
    numbers : numbers that may be a tempo: BPM, and whether a key or a fraction makes it likely
    meter : beats in a bar and their unit, such as (3, 4); `sure` where a word says that it is one
    """

    tempos: tuple[float, ...] = ()
    numbers: tuple[tuple[float, bool], ...] = ()
    bars: int | None = None
    meter: tuple[int, int] | None = None
    meter_sure: bool = False
    triplets: bool = False
    one_shot: bool = False


def read_name(name: str) -> Said:
    """What a file's or folder's name says, in the spellings of sample packs.

    >>> read_name("Loop_128_Amin").numbers, read_name("808 kick, bpm 92.5, 2 bars").tempos
    (((128.0, True),), (92.5,))
    """
    text = unicodedata.normalize("NFKC", name).lower()
    tempos = _with_word(text)
    bars = _BARS.search(text)
    count = int(bars[1]) if bars else 0
    meter, sure = _meter(text)
    return Said(
        tempos=tempos,
        numbers=() if tempos else _lone(text),
        bars=count if count >= 1 else None,
        meter=meter,
        meter_sure=sure,
        triplets=_TRIPLETS.search(text) is not None,
        one_shot=_ONE_SHOT.search(text) is not None,
    )


def _with_word(text: str) -> tuple[float, ...]:
    """Numbers beside the word bpm. Of two about one word the one that counts nothing, then the nearer."""
    found: dict[int, tuple[tuple[bool, int, int], float]] = {}  # by where the word is: rank, BPM
    for side, pattern in enumerate((_BEFORE, _AFTER)):
        for match in pattern.finditer(text):
            number, gap = (match[1], match[2]) if side == 0 else (match[2], match[1])
            bpm = float(number.replace(",", "."))
            if TEMPO[0] <= bpm <= TEMPO[1]:
                counts = side == 0 and gap != "" and _counted(text[: match.start()])
                rank = (counts, len(gap), side)
                word = match.end(2) if side == 0 else match.start()
                if word not in found or rank < found[word][0]:
                    found[word] = (rank, bpm)
    return tuple(sorted({bpm for _, bpm in found.values()}))


def _counted(before: str) -> bool:
    """Whether the text ends in a word that counts, such as `take` in "take 45 bpm 120"."""
    word = re.search(r"([a-z]+)[\s_.#-]{0,2}$", before)
    return word is not None and word[1] in _COUNTERS


def _lone(text: str) -> tuple[tuple[float, bool], ...]:
    tokens = _TOKEN.findall(text)
    numbers: dict[float, bool] = {}
    for at, token in enumerate(tokens):
        if not _LONE.fullmatch(token):
            continue
        bpm = float(token.replace(",", "."))
        before, glued_before = _neighbour(tokens, at, -1)
        after, _ = _neighbour(tokens, at, +1)
        if not LONE_TEMPO[0] <= bpm <= LONE_TEMPO[1] or before == "#" or before in _COUNTERS:
            continue
        if before + token in _MACHINES:
            continue
        if after in _UNITS or (glued_before and len(before) == 1 and before.isalpha()):  # 96 khz; v120
            continue
        likely = bpm != int(bpm) or (after != "" and _KEY.fullmatch(after) is not None)
        numbers[bpm] = numbers.get(bpm, False) or likely
    return tuple(sorted(numbers.items()))


def _neighbour(tokens: list[str], at: int, side: int) -> tuple[str, bool]:
    """The token beside a number, over separators, and whether there are none between; "" at an end."""
    near = at + side
    while 0 <= near < len(tokens) and abs(near - at) <= 3 and tokens[near] in _SEPARATORS:
        near += side
    return (tokens[near], abs(near - at) == 1) if 0 <= near < len(tokens) else ("", False)


def _meter(text: str) -> tuple[tuple[int, int] | None, bool]:
    if match := _METER.search(text):
        near = text[max(0, match.start() - 12) : match.end() + 12]
        return (int(match[1]), int(match[2])), _METER_WORD.search(near) is not None
    if re.search(r"(?<![a-z])waltz", text):
        return (3, 4), True
    return None, False
