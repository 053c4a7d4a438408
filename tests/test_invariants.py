"""Whatever a player does, and whenever: nothing hangs, nothing sounds early, gate and note are one."""

from conftest import run_until
from hypothesis import given, settings
from hypothesis import strategies as st

from device.engine import Engine
from device.ensemble import Ensemble
from device.player import Player
from device.sequencer import NS_PER_MS
from device.settings import VOICE_SPECS, Settings
from device.tape import Tape
from hw.panel import open_panel
from hw.timing import SimTime

SETTINGS = st.one_of(
    [
        st.tuples(st.just(f"voices.{name}"), st.floats(spec.low, spec.high))
        for name, spec in VOICE_SPECS.items()
        if spec.kind is float
    ]
    + [
        st.tuples(st.just(f"voice.{voice}.{name}"), st.integers(int(spec.low), int(spec.high)))
        for name, spec in VOICE_SPECS.items()
        if spec.kind is int
        for voice in (1, 2)
    ]
    + [st.tuples(st.just("voice.1.mute"), st.booleans())]
    + [st.tuples(st.just("bpm"), st.floats(20, 300)), st.tuples(st.just("clock_out"), st.integers(1, 24))]
)
DEEDS = st.one_of(
    st.tuples(st.just("set"), SETTINGS),
    st.tuples(st.just("turn"), st.tuples(st.integers(0, 3), st.floats(0, 1))),
    st.tuples(st.just("choose"), st.sampled_from([[1], [2], [1, 2], [2, 2, 1, 1]])),
    st.tuples(st.just("stall"), st.integers(0, 400)),
    st.tuples(st.sampled_from(["start", "stop", "rewind", "panic", "next"]), st.none()),
)


def do(engine, deed, what):
    player = engine.player
    match deed:
        case "set":
            player.change(*what)
        case "turn":
            engine.panel.knobs.turn(*what)
        case "choose":
            player.choose(what)
        case "stall":
            engine.time.stall(what * NS_PER_MS)
        case "next":
            player.choose_next()
        case _:
            getattr(engine, deed)()


@settings(max_examples=60, deadline=None)
@given(deeds=st.lists(st.tuples(st.floats(0.01, 3.0), DEEDS), max_size=12))
def test_whatever_is_done_gates_and_notes_agree_and_end(deeds, slot, other_slot):
    time = SimTime()
    panel = open_panel("sim", midi_port=None, time=time)
    library = {1: slot, 2: other_slot}
    player = Player(time, Ensemble([slot, other_slot]), Settings(), library, panel.knobs.values)
    engine = Engine(panel, time, player, Tape())

    engine.start()
    for beats, (deed, what) in deeds:
        run_until(engine, player.beat + beats)
        do(engine, deed, what)
    run_until(engine, player.beat + 2.0)
    engine.stop()

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
        if after["due_ns"] != entry["due_ns"]:  # the instant is over
            assert len(notes) == sum(level for jack, level in jacks.items() if jack.startswith("gate"))
    assert notes == []
    assert not any(panel.jacks.levels.values())
    times = [entry["at_ns"] for entry in entries]
    assert times == sorted(times)
