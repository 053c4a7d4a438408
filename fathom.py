"""The front door: one `fathom` command. The only file that knows every room; it holds no music and no sums.

Results go to stdout, progress and complaints to stderr. Exit status 0: done; 1: an expected failure, said
in one sentence; 2: wrong words.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # built in: `signal` takes milliseconds to import
import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the same sums everywhere, and no threads beside the engine
if os.path.basename(sys.argv[0]).startswith("fathom"):  # what comes before `main` leaves nothing behind
    for number in (_signal.SIGINT, _signal.SIGTERM):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, lambda *_: (os.write(2, b"stopped.\n"), os._exit(1)))

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from device import verbs
from device.errors import ModelError, SettingsError
from device.idle import cancellable, give_way
from hw.errors import PanelError
from training.errors import LoopError

if TYPE_CHECKING:  # what runs beside an engine is to be small and quick
    import argparse

DONE, FAILED = 0, 1  # argparse ends with 2
FEW_PATTERNS = 4  # on the whole travel of every knob: then it is worth a word
VERSION = "0.1.0"  # as in pyproject.toml
STICK_VERB = "_stick"  # what the unit of a stick runs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `fathom` command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with cancellable("stopped."):
            words = _words(given)
            return words.do(words) or DONE
    except (ModelError, SettingsError, PanelError, LoopError) as error:
        _say(str(error))
    except BrokenPipeError:  # who reads the results has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _say(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    except KeyboardInterrupt as stop:
        _say(str(stop) or "stopped.")
    return FAILED


def _words(given: list[str]) -> Any:
    """What was asked for, and what does it. The hidden verbs are what `play`, systemd and sticks run."""
    beside = {STICK_VERB: _stick}
    if given and given[0] in beside:
        return SimpleNamespace(do=beside[given[0]], rest=given[1:])
    if given and given[0] in verbs.VERBS:
        return SimpleNamespace(
            do=lambda words: verbs.run(words.verb, words.rest, _self(), _say), verb=given[0], rest=given[1:]
        )
    from device.words import make_parser

    return make_parser(VERBS, VERSION).parse_args(given)


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
        safe=words.safe,
        services=words.services,
        display=[*_self(), verbs.DISPLAY] if shown else None,
        patchbay=[*_self(), verbs.PATCHBAY],
        keeper=[*_self(), verbs.KEEPER],
        learner=[*_self(), verbs.LEARNER],
    )
    play(options, _say)
    return DONE


def _stick(words: argparse.Namespace) -> int:
    from device.stick_run import attend, finish
    from training import copying

    kernel, *after = words.rest
    return finish(kernel) if after else attend(kernel, copying, _say)


def _import(words: argparse.Namespace) -> int:
    from device.stick_run import take_in
    from training import copying

    return take_in(words.folder, copying, _say)


def _backup(words: argparse.Namespace) -> int:
    from device.stick_run import save

    return save(words.folder, _say)


def _restore(words: argparse.Namespace) -> int:
    from device.stick_run import restore, undo

    if (words.folder is None) is not words.undo:
        words.wrong("name the folder that holds fathom-backup, or --undo")
    return undo(_say) if words.undo else restore(words.folder, _say)


def _hear(words: argparse.Namespace) -> int:
    from training.complaints import Complaints
    from training.listen import hear_all
    from training.sheets import Sheets, write_midi, write_picture

    several = len(words.paths) > 1 or any(path.is_dir() for path in words.paths)
    kinds = ((words.plot, ".png", write_picture), (words.midi, ".mid", write_midi))
    sheets = [Sheets(target, several, ending, make) for target, ending, make in kinds if target]
    good, unwritten = 0, False
    with Complaints(_say, refusals=not words.json) as complaints:
        for heard in hear_all(words.paths, _ears(words)):
            good += heard.ok
            complaints(heard)
            if words.json:
                _print(heard.as_json())
            elif heard.ok:
                print("\n".join(heard.lines()), flush=True)
            for sheet in list(sheets) if heard.ok else ():
                try:
                    sheet.write(heard)
                except OSError as error:  # the disk is full, say: the loops are heard all the same
                    _say(f"{error.filename or sheet.target}: {error.strerror}; no more of these are written.")
                    sheets.remove(sheet)
                    unwritten = True
    return DONE if good and not unwritten else FAILED


def _ears(words: argparse.Namespace) -> Any:
    """How this box hears: with its library, and what it has heard before."""
    from device.home import cache_folder
    from training.cache import Cache
    from training.listen import Ears

    cache = None if words.no_cache else Cache(cache_folder())
    return Ears(words.voices, words.sensitivity, _library(), cache)


def _library() -> Any:
    from device.home import library_path
    from training.library import load

    library, notes = load(library_path())
    for note in notes:
        _say(note)
    return library


def _loops(words: argparse.Namespace) -> int:
    from device.home import library_path
    from device.slots import write_safely
    from training.library import alone, decide, save

    if words.action is None:
        library = _library()
        if not library.loops:
            _say("nothing is decided yet; `fathom loops set FILE --bars 2` says that a loop has two bars.")
        rows = sorted(library.loops.items(), key=lambda row: (row[1].name, row[0]))
    else:
        said = {key: getattr(words, key, None) for key in ("bpm", "bars", "shift", "sensitivity")}
        values = {key: value for key, value in said.items() if value is not None}
        if words.action == "set" and not values:
            words.wrong("say what to set: --bpm, --bars, --shift or --sensitivity")
        with alone(library_path()):
            library, rows = decide(_library(), words.action, words.files, values)
            save(library_path(), library, write_safely)
    for content, decision in rows:
        if words.json:
            _print({"content": content, "name": decision.name, **decision.word.values()})
        else:
            print(decision.line(content))
    return DONE


def _learn(words: argparse.Namespace) -> int:
    if not words.eager:
        give_way()
    from device.home import check_file, load_slot, store, target
    from device.slot import pack
    from device.slots import write_safely
    from training.architectures import DEFAULT
    from training.complaints import Complaints
    from training.lesson import lesson
    from training.report import page, trainings_of
    from training.wording import ONE_PATTERN

    if words.report:
        check_file(words.report)
    ears = _ears(words)
    with (
        target(words.slot) as slot,
        cancellable(f"cancelled: slot {slot} is as it was.") as hold,
        _progress(words, slot) as progress,
        Complaints(_say) as complaints,
    ):
        learned = lesson(
            words.paths,
            ears=ears,
            seed=words.seed,
            trainings=words.trainings,
            architecture=words.architecture,
            epochs=words.epochs,
            progress=progress,
            heard=complaints,
        )
        hold()  # what is learned is written and handed over, whoever changes their mind now
        progress.write()
        store(slot, pack(learned.slot), _say)
    playability = learned.slot.about.playability
    if words.json:
        rejected = [{"file": file, "reason": reason} for file, reason in learned.rejected]
        seconds = {name: round(value, 3) for name, value in learned.seconds.items()}
        report = {"slot": slot, "takes": learned.takes, "rejected": rejected, "seconds": seconds}
        summary = learned.slot.summary()
        _print({**report, **{name: summary[name] for name in ("playability", "architecture", "knobs")}})
    else:
        print(f"slot {slot}: {learned.takes} takes learned in {learned.seconds['total']:.1f} s")
        print("\n".join(f"  {line}" for line in learned.slot.lines()))
        if max(playability.travel) < FEW_PATTERNS and words.architecture != DEFAULT:
            _say(ONE_PATTERN)
        elif max(playability.travel) < FEW_PATTERNS:
            _say("these takes are too few or too much alike for knobs that do much: give it more loops.")
    if words.report:
        trainings = trainings_of(learned.learned)
        known = (learned.corpus.takes, learned.heard, trainings, learned.rejected, learned.seconds)
        write_safely(words.report, page(load_slot(slot), *known).encode())
        _say(f"what was learned is shown in {words.report}.")
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
    elif words.action == "report":
        from training.report import page

        write_safely(words.output, page(load_slot(words.slot)).encode())
        _say(f"slot {words.slot} is shown in {words.output}.")
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
    from device.guide import Guide
    from device.walk import jumper_of

    at_terminal = words.panel == "pi" and _is_terminal(sys.stdin, sys.stdout) and not words.json
    guide = Guide() if (at_terminal if words.walk is None else words.walk) else None
    well = True
    for finding in examine(words.panel, guide, [jumper_of(word) for word in words.jumper]):
        well &= finding.ok or not finding.needed
        if words.json:
            _print(asdict(finding))
        else:
            mark = "ok  " if finding.ok else "FAIL" if finding.needed else "none"
            print(f"{mark}  {finding.check}: {finding.found} {finding.advice}".rstrip())
            for bar in finding.bars():
                print(f"      {bar}")
    return DONE if well else FAILED


def _calibrate(words: argparse.Namespace) -> int:
    from device.calibrating import calibrate_box
    from device.guide import Guide

    calibrate_box(Guide(), words.cv_volts)
    return DONE


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


VERBS = {
    "play": _play,
    "hear": _hear,
    "loops": _loops,
    "learn": _learn,
    "decode": _decode,
    "render": _render,
    "slots": _slots,
    "doctor": _doctor,
    "calibrate": _calibrate,
    "ctl": _ctl,
    "demo": _demo,
    "import": _import,
    "backup": _backup,
    "restore": _restore,
}


# --- helpers ---------------------------------------------------------------------------------------------


def _progress(words: argparse.Namespace, slot: str) -> Any:
    from training.progress import Bar, Json, Lines, Quiet

    if words.json or words.progress == "json":
        return Json(slot) if words.progress == "json" else Quiet()
    return Bar() if _is_terminal(sys.stderr) else Lines()


def _self() -> list[str]:
    """The command that is this one."""
    return [sys.executable, str(Path(__file__))]


def _print(row: Any) -> None:
    print(json.dumps(row), flush=True)


def _is_terminal(*streams: Any) -> bool:
    """Whether all of these are open and a terminal."""
    return all(stream is not None and stream.isatty() for stream in streams)


def _say(sentence: str) -> None:
    if sys.stderr is None:  # closed: and stdout is for results
        return
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
