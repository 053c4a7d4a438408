"""The control socket: takes messages from other processes, without ever waiting for one. Plays nothing.

Each pass does a bounded piece of work: one new client, one read and one write a client, a few answers in
turn. A client that sends nonsense is told so; one that sends without end or never reads is dropped.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

import msgspec

from device import messages
from device.engine import Engine
from device.errors import ModelError, SettingsError
from device.messages import Answer, Published
from device.slot import unpack
from hw.errors import PanelError
from hw.panel import Panel
from hw.sim import SimKnobs

PIECE = 64 * 1024  # bytes read from one client in one pass
MOST_LINES = 4  # answered in one pass, over all clients
MOST_CLIENTS = 16
MOST_UNSENT = 256 * 1024  # bytes a client may leave unread before it is dropped
LONGEST_PATH = 107  # bytes, of a Unix socket's name (sun_path)
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

    def send(self, answer: Answer) -> None:
        self.unsent += encode(answer) + b"\n"


class Remote:
    """Listens on a Unix socket; `serve` is a slack job, `publish` another. Raises PanelError at the door."""

    def __init__(self, engine: Engine, path: Path):
        self.engine = engine
        self.path = path
        self.clients: list[Client] = []
        self._passes = 0
        self.listener = _listen(path)

    def serve(self) -> None:
        """Take what is there and answer it."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection = self.listener.accept()[0]
            if len(self.clients) == MOST_CLIENTS:  # the one that has been silent longest makes room
                self._drop(min(self.clients, key=lambda client: (client.watching, client.heard)))
            self._passes += 1
            self.clients.append(Client(connection, self._passes))
        left = MOST_LINES
        for client in list(self.clients):
            try:
                left -= self._receive(client, left)
                self._send(client)
            except (ConnectionError, OSError):
                self._drop(client)
        self.clients = self.clients[1:] + self.clients[:1]  # the next pass begins with the next client

    def publish(self) -> None:
        """Send the state to those who watch; who still has some to read gets none."""
        watchers = [client for client in self.clients if client.watching and not client.unsent]
        if watchers:
            answer = Answer(True, state=state_of(self.engine))
            for client in watchers:
                client.send(answer)

    def close(self) -> None:
        for client in list(self.clients):
            self._drop(client)
        self.listener.close()
        self.path.unlink(missing_ok=True)

    def _receive(self, client: Client, most: int) -> int:
        """Answer at most so many lines of a client; return how many. Reads on only when none is left."""
        answered = 0
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
            if line.strip():
                client.send(self._answer(client, line))
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

    def _answer(self, client: Client, line: bytes) -> Answer:
        if len(line) > messages.LONGEST_PLAIN and b'"load"' not in line[:100]:
            most = messages.LONGEST_PLAIN
            return Answer(False, error=f"message of {len(line)} bytes, expected at most {most}.")
        try:
            return self._do(client, messages.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Answer(False, error=f"message not understood: {str(error)[:200]}. {messages.KNOWN}")
        except (ModelError, SettingsError, PanelError) as error:
            return Answer(False, error=str(error))

    def _do(self, client: Client, message: messages.Request) -> Answer:
        engine, player = self.engine, self.engine.player
        match message:
            case messages.Start():
                engine.start()
            case messages.Stop():
                engine.stop()
            case messages.Toggle():
                engine.stop() if player.playing else engine.start()
            case messages.Rewind():
                engine.rewind()
            case messages.Panic():
                engine.panic()
            case messages.Quit():
                engine.stopping = True
            case messages.Turn(knob, to, by):
                _turn(engine, knob, to, by)
            case messages.Set(key, value):
                player.change(key, value)
            case messages.Nudge(key, by):
                player.nudge(key, by)
            case messages.Slots(numbers):
                player.choose(numbers)
            case messages.Next():
                player.choose_next()
            case messages.Load(number, blob):
                return Answer(True, says=player.load(number, unpack(blob, f"slot {number}")))
            case messages.State():
                return Answer(True, state=state_of(engine))
            case messages.Watch():
                client.watching = True
        return Answer(True)


def state_of(engine: Engine) -> Published:
    """The state of a running box, as it is published."""
    player = engine.player
    pattern = player.pattern
    return Published(
        playing=player.playing,
        beat=player.beat,
        bpm=player.settings.bpm,
        knobs=list(engine.panel.knobs.values[:4]),
        slots=player.ensemble.names,
        waiting=player.waiting,
        hits=pattern.hits.astype(int).tolist(),
        velocities=(pattern.velocities * 127).astype(int).tolist(),
        offsets=(pattern.offsets * 100).round().astype(int).tolist(),
        lengths=[voice.length for voice in player.settings.voices],
        gates=list(engine.output.levels),
        health={**engine.health.summary(), "skipped": player.skipped},
        ports=[port.name for port in engine.panel.midi if port.system != "memory"],
        notes=[*engine.panel.notes, *_complaints(engine.panel)],
        density=player.settings.voices[0].density,
    )


def _complaints(panel: Panel) -> list[str]:
    """What is wrong with the panel at this moment."""
    lost = [port for port in panel.midi if port.errors]
    said = [f"MIDI: {port.errors} messages went nowhere; does {port.system} still run?" for port in lost]
    return [*filter(None, [panel.knobs.complaint]), *said]


def _turn(engine: Engine, name: str, to: float | None, by: float | None) -> None:
    knobs = engine.panel.knobs
    if not isinstance(knobs, SimKnobs):
        raise PanelError(
            "knobs: only those of the simulated panel can be turned from here; turn the real ones."
        )
    if name not in "ABCD" or len(name) != 1 or (to is None) == (by is None):
        raise PanelError(f"turn: knob {name!r}, expected A, B, C or D, and either `to` or `by`.")
    index = "ABCD".index(name)
    place = to if to is not None else knobs.values[index] + (by or 0.0)
    knobs.turn(index, min(1.0, max(0.0, place)))


def _listen(path: Path) -> socket.socket:
    """A listening socket at a path. A dead engine's socket is taken over; a living one's is left alone."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise PanelError(f"control socket {path}: longer than {LONGEST_PATH} bytes; set FATHOM_SOCKET.")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
                    raise PanelError(f"control socket {path}: another Fathom plays there already.")
            path.unlink()
        listener.bind(str(path))
        listener.listen(4)
    except PanelError:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise PanelError(f"control socket {path}: cannot be opened ({error.strerror}).") from None
    return listener
