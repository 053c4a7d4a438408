"""The process that runs a learning, with stand-ins for what learns: what it tells, and how each ends."""

import json

import pytest
from learner_helpers import attend, over, wanted
from process_helpers import command_of, wait_until

from device.errors import ModelError
from device.learning import Learning, Wanted
from device.learning_run import Step, advanced

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
