"""When a change is heard: at once, on the next step or on the bar, as the player set it."""

import pytest
from conftest import beats, notes, pattern, run_until

from device.settings import Settings


def at(box, beat, ms=0.0):
    """Let the music come to so long before a beat."""
    ns = box.player.clock.time_at(beat) - round(ms * 1e6)
    while box.engine.time.now() < ns - 100_000:
        box.engine.step()
    box.engine.time.sleep_until(ns)


@pytest.mark.parametrize(
    ("when", "first"), [("now", 1.25), ("step", 1.5), ("bar", 4.0)], ids=["now", "step", "bar"]
)
def test_a_note_changes_now_on_the_next_step_or_on_the_bar(make_box, when, first):
    box = make_box(pattern("x" * 16), Settings(change=when))
    box.engine.start()
    at(box, 1.25, ms=5)  # that step is decided already, its note is not out

    box.desk.change("voice.1.note", 50)
    run_until(box.engine, 5.0)

    played = notes(box.engine)
    assert next(beat for beat, number in played if number == 50) == pytest.approx(first)
    assert all(number == (50 if beat > first - 0.01 else 36) for beat, number in played)


@pytest.mark.parametrize(
    ("when", "wanted"),
    [("now", [1.0, 1.5, 2.0]), ("step", [1.0, 1.5, 2.0]), ("bar", [1.0, 2.0, 3.0, 4.0, 4.5])],
)
def test_a_voice_that_doubles_its_speed_does_so_when_it_is_to(make_box, when, wanted):
    box = make_box(pattern("x...x...x...x..."), Settings(change=when))
    box.engine.start()
    at(box, 1.1)

    box.desk.change("voice.1.multiply", 2)
    run_until(box.engine, wanted[-1] + 0.3)

    assert beats(box.engine, "gate1")[1:] == pytest.approx(wanted)


@pytest.mark.parametrize("when", ["now", "step", "bar"])
def test_the_tempo_changes_at_once_or_exactly_on_the_bar(make_box, when):
    box = make_box(pattern("x" * 16), Settings(change=when))
    box.engine.start()
    at(box, 1.3)
    top = box.player.clock.time_at(0.0)
    turned = 4.0 if when == "bar" else box.player.beat

    box.desk.change("bpm", 60)
    run_until(box.engine, 6.0)

    tape = [e for e in box.engine.output.tape.entries if e.get("jack") == "gate1" and e["level"]]
    assert [entry["beat"] for entry in tape[:24]] == pytest.approx([n / 4 for n in range(24)])
    for entry in tape:
        wanted = min(entry["beat"], turned) * 0.5e9 + max(0.0, entry["beat"] - turned) * 1e9
        assert entry["at_ns"] - top == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize(("when", "first"), [("now", 2.0), ("step", 2.0), ("bar", 4.0)])
def test_what_the_clock_jack_does_changes_when_it_is_to(make_box, when, first):
    box = make_box(pattern("x" * 16), Settings(change=when))
    box.engine.start()
    at(box, 1.6)

    box.desk.change("clock_out", 1)
    run_until(box.engine, 6.5)

    after = [beat for beat in beats(box.engine, "clock") if beat >= first - 1e-6]
    assert after == pytest.approx(list(range(round(first), 7)))


def test_a_voice_that_is_slowed_down_after_a_while_plays_on(make_box):
    box = make_box(pattern("x" * 16))
    box.engine.start()
    at(box, 16.1)

    box.desk.change("voice.1.divide", 2)
    run_until(box.engine, 20.3)

    assert beats(box.engine, "gate1")[-4:] == pytest.approx([18.5, 19.0, 19.5, 20.0])


@pytest.mark.parametrize(("when", "end"), [("now", 1.1), ("step", 1.5), ("bar", 1.5)])
def test_mute_now_ends_a_gate_that_sounds_and_mute_on_the_step_does_not(make_box, when, end):
    box = make_box(pattern("x...x...x...x..."), Settings(change=when).changed("voices.gate", 2.0))
    box.engine.start()
    at(box, 1.1)
    box.desk.change("voice.1.mute", True)
    run_until(box.engine, 5.0)

    downs = beats(box.engine, "gate1", level=0)
    assert downs[1] == pytest.approx(end, abs=0.01)
    assert [beat for beat, _ in notes(box.engine, 0x80)] == pytest.approx(downs)
    assert (len(downs) == 4) == (when == "bar")


def test_a_solo_now_ends_the_others(make_box):
    box = make_box(pattern("x" * 16, "x" * 16), Settings(change="now").changed("voices.gate", 0.9))
    box.engine.start()
    at(box, 1.1)
    box.desk.change("voice.2.solo", True)
    run_until(box.engine, 1.9)

    assert beats(box.engine, "gate1", level=0)[-1] == pytest.approx(1.1, abs=0.01)
    assert beats(box.engine, "gate2")[-1] == pytest.approx(1.75)
