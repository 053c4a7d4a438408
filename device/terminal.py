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
from typing import Any, NamedTuple

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from device.client import watch
from device.learning import BUSY, Learning
from device.messages import Answer, Published
from device.pattern import STEPS, STEPS_PER_BEAT
from device.specs import GATES, KNOB_NAMES

CONTROL_KEYS = 6  # of what tcgetattr gives
TURN = 0.02  # of a knob's travel, for one key
TEMPO, DENSITY = 1.0, 0.02  # for one key
NICE = 10  # the display gives way to the engine
LEVELS = " ░▒▓█"  # a hit, by its velocity
LEAN = 8  # hundredths of a step from which a hit is drawn as early or late
SHOWN_S = 5.0  # how long an answer stays on the screen

UP, DOWN = "qwer", "asdf"  # knobs A B C D
MUTES = "cvbm"  # voices 1 to 4: in one row on most keyboards, whatever the country
WORDS = {
    " ": "toggle",
    "0": "rewind",
    "x": "panic",
    "n": "next",
    "t": "tap",
    "h": "hold",
    "g": "generate",
    "H": "home",
    "u": "undo",
    "U": "redo",
    "l": "train",
    "L": "cancel",
}
HELP = (
    "q w e r  knobs up    a s d f  down    [ ]  density    - +  tempo    t  tap\n"
    "space  start, stop   0  to the top    1-9  slot       n  next       x  panic\n"
    "g  generate   H  home   h  hold   u U  undo, redo     c v b m  mute voices 1-4\n"
    "l  learn the loops      L  cancel that     ctrl-c  end"
)
CLOCKS = {"internal": "its own clock", "midi": "MIDI clock", "jack": "the clock jack", "link": "Ableton Link"}
LED = ("midi", "jack", "link")
AROUND = 15  # lines of the screen that are no voice, no note and no error
FEWEST = 4  # voices that are shown in any terminal
ESCAPE = re.compile(rb"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.|.)?")  # arrows and the like, which are no keys of ours


def run(path: Path) -> None:
    """Show the box that listens at `path` until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c ends the box, and the box ends this
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.nice(NICE)
    connection, lines = watch(path)
    decode = msgspec.json.Decoder(Answer).decode
    console = Console()
    with _keys() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
        said, shown, learned, taught = NOTHING, 0.0, "", ""
        heard: list[Any] = [connection, sys.stdin]
        while True:
            ready = select.select(heard, [], [])[0]
            if sys.stdin in ready:  # at once, or taps would be as uneven as the display
                keys = keyboard()
                if keys is None:
                    heard.remove(sys.stdin)
                for message in filter(None, map(message_for, keys or "")):
                    connection.sendall(msgspec.json.encode(message) + b"\n")
            if connection not in ready:
                continue
            line = next(lines, None)
            if line is None:
                return
            answer = decode(line)
            if answer.error:
                said, shown = Said(answer.error, amiss=True), SHOWN_S
            if answer.state:
                shown -= 1 / 30
                if answer.state.learned not in ("", learned):
                    said, shown = Said(answer.state.learned), SHOWN_S
                learned = answer.state.learned
                learner = answer.state.learner
                if learner.says not in ("", taught):
                    said, shown = Said(learner.says, amiss=learner.state == "failed"), SHOWN_S
                taught = learner.says
                said = said if shown > 0 else NOTHING
                screen = draw(answer.state, said, console.width, console.height)
                live.update(screen, refresh=True)


def message_for(key: str) -> dict[str, object] | None:
    """The message that a key stands for, or None. It depends on nothing shown: keys may come in a burst.

    >>> message_for("x")
    {'do': 'panic'}
    """
    if key in UP + DOWN:
        by = TURN if key in UP else -TURN
        return {"do": "turn", "knob": KNOB_NAMES[(UP if key in UP else DOWN).index(key)], "by": by}
    if key in "+=-":
        return {"do": "nudge", "key": "bpm", "by": -TEMPO if key == "-" else TEMPO}
    if key in "[]":
        return {"do": "nudge", "key": "voices.density", "by": DENSITY if key == "]" else -DENSITY}
    if key in "123456789":
        return {"do": "slots", "slots": [int(key)]}
    if key in MUTES:
        return {"do": "nudge", "key": f"voice.{MUTES.index(key) + 1}.mute", "by": 1}
    return {"do": WORDS[key]} if key in WORDS else None


class Said(NamedTuple):
    """A sentence of the box that is shown for a while."""

    sentence: str = ""
    amiss: bool = False


NOTHING = Said()


def draw(state: Published, said: Said = NOTHING, width: int = 80, height: int = 24) -> RenderableType:
    """The whole screen for one state. Voices that find no room in a low terminal are not shown."""
    doings = [Text(f"» {doing}", style="bright_yellow") for doing in _doings(state)]
    if said.sentence:
        doings.append(
            Text(f"! {said.sentence}", "red") if said.amiss else Text(f"» {said.sentence}", "green")
        )
    notes = [Text(f"· {note}", style="yellow") for note in state.notes]
    lines = sum(-(-len(text) // width) for text in (*doings, *notes))
    return Group(
        Panel(_head(state), title="FATHOM", title_align="left", border_style="cyan"),
        _voices(state, max(FEWEST, height - AROUND - lines)),
        _knobs(state),
        *doings,
        Text(HELP, style="dim"),
        *notes,
    )


def _head(state: Published) -> Text:
    bar, beat = divmod(max(state.beat, 0.0), 4)
    slots = " + ".join(state.slots)
    coming = f" → {' + '.join(state.waiting)} on the bar" if state.waiting else ""
    late = state.health
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("▶ " if state.playing else "■ ", style="green" if state.playing else "red")
    text.append(f"{state.bpm:5.1f} BPM   bar {int(bar) + 1:3d}.{int(beat) + 1}   {slots}{coming}\n")
    text.append(f"{_clock(state)}   voice {state.voice} is edited")
    text.append("   HELD" if state.held else "", style="bright_yellow")
    text.append(
        f"\nlateness: half < {late['p50_us']} µs, 99 % < {late['p99_us']} µs, worst {late['worst_us']} µs, "
        f"{late['dropped']} dropped   MIDI: {', '.join(state.ports) or 'none'}",
        style="dim",
    )
    return text


def _clock(state: Published) -> str:
    """What leads, or what it waits for."""
    if state.awaited:
        return f"waits for {CLOCKS[state.follows] if state.follows in LED else 'the clock'}"
    return f"led by {CLOCKS.get(state.clock, state.clock)}"


def _doings(state: Published) -> list[str]:
    """What goes on besides the music."""
    doings = [f"voice {state.recording} takes notes"] if state.recording else []
    if state.learning:
        doings.append(f"turn what is to move {state.learning}")
    if state.undone:
        doings.append(state.undone)
    learner = state.learner
    if learner.state in BUSY:
        doings.append(_lesson(learner))
    elif learner.offered is not None:
        doings.append(f"slot {learner.offered} is learned; choose it to hear it")
    return doings


def _lesson(learner: Learning) -> str:
    """How far the learning is."""
    of = f" {learner.training} of {learner.trainings}" if learner.state == "training" else ""
    loss = f", loss {learner.loss:.4f}" if learner.loss is not None else ""
    full = round(learner.progress * 10)
    slot = "learning" if learner.slot is None else f"slot {learner.slot}"
    bar = "━" * full + "─" * (10 - full)
    return f"{slot}: {learner.state}{of}{loss}  {bar} {learner.progress:4.0%}"


def _voices(state: Published, room: int) -> Table:
    table = Table.grid(padding=(0, 1))
    step = int(max(state.beat, 0.0) * STEPS_PER_BEAT)
    shown = state.hits[:room]
    for voice, hits in enumerate(shown):
        length, mute = state.lengths[voice], voice < len(state.mutes) and bool(state.mutes[voice])
        cells = Text()
        for place in range(STEPS):
            style = "reverse" if state.playing and place == step % length else ""
            style += " dim" if mute or place >= length else ""
            cells.append(_cell(state, voice, place, bool(hits[place])), style=style.strip() or None)
            if place % STEPS_PER_BEAT == STEPS_PER_BEAT - 1 and place < STEPS - 1:
                cells.append("│" if place % 16 == 15 else " ", style="dim")
        name = Text(
            f"voice{voice + 1:2d}", style="dim" if mute else "bold" if voice + 1 == state.voice else ""
        )
        table.add_row(name, _gate(state, voice, mute), cells)
    lamps = Text("accent ", style="dim")
    lamps.append("● " if state.gates[4] else "○ ", style="bright_yellow" if state.gates[4] else "dim")
    lamps.append("clock ", style="dim")
    lamps.append("●" if state.gates[5] else "○", style="bright_cyan" if state.gates[5] else "dim")
    if len(shown) < len(state.hits):
        lamps.append(f"   {len(shown)} of {len(state.hits)} voices find room here", style="yellow")
    table.add_row("", "", lamps)
    return table


def _gate(state: Published, voice: int, mute: bool) -> Text:
    """The lamp of a voice: a cross where it is silent, nothing where it has no gate."""
    if mute:
        return Text("×", style="dim")
    if voice >= GATES:
        return Text(" ")
    return Text("●" if state.gates[voice] else "○", style="bright_green" if state.gates[voice] else "dim")


def _cell(state: Published, voice: int, place: int, hit: bool) -> str:
    """Two characters: how loud, and whether the hit leans early or late."""
    if not hit:
        return "· "
    level = LEVELS[min(4, 1 + state.velocities[voice][place] * 4 // 128)]
    offset = state.offsets[voice][place]
    return level + ("‹" if offset <= -LEAN else "›" if offset >= LEAN else " ")


def _knobs(state: Published) -> Text:
    text = Text("\n", no_wrap=True, overflow="ellipsis")
    for name, value in zip(KNOB_NAMES, state.knobs, strict=True):
        full = round(value * 10)
        text.append(f" {name} ", style="bold")
        text.append("━" * full, style="cyan")
        text.append("─" * (10 - full), style="dim")
        text.append(f" {value:4.2f} ")
    text.append(f"\n density {state.density:4.2f}", style="dim")
    if state.places and state.places != state.knobs:
        text.append(f"   with CV {'  '.join(f'{place:4.2f}' for place in state.places)}", style="dim")
    text.append("\n")
    return text


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[], str | None]]:
    """A function that gives the keys pressed since it was last called, None where there will be no more.

    The terminal is put back after.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    changed = termios.tcgetattr(terminal)
    changed[CONTROL_KEYS][termios.VSUSP] = b"\0"  # none: ctrl-z would stop the music with its gates high
    termios.tcsetattr(terminal, termios.TCSANOW, changed)

    def pressed() -> str | None:
        keys = b""
        while select.select([terminal], [], [], 0)[0] and len(keys) < 64:
            piece = os.read(terminal, 64)
            if not piece:
                return None
            keys += piece
        return ESCAPE.sub(b"", keys).decode("ascii", "ignore")

    try:
        yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
