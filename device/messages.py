"""What is said over the control socket: one JSON object a line, each of a type. Opens no socket.

{"do": "turn", "knob": "A", "to": 0.25}      -> {"ok": true}
{"do": "set", "key": "bpm", "value": 200}    -> {"ok": true}
{"do": "slots", "slots": [99]}               -> {"ok": false, "error": "slot 99: empty; ..."}
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from device.errors import SettingsError
from device.learning import Learning
from device.settings import spec_of
from device.specs import BOX_SPECS, KNOB_NAMES, SLOTS, VOICES
from device.stick import Stick

LONGEST = 2 * 2**20  # bytes of a line: the largest slot in base64 fits
LONGEST_MEMORY = 256 * 2**10  # of one that holds a memory: every setting of every voice fits
LONGEST_PLAIN = 4096  # of any other


class Message(msgspec.Struct, tag_field="do", forbid_unknown_fields=True, frozen=True):
    """Base of every request: `do` names it."""


class Start(Message, tag="start", frozen=True):
    """Play on from where it stopped."""


class Stop(Message, tag="stop", frozen=True):
    """Silence now."""


class Toggle(Message, tag="toggle", frozen=True):
    """Stop where it plays, start where it does not."""


class Rewind(Message, tag="rewind", frozen=True):
    """Back to the top."""


class Locate(Message, tag="locate", frozen=True):
    """Go on from another beat; stopped, the next start is there."""

    beat: Annotated[float, Meta(ge=0.0, lt=4096.0)]


class Panic(Message, tag="panic", frozen=True):
    """Everything off, on every channel."""


class Quit(Message, tag="quit", frozen=True):
    """End the engine."""


class Turn(Message, tag="turn", frozen=True):
    """Turn a knob, `to` a place 0..1 or `by` a share of its travel; a real one takes over from there."""

    knob: str
    to: float | None = None
    by: float | None = None


class Set(Message, tag="set", frozen=True):
    """Change one setting, by its name in the settings file; also `slot`, and the `voice` that is edited."""

    key: str
    value: Any


class Get(Message, tag="get", frozen=True):
    """Ask for the value of one setting, by its name; also of a knob, `slots` and `voice`."""

    key: str


class Nudge(Message, tag="nudge", frozen=True):
    """Move one setting by so much, within its range."""

    key: str
    by: float


class Slots(Message, tag="slots", frozen=True):
    """Let these slots play from the next bar line."""

    slots: Annotated[list[int], Meta(max_length=64)]


class Next(Message, tag="next", frozen=True):
    """Let the filled slot after the one that plays come in on the next bar line."""


class Generate(Message, tag="generate", frozen=True):
    """Put the four knobs anywhere."""


class Home(Message, tag="home", frozen=True):
    """Put the four knobs where the setting `home` says."""


class Hold(Message, tag="hold", frozen=True):
    """Freeze the pattern while knobs turn, or let it go; without `held` the other of both."""

    held: bool | None = None


class Undo(Message, tag="undo", frozen=True):
    """Take the last change back."""


class Redo(Message, tag="redo", frozen=True):
    """Make again what was taken back last."""


class Tap(Message, tag="tap", frozen=True):
    """Tap the tempo."""


class Record(Message, tag="record", frozen=True):
    """Let the notes that come in over MIDI be the pitch lane of a voice, counted from 1; null ends it."""

    voice: int | None = None


class Learn(Message, tag="learn", frozen=True):
    """Let the next control change that is turned move this; without a target, or an empty one, no longer."""

    target: str = ""


class Train(Message, tag="train", frozen=True):
    """Learn loops into a slot beside the music; what is left out, the settings say.

    Paths that begin at no root lie in the box's folder; without any, what LEARN learns is learned.
    """

    paths: Annotated[list[str], Meta(max_length=64)] = []
    slot: int | None = None
    voices: int | None = None
    seed: int = 1
    trainings: int | None = None
    eager: bool = False


class Cancel(Message, tag="cancel", frozen=True):
    """Learn no longer; where something that was learned is offered, let it lie."""


class Memory(Message, tag="memory", frozen=True):
    """Ask for what has been changed by hand, as it is kept over night."""


class Panel(Message, tag="panel", frozen=True):
    """Ask for what the panel's parts say: counts of the converter, complaints."""


class Calibrate(Message, tag="calibrate", frozen=True):
    """Let counts mean otherwise from now on: keys of the table `calibration`. It writes no file."""

    values: dict[str, Any]


class Complain(Message, tag="complain", frozen=True):
    """Let the player know what is amiss elsewhere, `of` whom, in a sentence; an empty one takes it back."""

    of: Annotated[str, Meta(min_length=1, max_length=40)]
    says: Annotated[str, Meta(max_length=300)] = ""


class Load(Message, tag="load", frozen=True):
    """Hand over a newly learned slot as the bytes of its file, in base64."""

    slot: int
    blob: bytes


class Plugged(Message, tag="stick", frozen=True):
    """Tell what becomes of a stick; `folder` is where its loops are now, `fresh` so many of them are new.

    Where the stick waits, the answer's `value` is what it shall do: "backup", "restore" or "".
    """

    name: str
    state: str
    files: int = 0
    total: int = 0
    says: str = ""
    folder: str = ""
    fresh: int = 0


class Backup(Message, tag="backup", frozen=True):
    """Ask the stick that is in, and has a folder `fathom-backup`, for a backup of this box."""


class Restore(Message, tag="restore", frozen=True):
    """Ask that stick to give back what was backed up on it last."""


class Adopt(Message, tag="adopt", frozen=True):
    """Be as another memory says, without a stop: `settings` as a file gives them, and what was kept.

    `slots` are the numbers that are filled by now; others are no longer there.
    """

    settings: Annotated[dict[str, Any], Meta(max_length=2000)]
    # what was kept over night, each as the file gave it and as it was set
    held: Annotated[dict[str, tuple[Any, Any]], Meta(max_length=2000)]
    knobs: Annotated[list[Annotated[float, Meta(ge=0.0, le=1.0)]], Meta(min_length=4, max_length=4)] | None
    voice: Annotated[int, Meta(ge=0, lt=VOICES)]
    slots: Annotated[list[Annotated[int, Meta(ge=1, le=SLOTS)]], Meta(max_length=64)]


class State(Message, tag="state", frozen=True):
    """Ask for the state, once."""


class Watch(Message, tag="watch", frozen=True):
    """Have the state sent again and again, at most 30 times a second."""


Request = (
    Start
    | Stop
    | Toggle
    | Rewind
    | Locate
    | Panic
    | Quit
    | Turn
    | Set
    | Get
    | Nudge
    | Slots
    | Next
    | Generate
    | Home
    | Hold
    | Undo
    | Redo
    | Tap
    | Record
    | Learn
    | Train
    | Cancel
    | Complain
    | Load
    | Plugged
    | Backup
    | Restore
    | Adopt
    | Panel
    | Calibrate
    | State
    | Memory
    | Watch
)
decode = msgspec.json.Decoder(Request).decode
KINDS = {str(kind.__struct_config__.tag): kind for kind in get_args(Request)}
KNOWN = f"Known are {', '.join(KINDS)}."


def from_words(words: Sequence[str]) -> dict[str, Any]:
    """The message that a few words stand for: a message's name and what it needs, or a setting and a value.

    A value is JSON where it can be read as such, else a word; several are a list. SettingsError where the
    first word is no message and no setting.

    >>> from_words(["bpm", "140"]), from_words(["bpm"]), from_words(["slot", "3"])
    ({'do': 'set', 'key': 'bpm', 'value': 140}, {'do': 'get', 'key': 'bpm'}, {'do': 'slots', 'slots': [3]})
    >>> from_words(["nudge", "voices.density", "-0.1"])
    {'do': 'nudge', 'key': 'voices.density', 'by': -0.1}
    """
    for word in words:
        if not word.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in word):
            raise SettingsError(f"{word!r}: not a text in UTF-8; a file of that name must be renamed first")
    first, rest = words[0], [_value(word) for word in words[1:]]
    if first == "train":
        return _train(words[1:])
    if first in ("slot", "slots"):
        return {"do": "slots", "slots": rest} if rest else {"do": "get", "key": "slots"}
    if (kind := KINDS.get(first)) and not (rest and first in BOX_SPECS):  # `home` is both
        names = kind.__struct_fields__
        if len(rest) > len(names):
            raise SettingsError(f"{first}: words after it: {len(rest)}, expected at most {len(names)}.")
        texts = {"key", "target", "knob"}  # a setting may be called like a number
        given = zip(names, words[1:], rest, strict=False)
        return {"do": first} | {name: word if name in texts else value for name, word, value in given}
    if first in KNOB_NAMES and rest:
        return {"do": "turn", "knob": first, "to": rest[0]}
    several = _is_list(first)
    if not rest:
        return {"do": "get", "key": first}
    value = rest if len(rest) > 1 or (several and not isinstance(rest[0], list)) else rest[0]
    return {"do": "set", "key": first, "value": value}


def _train(words: Sequence[str]) -> dict[str, Any]:
    """What is to be learned: paths, and names with their number.

    >>> _train(["/loops", "slot", "3", "voices", "3"])
    {'do': 'train', 'paths': ['/loops'], 'slot': 3, 'voices': 3}
    """
    message: dict[str, Any] = {"do": "train", "paths": []}
    left = iter(words)
    for word in left:
        if word in Train.__struct_fields__[1:]:
            message[word] = _value(next(left, ""))
            if not isinstance(message[word], int):
                raise SettingsError(f"train: {word}, expected a number after it")
            continue
        message["paths"].append(os.path.abspath(word))  # the box is somewhere else
    return message


def _value(word: str) -> Any:
    try:
        return msgspec.json.decode(word)
    except (msgspec.DecodeError, RecursionError):
        return word


def _is_list(key: str) -> bool:
    """Whether the setting of that name is a list; SettingsError where there is none."""
    if key in (*KNOB_NAMES, "voice") or key.startswith("cc."):
        return False
    try:
        return spec_of(key).most > 0
    except SettingsError:
        raise SettingsError(
            f"{key!r} is neither a setting (bpm, voices.density, voice.1.note) nor a message. {KNOWN}"
        ) from None


class Published(msgspec.Struct, frozen=True):
    """The state of a running box, as a client sees it."""

    playing: bool
    beat: float
    bpm: float
    knobs: list[float]
    slots: list[str]
    waiting: list[str]  # slots that come in on the bar line
    hits: list[list[int]]  # (voices, 32)
    velocities: list[list[int]]  # 0..127
    offsets: list[list[int]]  # hundredths of a step
    lengths: list[int]
    gates: list[int]
    health: dict[str, int]
    ports: list[str]  # MIDI ports that are open
    notes: list[str]
    density: float
    clock: str = "internal"  # what leads: internal, midi, jack or link
    awaited: bool = False  # it waits for a clock
    follows: str = "auto"  # which one is to lead: the setting `clock`
    places: list[float] = []  # knobs with their CV
    held: bool = False
    voice: int = 1  # the one that is edited
    mutes: list[int] = []  # voices that are silent
    recording: int | None = None  # voice whose pitch lane takes notes in
    learning: str = ""  # what the next control change will move
    learned: str = ""  # what was learned last, in a sentence
    undone: str = ""  # what undo or redo has brought back, in a sentence, until the next change
    changes: int = 0  # made since the start
    learner: Learning = Learning()  # how far the learning beside the music is
    stick: Stick = Stick()  # what becomes of the stick that was put in last


class Answer(msgspec.Struct, omit_defaults=True):
    """What comes back: `ok`, and the error in one sentence, what came of it, a value, or the state."""

    ok: bool
    error: str | None = None
    says: str | None = None
    value: Any | UnsetType = UNSET
    memory: dict[str, Any] | None = None
    touched: bool = False  # whether that was ever changed since the start
    state: Published | None = None
