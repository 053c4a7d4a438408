"""Puts a running box together: slots, settings, panel, engine, socket, display. Decides nothing musical."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from device import home
from device.beside import Beside, Child, Service
from device.box import Box
from device.cabling import Cabling
from device.engine import Engine
from device.ensemble import Ensemble
from device.errors import ModelError
from device.home import is_number
from device.journal import Journal
from device.keeper import recall, save
from device.learner import Learner
from device.locks import alone, playing_alone
from device.memory import Memory, digest, pack
from device.patching import Patching
from device.pattern import BEATS_PER_BAR
from device.player import Player
from device.realtime import claim
from device.remote import Remote
from device.services import remembering, supervised
from device.settings import Settings
from device.slack import Job
from device.slot import Slot
from device.slots import FACTORY, load_file
from device.specs import VOICES
from device.tape import Tape
from hw.errors import PanelError
from hw.link import Link
from hw.panel import Knobs, Panel, open_panel
from hw.patchbay import Wish
from hw.sim import SimKnobs
from hw.table import DIN
from hw.timing import RealTime, SimTime

LEAVE_SCREEN = "\x1b[?1049l\x1b[?25h"  # xterm: the ordinary screen, and the cursor shown
PUBLISH_MS = 34  # at most 30 times a second
KEEPER_ENDS_S = 5.0  # how long it may take to write to a slow card
DISPLAY_LEAVES_S = 2.0  # how long the display may take to give the terminal back
RECALL_S = 5.0  # how long a keeper's hand at the state file is waited for
SAFE_BUTTON = "SHIFT"  # held while the box is switched on
SAFE = (
    "Safe start: default settings and the factory slot play; what was remembered is left alone until you "
    "change something."
)


@dataclass(frozen=True)
class Options:
    """What the front door was asked for."""

    panel: str = "sim"
    slots: Sequence[str] = ()
    first: Sequence[int] = ()  # slots to begin with where none are named, set or remembered
    bpm: float | None = None
    bars: int | None = None
    seed: int | None = None
    tape: Path | None = None
    settings: Path | None = None
    knobs: Sequence[float] | None = None
    simulated_time: bool = False
    fresh: bool = False  # begin with the settings file, whatever is remembered
    display: Sequence[str] | None = None  # command of the live display; None: none
    patchbay: Sequence[str] | None = None  # command of the patch bay; None: MIDI is connected by hand
    keeper: Sequence[str] | None = None  # command of the state keeper; None: nothing is remembered
    learner: Sequence[str] | None = None  # command of what starts the learning; None: nothing is learned here
    services: bool = False  # keeper and learner are services, which systemd starts: neither is started here
    safe: bool = False  # begin with default settings and the factory slot


@dataclass(frozen=True)
class Found:
    """What a box begins with."""

    origin: Settings  # of the file
    settings: Settings
    memory: Memory
    library: dict[int, Slot]
    slots: list[Slot]
    notes: list[str]


def play(options: Options, say: Callable[[str], None]) -> None:
    """Play until stopped or for so many bars. `say` takes sentences for the player."""
    with contextlib.ExitStack() as stack:
        _play(options, say, "" if options.simulated_time else _others(options, stack))


def _play(options: Options, say: Callable[[str], None], shares: str) -> None:
    """The same; `shares` is what is said where another plays with this folder."""
    found = _find(options, options.safe)
    outfit, faults = home.load_outfit(options.settings, found.origin.cv)
    if options.tape and options.tape.is_fifo():
        raise PanelError(f"{options.tape}: a pipe can hold up the box; write the tape to a file.")
    tape = Tape(options.tape) if options.tape else None
    time = SimTime() if options.simulated_time else RealTime()
    panel = open_panel(
        options.panel,
        midi_port=None if options.simulated_time else "Fathom",
        time=time,
        outputs=len(found.settings.midi_out),
        inputs=len(found.settings.midi_in),
        din=(_place(DIN, found.settings.midi_out), _place(DIN, found.settings.midi_in)),
        wiring=outfit.wiring,
        calibration=outfit.calibration,
    )
    panel.faults += faults
    safe = options.safe or SAFE_BUTTON in panel.buttons.held()
    if safe and not options.safe:
        found = _find(options, safe)
    settings, ensemble = found.settings, Ensemble(found.slots)
    panel.notes[:0] = [*found.notes, *_voices_note(ensemble), *([shares] if shares else [])]
    if settings.clock == "link":
        _join_link(panel, settings.bpm)
    last = options.bars * BEATS_PER_BAR if options.bars else float("inf")
    try:
        if options.knobs is not None:
            _turn(panel.knobs, options.knobs)
        player = Player(time, ensemble, settings, found.library, panel.knobs.values, last)
        box = Box(panel, time, player, tape, found.memory, found.origin, options.knobs)
        box.safe = SAFE if safe else ""
        engine = box.engine
        _note_faults(engine)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_signals(engine))
            remote = None if options.simulated_time or shares else _serve(box, stack)
            if not options.simulated_time and options.patchbay:
                _connect(box, options.patchbay, stack)
            if remote and options.services:
                stack.enter_context(remembering(box, home.state_path(), say))
                _teach(box, Service(home.learner_path()), stack)
            elif remote:
                stack.enter_context(_keeper(options.keeper, remote, box, say))
                if options.learner:
                    _teach(box, Child([*options.learner, str(home.slot_folder().folder)]), stack)
            if remote and options.display:
                stack.enter_context(_display(options.display, remote))
                panel.notes += claim()
            else:
                panel.notes += [] if options.simulated_time else claim()
                faults = panel.faults if options.simulated_time else []  # else the journal tells them
                for note in [*([SAFE] if safe else []), *panel.notes, *faults]:
                    say(note)
                if not options.simulated_time:
                    _keep_journal(box)
                say(f"playing {', '.join(ensemble.names)} at {settings.bpm:g} BPM; Ctrl-C stops.")
            stack.enter_context(supervised(box))
            box.sync.start()
            engine.run()
    finally:
        panel.close()
        whole = tape.close() if tape else True
    say(_summary(engine))
    if not whole:
        raise PanelError(f"{options.tape}: the tape could not be written whole (is the disk full?).")


def _others(options: Options, stack: contextlib.ExitStack) -> str:
    """Be the only engine of this folder; PanelError where one plays already.

    One that writes a tape may play beside it, but keeps its hands off all that is shared; it says so.
    """
    try:
        stack.enter_context(playing_alone(home.home()))
    except PanelError as error:
        if options.tape is None:
            raise
        return f"{error} This one plays without display, keys and ctl."
    return ""


def _find(options: Options, safe: bool) -> Found:
    """Settings, memory and slots to begin with. A `safe` start reads none of the player's own."""
    origin, notes = home.load_settings(options.settings)
    notes += [] if options.simulated_time else home.storage_notes()
    settings, memory = (Settings() if safe else origin), Memory()
    if not (safe or options.simulated_time or options.fresh):
        with alone(home.home(), RECALL_S):
            memory, said = recall(home.state_path())
        settings, complaints = memory.over(origin)
        notes += said + complaints
        if memory.settings or memory.knobs:
            notes.append("It plays as it was left; `fathom play --fresh` begins without that.")
    for key, value in (("bpm", options.bpm), ("seed", options.seed)):
        if value is not None:
            settings = settings.changed(key, value)
    library, slots, complaints = gather(options.slots, settings.slots or options.first, safe)
    return Found(origin, settings, memory, library, slots, notes + complaints)


def _voices_note(ensemble: Ensemble) -> list[str]:
    if ensemble.voices <= VOICES:
        return []
    return [f"the slots have {ensemble.voices} voices, the box plays {VOICES}: the last stay silent."]


def gather(
    named: Sequence[str], usual: Sequence[int] = (), safe: bool = False
) -> tuple[dict[int, Slot], list[Slot], list[str]]:
    """Every good slot of the box by number, the slots that play, and what is to be said of bad ones.

    Those that were `named` play, else the `usual` ones; where it is to be `safe`, the factory's. A number
    falls back to the slot before and then to the factory's; a file that was named must be good.
    """
    wanted = list(named) or [str(number) for number in ([] if safe else usual)]
    folder = home.slot_folder()
    library: dict[int, Slot] = {}
    unread: list[str] = []
    try:
        filled = folder.filled()
    except OSError as error:  # a card that cannot be read any more
        unread.append(f"{folder.folder}: {error.strerror}. The factory slot plays.")
        filled, wanted = [], [word for word in wanted if not is_number(word)]
    for number in filled:
        try:
            library[number] = folder.load(number)
        except ModelError as error:
            if str(number) not in wanted:
                unread.append(str(error))
    slots, notes = [], unread
    for word in wanted:
        if not is_number(word):
            slots.append(load_file(Path(word), Path(word).name))
            continue
        number = int(word)
        folder.path(number)  # refuses a number that the panel does not have
        if number not in library:
            library[number], note = folder.last_good(number)
            notes += [note] if note else []
        slots.append(library[number])
    if not slots:
        if not library:
            library[1] = load_file(FACTORY, "factory slot")  # what is learned into slot 1 takes its place
            safe = False
        slots = [load_file(FACTORY, "factory slot") if safe else library[min(library)]]
    return library, slots, notes


def _join_link(panel: Panel, bpm: float) -> None:
    """Join an Ableton Link session; a box without one plays on, and says so."""
    try:
        panel.link = Link(bpm, enabled=True)
    except PanelError as error:
        panel.notes.append(f"{error} The box plays by its own clock.")


def _connect(box: Box, command: Sequence[str], stack: contextlib.ExitStack) -> None:
    """Keep the MIDI ports connected with what the settings name."""
    own = [*(port.listed for port in box.panel.midi), *(port.listed for port in box.panel.inputs)]

    def start(system: str, wishes: list[Wish]) -> Patching:
        return Patching(Child([*command, system]), own, wishes)

    engine = box.engine
    box.cabling = Cabling(box.panel, engine.output, box.player.settings, start)
    stack.callback(box.cabling.close)
    engine.slack.jobs.append(Job(box.attend_cables, every_ms=100, worst_us=500))


def _teach(box: Box, beside: Beside, stack: contextlib.ExitStack) -> None:
    """Let loops be learned beside the music."""
    learner = box.desk.learner = Learner(beside, home.home().absolute())
    box.desk.sticks.latest = home.latest_loops()
    stack.callback(learner.close)
    box.engine.slack.jobs.append(Job(box.attend_learner, every_ms=100, worst_us=500))


def _keep_journal(box: Box) -> None:
    """Let what is wrong while it plays be told on stderr too: no display shows it."""
    journal = Journal(lambda: box.complaints, box.engine.time.now)
    box.engine.slack.jobs.append(Job(journal.attend, every_ms=250, worst_us=300))


def _serve(box: Box, stack: contextlib.ExitStack) -> Remote | None:
    """Open the control socket; a box without one plays on, and says so."""
    try:
        remote = Remote(box, home.socket_path())
    except PanelError as error:
        box.panel.notes.append(f"{error} This one plays without display, keys and ctl.")
        return None
    stack.callback(remote.close)
    engine = box.engine
    engine.slack.jobs.append(Job(remote.serve, every_ms=4, worst_us=1500))
    engine.slack.jobs.append(Job(remote.publish, every_ms=PUBLISH_MS, worst_us=500))
    return remote


def _note_faults(engine: Engine) -> None:
    """Let a fault in a slack job be a sentence for the player, once, and not the end of the music."""
    known: set[Job] = set()

    def note(job: Job, error: Exception) -> None:
        if job not in known:
            known.add(job)
            name = getattr(job.do, "__qualname__", "a job")
            engine.panel.notes.append(f"{name} failed ({type(error).__name__}: {error}); the music goes on.")

    engine.slack.on_fault = note


@contextlib.contextmanager
def _signals(engine: Engine) -> Iterator[None]:
    """Let Ctrl-C, a service's stop and a closed terminal end the music in good order."""

    def stop(number: int, frame: object) -> None:
        engine.stopping = True

    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # ctrl-z would leave gates high and notes on
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _keeper(
    command: Sequence[str] | None, remote: Remote, box: Box, say: Callable[[str], None]
) -> Iterator[None]:
    """Run the state keeper beside the engine; tell it in the end what is to be remembered."""
    if command is None:
        yield
        return
    file, began = home.state_path(), digest(box.memory())
    child = None
    with contextlib.suppress(OSError):
        child = subprocess.Popen(
            [*command, str(remote.path), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a display may be on it; the status tells
            start_new_session=True,
        )
        assert child.stdin is not None
        child.stdin.write(f"{began}\n".encode())
        child.stdin.flush()
        box.engine.slack.jobs.append(Job(_missed(box, child), every_ms=1000, worst_us=100))
    try:
        yield
    finally:
        memory = box.memory()
        if not _kept(child, memory) and digest(memory) != began:  # the music is over, the disk may take long
            try:
                save(file, pack(memory))
            except OSError as error:
                say(f"{file}: {error.strerror}. What was changed by hand is not remembered.")


def _missed(box: Box, child: subprocess.Popen[bytes]) -> Callable[[], None]:
    """Say once that the state keeper is gone. A slack job."""

    def look() -> None:
        if child.returncode is None and child.poll() is not None:
            box.panel.notes.append(
                "The state keeper ended: what is changed by hand is kept when the box ends as it should."
            )

    return look


def _kept(child: subprocess.Popen[bytes] | None, memory: dict[str, Any]) -> bool:
    """Whether the keeper has kept what the box says last; where it takes long, it is left to it."""
    if child is None:
        return False
    try:
        child.communicate(msgspec.json.encode(memory), timeout=KEEPER_ENDS_S)
    except subprocess.TimeoutExpired:
        return True
    return child.returncode == 0


@contextlib.contextmanager
def _display(command: Sequence[str], remote: Remote) -> Iterator[None]:
    """Run the live display beside the engine; give the terminal back as it was, whatever became of it."""
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    child = subprocess.Popen([*command, str(remote.path)])
    try:
        yield
    finally:
        remote.close()  # the display ends when the box no longer answers
        try:
            child.wait(DISPLAY_LEAVES_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.returncode:  # it had no time to leave the screen as it was
            sys.stdout.write(LEAVE_SCREEN)
            sys.stdout.flush()
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _place(word: str, words: Sequence[str]) -> int | None:
    return list(words).index(word) if word in words else None


def _turn(knobs: Knobs, places: Sequence[float]) -> None:
    if not isinstance(knobs, SimKnobs):
        raise PanelError("--knobs: only the simulated panel's knobs can be set; turn the real ones.")
    for knob, place in enumerate(places):
        knobs.turn(knob, place)


def _summary(engine: Engine) -> str:
    health = engine.health.summary()
    bars = round(engine.player.played / BEATS_PER_BAR, 1)
    lost = f"{health['dropped']} hits dropped" if health["dropped"] else "nothing dropped"
    if engine.player.skipped:
        lost += f", {engine.player.skipped} steps skipped in stalls"
    return (
        f"played {bars:g} bars, {health['writes']} writes: half within "
        f"{health['p50_us']} us, 99 % within {health['p99_us']} us, worst {health['worst_us']} us, {lost}. "
        "Every gate is low and every note off."
    )
