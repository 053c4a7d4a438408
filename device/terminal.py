"""The live display in a terminal: a client of the running box, in a process of its own. Plays nothing.

It reads the state from the control socket, draws it, and turns keys into messages. When it dies the music
goes on; when the box ends, it gives the terminal back.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from device.client import watch
from device.messages import Answer, Published
from device.pattern import STEPS, STEPS_PER_BEAT

CONTROL_KEYS = 6  # of what tcgetattr gives
TURN = 0.02  # of a knob's travel, for one key
TEMPO, DENSITY = 1.0, 0.02  # for one key
NICE = 10  # the display gives way to the engine
LEVELS = " ░▒▓█"  # a hit, by its velocity
LEAN = 8  # hundredths of a step from which a hit is drawn as early or late
SHOWN_S = 5.0  # how long an answer stays on the screen

UP, DOWN = "qwer", "asdf"  # knobs A B C D
HELP = (
    "q w e r  knobs up     a s d f  down     - +  tempo     [ ]  density\n"
    "space  start, stop    0  to the top     1-9  slot     n  next     x  panic\n"
    "ctrl-c  end"
)
ESCAPE = re.compile(rb"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.|.)?")  # arrows and the like, which are no keys of ours


def run(path: Path) -> None:
    """Show the box that listens at `path` until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c ends the box, and the box ends this
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.nice(NICE)
    connection, lines = watch(path)
    decode = msgspec.json.Decoder(Answer).decode
    console = Console()
    error, shown = None, 0.0
    state: Published | None = None
    with _keys() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
        for line in lines:
            answer = decode(line)
            if answer.state is None:
                if not answer.ok:
                    error, shown = answer.error, SHOWN_S
                continue
            state = answer.state
            shown -= 1 / 30
            live.update(draw(state, error if shown > 0 else None), refresh=True)
            for key in keyboard():
                if message := message_for(key):
                    connection.sendall(msgspec.json.encode(message) + b"\n")


def message_for(key: str) -> dict[str, object] | None:
    """The message that a key stands for, or None. It depends on nothing shown: keys may come in a burst.

    >>> message_for("x")
    {'do': 'panic'}
    """
    if key in UP + DOWN:
        by = TURN if key in UP else -TURN
        return {"do": "turn", "knob": "ABCD"[(UP if key in UP else DOWN).index(key)], "by": by}
    if key in "+=-":
        return {"do": "nudge", "key": "bpm", "by": -TEMPO if key == "-" else TEMPO}
    if key in "[]":
        return {"do": "nudge", "key": "voices.density", "by": DENSITY if key == "]" else -DENSITY}
    if key in "123456789":
        return {"do": "slots", "slots": [int(key)]}
    words = {" ": "toggle", "0": "rewind", "x": "panic", "n": "next"}
    return {"do": words[key]} if key in words else None


def draw(state: Published, error: str | None = None) -> RenderableType:
    """The whole screen for one state."""
    return Group(
        Panel(_head(state), title="FATHOM", title_align="left", border_style="cyan"),
        _voices(state),
        _knobs(state),
        *[Text(f"! {text}", style="red") for text in ([error] if error else [])],
        Text(HELP, style="dim"),
        Text(),
        *[Text(f"· {note}", style="yellow") for note in state.notes],
    )


def _head(state: Published) -> Text:
    bar, beat = divmod(max(state.beat, 0.0), 4)
    slots = " + ".join(state.slots)
    coming = f" → {' + '.join(state.waiting)} on the bar" if state.waiting else ""
    late = state.health
    text = Text()
    text.append("▶ " if state.playing else "■ ", style="green" if state.playing else "red")
    text.append(f"{state.bpm:5.1f} BPM   bar {int(bar) + 1:3d}.{int(beat) + 1}   {slots}{coming}\n")
    text.append(
        f"lateness: half < {late['p50_us']} µs, 99 % < {late['p99_us']} µs, worst {late['worst_us']} µs, "
        f"{late['dropped']} dropped   MIDI: {', '.join(state.ports) or 'none'}",
        style="dim",
    )
    return text


def _voices(state: Published) -> Table:
    table = Table.grid(padding=(0, 1))
    step = int(max(state.beat, 0.0) * STEPS_PER_BEAT)
    for voice, hits in enumerate(state.hits):
        length = state.lengths[voice]
        gate = Text("●" if state.gates[voice] else "○", style="bright_green" if state.gates[voice] else "dim")
        cells = Text()
        for place in range(STEPS):
            style = "reverse" if state.playing and place == step % length else ""
            style += "" if place < length else " dim"
            cells.append(_cell(state, voice, place, bool(hits[place])), style=style.strip() or None)
            if place % STEPS_PER_BEAT == STEPS_PER_BEAT - 1 and place < STEPS - 1:
                cells.append("│" if place % 16 == 15 else " ", style="dim")
        table.add_row(Text(f"voice {voice + 1}"), gate, cells)
    lamps = Text("accent ", style="dim")
    lamps.append("● " if state.gates[4] else "○ ", style="bright_yellow" if state.gates[4] else "dim")
    lamps.append("clock ", style="dim")
    lamps.append("●" if state.gates[5] else "○", style="bright_cyan" if state.gates[5] else "dim")
    table.add_row("", "", lamps)
    return table


def _cell(state: Published, voice: int, place: int, hit: bool) -> str:
    """Two characters: how loud, and whether the hit leans early or late."""
    if not hit:
        return "· "
    level = LEVELS[min(4, 1 + state.velocities[voice][place] * 4 // 128)]
    offset = state.offsets[voice][place]
    return level + ("‹" if offset <= -LEAN else "›" if offset >= LEAN else " ")


def _knobs(state: Published) -> Text:
    text = Text("\n")
    for name, value in zip("ABCD", state.knobs, strict=True):
        full = round(value * 10)
        text.append(f" {name} ", style="bold")
        text.append("━" * full, style="cyan")
        text.append("─" * (10 - full), style="dim")
        text.append(f" {value:4.2f} ")
    text.append(f"\n density {state.density:4.2f}\n", style="dim")
    return text


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """A function that gives the keys pressed since it was last called; the terminal is put back after."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    changed = termios.tcgetattr(terminal)
    changed[CONTROL_KEYS][termios.VSUSP] = b"\0"  # none: ctrl-z would stop the music with its gates high
    termios.tcsetattr(terminal, termios.TCSANOW, changed)

    def pressed() -> str:
        keys = b""
        while select.select([terminal], [], [], 0)[0] and len(keys) < 64:
            piece = os.read(terminal, 64)
            if not piece:
                break
            keys += piece
        return ESCAPE.sub(b"", keys).decode("ascii", "ignore")

    try:
        yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
