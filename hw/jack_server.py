"""A look at the JACK server through the library that RtMidi itself uses. Carries no MIDI."""

from __future__ import annotations

import ctypes
import time
from typing import Any

JACK_NO_START_SERVER = 1
JACK_MIDI = b"8 bit raw midi"
JACK_SHARE = 4096  # bytes sent between two looks at the server: a quarter of RtMidi's ring
JACK_OVERHEAD = 4  # bytes in front of each message in that ring
LOOK_NS = 500_000_000  # between two looks at the least: no period is longer than 200 ms


class JackServer:
    """Watches that the JACK server takes what is sent.

    RtMidi spins without end when its ring is full, and a server that died or stopped never empties it. So
    no more than a quarter of the ring is sent without seeing that the server went on to another period, and
    no longer than half a second: a ring takes half a minute of sparse music.
    """

    def __init__(self, name: str) -> None:
        self._jack = _libjack()
        self._client = self._jack.jack_client_open(f"{name} watch".encode(), JACK_NO_START_SERVER, None)
        if not self._client:
            raise ConnectionError("no JACK server runs")
        self._period = self._jack.jack_last_frame_time(self._client)
        self._sent = 0
        self._looked_ns = time.monotonic_ns()  # when it was seen last to have gone on

    def takes(self, length: int, ends: bool = False) -> bool:
        """True where a message of that many bytes can be sent without waiting, and is soon on its way.

        One that `ends` a note may be on its way later: a server that was held up is to hear of it.
        """
        length += JACK_OVERHEAD
        if length > JACK_SHARE:
            return False
        look = not ends and time.monotonic_ns() - self._looked_ns > LOOK_NS
        if (look or self._sent + length > JACK_SHARE) and not self.went_on():
            return False
        self._sent += length
        return True

    def went_on(self) -> bool:
        """True where a period has passed since this was last asked."""
        period = self._jack.jack_last_frame_time(self._client)
        if period == self._period:
            return False
        self._period = period
        self._sent = 0
        self._looked_ns = time.monotonic_ns()
        return True

    def ports(self) -> set[str]:
        """Every MIDI port by its full name, as "client:port"."""
        names = self._jack.jack_get_ports(self._client, None, JACK_MIDI, 0)
        found: set[str] = set()
        while names and names[len(found)]:
            found.add(names[len(found)].decode(errors="replace"))
        if names:
            self._jack.jack_free(names)
        return found

    def close(self) -> None:
        if self._client:
            self._jack.jack_client_close(self._client)
        self._client = None


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
    jack.jack_client_open.restype = ctypes.c_void_p
    jack.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    jack.jack_client_close.argtypes = [ctypes.c_void_p]
    jack.jack_last_frame_time.restype = ctypes.c_uint32
    jack.jack_last_frame_time.argtypes = [ctypes.c_void_p]
    jack.jack_get_ports.restype = ctypes.POINTER(ctypes.c_char_p)
    jack.jack_get_ports.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong]
    jack.jack_free.argtypes = [ctypes.c_void_p]
    return jack
