"""Opens virtual MIDI ports by name. Carries no message.

On Linux a port belongs to the kernel's sequencer (ALSA) where there is one, else to a running JACK server.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hw.errors import PanelError
from hw.jack_server import JackServer

SEQUENCER = "/dev/snd/seq"
NO_SEQUENCER = (
    f"There is no ALSA sequencer either ({SEQUENCER} is absent): load it with `sudo modprobe snd-seq`, "
    "or, where the kernel has none, start JACK (`jackd -d dummy`)."
)
BADBIT = 1  # of std::ios_base::iostate
OUT, IN = "out", "in"  # listed as `Fathom:out` and `Fathom:in`
QUEUE = 4096  # messages that an input holds, 32 bytes each: more than a DIN cable brings in three seconds
HAS_WHEEL = sys.version_info < (3, 13)  # python-rtmidi 1.5.8 was built for 3.12 and below


@dataclass
class MidiPort:
    """A virtual port of RtMidi that is open, and the JACK server it belongs to, if it does."""

    name: str  # on the panel
    listed: str  # where others look for ports: "client:port"
    system: str
    rtmidi: Any
    server: JackServer | None = None

    def close(self) -> None:
        with quiet():
            self.rtmidi.delete()  # an output waits until JACK has taken what was sent, a second at the most
            if self.server is not None:
                self.server.close()


def open_midi_port(way: str, name: str, number: int = 0) -> MidiPort:
    """A virtual port, `OUT` or `IN`, of the client `name`; where there are several, with a number from 1 on.

    Raises PanelError with a sentence that says what is missing and what to install.
    """
    rtmidi, api, system = output_system()
    port = f"{way} {number}" if number else way
    client = name
    server = None
    before: set[str] = set()
    try:
        with quiet():
            if system == "JACK":
                if port != OUT:
                    client = f"{name} {port}"  # each port is a client there, and no two have one name
                server = JackServer(client)
                before = server.ports()
            if way == OUT:
                opened = rtmidi.MidiOut(api, name=client)
            else:
                opened = rtmidi.MidiIn(api, name=client, queue_size_limit=QUEUE)
            opened.open_virtual_port(port)
            new = server.ports() - before if server is not None else set()
    except Exception as error:
        if server is not None:
            server.close()
        raise PanelError(f"MIDI: {system} opens no port {name!r} ({error}). {_advice(system)}") from None
    # JACK may have made another name of it, where a client of that name is there already.
    listed = next((other for other in new if other.endswith(f":{port}")), f"{client}:{port}")
    return MidiPort(f"{name} {number}" if number else name, listed, system, opened, server)


def output_system() -> tuple[Any, int, str]:
    """The library, and of the systems that it speaks to the one that is here: its number and name.

    Raises PanelError with a sentence that says what is missing and what to install.
    """
    rtmidi = _rtmidi()
    return rtmidi, *_system(rtmidi)


def _rtmidi() -> Any:
    """The library, or a sentence on how to get it."""
    os.environ.setdefault("JACK_NO_START_SERVER", "1")  # a box that looks for JACK must not become a server
    try:
        import rtmidi
    except ModuleNotFoundError:
        if HAS_WHEEL:
            missing = "python-rtmidi is not installed. Run `pip install python-rtmidi`"
        else:
            missing = (
                "python-rtmidi is not installed (it has no wheel for this Python). "
                "Run `sudo apt install python3-rtmidi`"
            )
        raise PanelError(f"MIDI: {missing}, then `make play` again.") from None
    except ImportError as error:
        install = "`sudo apt install libjack-jackd2-0`"
        if "libasound" in str(error):
            install = "`sudo apt install libasound2` (on Debian 13 `libasound2t64`)"
        raise PanelError(f"MIDI: {error}. Run {install}, then `make play`.") from None
    _silence_cerr()
    return rtmidi


def _silence_cerr() -> None:
    """Shut the stream on which RtMidi prints a line for every message that its full queue loses.

    A flood would soil the display. That is `std::cerr.clear(std::ios::badbit)`; Python does not print there.
    """
    with contextlib.suppress(OSError, AttributeError, ValueError):
        library = ctypes.CDLL("libstdc++.so.6")
        cerr = ctypes.addressof(ctypes.c_char.in_dll(library, "_ZSt4cerr"))
        table = ctypes.c_void_p.from_address(cerr).value or 0
        ios = cerr + ctypes.c_ssize_t.from_address(table - 3 * ctypes.sizeof(ctypes.c_void_p)).value
        clear = library._ZNSt9basic_iosIcSt11char_traitsIcEE5clearESt12_Ios_Iostate
        clear.argtypes = [ctypes.c_void_p, ctypes.c_int]
        clear(ios, BADBIT)


def _system(rtmidi: Any) -> tuple[int, str]:
    """Which of the systems that this RtMidi speaks to is there to take a virtual port."""
    compiled = rtmidi.get_compiled_api()
    if rtmidi.API_LINUX_ALSA in compiled and os.path.exists(SEQUENCER):
        return rtmidi.API_LINUX_ALSA, "ALSA"
    if rtmidi.API_MACOSX_CORE in compiled:
        return rtmidi.API_MACOSX_CORE, "CoreMIDI"
    if rtmidi.API_UNIX_JACK in compiled:
        return rtmidi.API_UNIX_JACK, "JACK"
    raise PanelError(f"MIDI: this python-rtmidi finds no system with virtual ports. {NO_SEQUENCER}")


def _advice(system: str) -> str:
    if system == "JACK":
        return NO_SEQUENCER
    return f"Look whether this user may open {SEQUENCER} (group audio)." if system == "ALSA" else "Try again."


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what C libraries print off the terminal while a port opens or closes."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
