"""Asks a running engine whether it lives, and tells it a sentence. Never waits for long."""

from __future__ import annotations

import json
import os
import socket
import struct
from pathlib import Path

SOCKET = Path("/run/fathom/control.sock")
WAIT = 2.0  # seconds
LONGEST = 2**20  # bytes of an answer
MOST_SAID = 300  # characters of a sentence


def answers(path: Path) -> int | None:
    """The process that listens at the control socket and answers well; None where there is none."""
    found = _ask(path, {"do": "state"})
    return found[0] if found and found[1].get("ok") is True else None


def tell(path: Path, name: str, text: str, failed: bool) -> bool:
    """Have the box say what became of an update, as it says it of a stick. False where it was not heard."""
    state = "failed" if failed else "done"
    return _ask(path, {"do": "stick", "name": name, "state": state, "says": text[:MOST_SAID]}) is not None


def _ask(path: Path, message: dict[str, str]) -> tuple[int, dict] | None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(WAIT)
            connection.connect(str(path))
            size = struct.calcsize("3i")
            pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
            connection.sendall(json.dumps(message).encode() + b"\n")
            received = b""
            while b"\n" not in received and len(received) < LONGEST:
                piece = connection.recv(64 * 1024)
                if not piece:
                    return None
                received += piece
        told = json.loads(received.partition(b"\n")[0])
        return (pid, told) if isinstance(told, dict) else None
    except (OSError, ValueError):
        return None


def notify(word: str) -> None:
    """Tell systemd, where it asked to be told."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if name:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(word.encode(), "\0" + name[1:] if name.startswith("@") else name)
