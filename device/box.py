"""The parts of a running instrument, put together: engine, clocks, hands, MIDI in, lamps, as slack jobs.

Opens nothing and decides nothing musical.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from device.cabling import Cabling
from device.clock import NS_PER_MS
from device.controls import Controls
from device.desk import Desk
from device.engine import Engine
from device.errors import ModelError
from device.hands import Hands
from device.inbox import MOST, Inbox
from device.memory import Memory, Today
from device.notes import PROGRAM
from device.player import Player
from device.settings import Settings
from device.slack import Job
from device.specs import GATES
from device.sync import Sync
from device.tape import Tape
from hw.panel import Panel
from hw.timing import Time

MOST_TOLD = 8  # sentences that others have told of what is amiss with them
ENOUGH_NS = 300_000  # spent on what arrived in one pass; one message more may take 200 us
SYSTEM = 0xF0  # MIDI messages from here on are of no channel


class Box:
    """An instrument on a panel. `desk` is what hands, MIDI and messages may change."""

    def __init__(
        self,
        panel: Panel,
        time: Time,
        player: Player,
        tape: Tape | None = None,
        memory: Memory | None = None,
        origin: Settings | None = None,
        knobs: Sequence[float] | None = None,
    ) -> None:
        """`memory` is what was left when it was last switched off, `origin` the settings of the file.

        `knobs` is where they begin, wherever they were left.
        """
        left = memory or Memory()
        self.panel = panel
        self.player = player
        self.engine = Engine(panel, time, player, tape)
        self.sync = Sync(self.engine)
        self.desk = Desk(player, self.sync, knobs or left.knobs or panel.knobs.values)
        self.desk.voice = left.voice
        began = player.settings
        self._today = Today(left, origin or began, began, player.numbers, self.desk.knobs)
        player.turn(self.desk.places)
        self.hands = Hands(panel, self.desk)
        self.controls = Controls(self.desk)
        self._inbox = Inbox()
        self._clocks: deque[tuple[int, bytes, int]] = deque(maxlen=MOST)  # input, message, time
        self.cabling: Cabling | None = None  # where ports are connected by name
        self.asked_ns = time.now()  # when somebody asked last for what is to be remembered
        self._told: dict[str, str] = {}  # by others, of what is amiss with them
        self.safe = ""  # what is said of a safe start until something is changed
        self._channel = 0  # of the converter, the next to be read
        self._announced = player.numbers[:1]  # slot whose program change has been sent
        self.engine.slack.jobs[:0] = [
            Job(self.hear, every_ms=1, worst_us=500),
            Job(self.sync.attend, every_ms=1, worst_us=300),
            Job(self.read_knobs, every_ms=2, worst_us=300),
            Job(self.hands.press, every_ms=5, worst_us=200),
            Job(self.hands.follow, every_ms=5, worst_us=1000),
            Job(self.announce, every_ms=5, worst_us=100),
            Job(self.light_lamps, every_ms=20, worst_us=300),
            Job(self.desk.sticks.attend, every_ms=500, worst_us=100),
            Job(self.mend, every_ms=500, worst_us=2000),
        ]

    @property
    def complaints(self) -> list[str]:
        """What is wrong at this moment, or only waits, in sentences."""
        return [*self._wrong(), *([self.sync.waits] if self.sync.waits else [])]

    def _wrong(self) -> list[str]:
        desk = self.desk
        asked: list[Any] = [self.hands, self.sync, self.controls, self.cabling, desk.learner, desk.sticks]
        said = [*self._told.values(), *([self.safe] if self.safe and not desk.changes else [])]
        return [*self.panel.complaints, *(part.complaint for part in asked if part and part.complaint), *said]

    def complain(self, of: str, says: str) -> None:
        """Say what is amiss with something that runs beside the engine; nothing: it is well again."""
        self._told.pop(of, None)
        if says:
            if len(self._told) == MOST_TOLD:  # the oldest goes
                del self._told[next(iter(self._told))]
            self._told[of] = says

    def memory(self) -> dict[str, Any]:
        """What is to be remembered over night."""
        player, desk = self.player, self.desk
        return self._today.memory(player.settings, player.tempo, player.numbers, desk.knobs, desk.voice)

    @property
    def touched(self) -> bool:
        """Whether what is to be remembered was ever changed since it was first asked for."""
        return self._today.touched

    def hear(self) -> None:
        """Take what has arrived at the MIDI inputs: clocks first, and only as much as there is time for."""
        for number, port in enumerate(self.panel.inputs):
            for time, message in port.receive():
                if message[0] >= SYSTEM:
                    self._clocks.append((number, message, time))
                else:
                    self._inbox.put(message)
        now = self.engine.time.now
        enough = now() + ENOUGH_NS
        while self._clocks:
            self.sync.hear(*self._clocks.popleft())
            if now() > enough:
                break
        while message := self._inbox.take():
            self.controls.hear(message)
            if now() > enough:
                break

    def read_knobs(self) -> None:
        """Read one channel of the converter."""
        self.panel.knobs.read(self._channel)
        self._channel = (self._channel + 1) % self.panel.knobs.channels

    def mend(self) -> None:
        """Let a part of the panel that complains try again."""
        self.panel.mend(resting=not self.player.playing)

    def attend_cables(self) -> None:
        """Take in which MIDI ports came and went."""
        if self.cabling is not None:
            self.cabling.attend(self.player.settings, self.player.beat)

    def attend_learner(self) -> None:
        """Take in how far the learning is, and begin with what a stick brought."""
        try:
            self.desk.attend_learning()
        except ModelError as error:  # what a stick brought cannot be learned
            self.hands.complaint = str(error)

    def adopt(
        self,
        given: Mapping[str, Any],
        held: Mapping[str, tuple[Any, Any]],
        knobs: list[float] | None,
        voice: int,
        slots: Collection[int],
    ) -> Iterator[None]:
        """Be as another memory says, one small piece after the other; see `messages.Adopt`.

        SettingsError says what cannot be used: then nothing has changed.
        """
        origin = Settings()
        for key, value in given.items():
            origin = origin.changed(key, value)
            yield
        wanted = origin
        for key, (_, value) in sorted(held.items(), key=lambda item: item[1][1] != ""):  # see `Memory.over`
            wanted = wanted.changed(key, value)
            yield
        player, desk = self.player, self.desk
        for number in [number for number in player.library if slots and number not in slots]:
            if len(player.library) > 1:
                del player.library[number]
        desk.adopt(wanted, knobs, voice)
        memory = Memory(dict(held), knobs, voice)
        began = replace(player.settings, bpm=player.tempo)
        self._today = Today(memory, origin, began, player.numbers, desk.knobs)

    def announce(self) -> None:
        """Send the number of a slot that comes in as a program change, early by what is set, and once."""
        player = self.player
        settings, numbers = player.settings, player.numbers[:1]
        if numbers == self._announced:
            return
        if settings.program_out and numbers:
            now = self.engine.time.now()
            if (
                player.waiting
                and now < player.clock.time_at(player.line) - settings.program_early_ms * NS_PER_MS
            ):
                return
            message = bytes((PROGRAM | settings.program_out - 1, numbers[0] - 1))
            self.engine.output.send(message, player.beat, now)
        self._announced = numbers

    def light_lamps(self) -> None:
        """Let the lamps say how things are."""
        lamps, sync = self.panel.lamps, self.sync
        waits = "slow" if sync.awaited or sync.held else "off"
        plays = "slow" if self.player.waiting else "on"  # another slot comes in on the bar line
        lamps.refresh()
        lamps.set("play", plays if self.player.playing else waits)
        lamps.set("learn", self._learning())
        lamps.set("clock", "double" if self._wrong() else waits if sync.source == "internal" else "on")
        output = self.engine.output
        for voice in range(GATES):
            lit = output.levels[voice] or voice in output.rose
            lamps.set(f"voice{voice + 1}", "on" if lit else "off")
        output.rose.clear()

    def _learning(self) -> str:
        """What the lamp of LEARN shows: work, a failure, something to offer, or a stick that can be asked."""
        learner, sticks = self.desk.learner, self.desk.sticks
        if sticks.working or (learner and learner.busy):
            return "fast"
        if sticks.complaint:
            return "double"
        if learner and learner.learning.offered is not None:
            return "on"
        if sticks.waiting:
            return "slow"
        return "double" if learner and learner.learning.state == "failed" else "off"
