"""What is said over the control socket: one JSON object a line, each of a type. Opens no socket.

{"do": "turn", "knob": "A", "to": 0.25}      -> {"ok": true}
{"do": "set", "key": "bpm", "value": 200}    -> {"ok": true}
{"do": "slots", "slots": [99]}               -> {"ok": false, "error": "slot 99: empty; ..."}
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

LONGEST = 2 * 2**20  # bytes of a line: the largest slot in base64 fits
LONGEST_PLAIN = 4096  # bytes of a line that holds no slot

Share = Annotated[float, Meta(ge=-1.0, le=1.0)]


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


class Panic(Message, tag="panic", frozen=True):
    """Everything off, on every channel."""


class Quit(Message, tag="quit", frozen=True):
    """End the engine."""


class Turn(Message, tag="turn", frozen=True):
    """Turn a knob of the simulated panel, `to` a place 0..1 or `by` a share of its travel."""

    knob: str
    to: Share | None = None
    by: Share | None = None


class Set(Message, tag="set", frozen=True):
    """Change one setting, by its name in the settings file."""

    key: str
    value: Any


class Nudge(Message, tag="nudge", frozen=True):
    """Move one setting by so much, within its range."""

    key: str
    by: float


class Slots(Message, tag="slots", frozen=True):
    """Let these slots play from the next bar line."""

    slots: Annotated[list[int], Meta(max_length=16)]


class Next(Message, tag="next", frozen=True):
    """Let the filled slot after the one that plays come in on the next bar line."""


class Load(Message, tag="load", frozen=True):
    """Hand over a newly learned slot as the bytes of its file, in base64."""

    slot: int
    blob: bytes


class State(Message, tag="state", frozen=True):
    """Ask for the state, once."""


class Watch(Message, tag="watch", frozen=True):
    """Have the state sent again and again, at most 30 times a second."""


Request = (
    Start | Stop | Toggle | Rewind | Panic | Quit | Turn | Set | Nudge | Slots | Next | Load | State | Watch
)
decode = msgspec.json.Decoder(Request).decode
KNOWN = "Known are " + ", ".join(str(kind.__struct_config__.tag) for kind in get_args(Request)) + "."


class Published(msgspec.Struct, frozen=True):
    """The state of a running box, as a client sees it."""

    playing: bool
    beat: float
    bpm: float
    knobs: list[float]
    slots: list[str]
    waiting: list[str]  # slots that come in on the bar line
    hits: list[list[int]]  # (4, 32)
    velocities: list[list[int]]  # (4, 32), 0..127
    offsets: list[list[int]]  # (4, 32), hundredths of a step
    lengths: list[int]
    gates: list[int]
    health: dict[str, int]
    ports: list[str]  # MIDI ports that are open
    notes: list[str]
    density: float
    error: str | None = None


class Answer(msgspec.Struct, omit_defaults=True):
    """What comes back: `ok`, and the error in one sentence, what came of it, or the state."""

    ok: bool
    error: str | None = None
    says: str | None = None
    state: Published | None = None
