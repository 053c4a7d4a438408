"""A day of music: every time is what exact fractions say, to the nanosecond, and nothing grows."""

import gc
import random
import sys
from fractions import Fraction

import pytest
from conftest import pattern, play_pattern
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from device import engine as engine_room
from device.box import Box
from device.clock import NS_PER_MINUTE, Clock
from device.ensemble import Ensemble
from device.history import KEPT
from device.leader import Leader
from device.planner import HORIZON_NS
from device.player import Player
from device.settings import Settings
from hw.panel import open_panel
from hw.timing import SimTime

HOUR = 3600 * 10**9  # ns
DAY = 24 * HOUR
TEMPI = st.floats(20, 300)
EVERY_STEP = pattern("x" * 16)
SLOW = {"midi_clock": "off", "clock_out": 1, "clock_divide": 4, "voices.divide": 16}  # a step is a bar
BARS = DAY // (12 * 10**9)  # of a day at 20 BPM
BLOCKS = 2000  # of memory that a day may leave; one for every bar would be 7200


def exact(start, beats, bpm):
    """When a beat falls, as a fraction of nanoseconds."""
    return start + Fraction(beats) * NS_PER_MINUTE / Fraction(bpm)


# --- the line -----------------------------------------------------------------------------------------------


@given(
    bpm=TEMPI, start=st.integers(0, 2**50), share=st.floats(0, 1), parts=st.sampled_from([1, 4, 24, 35, 48])
)
def test_any_beat_of_a_day_is_on_time_to_the_nanosecond(bpm, start, share, parts):
    clock = Clock(bpm)
    clock.refer(0.0, start)
    pulse = int(share * 24 * 60 * bpm * parts)

    assert abs(clock.time_at(pulse / parts) - exact(start, Fraction(pulse, parts), bpm)) <= 1


@given(
    changes=st.lists(st.tuples(st.integers(0, DAY // 50), TEMPI), max_size=50),
    bpm=TEMPI,
    start=st.integers(0, 2**50),
)
def test_changes_of_tempo_all_day_keep_the_sum(changes, bpm, start):
    """Each change may cost half of what the last place of a float of beats is worth: 3e-11 beats."""
    clock = Clock(bpm)
    clock.refer(0.0, start)
    now, beat = start, Fraction(0)
    for passed, tempo in changes:
        beat += passed * Fraction(clock.bpm) / NS_PER_MINUTE
        now += passed
        clock.set_tempo(tempo, now)

    coming = int(beat) + 1.0

    worth = Fraction(1, 2**35) * NS_PER_MINUTE / Fraction(clock.bpm)  # of that place after a day at 300 BPM
    room = 1 + len(changes) * worth
    assert abs(clock.time_at(coming) - exact(now, Fraction(coming) - beat, clock.bpm)) <= room
    assert room < 7 if clock.bpm >= 120 else room < 6 * 7


@how(max_examples=20, deadline=None)
@given(bpm=TEMPI, hours=st.floats(0, 23.99), start=st.integers(0, 10**15))
def test_clocks_that_go_out_do_not_drift_in_a_day(bpm, hours, start):
    clock = Clock(bpm)
    clock.refer(0.0, start)
    leader = Leader(clock)
    leader.started(0.0)
    now = leader.next_time()
    leader.due(now)  # the start
    now = leader.next_time()
    assert leader.due(now)[0][1] == 0.0

    now = start + round(hours * HOUR)  # nothing was sent in between: those who follow are told where it is
    leader.due(now)
    first = None
    for _ in range(500):
        now = leader.next_time()
        for message, beat, due in leader.due(now):
            if message == b"\xf8":
                tick = round(beat * 24)
                first = tick if first is None else first
                assert tick == first
                assert abs(due - exact(start, Fraction(tick, 24), bpm)) <= 1
                first += 1
    assert first is not None


# --- the whole box ------------------------------------------------------------------------------------------


class Listener:
    """A tape that keeps nothing but what it was told to look at."""

    def __init__(self):
        self.heard = {}
        self.look = lambda due, at, name: None

    def jack(self, beat, due, at, name, level):
        if level:
            self.heard[name] = self.heard.get(name, 0) + 1
            self.look(due, at, name)

    def midi(self, beat, due, at, port, message):
        self.heard[message[0]] = self.heard.get(message[0], 0) + 1

    def hand_over(self):
        pass


@pytest.fixture
def patient(monkeypatch):
    """A pass that waits until something comes or is to be decided: a day costs seconds."""
    monkeypatch.setattr(engine_room, "IDLE_NS", engine_room.IDLE_NS)
    monkeypatch.setattr(engine_room, "ALERT_NS", engine_room.ALERT_NS)

    def step(box, comes=2**62):
        player, now = box.player, box.engine.time.now()
        clock = player.clock
        if player.playing:
            comes = min(comes, clock.time_at(max(player.planner._wake, clock.beat)) - HORIZON_NS + 1)
        engine_room.IDLE_NS = engine_room.ALERT_NS = max(1000, comes - now)
        box.engine.step()

    return step


def slow_box(slot, **changed):
    """A box with one hit and one pulse a bar, and a tape that forgets."""
    settings = Settings()
    for key, value in (SLOW | changed).items():
        settings = settings.changed(key.replace("__", "."), value)
    time = SimTime()
    panel = open_panel("sim", midi_port=None, time=time)
    player = Player(time, Ensemble([slot]), settings, {1: slot}, panel.knobs.values)
    box = Box(panel, time, player, Listener())
    play_pattern(box.engine, EVERY_STEP)
    return box


def play_until(box, ns, step=lambda box: box.engine.step()):
    while box.engine.time.now() < ns:
        step(box)


def pending(box):
    score = box.player.score
    return sum(len(queue) for queue in score._waiting)


def test_a_day_at_twenty_beats_a_minute_ends_where_it_should_and_nothing_grows(slot, patient):
    box = slow_box(slot, bpm=20)
    heard, most = [], 0
    box.engine.output.tape.look = lambda due, at, name: heard.append((due, name)) if name == "gate1" else None

    box.engine.start()
    play_until(box, HOUR, patient)
    begin = box.player.clock.time
    gc.collect()
    before = sys.getallocatedblocks()
    while box.engine.time.now() < DAY - 10**9:
        patient(box)
        most = max(most, pending(box))
        if len(heard) >= 100:
            for due, _ in heard:
                bar = round((due - begin) / (12 * 10**9))
                assert abs(due - (begin + bar * 12 * 10**9)) <= 1
            heard.clear()
    heard.clear()
    gc.collect()
    grown = sys.getallocatedblocks() - before

    assert (
        box.engine.output.tape.heard["gate1"] == box.engine.output.tape.heard["clock"] == DAY // (12 * 10**9)
    )
    assert most <= 4
    assert grown < BLOCKS
    assert box.engine.health.dropped == 0
    assert box.engine.health.worst_ns == 0


@how(max_examples=5, deadline=None)
@given(bpm=TEMPI, start=st.integers(0, 10**12))
def test_after_a_day_every_jack_is_where_fractions_say(bpm, start, slot):
    """The day before is a stall: what was due in it is jumped over, the line stays what it was."""
    box = slow_box(slot, bpm=bpm, midi_clock="always", clock_divide=1, voice__1__multiply=3)
    engine = box.engine
    engine.time.stall(start)
    dues = []
    engine.output.tape.look = lambda due, at, name: dues.append((due, name))

    engine.start()
    play_until(box, start + 10**9)
    begin = box.player.clock.time
    engine.time.stall(23 * HOUR + 59 * HOUR // 60)
    del dues[:]
    play_until(box, begin + DAY)

    for name, beats in (("clock", Fraction(1)), ("gate1", Fraction(4, 3))):
        found = [due for due, jack in dues if jack == name][2:]  # the stall may have left these late
        places = [round((due - begin) * Fraction(bpm) / NS_PER_MINUTE / beats) for due in found]
        assert places == list(range(places[0], places[0] + len(found)))
        assert len(found) >= 16 / beats
        assert all(
            abs(due - exact(begin, place * beats, bpm)) <= 1 for due, place in zip(found, places, strict=True)
        )


@pytest.mark.parametrize("off", range(-3, 20))
def test_a_step_is_decided_to_whatever_nanosecond_the_box_looks_ahead(slot, off):
    """However near its horizon comes to a step of several beats, it is not told to wake after it."""
    box = slow_box(slot, bpm=53.897)
    player, time = box.player, box.engine.time
    box.engine.start()
    play_until(box, player.clock.time_at(6.5))
    heard = box.engine.output.tape.heard["clock"]

    time.sleep_until(player.clock.time_at(8.0) - HORIZON_NS + off)
    play_until(box, player.clock.time_at(8.0) + 10**6)

    assert box.engine.output.tape.heard["clock"] == heard + 1
    assert box.engine.health.worst_ns == 0


def test_a_day_of_tempo_changes_and_turns_ends_where_fractions_say_and_nothing_grows(slot, patient):
    box = slow_box(slot, bpm=20, change="now")
    rng = random.Random(1)
    desk, player, time = box.desk, box.player, box.engine.time

    box.engine.start()
    beat, at, bpm = Fraction(0), player.clock.time, Fraction(20)
    for hour in range(24):
        for tempo in (rng.uniform(20, 60), rng.uniform(20, 60)):
            play_until(box, at + rng.randrange(HOUR // 4, HOUR // 2), patient)
            now = time.now()
            beat += (now - at) * bpm / NS_PER_MINUTE
            desk.change("bpm", tempo)
            at, bpm = now, Fraction(tempo)
            for _ in range(20):
                desk.turn(rng.randrange(4), rng.random())
                desk.change("voices.groove", rng.random())
        if hour == 2:
            gc.collect()
            before = sys.getallocatedblocks()
    gc.collect()
    grown = sys.getallocatedblocks() - before

    coming = float(int(beat) + 4)
    assert abs(player.clock.time_at(coming) - exact(at, Fraction(coming) - beat, bpm)) <= 2
    assert len(desk._history._before) == KEPT
    assert pending(box) <= 4
    assert grown < BLOCKS
    assert box.engine.health.dropped == 0


@pytest.mark.parametrize(("clock", "jitter"), [("jack", 0), ("jack", 2_000_000), ("midi", 1_000_000)])
def test_a_day_under_another_clock_stays_with_it(slot, patient, clock, jitter):
    """One pulse a beat at the jack all day; 24 a beat over MIDI for an hour."""
    per_beat, bpm = (1, 20) if clock == "jack" else (24, 20)
    box = slow_box(slot, bpm=bpm, clock=clock, clock_in=str(per_beat) if clock == "jack" else "4")
    time, rng = box.engine.time, random.Random(1)
    heard, worst, count = [], 0, 0
    box.engine.output.tape.look = lambda due, at, name: heard.append(at) if name == "gate1" else None

    period = Fraction(NS_PER_MINUTE, bpm * per_beat)
    box.sync.start()
    if clock == "midi":
        box.panel.inputs[0].feed(b"\xfa", 0)
    last = DAY if clock == "jack" else HOUR
    for pulse in range(int(last / period)):
        true = 10**9 + pulse * period
        at = round(true + rng.uniform(-jitter, jitter))
        while time.now() < at:
            patient(box, at)
        if clock == "jack":
            box.panel.jacks.feed("clock", True, at)
        else:
            box.panel.inputs[0].feed(b"\xf8", at)
        patient(box, at)
        while heard:
            count += 1
            bar = round((heard[0] - 10**9) / (period * 4 * per_beat))
            if count > 4:
                worst = max(worst, abs(heard[0] - (10**9 + bar * 4 * per_beat * period)))
            assert bar == count - 1
            heard.pop(0)

    assert count >= int(last / period / per_beat / 4)
    assert worst <= 10_000 + 2 * jitter
    assert box.sync.source == clock
