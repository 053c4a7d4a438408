"""A JACK server of our own, and other processes that listen and talk: real MIDI without a sound card.

Run as a program it is one of them. `midi_helpers.py listen NAME COUNT` connects to the output whose name
holds NAME, says so, and prints what it hears as JSON. `midi_helpers.py talk NAME PERIOD` connects to that
input, says so, reads messages as JSON, sends one each period (in seconds) and prints when, in ns.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SERVER = f"fathom-test-{os.getpid()}"
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG: no server outlives its test, however that ends
PATIENCE_S = 5.0


def need(present: bool, missing: str) -> None:
    """Skip with that sentence where something is missing; fail where the build promised that it is there."""
    if not present and os.environ.get("FATHOM_CI") == "1":
        pytest.fail(missing)
    if not present:
        pytest.skip(missing)


@contextlib.contextmanager
def jack_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A realtime JACK server without a sound card, found by every client of this test and by no one else."""
    need(shutil.which("jackd") is not None, "real MIDI: jackd is not here; install jackd2 to run this test")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", SERVER)
    server = _jackd()
    try:
        yield server
    finally:
        server.send_signal(signal.SIGCONT)  # a test may have stopped it
        server.terminate()
        server.wait(PATIENCE_S)
        if server.returncode == -signal.SIGKILL:
            _free_its_place()
        for left in Path("/dev/shm").glob(f"*{SERVER}_*"):  # by a server that a test has killed
            left.unlink()


def _jackd() -> subprocess.Popen[bytes]:
    command = ["jackd", "-n", SERVER, "-R", "-P", "70", "-d", "dummy", "-r", "48000", "-p", "128"]
    prctl = ctypes.CDLL(None).prctl
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: prctl(DIE_WITH_PARENT, signal.SIGKILL),
    )


def _free_its_place() -> None:
    """JACK has places for eight servers, and one that is killed keeps its own until it runs once more."""
    socket = Path("/dev/shm") / f"jack_{SERVER}_0_0"
    socket.unlink(missing_ok=True)
    again = _jackd()
    until = time.monotonic() + PATIENCE_S
    while not socket.exists() and time.monotonic() < until:
        time.sleep(0.02)
    again.terminate()
    again.wait(PATIENCE_S)


def need_rtmidi() -> None:
    """RtMidi with JACK, for a test over a real server."""
    try:
        import rtmidi
    except ImportError:
        speaks = False
    else:
        speaks = rtmidi.API_UNIX_JACK in rtmidi.get_compiled_api()
    need(speaks, "real MIDI: python-rtmidi with JACK is not here; install fathom[midi] to run this")


def need_library(name: str) -> Any:
    """One of the libraries that connect ports."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        need(False, f"{error}; install fathom[midi] and the library it is for to run this")


def open_when_up(opener: Callable[..., Any], *number: int) -> Any:
    """A port called Fathom, as soon as the server is up."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return opener("Fathom", *number)
        except OSError:  # a PanelError is one
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def listener(name: str, count: int) -> subprocess.Popen[str]:
    """Another process that is connected to the output called `name` and waits for `count` messages."""
    return _start("listen", name, str(count))


def talker(name: str, messages: list[list[int]], period: float) -> subprocess.Popen[str]:
    """Another process that is connected to the input called `name` and sends these; `heard` says when."""
    process = _start("talk", name, str(period))
    assert process.stdin is not None
    process.stdin.write(json.dumps(messages) + "\n")
    process.stdin.flush()
    return process


def _start(*words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, __file__, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "connected\n"
    return process


def heard(process: subprocess.Popen[str]) -> list[Any]:
    """What the listener heard, or when the talker sent."""
    try:
        text, _ = process.communicate(timeout=2 * PATIENCE_S)
    finally:
        process.kill()
        process.communicate()
    return json.loads(text)


def listen(name: str, count: int) -> None:
    import rtmidi

    messages: list[list[int]] = []
    port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="listener")
    port.ignore_types(sysex=False, timing=False, active_sense=False)
    port.set_callback(lambda event, _: messages.append(event[0]))
    port.open_port(find(port, name))
    until = time.monotonic() + PATIENCE_S
    print("connected", flush=True)
    while len(messages) < count and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.05)  # one too many would arrive now
    print(json.dumps(messages), flush=True)
    os._exit(0)  # closing a port that has a callback can wait for the lock that the callback waits for


def talk(name: str, period: float) -> None:
    import rtmidi

    port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="talker")
    port.open_port(find(port, name))
    print("connected", flush=True)
    sent = []
    due = time.monotonic()
    for message in json.loads(sys.stdin.readline()):
        due += period
        time.sleep(max(due - time.monotonic(), 0))
        sent.append(time.monotonic_ns())
        port.send_message(message)
    print(json.dumps(sent), flush=True)
    port.delete()


def find(port: Any, name: str) -> int:
    """The number of the other port whose name holds `name`, once it is there."""
    until = time.monotonic() + PATIENCE_S
    while not (found := [i for i, other in enumerate(port.get_ports()) if name in other]):
        assert time.monotonic() < until, f"no port called {name}"
        time.sleep(0.02)
    return found[0]


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen(sys.argv[2], int(sys.argv[3]))
    else:
        talk(sys.argv[2], float(sys.argv[3]))
