"""What MIDI asks for: control changes, program changes, notes for a pitch lane. Plays nothing itself."""

from __future__ import annotations

from device.desk import Desk
from device.errors import ModelError, SettingsError
from device.settings import check_target
from device.specs import CONTROLLERS

NOTE_ON, CONTROL, PROGRAM = 0x90, 0xB0, 0xC0  # MIDI 1.0, with the channel in the lower half
HIGHEST = 127


class Controls:
    """Puts on the desk what arrives at the MIDI inputs, by the map in the settings."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.learning = ""  # the target that the next control change is to move
        self.complaint = ""

    def learn(self, target: str) -> None:
        """Let the next control change that is turned move this; empty: no longer."""
        if target:
            check_target(target, "learn")
        self.learning = target

    def hear(self, message: bytes) -> None:
        """A message of a channel. What cannot be done is said in `complaint`."""
        status, channel = message[0] & 0xF0, (message[0] & 0x0F) + 1
        settings = self.desk.player.settings
        wanted = settings.control_channel in (0, channel)
        try:
            if status == NOTE_ON and message[2]:
                self.desk.note(message[1])
            elif status == CONTROL and wanted and message[1] < CONTROLLERS:
                self._control(channel, message[1], message[2])
            elif status == PROGRAM and wanted and settings.program_in:
                self.desk.choose([message[1] + 1])
        except (ModelError, SettingsError) as error:
            self.complaint = f"MIDI: {error}"
        else:
            self.complaint = "" if status != NOTE_ON else self.complaint

    def _control(self, channel: int, number: int, value: int) -> None:
        if self.learning:
            target, self.learning = self.learning, ""
            for known, moved in self.desk.player.settings.cc:  # one control change for each target
                if moved == target:
                    self.desk.change(f"cc.{known}", "")
            self.desk.change(f"cc.{channel}.{number}", target)
        mapped = dict(self.desk.player.settings.cc)
        target = mapped.get(f"{channel}.{number}") or mapped.get(str(number), "")
        if target:
            self.desk.move(target, value / HIGHEST)
