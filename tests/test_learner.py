"""The learning as the engine sees it: never waited for, whatever becomes of who runs it."""

import os
import signal
import sys
import time

import pytest
from learner_helpers import attend, over, wanted
from process_helpers import child_of, command_of, wait_until

from device.beside import Child, Service
from device.errors import ModelError
from device.learner import AWAY, ENDED, PATIENCE_S, Learner


def kill(word):
    """Kill the child of this process that was started with a word."""
    os.kill(child_of(os.getpid(), word), signal.SIGKILL)


def test_what_is_offered_is_let_lie_or_taken(make_learner):
    learner = make_learner("")

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

    kill(str(tmp_path / "slots"))
    last = attend(learner, over)

    assert (last.state, last.says) == ("failed", ENDED)
    assert wait_until(lambda: not command_of(int((tmp_path / "pid").read_text())))
    with pytest.raises(ModelError, match="until the box is started again"):
        learner.start(wanted("/loops"))
    assert learner.cancel() == "nothing is being learned."
    learner.close()
    learner.close()


def test_nobody_is_held_up_by_a_process_that_hangs_or_talks_nonsense(tmp_path):
    hangs = "import time; time.sleep(60)"
    nonsense = "import os, time\nos.write(1, b'x' * 100_000 + b'\\n[]\\n{\"state\": 5}\\n'); time.sleep(60)"
    for code in (hangs, nonsense):
        learner = Learner(Child([sys.executable, "-c", code]), tmp_path)
        learner.start(wanted("/loops"))
        began = learner.learning
        for _ in range(200):
            learner.attend([], [])
            learner.cancel()
            time.sleep(0.001)
        assert learner.learning == began
        kill(code)
        learner.close()


def test_a_command_that_is_not_there_is_a_sentence(tmp_path):
    learner = Learner(Child(["/nowhere/fathom"]), tmp_path)

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


def test_a_service_that_is_away_is_a_sentence_after_a_while_and_at_once_where_it_is_needed(tmp_path):
    now = [0.0]
    learner = Learner(Service(tmp_path / "nobody", lambda: now[0]), tmp_path, lambda: now[0])

    learner.attend([], [])
    assert learner.complaint == "", "it may just be beginning"
    with pytest.raises(ModelError, match="its service does not run"):
        learner.start(wanted("/loops"))
    now[0] += PATIENCE_S + 1
    learner.attend([], [])

    assert learner.complaint == AWAY
    assert learner.learning.state == "idle"
    learner.close()
    assert learner.complaint == ""
