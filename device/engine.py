"""The engine: one thread, one pass again and again. Decide, wait, write, spend the slack.

    decide   the hits of the steps that come up, from the pattern of this moment
    wait     until the next event is due (absolute; short, so that hands are felt)
    write    everything of that instant, in one go
    slack    jobs that fit before the next deadline: knobs, buttons, socket, decoding, lamps

No file is opened here and nothing prints: slots come in whole, through `library` and `load`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.clock import NS_PER_MINUTE, Clock
from device.decoder import KNOBS, to_positions
from device.ensemble import Ensemble
from device.errors import ModelError
from device.health import Health
from device.output import Output
from device.pattern import BEATS_PER_BAR
from device.score import END, Event, Score
from device.sequencer import EARLIEST, NS_PER_MS, STEP, hits_in
from device.settings import VOICES, Settings
from device.slack import Job, Slack
from device.slot import Slot
from device.tape import Tape
from hw.panel import Panel
from hw.timing import Time

HORIZON_NS = 10 * NS_PER_MS  # how far ahead hits are decided, beyond half a step
IDLE_NS = 5 * NS_PER_MS  # the longest wait: how soon a hand is felt when nothing is due
START_NS = 2 * NS_PER_MS  # from PLAY to the first event
TOLERANCE_NS = 25 * NS_PER_MS  # later than this a hit is dropped: a gap is musical, a burst is not
RETRIGGER_NS = 2 * NS_PER_MS  # a jack that must rise again is low for so long
GUARD_NS = NS_PER_MS // 2  # kept free of jobs before a deadline


class Engine:
    """The running instrument: it plays an ensemble on a panel until `stopping` or the last beat."""

    def __init__(
        self,
        panel: Panel,
        time: Time,
        ensemble: Ensemble,
        settings: Settings,
        library: dict[int, Slot] | None = None,
        tape: Tape | None = None,
        last_beat: float = float("inf"),
    ):
        self.panel = panel
        self.time = time
        self.settings = settings
        self.library = library or {}
        self.tape = tape
        self.last_beat = last_beat
        self.health = Health()
        self.output = Output(panel, time, self.health, tape)
        self.clock = Clock(settings.bpm)
        self.score = Score(self._beats(RETRIGGER_NS))
        self.playing = False
        self.stopping = False
        self.decided = 0.0  # beat up to which hits are decided, a whole number of steps
        self.version = 0  # grows whenever pattern or settings change
        self._positions: list[int] = []  # of the knobs, at the last decoding
        self._swap: tuple[float, Ensemble] | None = None  # bar line, and what plays from there
        self._channel = 0  # of the converter, the next to be read
        self._use(ensemble)
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
                self._decide()
                due, exact = self._next_deadline()
                self.slack.spend(until=due - GUARD_NS)
                self.time.sleep_until(due, exact)
                self._write()
        finally:
            self.output.silence(self.beat)

    # --- what hands and messages ask for -------------------------------------------------------------

    @property
    def beat(self) -> float:
        """Where the music is; where it stopped, when it is stopped."""
        return self.clock.beat_at(self.time.now()) if self.playing else self.decided

    @property
    def waiting(self) -> list[str]:
        """Names of the slots that come in on the next bar line."""
        return self._swap[1].names if self._swap else []

    def start(self) -> None:
        """Play on from where it stopped. The first hit sounds at once, however early it leans."""
        if self.playing:
            return
        first = hits_in(self.pattern, self.settings, self.decided, self.decided + STEP)
        beat = min([self.decided, *(hit.beat for hit in first)])
        self.clock.refer(beat, self.time.now() + START_NS, self.settings.bpm)
        self.playing = True

    def stop(self) -> None:
        """Silence now; the next start goes on with the step that would have come."""
        if not self.playing:
            return
        beat = self.beat
        self.playing = False
        self.decided = max(0.0, -(-beat // STEP) * STEP)
        self.score.forget()
        self.output.silence(beat)

    def rewind(self) -> None:
        """Back to the top; playing goes on from there."""
        was_playing = self.playing
        self.stop()
        self.decided = 0.0
        if was_playing:
            self.start()

    def panic(self) -> None:
        self.score.forget()
        self.output.panic(self.beat)

    def change(self, key: str, value: object) -> None:
        """Change one setting; SettingsError says what is wrong with it. Other slots wait for the bar line."""
        settings = self.settings.changed(key, value)
        if settings.slots != self.settings.slots:
            self.choose(settings.slots)
        self.settings = settings
        if self.settings.bpm != self.clock.bpm:
            self.clock.set_tempo(self.settings.bpm, self.time.now())
            self.score.gap = self._beats(RETRIGGER_NS)
        self._make_pattern()

    def choose(self, numbers: Sequence[int]) -> None:
        """Let other slots play from the next bar line on. ModelError where one of them is empty."""
        missing = [number for number in numbers if number not in self.library]
        if missing or not numbers:
            there = ", ".join(map(str, sorted(self.library))) or "none"
            raise ModelError(f"slot {missing[0] if missing else '-'}: empty; filled slots: {there}.")
        self._swap_on_bar(Ensemble([self.library[number] for number in numbers]))

    def choose_next(self) -> None:
        """Let the filled slot after those that play, or that wait to, come in on the next bar line."""
        current = self._swap[1] if self._swap else self.ensemble
        numbers = sorted(self.library)
        playing = [n for n in numbers if any(self.library[n] is slot for slot in current.slots)]
        after = [n for n in numbers if playing and n > playing[-1]]
        self.choose([*after, *numbers][:1])

    def load(self, number: int, slot: Slot) -> None:
        """Take a new slot in. Where its number plays, it is swapped in on the next bar line."""
        former = self.library.get(number)
        self.library[number] = slot
        current = self._swap[1] if self._swap else self.ensemble
        if former is not None and any(playing is former for playing in current.slots):
            self._swap_on_bar(Ensemble([slot if playing is former else playing for playing in current.slots]))

    # --- decide ----------------------------------------------------------------------------------------

    def _decide(self) -> None:
        """Turn the steps that come up into hits, each once, from the pattern of this moment."""
        if not self.playing:
            return
        horizon = self.clock.beat_at(self.time.now() + HORIZON_NS) + EARLIEST
        until = min(-(-horizon // STEP) * STEP, self.last_beat)
        if until <= self.decided:
            return
        start, self.decided = self.decided, until
        if self._swap and self._swap[0] < until:
            line, ensemble = self._swap
            self.score.add(hits_in(self.pattern, self.settings, start, line))
            self._swap, start = None, max(start, line)
            self._use(ensemble)
        self.score.add(hits_in(self.pattern, self.settings, start, until))

    def _swap_on_bar(self, ensemble: Ensemble) -> None:
        if not self.playing:
            self._use(ensemble)
            return
        line = -(-self.decided // BEATS_PER_BAR) * BEATS_PER_BAR
        self._swap = (line, ensemble)

    # --- wait, write -----------------------------------------------------------------------------------

    def _next_deadline(self) -> tuple[int, bool]:
        """When to wake up next, and whether it is for music: then it is worth a spin."""
        idle = self.time.now() + IDLE_NS
        beat = self.score.next_beat() if self.playing else None
        due = idle if beat is None else self.clock.time_at(beat)
        return (due, True) if due < idle else (idle, False)

    def _write(self) -> None:
        """Write all that is due, instant by instant; drop the hits that are too late to be music."""
        while self.playing:
            beat = self.score.next_beat()
            if beat is None:
                if self.decided >= self.last_beat:
                    self.stopping = True
                return
            due = self.clock.time_at(beat)
            now = self.time.now()
            if due > now:
                return
            # Half a nanosecond of room: beats that fall on the same instant are written in one go.
            events = self.score.take(beat + 0.5 / NS_PER_MINUTE * self.clock.bpm)
            if now - due > TOLERANCE_NS:
                events = self._without_hits(events)
            self.output.write(events, beat, due)

    def _without_hits(self, events: list[Event]) -> list[Event]:
        """Only what ends: nothing is left hanging, and nothing bursts."""
        ends = [event for event in events if event.order == END]
        self.health.late += 1
        self.health.dropped += len({event.track for event in events}) - len({event.track for event in ends})
        return ends

    # --- slack jobs ------------------------------------------------------------------------------------

    def _read_knobs(self) -> None:
        self.panel.knobs.read(self._channel)
        self._channel = (self._channel + 1) % self.panel.knobs.channels

    def _follow_knobs(self) -> None:
        """Decode anew when a knob has moved: the pattern changes from the next step on."""
        positions = self._knob_positions()
        if positions != self._positions:
            self._positions = positions
            self._decode()

    def _press_buttons(self) -> None:
        for button, action in self.panel.buttons.presses():
            if button == "PLAY" and action == "press":
                self.stop() if self.playing else self.start()
            elif button == "PLAY" and action == "hold":
                self.rewind()
            elif button == "SLOT" and action == "press" and self.library:
                self.choose_next()

    def _light_lamps(self) -> None:
        lamps = self.panel.lamps
        lamps.refresh()
        lamps.set("play", "on" if self.playing else "off")
        for voice in range(VOICES):
            lamps.set(f"voice{voice + 1}", "on" if self.output.levels[voice] else "off")

    # --- from knobs to pattern -------------------------------------------------------------------------

    def _use(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self._positions = self._knob_positions()
        self._decode()

    def _knob_positions(self) -> list[int]:
        return to_positions(np.array(self.panel.knobs.values[:KNOBS])).tolist()

    def _decode(self) -> None:
        self._scores = self.ensemble.decode(self.panel.knobs.values[:KNOBS])
        self._make_pattern()

    def _make_pattern(self) -> None:
        self.pattern = self.ensemble.pattern(self._scores, self.settings)
        self.version += 1

    def _beats(self, ns: int) -> float:
        return ns * self.settings.bpm / NS_PER_MINUTE
