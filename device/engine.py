"""The engine: one thread, one pass again and again. Decide, spend the slack, wait, write.

    decide   the hits of the steps that come up, from the pattern of this moment
    slack    jobs that fit before the next deadline: knobs, buttons, socket, lamps
    wait     until the next event is due (absolute; short, so that hands are felt)
    write    everything of that instant, in one go

No file is opened here and nothing prints: slots come in whole. What is played is `device.player`'s business.
"""

from __future__ import annotations

from device.clock import NS_PER_MINUTE, NS_PER_MS
from device.health import Health
from device.leader import Leader
from device.output import Output
from device.player import Player
from device.score import END, NOTE, Event
from device.sequencer import TRACKS, Hit
from device.slack import Job, Slack
from device.tape import Tape
from hw.panel import Panel
from hw.timing import Time

IDLE_NS = 5 * NS_PER_MS  # the longest wait: how soon a hand is felt when nothing is due
ALERT_NS = NS_PER_MS  # the same while a start, a pulse or a reset may come, which is to be heard at once
TOLERANCE_NS = 25 * NS_PER_MS  # later than this a hit is dropped: a gap is musical, a burst is not
BEHIND_NS = NS_PER_MS // 2  # later than this a hit is shifted whole, so that no pulse is cut to nothing
SOON_NS = NS_PER_MS * 3 // 2  # a jack that fell a shorter time ago does not rise yet
GUARD_NS = NS_PER_MS // 2  # kept free of jobs before a deadline
DECIDING_NS = NS_PER_MS * 3 // 2  # kept free of deciding: a step of every voice may take a millisecond
PATIENCE_NS = 7 * NS_PER_MS  # for so long deciding gives way: well below how far ahead is decided


class Engine:
    """The running instrument: a player on a panel, until `stopping` or the player's last beat."""

    def __init__(self, panel: Panel, time: Time, player: Player, tape: Tape | None = None):
        self.panel = panel
        self.time = time
        self.player = player
        self.health = Health()
        self.output = Output(panel, time, self.health, tape)
        self.leader = Leader(player.clock, player.settings.midi_clock)
        self.stopping = False
        self._decided = 0  # when steps were decided last
        self._fell = [-SOON_NS] * TRACKS  # when the jack of each track fell last
        jobs = [] if tape is None else [Job(tape.hand_over, every_ms=20, worst_us=500)]
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
        now = self.time.now()
        left = self._next_deadline() - now
        near = -BEHIND_NS <= left <= GUARD_NS  # what is due by then comes first
        soon = -BEHIND_NS <= left <= DECIDING_NS
        if not soon or (not near and now - self._decided > PATIENCE_NS):
            self._decided = now
            self.player.decide()
        if not near:
            self.slack.spend(until=self._next_deadline() - GUARD_NS)
        due = self._next_deadline()  # a job may have started, stopped or changed the tempo
        alert = not self.player.playing or self.player.slaved
        now = self.time.now()
        rest = min(now + (ALERT_NS if alert else IDLE_NS), due - GUARD_NS)
        if rest > now:
            self.time.sleep_until(rest, exact=False)
            return
        beat = self.player.score.next_beat() if self.player.playing else None
        if beat is not None and self.player.clock.time_at(beat) == due:
            self._write(beat, due)
        else:
            self.time.sleep_until(due)
        self._catch_up()

    # --- transport ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Play on from where it stopped."""
        if not self.player.playing:
            self.player.start(self.leader.align)
            self.leader.started(self.player.clock.beat)

    def stop(self) -> None:
        """Silence now."""
        beat = self.player.beat
        self.player.stop()
        self.output.silence(beat)
        self._send(self.leader.stopped())

    def rewind(self) -> None:
        """Back to the top; playing goes on from there."""
        beat, playing = self.player.beat, self.player.playing
        self.player.rewind(self.leader.align)
        self.output.silence(beat)
        if playing:
            self.leader.started(0.0)
        else:
            self._send(self.leader.located(0.0))

    def locate(self, beat: float, time: int | None = None) -> None:
        """Go on from another beat, which falls at `time`; stopped, the next start is there."""
        self.player.locate(beat, time)
        if self.player.playing and beat == 0.0:
            self.leader.started(0.0)
        else:
            self._send(self.leader.located(beat))

    def lead(self, beat: float, time: int, bpm: float) -> None:
        """Begin, or go on, where a clock that leads says: `beat` falls at `time`, at that tempo."""
        if self.player.playing:
            self.locate(beat, time)
        else:
            self.player.begin(beat, time, bpm)
            self.leader.started(beat)

    def join(self) -> None:
        """Play along with the clock that leads, from where it is."""
        self.player.join()
        self._send(self.leader.located(self.player.beat, joined=True))

    def lead_others(self, mode: str) -> None:
        """Send clock always, while playing, or not at all; those who follow are not left playing alone."""
        if mode == "off":
            self._send(self.leader.stopped())
        was, self.leader.mode = self.leader.mode, mode
        if was == "off" and self.player.playing:
            self._send(self.leader.located(self.player.beat, joined=True))

    def panic(self) -> None:
        """Everything off, on every channel; the music goes on with the next hit."""
        self.player.score.cut()
        self.output.panic(self.player.beat)

    # --- wait, write -------------------------------------------------------------------------------------

    def _next_deadline(self) -> int:
        """When something is to be written next."""
        due = self.leader.next_time()
        beat = self.player.score.next_beat() if self.player.playing else None
        return due if beat is None else min(due, self.player.clock.time_at(beat))

    def _catch_up(self) -> None:
        """Write all else that is due, instant by instant."""
        clock, score = self.player.clock, self.player.score
        self._lead()
        while self.player.playing and not self.stopping:
            beat = score.next_beat()
            if beat is None:
                self.stopping = self.stopping or self.player.finished
                return
            due = clock.time_at(beat)
            if due > self.time.now():
                return
            self._write(beat, due)

    def _write(self, beat: float, due: int) -> None:
        """Make one instant ready, wait for it, write it; drop the hits that are too late to be music."""
        clock, score, output = self.player.clock, self.player.score, self.output
        # Half a nanosecond of room: beats that fall on the same instant are written in one go.
        events = score.take(beat + 0.5 / NS_PER_MINUTE * clock.bpm)
        plan = output.prepare(events)
        clocks = self.leader.next_time() <= due
        if plan.messages and not clocks:  # as soon as it is awake: only jacks are worth the spin
            self.time.nap_until(due - output.lead_ns(plan))
        else:
            self.time.sleep_until(due)
        now = max(due, self.time.now())
        behind = now - due > BEHIND_NS
        if clocks:  # they come first, and never early: a serial port sends byte after byte
            self._lead()
        if behind or any(now - self._fell[event.track] < SOON_NS for event in events):
            events = self._caught_up(events, now)
            self.health.late += behind
            plan = output.prepare(events)
        for event in events:
            if event.order == END:
                self._fell[event.track] = now
        output.commit(plan, beat, due)

    def _caught_up(self, events: list[Event], now: int) -> list[Event]:
        """What is written of an instant that comes late. What ends, ends; nothing hangs and nothing bursts.

        A hit is dropped when it is too late to be music or the next of its track is due as well. One whose
        jack has only just fallen waits for the gap; any other sounds now, for its whole length.
        """
        score, beat = self.player.score, self.player.clock.beat_at(now)
        written = [event for event in events if event.order == END]
        for event in events:
            _, order, track, hit = event
            if order == END:
                continue
            if order == NOTE:
                if hit.lead or not self._is_late(hit, track, now, beat):
                    written.append(event)
            elif self._is_late(hit, track, now, beat):
                self.health.dropped += 1
                score.drop(track)
                if hit.lead:  # its note is out already
                    written.append(Event(event.beat, END, track, hit))
            elif now - self._fell[track] < SOON_NS:
                score.drop(track)
                score.add([hit._replace(beat=beat + score.gap + hit.lead)])
                if not hit.lead:
                    written = [other for other in written if other.track != track or other.order == END]
                else:
                    written.append(Event(event.beat, END, track, hit))
            else:
                score.shift(track, beat)
                written.append(event)
        return written

    def _is_late(self, hit: Hit, track: int, now: int, beat: float) -> bool:
        """Whether a hit is too late to be music, or the next one of its track is due as well."""
        due = self.player.clock.time_at(hit.beat)
        return due < now - TOLERANCE_NS or self.player.score.next_hit(track) <= beat

    def _lead(self) -> None:
        """Send the clocks and what else leads others, where it is time."""
        now = self.time.now()
        if self.leader.next_time() <= now:
            for message, beat, due in self.leader.due(now):
                self.output.send(message, beat, due)

    def _send(self, messages: list[bytes]) -> None:
        now = self.time.now()
        for message in messages:
            self.output.send(message, self.player.beat, now)
