"""Which clock leads, and what the box does then: follow, start, stop, go elsewhere, go on alone.

Clocks arrive from MIDI, the jack and Ableton Link. It decides nothing musical and knows no pulse by itself:
`device.sources` counts, `device.follower` smooths, the player plays along the line that comes out.
"""

from __future__ import annotations

from collections import deque

from device.clock import BPM_HIGH, NS_PER_MS, playable
from device.engine import Engine
from device.flood import RUN, Flood
from device.pattern import BEATS_PER_BAR
from device.settings import Settings
from device.sources import STEPS_PER_BEAT, JackClock, MidiClock, Source, StepClock
from device.specs import SOURCES

ENOUGH_NS = 200_000  # spent on edges in one pass
MOST_EDGES = 1024  # that wait; of more the oldest are let go
FASTEST = (
    250.0  # pulses a second at a jack that may be a clock's, and twice what the clock at its fastest has
)
RESETS = 50.0  # the same for resets
SAME_TEMPO = 0.001  # share: Link tells tempi as whole microseconds of a beat
LEADS = {"jack": "the clock jack", "midi": "MIDI clock", "link": "Ableton Link"}


class Sync:
    """Hands what arrives to the player, by way of the engine's transport."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.player = engine.player
        self.midi = [MidiClock(port.name) for port in engine.panel.inputs]
        self.jack = _jack_clock(engine.player.settings)
        self.link = engine.panel.link
        self.leading: Source | None = None  # None: the box itself, or Link
        self.linked = False  # Link leads
        self.awaited = False  # PLAY was pressed, and the clock that is to lead has not come
        self.held = False  # stopped because the clock was lost; goes on when it is back
        self._edges: deque[tuple[str, int, bool]] = deque(maxlen=MOST_EDGES)
        self._tempi: deque[float] = deque(maxlen=RUN)  # at the latest pulses, so that a tone leaves none
        self._floods = {"clock": _clock_flood(engine.player.settings), "reset": Flood(RESETS)}
        self._seen = engine.player.settings
        self._link_played = False

    @property
    def source(self) -> str:
        """What leads: "internal", "midi", "jack" or "link"."""
        if self.linked:
            return "link"
        return "internal" if self.leading is None else ("midi" if self.leading in self.midi else "jack")

    @property
    def complaint(self) -> str:
        """What is wrong with a clock, in a sentence, or empty."""
        for name, flood in self._floods.items():
            if flood.rate:
                return (
                    f"{name} in: {flood.rate} pulses a second, expected at most {flood.limit:.0f}: that is "
                    f"no {name}, so the box goes on without it. Patch another."
                )
        for source in self._sources:
            if source.follower.complaint:
                what, _, advice = source.follower.complaint.partition(":")
                advice = " change the tempo of the sender" if source in self.midi else advice
                return f"clock at {source.name}: {what}:{advice.rstrip('.')}."
        if self._seen.clock == "link" and self.link is None:
            return 'Ableton Link is joined when the box starts: write clock = "link" into settings.toml.'
        return ""

    @property
    def waits(self) -> str:
        """What PLAY waits for, in a sentence, or empty: nothing is wrong with that."""
        if not self.awaited:
            return ""
        leads = LEADS.get(self._seen.clock, "the clock")
        return f"PLAY waits for {leads}; set clock to internal to play without it."

    # --- what arrives ------------------------------------------------------------------------------------

    def hear(self, port: int, message: bytes, time: int) -> None:
        """A MIDI message that is not of a channel, from the input of that number."""
        source = self.midi[port]
        came = source.hear(message, time)
        if not self._may_lead("midi"):
            return
        if came == "pulse":
            self._pulsed(source)
        elif came == "stop" and self.leading in (None, source):
            self.held = self.awaited = False
            self.engine.stop()
        elif came == "locate" and self.leading in (None, source) and not self.player.playing:
            self.engine.locate(source.next / source.per_beat)

    def edge(self, name: str, time: int, rising: bool) -> None:
        """An edge at the clock or the reset jack."""
        if not rising or not self._may_lead("jack"):
            return
        if name == "clock":
            if self.jack.pulse(time):
                self._pulsed(self.jack)
        elif not self.jack.heard:
            self.jack.next = 0
            if self.source == "internal":  # another that leads says itself where it is
                self.engine.rewind()
        elif self.jack.reset(time) and self.leading is self.jack:
            self.engine.locate(0.0, self._at(self.jack.time))
            self._follow(self.jack)

    def attend(self) -> None:
        """Take edges, notice what was lost or set otherwise, follow Link. A slack job."""
        for name, at, rising in self.engine.panel.jacks.arrived():
            if rising and self._passes(name, at):
                self._edges.append((name, at, rising))
        enough = self.engine.time.now() + ENOUGH_NS
        while self._edges:
            self.edge(*self._edges.popleft())
            if self.engine.time.now() > enough:  # what is no clock must not hold up the music
                break
        if self._seen is not self.player.settings:
            self._settings_changed(self._seen, self.player.settings)
        now = self.engine.time.now()
        for flood in self._floods.values():
            flood.attend(now)
        for source in self._sources:
            if source.lost(now):
                self._lost(source)
        if self.link is not None:
            self._attend_link(now)

    # --- what hands ask for ------------------------------------------------------------------------------

    def start(self) -> None:
        """PLAY: along with the clock that leads, where one does."""
        source = self.leading
        if self.player.playing:
            return
        self.held = self.awaited = False
        if self.linked:
            self._join_link()
        elif source is None:
            if self._seen.clock in ("auto", "internal") or (self._seen.clock == "link" and self.link is None):
                self.engine.start()
            else:
                self.awaited = True
        elif source.running and source.heard and not source.waiting:
            self._follow(source)
            self.engine.join()
        else:
            source.free(self.player.beat)
            source.waiting = True
            if isinstance(source, MidiClock):
                source.hand_started = True

    def stop(self) -> None:
        """PLAY again, or the player's word from elsewhere."""
        self.held = self.awaited = False
        if self.leading is not None and self.leading.running is None:
            self.leading.waiting = False
        self.engine.stop()

    def toggle(self) -> None:
        """Stop where it plays or waits to, start where it does not."""
        hand = self.leading is not None and self.leading.waiting and not self.leading.running
        if self.player.playing or self.awaited or self.held or hand:
            self.stop()
        else:
            self.start()

    def locate(self, beat: float) -> str:
        """Go on from another beat; a sentence where a clock leads that says itself where the music is."""
        if self.linked or (self.leading is not None and self.leading.running):
            return f"{LEADS[self.source]} leads and says where the music is; the box stays with it."
        self.engine.locate(beat)
        if self.leading is not None:
            self.leading.free(beat)
        return ""

    def panic(self) -> None:
        """Everything off, now."""
        self.engine.panic()

    def rewind(self) -> None:
        """Back to the top: under a clock that leads with its next pulse."""
        if self.leading is None or not self.player.playing:
            self.engine.rewind()
            for source in self._sources:
                source.next = source.next if source.running else 0
        else:
            self.leading.next, self.leading.waiting = 0, True

    # --- within ------------------------------------------------------------------------------------------

    def _passes(self, name: str, time: int) -> bool:
        """Whether an edge is worth a look; where a clock has become a tone, the box leads itself again."""
        flood = self._floods[name]
        was = flood.rate
        if name == "clock":
            self._tempi.append(self.player.settings.bpm)
        if flood.passes(time):
            return True
        if not was and name == "clock":
            self._edges.clear()
            self.jack.lose()
            self.jack.waiting = False
            if self.leading is self.jack:
                self._lead_alone()
                now = self.engine.time.now()
                self.player.follow(self.player.clock.beat_at(now), now, self._tempi[0])
        return False

    @property
    def _sources(self) -> list[Source]:
        """All whose pulses are counted."""
        return [self.jack, *self.midi]

    def _pulsed(self, source: Source) -> None:
        """A pulse has come: begin, move or follow."""
        if self.leading is not source:
            if not self._takes_over(source):
                return
            self._let_lead(source)
        if source.waiting or self.held or self.awaited:
            source.waiting = self.held = self.awaited = False
            self.engine.lead(source.beat, self._at(source.time), source.bpm(self._seen.bpm))
        self._follow(source)

    def _takes_over(self, source: Source) -> bool:
        """Whether a source that pulses is to lead from now on."""
        kind = "jack" if source is self.jack else "midi"
        if kind == self._seen.clock or source.waiting:
            better = True
        else:
            better = SOURCES.index(kind) < SOURCES.index(self.source)
        # A sender that says start comes before one that only ticks.
        starts = source.waiting and self.leading is not None and not self.leading.running
        begins = source.waiting or self.held or self.awaited
        return better and (source.ready or begins) and (self.leading is None or kind != self.source or starts)

    def _let_lead(self, source: Source) -> None:
        self.leading, self.linked = source, False
        self.player.slaved = True
        if self.player.playing and not source.waiting and not source.running:
            source.nearest(self.player.clock.beat_at(source.time))
            if isinstance(source, MidiClock):
                source.hand_started = True

    def _follow(self, source: Source) -> None:
        self.player.follow(source.beat, self._at(source.time), source.bpm(self._seen.bpm), source.limit)

    def _at(self, time: int) -> int:
        return time + round(self._seen.sync_ms * NS_PER_MS)

    def _lost(self, source: Source) -> None:
        source.lose()
        if source is not self.leading:
            return
        self._lead_alone()
        wanted = self._seen.clock_lost
        # A modular that pauses means it; a MIDI cable that comes off does not.
        stops = wanted == "stop" or (wanted == "auto" and source is self.jack)
        if self.player.playing and stops:
            self.engine.stop()
            self.held = True

    def _lead_alone(self) -> None:
        self.leading, self.linked = None, False
        self.player.go_on_alone()

    def _may_lead(self, kind: str) -> bool:
        return self._seen.clock in ("auto", kind)

    def _settings_changed(self, before: Settings, now: Settings) -> None:
        self._seen = now
        if before.clock_in != now.clock_in:
            was_leading = self.leading is self.jack
            self._floods["clock"] = _clock_flood(now)
            self.jack = _jack_clock(now)
            self.jack.free(self.player.beat)
            if was_leading:
                self._lead_alone()
        if before.clock != now.clock:
            self.awaited = self.held = False
            kind = self.source
            if kind != "internal" and not self._may_lead(kind):
                self._lead_alone()
        if self.engine.leader.mode != now.midi_clock:
            self.engine.lead_others(now.midi_clock)
        if self.linked and now.bpm != before.bpm and self.link is not None:
            _, bpm = self.link.line(self.engine.time.now())
            if abs(bpm - now.bpm) > SAME_TEMPO * bpm:
                self.link.set_tempo(now.bpm)

    # --- Ableton Link ------------------------------------------------------------------------------------

    def _attend_link(self, now: int) -> None:
        link = self.link
        assert link is not None
        wanted = self._seen.clock == "link" or (self._seen.clock == "auto" and self.leading is None)
        if link.peers and wanted and not self.linked:
            self.leading, self.linked = None, True
            self.player.slaved = True
            if self._seen.clock == "link" and self.awaited:
                self._join_link()
        elif self.linked and (not link.peers or not wanted):
            self._lead_alone()
        if not self.linked:
            return
        beat, bpm = link.line(now)
        if self.player.playing:  # Link tells the place in the bar; which bar it is, the box knows itself
            beat += round((self.player.clock.beat_at(now) - beat) / BEATS_PER_BAR) * BEATS_PER_BAR
        self.player.follow(beat, self._at(now), playable(bpm))
        playing = link.playing and link.turned_ns <= now
        if playing != self._link_played:
            self._link_played = playing
            if playing and not self.player.playing:
                self._join_link()
            elif not playing and self.player.playing:
                self.engine.stop()

    def _join_link(self) -> None:
        """Play along from the place in the bar where the session is, counted from the top."""
        assert self.link is not None
        now = self.engine.time.now()
        beat, bpm = self.link.line(now)
        self.awaited = False
        self.player.follow(beat % BEATS_PER_BAR, self._at(now), playable(bpm))
        self.engine.join()
        if not self.link.playing:
            self.link.start(now)
        self._link_played = True


def _clock_flood(settings: Settings) -> Flood:
    per_beat = STEPS_PER_BEAT if settings.clock_in == "step" else float(settings.clock_in)
    return Flood(max(FASTEST, 2 * per_beat * BPM_HIGH / 60))


def _jack_clock(settings: Settings) -> JackClock:
    return StepClock() if settings.clock_in == "step" else JackClock(float(settings.clock_in))
