"""The front door: one `fathom` command. The only file that knows every room; it holds no music and no sums.

Results go to stdout, progress and complaints to stderr. Exit status 0: done; 1: an expected failure, said
in one sentence; 2: wrong words.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the same sums everywhere, and no threads beside the engine

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from device.errors import ModelError, SettingsError
from hw.errors import PanelError
from training.errors import LoopError

DONE, FAILED = 0, 1  # argparse ends with 2
FEW_PATTERNS = 4  # on the whole travel of every knob: then it is worth a word
VERSION = "0.1.0"  # as in pyproject.toml
DISPLAY_VERB, KEEPER_VERB, PATCHBAY_VERB = "_display", "_keep", "_patchbay"  # what `play` runs beside it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `fathom` command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == [DISPLAY_VERB]:
        words = argparse.Namespace(do=_display, socket=given[1])
    elif given[:1] == [KEEPER_VERB]:
        words = argparse.Namespace(do=_keep, socket=given[1], file=given[2])
    elif given[:1] == [PATCHBAY_VERB]:
        words = argparse.Namespace(do=_patchbay, system=given[1])
    else:
        words = _parser().parse_args(given)
    try:
        return words.do(words)
    except (ModelError, SettingsError, PanelError, LoopError) as error:
        _say(str(error))
    except BrokenPipeError:  # who reads the results has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _say(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    except KeyboardInterrupt:
        _say("stopped.")
    return FAILED


# --- verbs -----------------------------------------------------------------------------------------------


def _play(words: argparse.Namespace) -> int:
    from device.play import Options, play

    shown = _is_terminal(sys.stdin, sys.stdout) and not words.no_display
    options = Options(
        panel=words.panel,
        slots=words.slot,
        first=words.first,
        bpm=words.bpm,
        bars=words.bars,
        seed=words.seed,
        tape=words.tape,
        settings=words.settings,
        knobs=words.knobs,
        simulated_time=words.time == "sim",
        fresh=words.fresh,
        display=[sys.executable, str(Path(__file__)), DISPLAY_VERB] if shown else None,
        patchbay=[sys.executable, str(Path(__file__)), PATCHBAY_VERB],
        keeper=[sys.executable, str(Path(__file__)), KEEPER_VERB],
    )
    play(options, _say)
    return DONE


def _display(words: argparse.Namespace) -> int:
    from device.terminal import run

    run(Path(words.socket))
    return DONE


def _keep(words: argparse.Namespace) -> int:
    from device.keeper import run

    return run(Path(words.socket), Path(words.file))


def _patchbay(words: argparse.Namespace) -> int:
    from device.patching import serve

    serve(words.system)
    return DONE


def _hear(words: argparse.Namespace) -> int:
    from training.hear import hear_all

    good = 0
    several = len(words.paths) > 1 or any(path.is_dir() for path in words.paths)
    for heard in hear_all(words.paths, voices=words.voices, sensitivity=words.sensitivity):
        good += heard.ok
        if words.json:
            _print(heard.as_json())
        elif heard.ok:
            print("\n".join(heard.lines()))
        else:
            _say(str(heard.error))
        if heard.ok and words.plot:
            from training.plot import draw

            plot = words.plot
            draw(heard, plot.with_stem(f"{plot.stem}-{good}") if several else plot)
    return DONE if good else FAILED


def _learn(words: argparse.Namespace) -> int:
    from device.home import check_target, store
    from device.slot import pack
    from training.lesson import lesson

    check_target(words.slot)
    with _progress(words.json) as progress:
        learned = lesson(
            words.paths,
            voices=words.voices,
            seed=words.seed,
            trainings=words.trainings,
            architecture=words.architecture,
            epochs=words.epochs,
            progress=progress,
            refused=_say,
        )
    store(words.slot, pack(learned.slot), _say)
    playability = learned.slot.about.playability
    if words.json:
        rejected = [{"file": file, "reason": reason} for file, reason in learned.rejected]
        seconds = {name: round(value, 3) for name, value in learned.seconds.items()}
        report = {"slot": words.slot, "takes": learned.takes, "rejected": rejected, "seconds": seconds}
        summary = learned.slot.summary()
        _print({**report, **{name: summary[name] for name in ("playability", "architecture", "knobs")}})
    else:
        print(f"slot {words.slot}: {learned.takes} takes learned in {learned.seconds['total']:.1f} s")
        print("\n".join(f"  {line}" for line in learned.slot.lines()))
        if max(playability.travel) < FEW_PATTERNS:
            _say("these takes are too few or too much alike for knobs that do much: give it more loops.")
    return DONE


def _decode(words: argparse.Namespace) -> int:
    from device.decoder import read_knobs
    from device.home import load_slot

    slot = load_slot(words.slot)
    lines: Iterator[str] = iter(sys.stdin or []) if words.knobs is None else iter([words.knobs])
    for line in lines:
        if not line.strip():
            continue
        knobs = read_knobs(line)
        scores = slot.decoder.decode(knobs)
        pattern = scores.pattern(words.density)
        if words.json or words.knobs is None:
            _print({"knobs": knobs, "scores": scores.values.tolist(), **pattern.as_lists()})
        else:
            for voice, hits in enumerate(pattern.hits):
                print(f"voice {voice + 1}  " + "".join("x" if hit else "." for hit in hits))
    return DONE


def _render(words: argparse.Namespace) -> int:
    from device.ensemble import Ensemble
    from device.home import load_settings, load_slot
    from device.render import render
    from device.slots import write_safely

    settings, notes = load_settings(words.settings)
    for note in notes:
        _say(note)
    settings = settings.changed("bpm", words.bpm)
    ensemble = Ensemble([load_slot(words.slot)])
    pattern = ensemble.pattern(ensemble.decode(words.knobs), settings)
    write_safely(words.output, render(pattern, settings, words.bars))
    return DONE


def _slots(words: argparse.Namespace) -> int:
    from device.home import hand_over, is_number, load_slot, number_of, slot_folder, store
    from device.slots import read_blob, write_safely

    folder = slot_folder()
    if words.action == "show":
        slot = load_slot(words.slot)
        summary = {"slot": int(words.slot) if is_number(words.slot) else words.slot, **slot.summary()}
        summary["names"] = slot.about.takes
        print(json.dumps(summary, indent=None if words.json else 2))
    elif words.action == "export":
        load_slot(words.slot)  # refuses an empty or damaged one
        write_safely(words.file, folder.path(number_of(words.slot)).read_bytes())
        _say(f"slot {words.slot} is in {words.file}.")
    elif words.action == "import":
        store(words.slot, read_blob(words.file, words.file.name), _say)
        _say(f"slot {words.slot} holds {words.file.name}.")
    elif words.action == "undo":
        number = number_of(words.slot)
        folder.undo(number)
        _say(f"slot {number}: the one before is back.")
        hand_over(number, folder.path(number).read_bytes(), _say)
    else:
        _list_slots(words, folder)
    return DONE


def _list_slots(words: argparse.Namespace, folder: Any) -> None:
    if not folder.filled():
        _say(f"nothing is learned yet in {folder.folder}; the factory slot plays.")
    for number in folder.filled():
        try:
            slot = folder.load(number)
        except ModelError as error:
            _say(str(error))
            continue
        created = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(folder.path(number).stat().st_mtime))
        if words.json:
            _print({"slot": number, "created": created, **slot.summary()})
        else:
            about = slot.about
            voices = "1 voice" if about.voices == 1 else f"{about.voices} voices"
            print(f"slot {number:2d}  {len(about.takes):4d} takes  {voices}  {created}")
            print("         " + "; ".join(slot.lines()))


def _doctor(words: argparse.Namespace) -> int:
    from dataclasses import asdict

    from device.doctor import examine

    well = True
    for finding in examine(words.panel):
        well &= finding.ok or not finding.needed
        if words.json:
            _print(asdict(finding))
        else:
            mark = "ok  " if finding.ok else "FAIL" if finding.needed else "none"
            print(f"{mark}  {finding.check}: {finding.found} {finding.advice}".rstrip())
            for bar in finding.bars():
                print(f"      {bar}")
    return DONE if well else FAILED


def _ctl(words: argparse.Namespace) -> int:
    from device.client import call
    from device.home import socket_path
    from device.messages import from_words

    text = " ".join(words.message)
    if not text.startswith("{"):
        answer = call(socket_path(), from_words(words.message))
        if not answer.get("ok"):
            _say(f"{answer.get('error', 'the box refuses, and does not say why.')}")
            return FAILED
        _print(answer.get("value", answer))
        return DONE
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise PanelError(f'message {text[:40]!r}: not JSON; for example \'{{"do": "start"}}\'.') from None
    answer = call(socket_path(), message)
    _print(answer)
    return DONE if answer.get("ok") else FAILED


def _demo(words: argparse.Namespace) -> int:
    from training.demo import write_demo_loops

    for path in write_demo_loops(words.folder, words.seed):
        print(path)
    return DONE


# --- helpers ---------------------------------------------------------------------------------------------


def _progress(quiet: bool) -> Any:
    from training.progress import Bar, Lines, Quiet

    if quiet:
        return Quiet()
    return Bar() if _is_terminal(sys.stderr) else Lines()


def _print(row: Any) -> None:
    print(json.dumps(row), flush=True)


def _is_terminal(*streams: Any) -> bool:
    """Whether all of these are open and a terminal."""
    return all(stream is not None and stream.isatty() for stream in streams)


def _say(sentence: str) -> None:
    if sys.stderr is None:  # closed: and stdout is for results
        return
    print(sentence, file=sys.stderr, flush=True)


# --- words -----------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fathom", description="Learns rhythm from loops and plays it on a rack."
    )
    parser.add_argument("--version", action="version", version=f"fathom {VERSION}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    play = _verb(verbs, "play", _play, "play until stopped")
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
    play.add_argument("--no-display", action="store_true", help="no live display in the terminal")

    hear = _verb(verbs, "hear", _hear, "say what is heard in loops")
    hear.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    hear.add_argument(
        "--sensitivity", type=_share, default=0.5, metavar="X", help="0 to 1, 0.5 in the middle"
    )
    hear.add_argument("--voices", type=int, choices=(1, 3), default=1, help="3: low, mid and high band")
    hear.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="draw each loop; of several, FILE-1.png and so on"
    )
    hear.add_argument("--json", action="store_true", help="one object a line")

    learn = _verb(verbs, "learn", _learn, "turn loops into a slot")
    learn.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    learn.add_argument("--slot", required=True, metavar="S", help="slot number or file")
    learn.add_argument("--seed", type=_whole, default=1, help="the same loops and seed give the same slot")
    learn.add_argument("--trainings", type=_count, default=1, metavar="K", help="train K and keep the best")
    learn.add_argument(
        "--architecture",
        default="fathom",
        metavar="NAME",
        help="of the network: fathom, deep-steps, paper, paper-1, paper-2 or paper-3",
    )
    learn.add_argument("--voices", type=int, choices=(1, 3), default=1, help="3: low, mid and high band")
    learn.add_argument("--epochs", type=_count, metavar="N", help="default: as the number of takes asks for")
    learn.add_argument("--json", action="store_true", help="one object a line")

    decode = _verb(verbs, "decode", _decode, "patterns for knob positions")
    decode.add_argument("slot", metavar="S", help="slot number or file")
    decode.add_argument(
        "--knobs", metavar="a,b,c,d", help="without it, lines of four numbers are read from stdin"
    )
    decode.add_argument("--density", type=_share, default=0.5, metavar="X", help="0 no hit, 1 every step")
    decode.add_argument("--json", action="store_true", help="one object a line")

    render = _verb(verbs, "render", _render, "the same music as a MIDI file")
    render.add_argument("slot", metavar="S", help="slot number or file")
    render.add_argument("--knobs", type=_four, required=True, metavar="a,b,c,d", help="each 0 to 1")
    render.add_argument("--bars", type=_count, required=True, metavar="N")
    render.add_argument("--bpm", type=float, required=True, help="20 to 300")
    render.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML; default: settings.toml of the box"
    )
    render.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.mid")

    slots = _verb(verbs, "slots", _slots, "list, show, export, import, undo")
    slots.add_argument("--json", action="store_true", help="one object a line")
    after = argparse.ArgumentParser(add_help=False)
    after.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    actions = slots.add_subparsers(dest="action", metavar="ACTION")
    for action, about in (("show", "what a slot holds"), ("undo", "swap a slot with the one before")):
        actions.add_parser(action, help=about, parents=[after]).add_argument("slot", metavar="S")
    export = actions.add_parser("export", help="write a slot to a file", parents=[after])
    export.add_argument("slot", metavar="S")
    export.add_argument("file", type=Path)
    take_in = actions.add_parser("import", help="take a file into a slot", parents=[after])
    take_in.add_argument("file", type=Path, help="a slot file")
    take_in.add_argument("slot", metavar="S")

    doctor = _verb(verbs, "doctor", _doctor, "examine the box")
    doctor.add_argument("--panel", choices=("sim", "pi"), default="sim")
    doctor.add_argument("--json", action="store_true", help="one object a line")

    ctl = _verb(verbs, "ctl", _ctl, "talk to a running box")
    ctl.add_argument(
        "message",
        nargs="+",
        metavar="WORD",
        help="start, stop, toggle, rewind, next, undo, redo, hold, generate, home, tap, panic, quit, state; "
        "a setting and its value (bpm 140; voice.1.density 0.7; A 0.25; slot 3), or alone, to be told it; "
        "learn, and what the next control change is to move; or a JSON message (docs/formats.md)",
    )

    demo = _verb(verbs, "demo", _demo, "make a dozen demo loops")
    demo.add_argument("folder", type=Path, help="where to; drums/ and bass/ are made in it")
    demo.add_argument("--seed", type=_whole, default=1, help="the same seed gives the same loops")
    return parser


def _verb(verbs: Any, name: str, do: Any, about: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    parser.set_defaults(do=do)
    return parser


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
_whole = _number(int, 0, float("inf"), "a whole number from 0 on")
_share = _number(float, 0.0, 1.0, "a number from 0 to 1")


def _four(text: str) -> list[float]:
    from device.decoder import read_knobs

    try:
        return read_knobs(text)
    except ModelError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
