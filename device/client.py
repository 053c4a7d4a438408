"""Talks to a running box over its control socket, from another process. May wait; the box never does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from hw.errors import PanelError

PIECE = 64 * 1024  # bytes read at once


def call(path: Path, message: dict[str, object], wait: float = 2.0) -> dict[str, object]:
    """Send one message to a running box and return its answer. PanelError where none runs or none answers."""
    with _connect(path, wait) as connection:
        try:
            connection.sendall(msgspec.json.encode(message) + b"\n")
        except OSError:
            raise PanelError(f"{path}: the box does not take this message.") from None
        for line in _lines(connection):
            return msgspec.json.decode(line)
    raise PanelError(f"{path}: the box closed the connection without an answer.")


def watch(path: Path, wait: float = 2.0) -> tuple[socket.socket, Iterator[bytes]]:
    """A connection that gets the state again and again, and its lines."""
    connection = _connect(path, wait)
    connection.settimeout(None)  # a box that was held up is not gone: its end closes the connection
    connection.sendall(b'{"do":"watch"}\n')
    return connection, _lines(connection)


class Talk:
    """A connection on which one question follows another. PanelError where no box runs."""

    def __init__(self, path: Path, wait: float = 2.0) -> None:
        self.connection = _connect(path, wait)
        self._answers = _lines(self.connection)

    def ask(self, message: dict[str, object]) -> dict[str, Any] | None:
        """The answer; None where the box is gone. PanelError where it does not answer."""
        try:
            self.connection.sendall(msgspec.json.encode(message) + b"\n")
        except OSError:
            return None
        line = next(self._answers, None)
        return None if line is None else msgspec.json.decode(line)

    def close(self) -> None:
        self.connection.close()


def _connect(path: Path, wait: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(wait)
    give_up = time.monotonic() + wait
    while True:
        try:
            connection.connect(str(path))
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            raise PanelError(f"no box is running at {path}: start one with `fathom play`.") from None
        except BlockingIOError:  # the box has not yet taken the clients before
            if time.monotonic() > give_up:
                connection.close()
                raise PanelError(f"{path}: the box does not answer.") from None
            time.sleep(0.01)


def _lines(connection: socket.socket) -> Iterator[bytes]:
    received = b""
    while True:
        try:
            piece = connection.recv(PIECE)
        except TimeoutError:
            raise PanelError("the box does not answer.") from None
        except ConnectionError:
            return
        if not piece:
            return
        received += piece
        *whole, received = received.split(b"\n")
        yield from whole
