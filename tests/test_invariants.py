"""Whatever a player does, and whenever: nothing hangs, nothing sounds early, gate and note are one."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from setting_helpers import values

from device.box import Box
from device.clock import NS_PER_MS
from device.ensemble import Ensemble
from device.errors import ModelError
from device.player import Player
from device.settings import ACTIONS, Settings
from device.specs import BOX_SPECS, VOICE_SPECS
from device.tape import Tape
from hw.panel import open_panel
from hw.timing import SimTime

NOT_HEARD = ("shift", "play_layer", "slot_layer", "learn_layer", "midi_out", "midi_in")


SETTINGS = st.one_of(
    [
        st.tuples(st.sampled_from([f"voices.{name}", f"voice.1.{name}", f"voice.2.{name}"]), values(spec))
        for name, spec in VOICE_SPECS.items()
    ]
    + [st.tuples(st.just(name), values(BOX_SPECS[name])) for name in BOX_SPECS if name not in NOT_HEARD]
)
DEEDS = st.one_of(
    st.tuples(st.just("set"), SETTINGS),
    st.tuples(st.just("turn"), st.tuples(st.integers(0, 3), st.floats(0, 1))),
    st.tuples(st.just("choose"), st.sampled_from([[1], [2], [1, 2], [2, 2, 1, 1]])),
    st.tuples(st.just("stall"), st.integers(0, 400)),
    st.tuples(st.just("clocks"), st.tuples(st.integers(1, 60), st.floats(0.1, 200))),
    st.tuples(st.just("pulses"), st.tuples(st.integers(1, 12), st.floats(0.1, 500))),
    st.tuples(st.just("midi"), st.sampled_from([[0xFA], [0xFB], [0xFC], [0xF2, 5, 1], [0xFE], [0xC0, 1]])),
    st.tuples(st.just("edge"), st.just("reset")),
    st.tuples(st.just("locate"), st.floats(0, 64)),
    st.tuples(st.just("act"), st.sampled_from(ACTIONS)),
)


def do(box, deed, what):
    time = box.engine.time
    match deed:
        case "set":
            box.desk.change(*what)
        case "turn":
            box.panel.knobs.turn(*what)
        case "choose":
            box.desk.choose(what)
        case "stall":
            time.stall(what * NS_PER_MS)
        case "clocks" | "pulses":
            count, apart_ms = what
            for _ in range(count):
                at = time.now()
                if deed == "clocks":
                    box.panel.inputs[0].feed([0xF8])
                else:
                    box.panel.jacks.feed("clock", True)
                while time.now() < at + apart_ms * NS_PER_MS:
                    box.engine.step()
        case "midi":
            box.panel.inputs[0].feed(what)
        case "edge":
            box.panel.jacks.feed(what, True)
        case "locate":
            box.sync.locate(what)
        case "act":
            with contextlib.suppress(ModelError):  # nothing can be learned here
                box.desk.act(what)


def play_for(engine, seconds):
    until = engine.time.now() + seconds * 1e9
    while engine.time.now() < until:
        engine.step()


@settings(max_examples=60, deadline=None)
@given(deeds=st.lists(st.tuples(st.floats(0.01, 3.0), DEEDS), max_size=12))
def test_whatever_is_done_gates_and_notes_agree_and_end(deeds, slot, other_slot):
    time = SimTime()
    panel = open_panel("sim", midi_port=None, time=time)
    library = {1: slot, 2: other_slot}
    player = Player(time, Ensemble([slot, other_slot]), Settings(), library, panel.knobs.values)
    box = Box(panel, time, player, Tape())
    engine = box.engine

    engine.start()
    for seconds, (deed, what) in deeds:
        play_for(engine, seconds)
        do(box, deed, what)
    play_for(engine, 1.0)
    engine.stop()

    settles = any(deed == "set" and what[0] == "settle_ms" for _, (deed, what) in deeds)
    jacks, notes = {}, []
    entries = engine.output.tape.entries
    for entry, after in zip(entries, [*entries[1:], {"due_ns": None}], strict=True):
        assert entry["at_ns"] >= entry["due_ns"]
        if "jack" in entry:
            assert jacks.get(entry["jack"], 0) != entry["level"], "a jack is written only when it changes"
            jacks[entry["jack"]] = entry["level"]
        elif entry["midi"][0] & 0xF0 == 0x90:
            notes.append((entry["midi"][0] & 0x0F, entry["midi"][1]))
        elif entry["midi"][0] & 0xF0 == 0x80:
            notes.remove((entry["midi"][0] & 0x0F, entry["midi"][1]))
        if after["due_ns"] != entry["due_ns"] and not settles:  # the instant is over
            gates = sum(level for jack, level in jacks.items() if jack.startswith("gate"))
            assert len(set(notes)) == len(notes) <= gates, "two gates may share one note"
            assert bool(notes) == bool(gates)
    assert notes == []
    assert not any(panel.jacks.levels.values())
    times = [entry["at_ns"] for entry in entries]
    assert times == sorted(times)
