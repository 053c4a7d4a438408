"""MIDI ports by name. Carries bytes; knows of notes only which still sound, so that none is left hanging.

On Linux a port belongs to the kernel's sequencer (ALSA) where there is one, else to a running JACK server.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from hw.errors import PanelError

SEQUENCER = "/dev/snd/seq"
NO_SEQUENCER = (
    f"There is no ALSA sequencer either ({SEQUENCER} is absent): load it with `sudo modprobe snd-seq`, "
    "or, where the kernel has none, start JACK (`jackd -d dummy`)."
)
PORT = "out"  # listed as `Fathom:out`
NOTE_OFF, NOTE_ON = 0x80, 0x90
RELEASE_VELOCITY = 64
JACK_NO_START_SERVER = 1
JACK_SHARE = 4096  # bytes sent between two looks at the server: a quarter of RtMidi's ring
JACK_OVERHEAD = 4  # bytes in front of each message in that ring
HAS_WHEEL = sys.version_info < (3, 13)  # python-rtmidi 1.5.8 was built for 3.12 and below


class MidiOut:
    """A virtual output that others connect to; `open_midi_out` makes one. Its twin is `hw.sim.SimMidi`."""

    def __init__(self, name: str, system: str, port: Any, server: JackServer | None = None) -> None:
        self.name = name
        self.system = system
        self.errors = 0  # messages that went nowhere
        self._port = port
        self._server = server
        self._sounding: set[tuple[int, int]] = set()  # (channel, note)

    def send(self, message: Sequence[int]) -> bool:
        """Send one whole message now. False where it went nowhere; never raises, never waits."""
        try:
            if self._server is not None and not self._server.takes(len(message)):
                raise BlockingIOError
            self._port.send_message(message)
        except Exception:
            self.errors += 1
            return False
        if len(message) == 3 and message[0] & 0xE0 == NOTE_OFF:  # a note on or off
            note = (message[0] & 0x0F, message[1])
            if message[0] >= NOTE_ON and message[2]:
                self._sounding.add(note)
            else:
                self._sounding.discard(note)
        return True

    def close(self) -> None:
        """End what still sounds and take the port away. Safe to call twice."""
        if self._port is None:
            return
        for channel, note in sorted(self._sounding):
            self.send((NOTE_OFF | channel, note, RELEASE_VELOCITY))
        self._sounding.clear()
        with _quiet():
            self._port.delete()  # waits until JACK has taken what was sent, a second at the most
            if self._server is not None:
                self._server.close()
        self._port = self._server = None


class JackServer:
    """Watches that the JACK server takes what is sent.

    RtMidi spins without end when its ring is full, and a server that died or stopped never empties it. So
    no more than a quarter of the ring is sent without seeing that the server went on to another period.
    """

    def __init__(self, name: str) -> None:
        self._jack = _libjack()
        self._jack.jack_client_open.restype = ctypes.c_void_p
        self._jack.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
        self._jack.jack_client_close.argtypes = [ctypes.c_void_p]
        self._jack.jack_last_frame_time.restype = ctypes.c_uint32
        self._jack.jack_last_frame_time.argtypes = [ctypes.c_void_p]
        self._client = self._jack.jack_client_open(f"{name} watch".encode(), JACK_NO_START_SERVER, None)
        if not self._client:
            raise ConnectionError("no JACK server runs")
        self._period = self._jack.jack_last_frame_time(self._client)
        self._sent = 0

    def takes(self, length: int) -> bool:
        """True where a message of that many bytes can be sent without waiting."""
        length += JACK_OVERHEAD
        if length > JACK_SHARE or (self._sent + length > JACK_SHARE and not self._went_on()):
            return False
        self._sent += length
        return True

    def close(self) -> None:
        if self._client:
            self._jack.jack_client_close(self._client)
        self._client = None

    def _went_on(self) -> bool:
        period = self._jack.jack_last_frame_time(self._client)
        if period == self._period:
            return False
        self._period = period
        self._sent = 0
        return True


def open_midi_out(name: str) -> MidiOut:
    """A virtual output called `name`, for others to connect to.

    Raises PanelError with a sentence that says what is missing and what to install.
    """
    rtmidi = _rtmidi()
    api, system = _system(rtmidi)
    server = None
    try:
        with _quiet():
            if system == "JACK":
                server = JackServer(name)
            port = rtmidi.MidiOut(api, name=name)
            port.open_virtual_port(PORT)
    except Exception as error:
        if server is not None:
            server.close()
        raise PanelError(f"MIDI: {system} opens no port {name!r} ({error}). {_advice(system)}") from None
    return MidiOut(name, system, port, server)


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
    return rtmidi


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


def _libjack() -> Any:
    """The JACK library that RtMidi itself uses, told to keep its complaints to itself.

    It prints on its own, at any time, also when the server goes: that would soil the display.
    """
    import rtmidi._rtmidi

    jack = ctypes.CDLL(rtmidi._rtmidi.__file__)
    silence = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)  # takes a text and does nothing with it
    jack.jack_set_error_function.argtypes = jack.jack_set_info_function.argtypes = [ctypes.c_void_p]
    jack.jack_set_error_function(silence)
    jack.jack_set_info_function(silence)
    return jack


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
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
