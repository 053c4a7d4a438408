"""What MIDI asks for: control changes, program changes, notes for a pitch lane. Plays nothing itself."""

from __future__ import annotations

from device.desk import Desk, moved_by
from device.errors import ModelError, SettingsError
from device.settings import ACTIONS, check_target
from device.specs import CONTROLLERS

NOTE_ON, CONTROL, PROGRAM = 0x90, 0xB0, 0xC0  # MIDI 1.0, with the channel in the lower half
HIGHEST = 127
PRESSED = 64  # a controller that is a switch is on from here (MIDI 1.0)


class Controls:
    """Puts on the desk what arrives at the MIDI inputs, by the map in the settings."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.learning = ""  # the target that the next control change is to move
        self.learned = ""  # what was learned last, in a sentence
        self.complaint = ""
        self._values: dict[str, int] = {}  # of what moves actions, when it came last

    def learn(self, target: str) -> None:
        """Let the next control change that is turned move this; empty: no longer."""
        if target:
            check_target(target, "learn")
        self.learning, self.learned = target, ""

    def hear(self, message: bytes) -> None:
        """A message of a channel. What cannot be done is said in `complaint`."""
        status, channel = message[0] & 0xF0, (message[0] & 0x0F) + 1
        settings = self.desk.player.settings
        wanted = settings.control_channel in (0, channel)
        try:
            if status == NOTE_ON and message[2]:
                self.desk.note(message[1])
            elif status == CONTROL and wanted and message[1] < CONTROLLERS:
                self._control(f"{channel}.{message[1]}", message[2])
                self.complaint = ""
            elif status == PROGRAM and wanted and settings.program_in:
                self.desk.choose([message[1] + 1])
                self.complaint = ""
        except (ModelError, SettingsError) as error:
            self.complaint = f"MIDI: {error}"

    def _control(self, number: str, value: int) -> None:
        if self.learning:
            self._learn(number, value)
            return  # it moves with the next turn: a button that is being learned does nothing yet
        target = moved_by(self.desk.player.settings, number)
        if target in ACTIONS:
            before, self._values[number] = self._values.get(number, 0), value
            if value >= PRESSED and (before < PRESSED or before == value):  # pressed, not a knob on its way
                self.desk.act(target)
        elif target:
            self.desk.move(target, value / HIGHEST)

    def _learn(self, number: str, value: int) -> None:
        target, self.learning = self.learning, ""
        self._values[number] = value
        former = self.desk.map(number, target)
        instead = f" instead of {former}" if former not in ("", target) else ""
        channel, _, controller = number.rpartition(".")
        self.learned = f"control change {controller} on channel {channel} moves {target}{instead}."
