"""Anything may arrive at the inputs: nothing raises, nothing hangs, and what is not to lead moves nothing.

FATHOM_FUZZ says how many MIDI messages the long runs take: `FATHOM_FUZZ=1000000 pytest tests/test_fuzz.py`.
"""

import contextlib
import os
import random
import socket

import pytest
from clock_helpers import CLOCK, START, S, clocks, feed, rises
from conftest import pattern
from hypothesis import Phase, given
from hypothesis import settings as how
from hypothesis import strategies as st

from device.box import Box
from device.clock import BPM_HIGH, BPM_LOW, NS_PER_MS
from device.ensemble import Ensemble
from device.messages import Answer
from device.play import _serve
from device.player import Player
from device.remote import encode, state_of
from device.settings import ACTIONS, Settings, spec_of
from device.specs import BOX_SPECS, CONTROLLERS, KNOB_NAMES, VOICE_SPECS
from device.tape import Tape
from hw.panel import open_panel
from hw.stream import MidiStream
from hw.timing import SimTime

MESSAGES = int(os.environ.get("FATHOM_FUZZ", "200000"))
EXAMPLES = 8 * MESSAGES // 200_000  # of absurd clocks, each way
LENGTHS = {0x80: 3, 0x90: 3, 0xA0: 3, 0xB0: 3, 0xC0: 2, 0xD0: 2, 0xE0: 3, 0xF1: 2, 0xF2: 3, 0xF3: 2}


def message(rng):
    """A MIDI message, good or bad."""
    kind = rng.random()
    if kind < 0.05:
        return rng.randbytes(rng.randrange(6))  # anything, nothing
    if kind < 0.1:
        return (
            b"\xf0" + bytes(rng.randrange(128) for _ in range(rng.randrange(40))) + b"\xf7" * rng.randrange(2)
        )
    if kind < 0.4:
        return bytes((rng.randrange(0xF1, 0x100),))  # of the system; 0xF1 to 0xF3 are cut off
    status = rng.choice((0x80, 0x90, 0xA0, 0xB0, 0xB0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF1, 0xF2, 0xF3))
    length = LENGTHS[status]
    if status < 0xF0:
        status |= rng.randrange(16)
    if rng.random() < 0.05:
        length = rng.randrange(1, 6)
    most = 256 if rng.random() < 0.05 else 128
    return bytes((status, *(rng.randrange(most) for _ in range(length - 1))))


def fuzz(box, seed, count, batch=40):
    """Let so many messages arrive, some with every pass, as the input gives them on."""
    rng, stream = random.Random(seed), MidiStream()
    port = box.panel.inputs[0]
    while count > 0:
        for _ in range(rng.randrange(1, 2 * batch)):
            for whole in stream.feed(message(rng)):
                port.feed(whole)
            count -= 1
        box.engine.step()


def sounding(entries):
    """Jacks that are up and notes that are on at the end of a tape."""
    up, on = set(), []
    for entry in entries:
        if "jack" in entry:
            (up.add if entry["level"] else up.discard)(entry["jack"])
        elif entry["midi"][0] & 0xF0 == 0x90 and entry["midi"][2]:
            on.append((entry["port"], entry["midi"][0] & 0x0F, entry["midi"][1]))
        elif entry["midi"][0] & 0xF0 == 0x80:
            on.remove((entry["port"], entry["midi"][0] & 0x0F, entry["midi"][1]))
    return up, on


def deaf():
    """Settings of a box that nothing at the MIDI input moves."""
    settings = Settings().changed("clock", "internal").changed("program_in", False)
    for number, _ in settings.cc:
        settings = settings.changed(f"cc.{number}", "")
    return settings


def test_a_flood_of_midi_does_not_move_a_box_with_its_own_clock(make_box):
    fuzzed, quiet = make_box(settings=deaf()), make_box(settings=deaf())
    fuzzed.engine.start()
    quiet.engine.start()

    fuzz(fuzzed, 1, MESSAGES)
    end = fuzzed.engine.time.now() + S
    for box in (fuzzed, quiet):
        feed(box, [], until=end)

    assert len(quiet.engine.output.tape.entries) > 100
    assert fuzzed.engine.output.tape.entries == quiet.engine.output.tape.entries
    assert fuzzed.memory() == quiet.memory()


def every_target():
    """All that a control change can move."""
    voices = [f"{group}.{name}" for group in ("voices", "voice.1", "edit") for name in VOICE_SPECS]
    settings = [
        key for key in (*BOX_SPECS, *voices) if not spec_of(key).most and spec_of(key).kind is not str
    ]
    words = [key for key in (*BOX_SPECS, *voices) if spec_of(key).choices and not spec_of(key).most]
    return [*KNOB_NAMES, *ACTIONS, "slot", "voice", *settings, *words]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_flood_of_midi_at_a_box_in_which_everything_is_mapped_breaks_nothing(
    make_box, slot, other_slot, seed
):
    rng = random.Random(seed)
    settings = Settings()
    for number in range(CONTROLLERS):
        settings = settings.changed(f"cc.{number}", rng.choice(every_target()))
    box = make_box(settings=settings, slots=[slot], library={1: slot, 2: other_slot})
    box.engine.start()
    box.desk.record(0)

    fuzz(box, seed, MESSAGES // 30, batch=4)
    state = state_of(box)
    box.engine.stop()

    assert sounding(box.engine.output.tape.entries) == (set(), [])
    assert BPM_LOW <= state.bpm <= BPM_HIGH
    assert all(0 <= knob <= 1 for knob in state.knobs)
    assert encode(Answer(True, state=state))
    assert encode(box.memory())


# --- absurd clocks ------------------------------------------------------------------------------------------

TRAINS = st.lists(
    st.one_of(
        st.tuples(st.just("train"), st.integers(1, 40), st.floats(0.1, 200)),  # ms from pulse to pulse
        st.tuples(st.just("train"), st.integers(1, 3), st.floats(200, 10_000)),
        st.tuples(st.just("burst"), st.integers(1, 1000), st.just(0.0)),
        st.tuples(st.just("back"), st.integers(1, 5), st.floats(0.1, 1000)),  # stamps from before the last
        st.tuples(st.just("other"), st.integers(0, 5), st.just(0.0)),  # start, stop, ... or a reset
    ),
    max_size=6,
)
OTHERS = (START, b"\xfb", b"\xfc", b"\xf2\x05\x01", b"\xfe", b"\xff")


def absurd(box, train, jack):
    """Let a clock arrive that is none."""
    time = box.engine.time

    def arrive(at):
        if jack:
            box.panel.jacks.feed("clock", True, at)
        else:
            box.panel.inputs[0].feed(CLOCK, at)

    for what, count, ms in train:
        for _ in range(count if what in ("train", "back") else 1):
            until = time.now() + round(ms * NS_PER_MS)
            if what == "back":
                arrive(max(0, time.now() - round(ms * NS_PER_MS)))
                until = time.now() + NS_PER_MS
            elif what == "train":
                arrive(time.now())
            elif what == "burst":
                for _ in range(count):
                    arrive(time.now())
            elif what == "other" and jack:
                box.panel.jacks.feed("reset", True, time.now())
            elif what == "other":
                box.panel.inputs[0].feed(OTHERS[count], time.now())
            box.engine.step()
            while time.now() < until:
                box.engine.step()
            assert BPM_LOW <= box.player.settings.bpm <= BPM_HIGH
            assert BPM_LOW <= box.player.clock.bpm <= BPM_HIGH


FEWEST = 12  # pulses from which any clock is known, whatever went before it
MODES = [("auto", False, "4"), ("midi", False, "4")]
MODES += [(clock, True, per_beat) for clock in ("auto", "jack") for per_beat in ("1", "4", "24", "step")]


def absurd_box(slot, **changed):
    settings = Settings()
    for key, value in changed.items():
        settings = settings.changed(key, value)
    time = SimTime()
    panel = open_panel("sim", midi_port=None, time=time)
    player = Player(time, Ensemble([slot]), settings, {1: slot}, panel.knobs.values)
    return Box(panel, time, player, Tape())


@pytest.mark.parametrize(("clock", "jack", "per_beat"), MODES)
@how(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(train=TRAINS, lost=st.sampled_from(["auto", "stop", "go"]))
def test_an_absurd_clock_breaks_nothing_and_a_good_one_is_followed_after_it(
    slot, clock, jack, per_beat, train, lost
):
    box = absurd_box(slot, clock=clock, clock_in=per_beat, clock_lost=lost, midi_clock="off")
    time = box.engine.time
    box.sync.start()

    absurd(box, train, jack)

    box.sync.stop()
    assert sounding(box.engine.output.tape.entries) == (set(), [])
    pulses = {False: 24, True: 4 if per_beat == "step" else int(per_beat)}[jack]
    begin = time.now() + S
    good = clocks(
        100, max(5 * pulses, FEWEST) + 1, first=begin, per_beat=pulses, what="clock" if jack else CLOCK
    )
    if not jack:
        good.insert(0, (begin - NS_PER_MS, START))
    feed(box, good[:1])
    box.sync.start()
    feed(box, good[1:])

    assert box.sync.source == ("jack" if jack else "midi")
    assert box.player.playing
    same = 1 / pulses if jack else float("inf")  # of pulses alone nobody knows which is the top
    for now in (time.now(), time.now() + S // 10):
        place, wanted = box.player.clock.beat_at(now), (now - begin) / (0.6 * S)
        off = (place - wanted + same / 2) % same - same / 2 if jack else place - wanted
        assert abs(off) < (0.05 if pulses == 1 else 0.01) or place == box.player.clock.limit
    assert box.player.settings.bpm == pytest.approx(100, rel=0.02)


@how(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(train=TRAINS, jack=st.booleans())
def test_no_clock_moves_a_box_with_its_own(slot, train, jack):
    boxes = [absurd_box(slot, clock="internal") for _ in range(2)]
    for box in boxes:
        box.engine.start()

    absurd(boxes[0], train, jack)
    end = boxes[0].engine.time.now() + S
    for box in boxes:
        feed(box, [], until=end)

    assert boxes[0].engine.output.tape.entries == boxes[1].engine.output.tape.entries


# --- floods -------------------------------------------------------------------------------------------------


FLOODS = {
    "clocks": lambda panel, at: panel.inputs[0].feed(CLOCK, at),
    "control changes": lambda panel, at: panel.inputs[0].feed((0xB0, 16, random.randrange(128)), at),
    "switches": lambda panel, at: panel.inputs[0].feed((0xB0, 17, random.choice((0, 127))), at),
    "notes": lambda panel, at: panel.inputs[0].feed((0x90, 60, 100), at),
    "pulses": lambda panel, at: panel.jacks.feed("clock", True, at),
}


def costs(time, do, us):
    """The same, on a machine on which it takes so long."""

    def slow(*words):
        time.stall(us * 1000)
        do(*words)

    return slow


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_does_not_starve_the_music(make_box, flood):
    box = make_box(pattern("x" * 16), Settings().changed("clock", "internal"))
    time = box.engine.time
    box.controls.hear = costs(time, box.controls.hear, 150)
    box.sync.hear = costs(time, box.sync.hear, 40)
    box.sync.edge = costs(time, box.sync.edge, 40)
    box.desk.record(0)
    box.engine.start()

    while time.now() < 4 * S:
        for _ in range(500):
            FLOODS[flood](box.panel, time.now())
        box.engine.step()
        del box.panel.inputs[0]._arrived[2000:]  # a real input lets go of more than that

    assert len([at for at in rises(box) if at < 4 * S]) == 32
    assert box.engine.health.dropped == 0
    assert box.engine.health.worst_ns < NS_PER_MS // 2


def test_after_a_flood_hands_are_felt_again(make_box):
    box = make_box(pattern("x" * 16))
    box.engine.start()
    for value in range(6400):
        box.panel.inputs[0].feed((0xB0, 16, value % 2))
    for _ in range(200):
        box.engine.step()

    box.panel.inputs[0].feed((0xB0, 16, 127))
    for _ in range(20):
        box.engine.step()

    assert box.desk.knobs[0] == 1.0


# --- the socket ---------------------------------------------------------------------------------------------


class Nuisance:
    """A client that sends what it likes and reads when it likes; connects again when it is dropped."""

    def __init__(self, path, send, read):
        self.path, self.to_send, self.read = path, send, read
        self.connection = None

    def go_on(self, rng):
        with contextlib.suppress(BlockingIOError):
            try:
                if self.connection is None:
                    self.connection = socket.socket(socket.AF_UNIX)
                    self.connection.setblocking(False)
                    self.connection.connect(str(self.path))
                self.connection.send(self.to_send(rng))
                if self.read:
                    self.connection.recv(1 << 16)
            except (ConnectionError, OSError) as error:
                if isinstance(error, BlockingIOError):
                    raise
                self.close()

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


NUISANCES = [
    (lambda rng: rng.randbytes(rng.randrange(1, 2000)), True),
    (lambda rng: rng.randbytes(rng.randrange(1, 2000)) + b"\n", False),
    (lambda rng: b'{"do":"watch"}\n{"do":"state"}\n' * 50, False),  # and never reads
    (lambda rng: b'{"do":"st', False),  # stalls in a line
    (lambda rng: b'{"do":"set","key":"bpm","value":' + b"[" * 60_000, False),
    (lambda rng: b'{"do":"load","slot":1,"blob":"' + b"A" * 60_000, False),
    (lambda rng: b"\n" * 1000, False),
    (lambda rng: b'{"do":"set","key":"voice.1.note","value":%d}\n' % rng.randrange(128, 9999), True),
]


def test_clients_that_are_a_nuisance_do_not_move_the_music(make_box, home):
    rng = random.Random(1)
    bothered, quiet = make_box(settings=deaf()), make_box(settings=deaf())
    with contextlib.ExitStack() as stack:
        remote = _serve(bothered, stack)
        clients = [Nuisance(remote.path, send, read) for send, read in NUISANCES * 4]
        for box in (bothered, quiet):
            box.engine.start()
        while bothered.engine.time.now() < 8 * S:
            for client in rng.sample(clients, 4):
                client.go_on(rng)
            bothered.engine.step()
        with socket.socket(socket.AF_UNIX) as good:
            good.connect(str(remote.path))
            good.setblocking(False)
            good.send(b'{"do":"memory"}\n')
            feed(bothered, [], until=9 * S)
            assert good.recv(1 << 16).startswith(b'{"ok":true,"memory":'), "who behaves is answered"
        for client in clients:
            client.close()
    feed(quiet, [], until=9 * S)
    before = [entry for entry in quiet.engine.output.tape.entries if entry["due_ns"] < 9 * S]
    assert [entry for entry in bothered.engine.output.tape.entries if entry["due_ns"] < 9 * S] == before
    assert len(before) > 100
    assert bothered.memory() == quiet.memory()
