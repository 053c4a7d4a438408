"""The engine: one thread, one pass again and again. Decide, spend the slack, wait, write.

    decide   the hits of the steps that come up, from the pattern of this moment
    slack    jobs that fit before the next deadline: knobs, buttons, socket, lamps
    wait     until the next event is due (absolute; short, so that hands are felt)
    write    everything of that instant, in one go

No file is opened here and nothing prints: slots come in whole. What is played is `device.player`'s business.
"""

from __future__ import annotations

from device.clock import NS_PER_MINUTE
from device.health import Health
from device.output import Output
from device.player import Player
from device.score import GATE, NOTE, Event
from device.sequencer import NS_PER_MS
from device.settings import VOICES
from device.slack import Job, Slack
from device.tape import Tape
from hw.panel import Panel
from hw.timing import Time

IDLE_NS = 5 * NS_PER_MS  # the longest wait: how soon a hand is felt when nothing is due
TOLERANCE_NS = 25 * NS_PER_MS  # later than this a hit is dropped: a gap is musical, a burst is not
GUARD_NS = NS_PER_MS // 2  # kept free of jobs before a deadline


class Engine:
    """The running instrument: a player on a panel, until `stopping` or the player's last beat."""

    def __init__(self, panel: Panel, time: Time, player: Player, tape: Tape | None = None):
        self.panel = panel
        self.time = time
        self.player = player
        self.health = Health()
        self.output = Output(panel, time, self.health, tape)
        self.stopping = False
        self._channel = 0  # of the converter, the next to be read
        jobs = [
            Job(self._read_knobs, every_ms=2, worst_us=300),
            Job(self._press_buttons, every_ms=5, worst_us=200),
            Job(self._follow_knobs, every_ms=5, worst_us=1000),
            Job(self._light_lamps, every_ms=20, worst_us=300),
        ]
        if tape is not None:
            jobs.append(Job(tape.hand_over, every_ms=20, worst_us=500))
        self.slack = Slack(time, jobs, self.health)

    def run(self) -> None:
        """Play until told to stop. Ends with every gate low and every note off, whatever happens."""
        try:
            while not self.stopping:
                self.step()
        finally:
            self.stop()

    def step(self) -> None:
        """One pass."""
        self.player.decide()
        due, exact = self._next_deadline()
        self.slack.spend(until=due - GUARD_NS)
        self.time.sleep_until(due, exact)
        self._write()

    def start(self) -> None:
        """Play on from where it stopped."""
        self.player.start()

    def stop(self) -> None:
        """Silence now."""
        beat = self.player.beat
        self.player.stop()
        self.output.silence(beat)

    def rewind(self) -> None:
        """Back to the top; playing goes on from there."""
        beat = self.player.beat
        self.player.rewind()
        self.output.silence(beat)

    def panic(self) -> None:
        """Everything off, on every channel; the music goes on with the next hit."""
        self.player.score.forget()
        self.output.panic(self.player.beat)

    # --- wait, write -------------------------------------------------------------------------------------

    def _next_deadline(self) -> tuple[int, bool]:
        """When to wake up next, and whether it is for music: then it is worth a spin."""
        idle = self.time.now() + IDLE_NS
        beat = self.player.score.next_beat() if self.player.playing else None
        due = idle if beat is None else self.player.clock.time_at(beat)
        return (due, True) if due < idle else (idle, False)

    def _write(self) -> None:
        """Write all that is due, instant by instant; drop the hits that are too late to be music."""
        clock, score = self.player.clock, self.player.score
        while self.player.playing:
            beat = score.next_beat()
            if beat is None:
                self.stopping = self.stopping or self.player.finished
                return
            due = clock.time_at(beat)
            now = self.time.now()
            if due > now:
                return
            # Half a nanosecond of room: beats that fall on the same instant are written in one go.
            events = score.take(beat + 0.5 / NS_PER_MINUTE * clock.bpm)
            if now - due > TOLERANCE_NS:
                events = self._without_hits(events)
            self.output.write(events, beat, due)

    def _without_hits(self, events: list[Event]) -> list[Event]:
        """Only what ends: nothing is left hanging, and nothing bursts."""
        self.health.late += 1
        self.health.dropped += sum(event.order == GATE for event in events)
        return [event for event in events if event.order not in (NOTE, GATE)]

    # --- slack jobs --------------------------------------------------------------------------------------

    def _read_knobs(self) -> None:
        self.panel.knobs.read(self._channel)
        self._channel = (self._channel + 1) % self.panel.knobs.channels

    def _follow_knobs(self) -> None:
        self.player.turn(self.panel.knobs.values)

    def _press_buttons(self) -> None:
        for button, action in self.panel.buttons.presses():
            if button == "PLAY" and action == "press":
                self.stop() if self.player.playing else self.start()
            elif button == "PLAY" and action == "hold":
                self.rewind()
            elif button == "SLOT" and action == "press" and self.player.library:
                self.player.choose_next()

    def _light_lamps(self) -> None:
        lamps = self.panel.lamps
        lamps.refresh()
        lamps.set("play", "on" if self.player.playing else "off")
        for voice in range(VOICES):
            lamps.set(f"voice{voice + 1}", "on" if self.output.levels[voice] else "off")
