"""Learning beside the music: with stand-ins for what learns, in simulated time, and as real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hand_helpers import lean_on, tip, turn, wait
from loop_helpers import beats, write
from process_helpers import ROOT, ask, child_of, children, command_of, end, playing, wait_until

import fathom
from device.errors import ModelError, SettingsError
from device.learner import BUSY, ENDED, LONGEST_LINE, Learner, Learning, Step, Wanted, advanced
from device.messages import from_words
from device.slot import pack
from device.slots import SlotFolder

LONG_S = 180  # who gives way gets little of a busy machine
SERVE = "import sys; from pathlib import Path; from device.learner import serve; "


# --- with stand-ins -----------------------------------------------------------------------------------------


def wanted(*paths, slot=3, trainings=2):
    return Wanted(list(paths), slot, 1, 1, trainings)


@pytest.fixture
def make_learner(tmp_path):
    """Makes learners whose `fathom learn` is a few lines of Python; they are closed in the end."""
    made = []

    def make(code):
        child = [sys.executable, "-c", f"import json, os, signal, sys, time\n{code}"]
        command = [sys.executable, "-c", f"{SERVE}serve({child!r}, Path(sys.argv[1]))"]
        made.append(Learner(command, tmp_path, tmp_path / "slots"))
        return made[-1]

    (tmp_path / "slots").mkdir()
    yield make
    for learner in made:
        learner.close()


def attend(learner, until, playing=(), held=range(1, 17)):
    """Let the engine look again and again until something is so; how far the learning is then."""
    deadline = time.monotonic() + 30
    while not until(learner.learning) and time.monotonic() < deadline:
        learner.attend(playing, held)
        time.sleep(0.005)
    return learner.learning


def over(learning):
    return learning.state not in BUSY


SAY = "say = lambda row: print(json.dumps(row), file=sys.stderr, flush=True)\n"
RESULT = '{"takes": 7, "rejected": [{}], "seconds": {"total": 1.25}, "playability": {"reach": 0.9876}}'


def test_what_is_learned_is_told_step_by_step_and_summed_up(make_learner):
    learner = make_learner(
        SAY + "for what in ('hearing', 'training 1 of 2', 'training 2 of 2', 'held-out'):\n"
        "    say({'slot': '3', 'what': what, 'done': 1, 'total': 2, 'loss': 0.5})\n"
        "    time.sleep(0.25)\n"
        f"print('{RESULT}')"
    )
    seen = []

    assert learner.start(wanted("/loops")) == "slot 3 is being learned; the box plays on."
    last = attend(learner, lambda now: seen.append(now) or over(now))

    steps = [(now.state, now.training, now.progress) for now in dict.fromkeys(seen)]
    assert steps == [
        ("hearing", 0, 0.0),
        ("hearing", 0, 0.125),
        ("training", 1, 0.375),
        ("training", 2, 0.625),
        ("measuring", 2, 0.875),
        ("done", 2, 1.0),
    ]
    assert last.says == "slot 3: 7 takes learned in 1.2 s, 1 loops left out; reach 0.99."
    assert last.offered == 3


def test_what_shall_be_learned_is_told_in_the_words_of_fathom_learn(make_learner, tmp_path):
    learner = make_learner(f"open({str(tmp_path / 'words')!r}, 'w').write(json.dumps(sys.argv[1:]))")

    learner.start(Wanted(["loops", "/media/stick"], 0, 3, 5, 4))
    last = attend(learner, over)

    assert json.loads((tmp_path / "words").read_text()) == [
        *(str(tmp_path / "loops"), "/media/stick", "--slot", "free", "--voices", "3", "--seed", "5"),
        *("--trainings", "4", "--json", "--progress", "json"),
    ]
    assert (last.state, last.offered) == ("done", None)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("sys.exit('nothing to learn')", "nothing to learn"),
        (
            "print('a: cut short.\\nnothing to learn.', file=sys.stderr); sys.exit(1)",
            "a: cut short; nothing to learn.",
        ),
        ("print('a\\nb\\nc\\nlast', file=sys.stderr); sys.exit(1)", "last"),
        ("sys.exit(1)", "learning: ended with status 1 and said nothing."),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            "learning: ended by signal 9; is the memory full?; slot 3 is as it was.",
        ),
        ("os.abort()", "learning: ended by signal 6; slot 3 is as it was."),
        ("print('{\\n{}\\n{\"what\": 5}\\n' + 'x' * 500, file=sys.stderr); sys.exit(1)", "x" * 300),
        (
            "sys.stderr.buffer.write(b'\\xff' * 10); sys.exit(1)",
            "learning: ended with status 1 and said nothing.",
        ),
    ],
)
def test_a_learning_that_fails_is_a_sentence_and_another_one_can_begin(make_learner, code, says):
    learner = make_learner(code)

    for _ in range(2):
        learner.start(wanted("/loops"))
        last = attend(learner, over)
        assert (last.state, last.says, last.slot, last.offered) == ("failed", says, 3, None)


def test_a_second_one_is_refused_while_one_runs_and_what_does_not_end_is_killed_with_all_it_started(
    make_learner, tmp_path
):
    pids = tmp_path / "pids"
    learner = make_learner(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        f"open({str(tmp_path / 'slots')!r} + f'/slot-03.safetensors.{{os.getpid()}}.new', 'w').close()\n"
        "time.sleep(60)"
    )
    learner.start(wanted("/loops"))
    assert wait_until(lambda: pids.exists() and pids.read_text().count("\n") == 2)

    with pytest.raises(ModelError, match=r"train: slot 3 is being learned; wait for it, or cancel it."):
        learner.start(wanted("/more", slot=4))
    assert learner.cancel() == "slot 3 is learned no longer."
    last = attend(learner, over)

    assert last == Learning("idle", 3, says="cancelled: slot 3 is as it was.")
    assert wait_until(lambda: not any(command_of(int(pid)) for pid in pids.read_text().split()))
    left = [path.name for path in (tmp_path / "slots").iterdir()]
    assert len(left) == 1, "what it wrote itself is cleared away; what another process wrote is not"
    assert learner.cancel() == "nothing is being learned."


def test_what_is_offered_is_let_lie_or_taken(make_learner):
    learner = make_learner(f"print('{RESULT}')")

    learner.start(wanted("/loops"))
    assert attend(learner, over).offered == 3
    assert learner.cancel() == "slot 3 stays where it is, and what plays goes on."
    assert learner.learning.offered is None

    learner.start(wanted("/loops"))
    assert attend(learner, over, playing=[3]).offered is None, "it plays already"

    learner.start(wanted("/loops"))
    assert attend(learner, over, held=[1]).offered is None, "it was not handed over"

    learner.start(wanted("/loops"))
    assert attend(learner, over, playing=[1]).offered == 3
    learner.attend([3], [3])
    assert learner.learning.offered is None


def test_a_process_that_starts_it_and_dies_is_a_sentence_and_takes_the_learning_with_it(
    make_learner, tmp_path
):
    learner = make_learner(f"open({str(tmp_path / 'pid')!r}, 'w').write(f'{{os.getpid()}} ')\ntime.sleep(60)")
    learner.start(wanted("/loops"))
    assert wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith(" "))

    learner._child.kill()
    last = attend(learner, over)

    assert (last.state, last.says) == ("failed", ENDED)
    assert wait_until(lambda: not command_of(int((tmp_path / "pid").read_text())))
    with pytest.raises(ModelError, match="until the box is started again"):
        learner.start(wanted("/loops"))
    assert learner.cancel() == "nothing is being learned."
    learner.close()
    learner.close()


def test_nobody_is_held_up_by_a_process_that_hangs_or_talks_nonsense(tmp_path):
    hangs = Learner([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, tmp_path)
    talks = "import os, time\nos.write(1, b'x' * 100_000 + b'\\n[]\\n{\"state\": 5}\\n'); time.sleep(60)"
    nonsense = Learner([sys.executable, "-c", talks], tmp_path, tmp_path)
    for learner in (hangs, nonsense):
        learner.start(wanted("/loops"))
        began = learner.learning
        for _ in range(200):
            learner.attend([], [])
            learner.cancel()
            time.sleep(0.001)
        assert learner.learning == began
        assert len(learner._line) <= LONGEST_LINE
        learner._child.kill()
        learner.close()


def test_a_command_that_is_not_there_is_a_sentence(tmp_path):
    learner = Learner(["/nowhere/fathom"], tmp_path, tmp_path)

    learner.attend([], [])

    assert learner.learning.says == "learning: cannot be started (No such file or directory)."
    with pytest.raises(ModelError, match="cannot be started"):
        learner.start(wanted("/loops"))
    learner.close()


def test_more_paths_than_fit_are_refused(make_learner):
    learner = make_learner("")

    with pytest.raises(ModelError, match=r"64 paths take \d+ bytes, expected at most 4096"):
        learner.start(wanted(*["/media/stick/" + "x" * 60] * 64))

    assert not learner.busy


def test_progress_never_goes_back_and_a_free_slot_is_known_as_soon_as_it_is_found():
    now = Learning("hearing", trainings=1)
    for step, state, progress in (
        (Step("hearing", 0, 0, slot="7"), "hearing", 0.0),
        (Step("hearing", 4, 4, slot="7"), "hearing", 0.3333),
        (Step("training", 1, 4, 0.7, "7"), "training", 0.4167),
        (Step("training", 4, 4, 0.5, "7"), "measuring", 0.6667),
        (Step("held-out", 0, 4, 0.9, "7"), "measuring", 0.6667),
        (Step("something new", 4, 4, None, "7"), "measuring", 1.0),
        (Step("hearing", 0, 4, None, "x"), "hearing", 1.0),
    ):
        now = advanced(now, step)
        assert (now.state, now.progress, now.slot) == (state, progress, 7)


# --- on a box in simulated time -----------------------------------------------------------------------------


class Pupil:
    """What the engine sees of a learning, as a test puts it."""

    def __init__(self):
        self.learning = Learning()
        self.asked = []

    @property
    def busy(self):
        return self.learning.state in BUSY

    def start(self, wanted):
        self.asked.append(wanted)
        self.learning = Learning("hearing", wanted.slot or None)
        return "being learned"

    def cancel(self):
        self.asked.append("cancel")
        self.learning = Learning()
        return "no longer"


@pytest.fixture
def box(make_box, slot, other_slot):
    box = make_box(library={1: slot, 2: other_slot})
    box.desk.learner = Pupil()
    return box


def lamp(box):
    wait(box, 40)
    return box.panel.lamps.states["learn"]


def test_learn_begins_cancels_and_then_lets_what_was_learned_come_in(box):
    pupil = box.desk.learner
    assert lamp(box) == "off"

    tip(box, "LEARN")
    assert pupil.asked == [Wanted(["loops"], 0, 1, 1, 1)]
    assert lamp(box) == "fast"

    tip(box, "LEARN")
    assert pupil.asked[1:] == ["cancel"]
    assert lamp(box) == "off"

    pupil.learning = Learning("done", 2, 1.0, offered=2)
    assert lamp(box) == "on"
    tip(box, "LEARN")
    assert box.player.numbers == [2]
    box.desk.undo()
    assert box.player.numbers == [1]

    pupil.learning = Learning("failed", 2)
    assert lamp(box) == "double"
    tip(box, "LEARN")
    assert len(pupil.asked) == 3, "it begins again"


def test_learn_for_long_cancels_and_does_not_begin(box):
    lean_on(box, "LEARN")
    assert box.desk.learner.asked == ["cancel"]


def test_knobs_that_turn_while_learn_is_held_set_what_is_learned_and_nothing_begins(box):
    box.panel.buttons.press("LEARN")
    wait(box)
    for knob, place in (("A", 1.0), ("B", 1.0), ("C", 1.0), ("D", 1.0)):
        turn(box, knob, place)
    box.panel.buttons.press("LEARN", "release")
    wait(box)

    settings = box.player.settings
    assert (settings.learn_slot, settings.learn_trainings, settings.learn_voices) == (16, 16, "3")
    assert box.desk.learner.asked == []
    tip(box, "LEARN")
    assert box.desk.learner.asked == [Wanted(["loops"], 16, 3, 1, 16)]


def test_a_box_that_cannot_learn_says_so_when_learn_is_pressed(make_box):
    box = make_box()

    tip(box, "LEARN")

    assert lamp(box) == "off"
    assert box.complaints == ["train: this box has no control socket, through which it is handed a slot."]
    assert box.desk.cancel() == "nothing is being learned."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"slot": 0}, "train: slot = 0: expected 1 to 16"),
        ({"slot": 17}, "train: slot = 17: expected 1 to 16"),
        ({"seed": -1}, "train: seed = -1: expected 0 to 4294967295"),
        ({"trainings": 17}, "train: trainings = 17: expected 1 to 16"),
        ({"voices": 2}, "train: voices = 2: expected 1 or 3"),
        ({"paths": [""]}, "train: '': expected a folder or a loop"),
        ({"paths": ["a\0b"]}, "expected a folder or a loop"),
    ],
)
def test_what_cannot_be_learned_is_refused_at_once(box, words, said):
    with pytest.raises(SettingsError, match=said):
        box.desk.train(**words)
    assert box.desk.learner.asked == []


def test_train_in_words(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert from_words(["train"]) == {"do": "train", "paths": []}
    assert from_words(
        ["train", "drums", "/b", "slot", "3", "voices", "3", "seed", "2", "trainings", "4"]
    ) == {
        "do": "train",
        "paths": [str(tmp_path / "drums"), "/b"],
        "slot": 3,
        "voices": 3,
        "seed": 2,
        "trainings": 4,
    }
    for words in (["slot"], ["slot", "free"], ["slot", "", "x"]):
        with pytest.raises(SettingsError, match="train: slot, expected a number after it"):
            from_words(["train", "x", *words])
    with pytest.raises(SettingsError, match="not a text in UTF-8"):
        from_words(["train", "\udcff"])


# --- as a player meets it -----------------------------------------------------------------------------------


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
        assert learned(home).says.startswith("slot free: all 16 slots are filled; name one")
        ask(home, do="set", key="learn_slot", value=16)
        ask(home, do="train", eager=True)
        assert learned(home).state == "done"
        end(box)
    assert folder.load(16).about.takes == ["a-120bpm.wav", "b-120bpm.wav", "c-120bpm.wav"]
