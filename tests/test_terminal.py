import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from device import messages
from device.learning import Learning
from device.messages import Published
from device.slot import pack
from device.slots import SlotFolder
from device.terminal import CONTROL_KEYS, DOWN, HELP, MUTES, NOTHING, UP, WORDS, Said, draw, message_for

ROOT = Path(__file__).parents[1]

STATE = Published(
    playing=True,
    beat=5.25,
    bpm=120.0,
    knobs=[0.0, 0.25, 0.5, 1.0],
    slots=["slot 1"],
    waiting=["slot 2"],
    hits=[[1, 0, 0, 0] * 8, [0] * 32, [0] * 32, [0] * 32],
    velocities=[[127] * 32] * 4,
    offsets=[[-20, 0, 0, 0] * 8] * 4,
    lengths=[32, 32, 32, 32],
    gates=[1, 0, 0, 0, 1, 0, 0],
    health={"writes": 9, "p50_us": 64, "p99_us": 128, "worst_us": 99, "late": 0, "dropped": 3, "overruns": 0},
    ports=[],
    notes=["MIDI: there is none here."],
    density=0.5,
)


def seen(state, said=NOTHING, width=100, height=40):
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(draw(state, said, width, height))
        return console.export_text()


def with_voices(count, **more):
    """The state of a box that plays so many voices."""
    rows = {name: [getattr(STATE, name)[0]] * count for name in ("hits", "velocities", "offsets", "lengths")}
    return replace(STATE, **{**rows, "mutes": [0] * count, **more})


def voices_in(text):
    return [line for line in text.splitlines() if line.startswith("voice")]


def test_the_display_shows_steps_gates_knobs_tempo_slot_and_lateness():
    text = seen(STATE, Said("slot 9: empty", amiss=True))

    for part in (
        "120.0 BPM",
        "bar   2.2",
        "slot 1",
        "slot 2 on the bar",
        "99 % < 128",
        "3 dropped",
        "1.00",
        "0.25",
    ):
        assert part in text
    assert "█‹· · · " in text, "a loud hit that leans early, then rests"
    assert "MIDI: there is none here." in text
    assert "! slot 9: empty" in text


def test_what_went_well_is_no_complaint():
    said = "slot 3: 24 takes learned in 5.1 s; reach 1.00."

    assert f"» {said}" in seen(STATE, Said(said))
    assert f"! {said}" in seen(STATE, Said(said, amiss=True))


def test_the_display_fits_a_terminal_of_80_columns_and_24_lines():
    busy = replace(STATE, held=True, learning="voice.16.velocity_curve", recording=3, places=[0.5] * 4)
    text = seen(busy, Said("slot 9: empty; filled slots: 1, 2.", amiss=True), width=80, height=24)

    assert len(voices_in(text)) == 4
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 24
    assert text.splitlines()[-1].startswith("· MIDI: there is none")


@pytest.mark.parametrize(
    ("learner", "said"),
    [
        (Learning("hearing"), "» learning: hearing  ──────────   0%"),
        (
            Learning("training", 3, 0.52, 0.03125, 2, 3),
            "» slot 3: training 2 of 3, loss 0.0312  ━━━━━─────  52%",
        ),
        (Learning("measuring", 3, 0.9, 0.01, 3, 3), "» slot 3: measuring, loss 0.0100  ━━━━━━━━━─  90%"),
        (Learning("done", 3, 1.0, offered=3), "» slot 3 is learned; choose it to hear it"),
    ],
)
def test_how_far_the_learning_is_is_shown(learner, said):
    assert said in seen(replace(STATE, learner=learner), width=80, height=24).splitlines()


@pytest.mark.parametrize("state", ["idle", "done", "failed"])
def test_nothing_is_shown_of_a_learning_that_is_over(state):
    assert "»" not in seen(replace(STATE, learner=Learning(state, 3)))


@pytest.mark.parametrize(("height", "shown"), [(24, 8), (30, 14), (32, 16), (60, 16), (10, 4)])
def test_as_many_voices_are_shown_as_find_room_and_it_says_where_some_do_not(height, shown):
    text = seen(with_voices(16), width=80, height=height)

    assert len(voices_in(text)) == shown
    assert len(text.splitlines()) <= max(height, 21)
    assert (f"{shown} of 16 voices find room here" in text) == (shown < 16)


def test_voices_past_the_fourth_have_no_gate():
    lines = voices_in(seen(with_voices(6, gates=[1] * 7)))

    assert [line.split()[2] for line in lines[:4]] == ["●"] * 4
    assert "●" not in lines[4]


def test_a_voice_that_is_mute_has_a_cross():
    lines = voices_in(seen(replace(STATE, mutes=[0, 1, 0, 0])))

    assert [line.split()[2] for line in lines] == ["●", "×", "○", "○"]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({}, "led by its own clock"),
        ({"clock": "midi"}, "led by MIDI clock"),
        ({"clock": "jack"}, "led by the clock jack"),
        ({"clock": "link"}, "led by Ableton Link"),
        ({"awaited": True, "follows": "jack"}, "waits for the clock jack"),
        ({"awaited": True, "follows": "auto"}, "waits for the clock"),
        ({"voice": 3}, "voice 3 is edited"),
        ({"held": True}, "HELD"),
        ({"recording": 2}, "» voice 2 takes notes"),
        ({"learning": "voice.1.density"}, "» turn what is to move voice.1.density"),
        ({"undone": "undone: bpm 130 -> 120."}, "» undone: bpm 130 -> 120."),
        ({"places": [0.0, 0.75, 0.5, 1.0]}, "with CV 0.00  0.75  0.50  1.00"),
    ],
)
def test_the_display_shows_how_the_box_stands(state, said):
    assert said in seen(replace(STATE, **state), width=80)
    if state:
        assert said not in seen(STATE)


@pytest.mark.parametrize("key", [*UP, *DOWN, *MUTES, *WORDS, *"123456789-+=[]"])
def test_every_key_is_a_message_that_the_box_understands(key):
    assert messages.decode(msgspec.json.encode(message_for(key)))


def test_every_key_is_in_the_help():
    for key in (*UP, *DOWN, *MUTES, *WORDS, *"-+[]"):
        assert key in HELP.replace("space", " ").split() or key == " ", key
    assert not set(WORDS) & {*UP, *DOWN, *MUTES, *"123456789-+=[]"}, "no key means two things"


def test_other_keys_are_nothing():
    assert [message_for(key) for key in "zZ!\x1b\t"] == [None] * 5


def read_for(master, seconds, until=None):
    """What a terminal shows within some seconds, or until it has shown something."""
    shown, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and not (until and until in shown):
        if select.select([master], [], [], 0.1)[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:
                break
    return shown


def at_a_terminal(*words):
    """A box that plays in a terminal: its process, both ends, and the terminal's settings before."""
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (40, 100))
    before = termios.tcgetattr(terminal)
    process = subprocess.Popen(
        [sys.executable, "fathom.py", "play", *words],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    return process, master, terminal, before


def test_a_player_at_a_terminal_turns_stops_starts_changes_slot_and_ends(home, slot, other_slot, tmp_path):
    folder = SlotFolder(home / "slots")
    folder.save(1, pack(slot))
    folder.save(2, pack(other_slot))
    process, master, terminal, before = at_a_terminal("--slot", "1")
    try:
        assert b"FATHOM" in read_for(master, 15, b"FATHOM")
        os.write(master, b"qqqqq")
        assert b"0.60" in read_for(master, 10, b"0.60")
        os.write(master, b"\x1b[A\x1b[B\x1bOC")  # arrows are no keys of ours
        os.write(master, b"++++++++++")  # and a burst loses none
        assert b"130.0 BPM" in read_for(master, 10, b"130.0 BPM")
        os.write(master, b"2")
        assert b"slot 2" in read_for(master, 10, b"slot 2")
        os.write(master, b"v")
        assert "×".encode() in read_for(master, 10, "×".encode())
        os.write(master, b"h")
        assert b"HELD" in read_for(master, 10, b"HELD")
        os.write(master, b"9")
        assert b"slot 9: empty" in read_for(master, 10, b"slot 9: empty")
        os.write(master, b" ")
        assert "■".encode() in read_for(master, 10, "■".encode())
        during = termios.tcgetattr(terminal)[CONTROL_KEYS]
        assert during[termios.VSUSP] == b"\0", "ctrl-z would leave gates high"
        process.send_signal(signal.SIGINT)
        rest = read_for(master, 10, b"every note off")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    assert b"Every gate is low and every note off" in rest.replace(b"\r\n", b"")
    assert termios.tcgetattr(terminal) == before, "the terminal is given back as it was"


def test_a_display_that_dies_is_not_noticed_by_the_music(home, slot):
    SlotFolder(home / "slots").save(1, pack(slot))
    process, master, terminal, before = at_a_terminal("--slot", "1", "--bars", "3")
    try:
        read_for(master, 15, b"FATHOM")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (display,) = [n for n in children if b"\0_display\0" in Path(f"/proc/{n}/cmdline").read_bytes()]
        os.kill(int(display), signal.SIGKILL)
        rest = read_for(master, 20, b"every note off")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    assert b"played 3 bars" in rest
    assert termios.tcgetattr(terminal)[3] == before[3]
