"""The words of the command line: verbs, flags and what numbers may be. Does nothing itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from device.errors import ModelError

Verb = Callable[[argparse.Namespace], int]
MOST_BARS = 1000  # of a MIDI file: half an hour at 120 BPM
SEVERAL = "of several FILE-1 and so on, or a folder"


def make_parser(do: Mapping[str, Verb], version: str) -> argparse.ArgumentParser:
    """What reads a command line; its `do` is the function of the verb, which is given what was read."""
    parser = argparse.ArgumentParser(
        prog="fathom", description="Learns rhythm from loops and plays it on a rack."
    )
    parser.add_argument("--version", action="version", version=f"fathom {version}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    play = _verb(verbs, "play", do, "play until stopped")
    play.add_argument("--panel", choices=("sim", "pi"), default="sim", help="simulated, or the box's own")
    play.add_argument(
        "--slot", action="append", default=[], metavar="S", help="slot number or file; again for more"
    )
    play.add_argument(
        "--first",
        action="append",
        default=[],
        type=int,
        metavar="N",
        help="the same, if none is remembered",
    )
    play.add_argument("--bpm", type=float, help="tempo, 20 to 300")
    play.add_argument("--bars", type=_count, help="stop after so many bars")
    play.add_argument("--seed", type=int, help="of everything random while playing")
    play.add_argument("--knobs", type=_four, metavar="a,b,c,d", help="where the simulated knobs stand")
    play.add_argument(
        "--tape", type=Path, metavar="FILE", help="write every change of a jack and MIDI message"
    )
    play.add_argument("--settings", type=Path, metavar="FILE", help="TOML; default: settings.toml of the box")
    play.add_argument("--fresh", action="store_true", help="begin without what was changed by hand before")
    play.add_argument(
        "--time", choices=("real", "sim"), default="real", help="sim: as fast as it goes, exactly"
    )
    play.add_argument("--safe", action="store_true", help="begin with default settings and the factory slot")
    play.add_argument(
        "--services", action="store_true", help="keeper and learner are services: start neither"
    )
    play.add_argument("--no-display", action="store_true", help="no live display in the terminal")

    hear = _verb(verbs, "hear", do, "say what is heard in loops")
    hear.add_argument("paths", nargs="+", type=_path, metavar="PATH")
    _add_ears(hear)
    hear.add_argument("--plot", type=Path, metavar="FILE.png", help="draw each loop; " + SEVERAL)
    hear.add_argument("--midi", type=Path, metavar="FILE.mid", help="the takes as MIDI; " + SEVERAL)
    hear.add_argument("--json", action="store_true", help="one object a line")

    loops = _verb(verbs, "loops", do, "list what you have decided about single loops, or decide it")
    loops.add_argument("--json", action="store_true", help="one object a line")
    after = argparse.ArgumentParser(add_help=False)
    after.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    actions = loops.add_subparsers(dest="action", metavar="ACTION")
    decide = actions.add_parser("set", help="say how a loop is to be heard", parents=[after])
    decide.set_defaults(wrong=decide.error)
    decide.add_argument("--bpm", type=float, help="its tempo, 30 to 300")
    decide.add_argument("--bars", type=int, help="how many bars it has, 1 to 32")
    decide.add_argument(
        "--shift", type=int, metavar="STEPS", help="move its hits, -64 to 64; later is positive"
    )
    decide.add_argument(
        "--sensitivity", type=float, metavar="X", help="0 the plainest hits to 1 every rustle"
    )
    others = {
        "reject": "leave a loop out",
        "accept": "take it in",
        "reset": "hear it as if nothing had been said",
    }
    each = [actions.add_parser(action, help=about, parents=[after]) for action, about in others.items()]
    for each_one in (decide, *each):
        each_one.add_argument(
            "files", nargs="+", metavar="FILE", help="a loop, or the number that `loops` shows"
        )

    learn = _verb(verbs, "learn", do, "turn loops into a slot")
    learn.add_argument("paths", nargs="+", type=_path, metavar="PATH")
    learn.add_argument("--slot", required=True, metavar="S", help="slot number, `free` (the next), or file")
    learn.add_argument("--seed", type=_whole, default=1, help="the same loops and seed give the same slot")
    learn.add_argument("--trainings", type=_count, default=1, metavar="K", help="train K and keep the best")
    learn.add_argument(
        "--architecture",
        default="fathom",
        metavar="NAME",
        help="of the network: fathom, deep-steps, paper, paper-1, paper-2 or paper-3",
    )
    _add_ears(learn)
    learn.add_argument("--epochs", type=_count, metavar="N", help="default: as the number of takes asks for")
    learn.add_argument("--report", type=Path, metavar="FILE.html", help="write a page on what was learned")
    learn.add_argument("--eager", action="store_true", help="do not give way to what else runs")
    learn.add_argument("--progress", choices=("auto", "json"), default="auto", help="on stderr")
    learn.add_argument("--json", action="store_true", help="one object a line")

    decode = _verb(verbs, "decode", do, "patterns for knob positions")
    decode.add_argument("slot", metavar="S", help="slot number or file")
    decode.add_argument(
        "--knobs", metavar="a,b,c,d", help="without it, lines of four numbers are read from stdin"
    )
    decode.add_argument("--density", type=_share, default=0.5, metavar="X", help="0 no hit, 1 every step")
    decode.add_argument("--json", action="store_true", help="one object a line")

    render = _verb(verbs, "render", do, "the same music as a MIDI file")
    render.add_argument("slot", metavar="S", help="slot number or file")
    render.add_argument("--knobs", type=_four, required=True, metavar="a,b,c,d", help="each 0 to 1")
    render.add_argument("--bars", type=_bars, required=True, metavar="N", help=f"1 to {MOST_BARS}")
    render.add_argument("--bpm", type=float, required=True, help="20 to 300")
    render.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML; default: settings.toml of the box"
    )
    render.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.mid")

    slots = _verb(verbs, "slots", do, "list, show, report, export, import, undo")
    slots.add_argument("--json", action="store_true", help="one object a line")
    after = argparse.ArgumentParser(add_help=False)
    after.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    actions = slots.add_subparsers(dest="action", metavar="ACTION")
    for name, about in (("show", "what a slot holds"), ("undo", "swap a slot with the one before")):
        actions.add_parser(name, help=about, parents=[after]).add_argument("slot", metavar="S")
    export = actions.add_parser("export", help="write a slot to a file", parents=[after])
    export.add_argument("slot", metavar="S")
    export.add_argument("file", type=Path)
    report = actions.add_parser("report", help="write a page on what a slot does", parents=[after])
    report.add_argument("slot", metavar="S")
    report.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    take_in = actions.add_parser("import", help="take a file into a slot", parents=[after])
    take_in.add_argument("file", type=Path, help="a slot file")
    take_in.add_argument("slot", metavar="S")

    doctor = _verb(verbs, "doctor", do, "examine the box")
    doctor.add_argument(
        "--panel", choices=("sim", "pi"), default="sim", help="pi: each part of the box's own"
    )
    doctor.add_argument(
        "--walk",
        action=argparse.BooleanOptionalAction,
        help="ask for hands: knobs turned, buttons pressed; default: at a terminal",
    )
    doctor.add_argument(
        "--jumper",
        action="append",
        default=[],
        metavar="OUT:IN",
        help="measure a cable between two jacks, as gate1:clock; again for more",
    )
    doctor.add_argument("--json", action="store_true", help="one object a line")

    calibrate = _verb(verbs, "calibrate", do, "measure the ends of the knobs, and CV at two voltages")
    calibrate.add_argument(
        "--cv-volts", type=_two, default=(0.0, 5.0), metavar="a,b", help="which voltages; 0,5"
    )

    ctl = _verb(verbs, "ctl", do, "talk to a running box")
    ctl.add_argument(
        "message",
        nargs="+",
        metavar="WORD",
        help="start, stop, toggle, rewind, next, undo, redo, hold, generate, home, tap, panic, quit, state; "
        "a setting and its value (bpm 140; voice.1.density 0.7; A 0.25; slot 3), or alone, to be told it; "
        "learn, and what the next control change is to move; train FOLDER slot 3; cancel; "
        "backup or restore, on the stick that is in; "
        "or a JSON message (docs/formats.md)",
    )

    take_in = _verb(verbs, "import", do, "copy the loops of a folder to the box, as a stick's would be")
    take_in.add_argument("folder", type=_path, metavar="FOLDER")

    backup = _verb(verbs, "backup", do, "write all that is the box's own to FOLDER/fathom-backup")
    backup.add_argument("folder", type=_path, metavar="FOLDER")

    restore = _verb(verbs, "restore", do, "let the newest backup in FOLDER/fathom-backup be the box")
    restore.add_argument("folder", type=_path, metavar="FOLDER", nargs="?")
    restore.add_argument("--undo", action="store_true", help="let what was there before come back")
    restore.set_defaults(wrong=restore.error)

    demo = _verb(verbs, "demo", do, "make a dozen demo loops")
    demo.add_argument("folder", type=Path, help="where to; drums/ and bass/ are made in it")
    demo.add_argument("--seed", type=_whole, default=1, help="the same seed gives the same loops")
    return parser


def _verb(verbs: Any, name: str, do: Mapping[str, Verb], about: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    parser.set_defaults(do=do[name])
    return parser


def _add_ears(verb: argparse.ArgumentParser) -> None:
    """What bears on how loops are heard."""
    verb.add_argument(
        "--sensitivity", type=_share, metavar="X", help="0 the plainest hits to 1 every rustle; 0.5"
    )
    verb.add_argument("--voices", type=int, choices=(1, 3), default=1, help="3: low, mid and high band")
    verb.add_argument("--no-cache", action="store_true", help="hear what was heard before once more")


def _number(kind: type, low: float, high: float, expected: str) -> Callable[[str], Any]:
    """What argparse reads a number with: of that kind, within that range."""

    def read(text: str) -> Any:
        try:
            number = kind(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text}: expected {expected}")
        return number

    return read


_count = _number(int, 1, float("inf"), "a whole number from 1 on")
_bars = _number(int, 1, MOST_BARS, f"a whole number from 1 to {MOST_BARS}")
_whole = _number(int, 0, float("inf"), "a whole number from 0 on")
_share = _number(float, 0.0, 1.0, "a number from 0 to 1")


def _two(text: str) -> tuple[float, float]:
    """Two voltages."""
    try:
        low, high = (float(number) for number in text.split(","))
    except ValueError:
        low = high = 0.0
    if not abs(high - low) >= 1 or max(abs(low), abs(high)) > 12:
        raise argparse.ArgumentTypeError(f"{text}: expected two voltages from -12 to 12, at least 1 apart")
    return low, high


def _four(text: str) -> list[float]:
    from device.decoder import read_knobs  # late: it loads numpy

    try:
        return read_knobs(text)
    except ModelError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _path(text: str) -> Path:
    if not text:  # Path makes the folder in which one is of it
        raise argparse.ArgumentTypeError("'': expected a folder or a loop")
    return Path(text)
