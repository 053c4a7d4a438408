"""Ends what an engine that died may have left: gates that are high, notes that sound. Plays nothing.

systemd runs it after every end of the engine (`ExecStopPost`), since the kernel of a Pi leaves a line as it
was when its process is gone. It is to be quick: it loads no arrays, and what MIDI needs only when the gates
are low. What fails is a sentence and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from device import home
from device.settings import Settings
from hw.din import Serial
from hw.errors import PanelError
from hw.jacks import GpiodJacks
from hw.table import DIN

CLIENT = "Fathom silence"
CONTROL, NOTE_OFF = 0xB0, 0x80
ALL_NOTES_OFF = 123
RELEASE_VELOCITY = 64
NOTES = 128
THROUGH = "Midi Through"  # of the ALSA sequencer: it leads back to whoever listens there


def silence() -> Iterator[str]:
    """Lower every jack and end every note; give a sentence for each of both that was not to be had."""
    for step in (_lower, lambda: _end_notes(list(endings(_settings()))), _end_din):
        try:
            step()
        except Exception as error:  # whatever it is, the next step is done
            yield f"silence: {error}"


def endings(settings: Settings) -> Iterator[bytes]:
    """All Notes Off on every channel; where the voices play also note by note, as not all devices know it."""
    for channel in range(16):
        yield bytes((CONTROL | channel, ALL_NOTES_OFF, 0))
    for channel in sorted({voice.channel - 1 for voice in settings.voices}):
        for note in range(NOTES):
            yield bytes((NOTE_OFF | channel, note, RELEASE_VELOCITY))


def _lower() -> None:
    """Lower the jacks, wherever the box has them."""
    jacks = GpiodJacks(home.load_outfit()[0].wiring)  # lines are low from when they are taken
    jacks.close()
    if jacks.complaint:
        raise PanelError(jacks.complaint)


def _end_din() -> None:
    """End what sounds at the DIN socket, where the settings have one."""
    settings = _settings()
    if DIN not in settings.midi_out:
        return
    serial = Serial(home.load_outfit()[0].wiring.serial)
    if serial.complaint:
        raise PanelError(serial.complaint)
    for message in endings(settings):
        serial.write(message, urgent=True)
    serial.close()  # the kernel sends what it was given


def _settings() -> Settings:
    """As the engine had them; what cannot be read is as it is by default."""
    from device.keeper import recall

    settings, _ = home.load_settings()
    return recall(home.state_path())[0].over(settings)[0]


def _end_notes(messages: list[bytes]) -> None:
    """Send these to everything that takes MIDI: the connections of the engine went with it."""
    from hw.midi_port import output_system, quiet

    rtmidi, api, _ = output_system()
    with quiet():
        port: Any = None
        try:
            port = rtmidi.MidiOut(api, name=CLIENT)
            for number, name in enumerate(port.get_ports()):
                if THROUGH in name:
                    continue
                port.open_port(number, "out")
                for message in messages:
                    port.send_message(message)
                port.close_port()
        except Exception as error:  # RtMidi's own: a device was just pulled out, say
            raise PanelError(f"MIDI: {error}") from None
        finally:
            if port is not None:
                port.delete()
