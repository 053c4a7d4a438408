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
from device.score import END, GATE, Event
from device.sequencer import NS_PER_MS, TRACKS
from device.settings import VOICES
from device.slack import Job, Slack
from device.tape import Tape
from hw.panel import Panel
from hw.timing import Time

IDLE_NS = 5 * NS_PER_MS  # the longest wait: how soon a hand is felt when nothing is due
TOLERANCE_NS = 25 * NS_PER_MS  # later than this a hit is dropped: a gap is musical, a burst is not
BEHIND_NS = NS_PER_MS // 2  # later than this a hit is shifted whole, so that no pulse is cut to nothing
SOON_NS = NS_PER_MS * 3 // 2  # a jack that fell a shorter time ago does not rise yet
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
        self._fell = [-SOON_NS] * TRACKS  # when the jack of each track fell last
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
        due, _ = self._next_deadline()
        self.slack.spend(until=due - GUARD_NS)
        due, exact = self._next_deadline()  # a job may have started, stopped or changed the tempo
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
        self.player.score.cut()
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
            behind = now - due > BEHIND_NS
            if behind or any(now - self._fell[event.track] < SOON_NS for event in events):
                events = self._caught_up(events, now)
                self.health.late += behind
            for event in events:
                if event.order == END:
                    self._fell[event.track] = now
            self.output.write(events, beat, due)

    def _caught_up(self, events: list[Event], now: int) -> list[Event]:
        """What is written of an instant that comes late. What ends, ends; nothing hangs and nothing bursts.

        A hit is dropped when it is too late to be music or the next of its track is due as well. One whose
        jack has only just fallen waits for the gap; any other sounds now, for its whole length.
        """
        score, beat = self.player.score, self.player.clock.beat_at(now)
        silent = set()
        for _, order, track, hit in events:
            if order != GATE:
                continue
            hopeless = self.player.clock.time_at(hit.beat) < now - TOLERANCE_NS
            if hopeless or score.next_hit(track) <= beat:
                self.health.dropped += 1
                score.drop(track)
                silent.add(track)
            elif now - self._fell[track] < SOON_NS:
                score.drop(track)
                score.add([hit._replace(beat=beat + score.gap)])
                silent.add(track)
            else:
                score.shift(track, beat)
        return [event for event in events if event.order == END or event.track not in silent]

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
