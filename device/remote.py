"""The control socket: takes messages from other processes, without ever waiting for one. Plays nothing.

Each pass does a bounded piece of work: one new client, one read and one write a client, a few answers in
turn, some pieces of a slot that is handed over. A client that sends nonsense is told so; one that sends
without end or never reads is dropped.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from device import messages
from device.box import Box
from device.errors import ModelError, SettingsError
from device.learning import Learning
from device.listening import listen
from device.messages import Answer, Published
from device.outfit import calibrated
from device.output import JACK_OF
from device.sequencer import silent
from device.slot import Slot, unpacking
from device.specs import KNOB_NAMES
from device.stick import Stick
from hw.errors import PanelError

PIECE = 64 * 1024  # bytes read from one client in one pass
ENOUGH_NS = 300_000  # spent in one pass on a slot that is handed over; one piece more may take as long
MOST_LINES = 4  # answered in one pass, over all clients
MOST_CLIENTS = 16
MOST_UNSENT = 256 * 1024  # bytes a client may leave unread before it is dropped
LONG = {b'"load"': messages.LONGEST, b'"adopt"': messages.LONGEST_MEMORY}  # bytes, where it is not plain
ADOPTED = "the box is as it was then; what plays comes in on the next bar line."
encode = msgspec.json.Encoder().encode


class Client:
    """One connection: what came in and has no line end yet, and what waits to be sent."""

    def __init__(self, connection: socket.socket, heard: int):
        connection.setblocking(False)
        self.connection = connection
        self.heard = heard  # grows with every piece that any client sends
        self.received = bytearray()
        self.unsent = b""
        self.watching = False
        self.loads = False  # a slot that it handed over is being taken in: that is answered before all else

    def send(self, answer: Answer) -> None:
        self.unsent += encode(answer) + b"\n"


class Remote:
    """Listens on a Unix socket; `serve` is a slack job, `publish` another. Raises PanelError at the door."""

    def __init__(self, box: Box, path: Path):
        self.box = box
        self.path = path
        self.clients: list[Client] = []
        self._passes = 0
        self._loading: deque[tuple[Client, Iterator[None], Callable[[Any], Answer]]] = deque()
        self.listener = listen(path, "control socket", "FATHOM_SOCKET")
        self._arrivals = select.poll()
        self._arrivals.register(self.listener, select.POLLIN)

    def serve(self) -> None:
        """Take what is there and answer it."""
        if self._arrivals.poll(0):  # asking is cheaper than being refused
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._take(self.listener.accept()[0])
        left = MOST_LINES
        for client in list(self.clients):
            try:
                left -= self._receive(client, left)
                self._send(client)
            except (ConnectionError, OSError):
                self._drop(client)
        self.clients = self.clients[1:] + self.clients[:1]  # the next pass begins with the next client
        self._load()

    def _take(self, connection: socket.socket) -> None:
        if len(self.clients) == MOST_CLIENTS:  # the one that has been silent longest makes room
            self._drop(min(self.clients, key=lambda client: (client.watching, client.heard)))
        self._passes += 1
        self.clients.append(Client(connection, self._passes))

    def publish(self) -> None:
        """Send the state to those who watch; who still has some to read gets none."""
        watchers = [client for client in self.clients if client.watching and not client.unsent]
        if watchers:
            answer = Answer(True, state=state_of(self.box))
            for client in watchers:
                client.send(answer)

    def _load(self) -> None:
        """Take in a slot or a memory that was handed over, piece by piece; then its client is answered."""
        if not self._loading:
            return
        client, pieces, answered = self._loading.popleft()
        now = self.box.engine.time.now
        enough = now() + ENOUGH_NS
        try:
            while now() < enough:
                next(pieces)
        except StopIteration as done:
            answer = answered(done.value)
        except (ModelError, SettingsError) as error:
            answer = Answer(False, error=str(error))
        else:
            self._loading.appendleft((client, pieces, answered))
            return
        client.loads = False
        client.send(answer)

    def _loaded(self, number: int, slot: Slot) -> Answer:
        try:
            return Answer(True, says=self.box.player.load(number, slot))
        except ModelError as error:
            return Answer(False, error=str(error))

    def close(self) -> None:
        for client in list(self.clients):
            self._drop(client)
        self.listener.close()
        self.path.unlink(missing_ok=True)

    def _receive(self, client: Client, most: int) -> int:
        """Answer at most so many lines of a client; return how many. Reads on only when none is left."""
        answered = 0
        if client.loads:
            return 0
        if b"\n" not in client.received:
            if len(client.received) > messages.LONGEST:
                raise ConnectionResetError
            try:
                piece = client.connection.recv(PIECE)
            except BlockingIOError:
                return 0
            if not piece:
                raise ConnectionResetError
            client.received += piece
            self._passes += 1
            client.heard = self._passes
        while answered < most and (end := client.received.find(b"\n")) >= 0:
            line = bytes(client.received[:end])
            del client.received[: end + 1]
            answered += 1
            if line.strip() and (answer := self._answer(client, line)):
                client.send(answer)
            if client.loads:
                break
        return answered

    def _send(self, client: Client) -> None:
        if client.unsent:
            with contextlib.suppress(BlockingIOError):
                client.unsent = client.unsent[client.connection.send(client.unsent) :]
        if len(client.unsent) > MOST_UNSENT:
            raise ConnectionResetError

    def _drop(self, client: Client) -> None:
        client.connection.close()
        self.clients.remove(client)

    def _answer(self, client: Client, line: bytes) -> Answer | None:
        most = next((size for word, size in LONG.items() if word in line[:100]), messages.LONGEST_PLAIN)
        if len(line) > most:
            return Answer(False, error=f"message of {len(line)} bytes, expected at most {most}.")
        try:
            return self._do(client, messages.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Answer(False, error=f"message not understood: {str(error)[:200]}. {messages.KNOWN}")
        except (ModelError, SettingsError, PanelError) as error:
            return Answer(False, error=str(error))

    def _do(self, client: Client, message: messages.Request) -> Answer | None:
        """Do what a message says; None where the answer comes later."""
        box = self.box
        desk, sync = box.desk, box.sync
        match message:
            case messages.Start():
                sync.start()
            case messages.Stop():
                sync.stop()
            case messages.Toggle():
                sync.toggle()
            case messages.Rewind():
                sync.rewind()
            case messages.Locate(beat):
                return Answer(True, says=sync.locate(beat) or None)
            case messages.Panic():
                sync.panic()
            case messages.Quit():
                box.engine.stopping = True
            case messages.Turn(knob, to, by):
                _turn(box, knob, to, by)
            case messages.Set(key, value):
                desk.change(key, value)
            case messages.Get(key):
                return Answer(True, value=desk.value(key))
            case messages.Nudge(key, by):
                desk.nudge(key, by)
            case messages.Slots(numbers):
                desk.choose(numbers)
            case messages.Load(number, blob):
                pieces = unpacking(blob, f"slot {number}")
                self._loading.append((client, pieces, partial(self._loaded, number)))
                client.loads = True
                return None
            case messages.Adopt(settings, held, knobs, voice, numbers):
                taken = box.adopt(settings, held, knobs, voice, numbers)
                self._loading.append((client, taken, lambda _: Answer(True, says=ADOPTED)))
                client.loads = True
                return None
            case messages.Plugged(name, state, files, total, says, folder, fresh):
                told = Stick(name, state, files, total, says)
                return Answer(True, value=desk.sticks.hear(told, folder, fresh, box.player.settings))
            case messages.Backup() | messages.Restore() as asked:
                return Answer(True, says=desk.sticks.ask(str(asked.__struct_config__.tag)))
            case messages.Hold(held):
                desk.hold(held)
            case messages.Record(voice):
                desk.record(None if voice is None else voice - 1)
            case messages.Learn(target):
                box.controls.learn(target)
            case messages.Train(paths, slot, voices, seed, trainings, eager):
                return Answer(True, says=desk.train(paths, slot, voices, seed, trainings, eager))
            case messages.Cancel():
                return Answer(True, says=desk.cancel())
            case messages.Undo() | messages.Redo() as back:
                desk.act(str(back.__struct_config__.tag))
                return Answer(True, says=desk.undone)
            case messages.Panel():
                return Answer(True, value=_panel_of(box))
            case messages.Calibrate(values):
                calibration, wrong = calibrated(values, box.player.settings.cv)
                if wrong:
                    raise SettingsError(" ".join(wrong))
                box.panel.knobs.calibrate(calibration)
            case messages.Memory():
                box.asked_ns = box.engine.time.now()
                return Answer(True, memory=box.memory(), touched=box.touched)
            case messages.Complain(of, says):
                box.complain(of, says)
            case messages.State():
                return Answer(True, state=state_of(box))
            case messages.Watch():
                client.watching = True
            case _:
                desk.act(str(message.__struct_config__.tag))
        return Answer(True)


def state_of(box: Box) -> Published:
    """The state of a running box, as it is published."""
    player, panel, desk, sync = box.player, box.panel, box.desk, box.sync
    pattern, settings = player.pattern, player.settings
    return Published(
        playing=player.playing,
        beat=player.beat,
        bpm=settings.bpm,
        clock=sync.source,
        awaited=sync.awaited or sync.held,
        follows=settings.clock,
        knobs=desk.knobs,
        places=desk.places,
        held=desk.held,
        voice=desk.voice + 1,
        recording=None if desk.recording is None else desk.recording + 1,
        learning=box.controls.learning,
        learned=box.controls.learned,
        undone=desk.undone,
        changes=desk.changes,
        learner=desk.learner.learning if desk.learner else Learning(),
        stick=desk.sticks.now,
        slots=player.ensemble.names,
        waiting=player.waiting,
        hits=pattern.hits.astype(int).tolist(),
        velocities=(pattern.velocities * 127).astype(int).tolist(),
        offsets=(pattern.offsets * 100).round().astype(int).tolist(),
        lengths=[voice.length for voice in settings.voices[: pattern.voices]],
        mutes=[int(silent(settings, voice)) for voice in range(pattern.voices)],
        gates=[box.engine.output.levels[track] for track in JACK_OF],
        health={**box.engine.health.summary(), "skipped": player.skipped},
        ports=[port.name for port in panel.midi if port.system != "memory"],
        notes=[*panel.notes, *box.complaints],
        density=settings.voices[0].density,
    )


def _panel_of(box: Box) -> dict[str, object]:
    """What the parts of the panel say, for who examines or calibrates it."""
    panel = box.panel
    return {
        "name": panel.name,
        "counts": panel.knobs.counts,
        "knobs": panel.knobs.values,
        "cv": panel.knobs.cv,
        "answers": not panel.knobs.complaint,
        "pulled_up": panel.knobs.pulled_up,
        "complaints": panel.complaints,
    }


def _turn(box: Box, name: str, to: float | None, by: float | None) -> None:
    if name not in KNOB_NAMES or (to is None) == (by is None):
        raise PanelError(f"turn: knob {name!r}, expected A, B, C or D, and either `to` or `by`.")
    low, value = (0.0, to) if to is not None else (-1.0, by)
    if value is None or not low <= value <= 1.0:
        raise PanelError(f"{name} {'=' if to is not None else 'by'} {value:g}: expected {low:g} to 1.")
    knob = KNOB_NAMES.index(name)
    place = to if to is not None else box.desk.knobs[knob] + (by or 0.0)
    box.hands.put(knob, min(1.0, max(0.0, place)))
