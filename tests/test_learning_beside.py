"""Learning beside the music as a player meets it: boxes, starters and learnings as real processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from learner_helpers import over
from loop_helpers import beats, write
from process_helpers import ROOT, ask, child_of, children, command_of, end, playing, wait_until

import fathom
from device.learner import ENDED
from device.learning import Learning
from device.slot import pack
from device.slots import SlotFolder

LONG_S = 180  # who gives way gets little of a busy machine


@pytest.fixture
def folder(home, slot):
    """A box with one slot, and loops that are learned in a second or trained for half a minute."""
    for name, steps in (("a", "x...x...x...x..."), ("b", "x..x..x...x.x..."), ("c", "..x...x...x...xx")):
        write(home / "loops" / f"{name}-120bpm.wav", beats(steps * 2))
    folder = SlotFolder(home / "slots")
    folder.save(1, pack(slot))
    return folder


def learner_of(home):
    return Learning(**ask(home, do="state")["state"]["learner"])


def learned(home, seconds=LONG_S):
    """What came of the learning, when it is over."""
    assert wait_until(lambda: over(learner_of(home)), seconds)
    return learner_of(home)


def train_long(home, eager=True):
    """Begin a learning that lasts, into slot 2."""
    answer = ask(home, do="train", slot=2, trainings=16, eager=eager)
    assert answer == {"ok": True, "says": "slot 2 is being learned; the box plays on."}


def processes(box):
    """The number of the process that starts the learning, and of the learning."""
    starter = child_of(box.pid, "_learner")
    return starter, child_of(starter, "learn")


def files(folder):
    return {path.name: path.read_bytes() for path in folder.folder.iterdir()}


def hits_of(tape):
    """The beats at which gate 1 rose, in order."""
    rows = [json.loads(line) for line in Path(tape).read_text().splitlines()]
    return [row["beat"] for row in rows if row.get("jack") == "gate1" and row["level"]]


def due(old, new, line, until):
    """Where gate 1 is due while one slot plays up to a bar line, and another one after it."""
    found = []
    for step in range(until):
        pattern = (new if step >= line * 16 else old).decoder.decode([0.5] * 4).pattern()
        if pattern.hits[0][step % 32]:
            found.append((step + pattern.offsets[0][step % 32]) / 4)
    return found


def test_a_slot_is_learned_while_it_plays_and_comes_in_on_a_bar_line(home, folder, slot, tmp_path):
    before = folder.path(1).read_bytes()
    with playing(home, "--slot", 1, "--bpm", 240, "--tape", tmp_path / "t") as box:
        assert ask(home, do="train", slot=1, eager=True)["ok"]
        seen = []
        assert wait_until(lambda: seen.append(learner_of(home)) or over(seen[-1]), LONG_S)
        end_of = ask(home, do="state")["state"]["beat"]
        assert wait_until(lambda: ask(home, do="state")["state"]["beat"] > end_of + 12)
        health = ask(home, do="state")["state"]["health"]
        end(box)

    assert seen[-1].state == "done", seen[-1]
    assert seen[-1].says.startswith("slot 1: 3 takes learned in ")
    assert seen[-1].offered is None
    assert {now.state for now in seen} >= {"hearing", "training", "done"}
    losses = [now.loss for now in seen if now.state == "training"]
    assert losses
    assert all(0 < loss < 10 for loss in losses)
    assert folder.previous(1).read_bytes() == before
    new = folder.load(1)
    assert new.about.takes == ["a-120bpm.wav", "b-120bpm.wav", "c-120bpm.wav"]
    played = hits_of(tmp_path / "t")
    steps = int(played[-1] * 4) + 1
    lost = health["dropped"] + health["skipped"]
    fits = [
        line
        for line in range(1, steps // 16 + 1)
        if all(min(abs(beat - rise) for rise in due(slot, new, line, steps + 1)) < 0.002 for beat in played)
        and len(due(slot, new, line, steps + 1)) - len(played) <= lost + 1
    ]
    assert len(fits) >= 1, "every hit is at its place, and from one bar line on it is the new slot's"


def test_a_free_slot_is_offered_taken_and_taken_back(home, folder, capsys, monkeypatch):
    with playing(home, "--slot", 1) as box:
        monkeypatch.chdir(home)
        assert fathom.main(["ctl", "train", "loops", "voices", "1", "eager", "true"]) == 0
        now = learned(home)
        assert (now.state, now.slot, now.offered) == ("done", 2, 2)
        assert ask(home, do="state")["state"]["slots"] == ["slot 1"], "what plays plays on"

        assert ask(home, do="slots", slots=[2])["ok"]
        assert wait_until(lambda: ask(home, do="state")["state"]["slots"] == ["slot 2"])
        assert wait_until(lambda: learner_of(home).offered is None)
        assert ask(home, do="undo")["ok"]
        assert wait_until(lambda: ask(home, do="state")["state"]["slots"] == ["slot 1"])
        end(box)

    assert '"says": "the next free slot is being learned; the box plays on."' in capsys.readouterr().out
    assert folder.filled() == [1, 2]


def test_what_is_cancelled_or_killed_leaves_the_slots_as_they_were_and_the_box_plays_on(home, folder):
    before = files(folder)
    with playing(home, "--slot", 1) as box:
        train_long(home)
        starter, number = processes(box)
        assert wait_until(lambda: learner_of(home).state == "training", LONG_S)
        assert os.sched_getscheduler(number) == os.SCHED_OTHER
        refused = ask(home, do="train", paths=["/loops"])
        assert refused == {"ok": False, "error": "train: slot 2 is being learned; wait for it, or cancel it."}
        assert ask(home, do="cancel")["says"] == "slot 2 is learned no longer."
        assert learned(home).says == "cancelled: slot 2 is as it was."
        assert not command_of(number)

        train_long(home)
        starter, number = processes(box)
        assert wait_until(lambda: learner_of(home).state == "training", LONG_S)
        os.kill(number, signal.SIGKILL)
        now = learned(home)
        assert (now.state, now.says) == (
            "failed",
            "learning: ended by signal 9; is the memory full?; slot 2 is as it was.",
        )

        train_long(home, eager=False)
        starter, number = processes(box)
        assert wait_until(lambda: os.sched_getscheduler(number) == os.SCHED_IDLE, LONG_S)
        os.kill(starter, signal.SIGKILL)
        assert learned(home).says == ENDED
        assert wait_until(lambda: not command_of(number))
        assert ask(home, do="train") == {"ok": False, "error": ENDED}

        beat = ask(home, do="state")["state"]["beat"]
        assert wait_until(lambda: ask(home, do="state")["state"]["beat"] > beat + 1)
        end(box)
    assert files(folder) == before


@pytest.mark.parametrize("how", ["quit", "terminate", "kill", "a signal to all"])
def test_when_the_box_ends_so_does_the_learning(home, folder, how):
    before = files(folder)
    with playing(home, "--slot", 1) as box:
        train_long(home)
        starter, number = processes(box)
        if how == "quit":
            ask(home, do="quit")
        elif how == "a signal to all":
            for pid in (number, starter, *(one for one in children(box.pid) if one != starter), box.pid):
                os.kill(pid, signal.SIGTERM)
        else:
            getattr(box, how)()
        box.wait(timeout=20)
        assert wait_until(lambda: not command_of(starter) and not command_of(number))
    assert files(folder) == before


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"paths": ["/nowhere"]}, "/nowhere: cannot be opened"),
        ({"paths": ["nowhere"]}, "/home/nowhere: cannot be opened"),
        ({"paths": ["slots"]}, "no audio files in this folder"),
        ({"paths": ["--eager"]}, "/home/--eager: cannot be opened"),
    ],
)
def test_loops_that_are_not_there_are_a_sentence(home, folder, message, said):
    with playing(home, "--slot", 1) as box:
        assert ask(home, do="train", slot=2, eager=True, **message)["ok"]
        now = learned(home)
        end(box)

    assert now.state == "failed"
    assert said in now.says
    assert folder.filled() == [1]


def test_wrong_words_for_train_are_a_sentence_and_status_1(home, folder):
    with playing(home, "--slot", 1) as box:
        for words, said in (
            ("slot 17", "train: slot = 17: expected 1 to 16"),
            ("voices 2", "train: voices = 2: expected 1 or 3"),
            ("slot three", "train: slot, expected a number after it"),
        ):
            done = subprocess.run(
                [sys.executable, "fathom.py", "ctl", "train", "x", *words.split()],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, done.stdout) == (1, "")
            assert said in done.stderr
        assert learner_of(home) == Learning()
        end(box)


def test_all_slots_filled_is_said_and_a_named_one_is_learned_into(home, folder, slot):
    for number in range(2, 17):
        folder.save(number, pack(slot))
    with playing(home, "--slot", 1) as box:
        ask(home, do="train", eager=True)
        assert learned(home).says.startswith("slot free: all 16 slots are filled or being learned; name one")
        ask(home, do="set", key="learn_slot", value=16)
        ask(home, do="train", eager=True)
        assert learned(home).state == "done"
        end(box)
    assert folder.load(16).about.takes == ["a-120bpm.wav", "b-120bpm.wav", "c-120bpm.wav"]
