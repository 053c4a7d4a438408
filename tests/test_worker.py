"""Jobs are done in other processes: in order, bounded, and none takes the others with it."""

import os
import signal
import time
from pathlib import Path

import pytest

from training.worker import NICE, Broken, Crew


def run(task, jobs, **more):
    with Crew(task, **more) as crew:
        return list(crew.run(jobs))


def here(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ended(pid):
    """Whether a process does nothing any more, even where nobody has asked for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("count", [1, 3])
def test_answers_come_in_the_order_of_the_jobs(count):
    def slow_first(job):
        time.sleep(0.05 if job == b"0" else 0)
        return job * 2

    jobs = [str(number).encode() for number in range(200)]

    assert run(slow_first, jobs, count=count) == [job * 2 for job in jobs]


def test_nothing_is_begun_for_nothing():
    with Crew(bytes) as crew:
        assert list(crew.run([])) == []


def test_no_more_processes_are_begun_than_there_are_jobs():
    assert len(set(run(lambda job: str(os.getpid()).encode(), [b"1", b"2"], count=16))) == 2


def test_a_process_does_one_job_after_another_beside_ours_and_yields():
    def who(job):
        return f"{os.getpid()} {os.nice(0)}".encode()

    pids = {int(answer.split()[0]) for answer in run(who, [b"x"] * 20, count=2)}
    nices = {int(answer.split()[1]) for answer in run(who, [b"x"] * 20, count=2)}

    assert len(pids) == 2
    assert os.getpid() not in pids
    assert nices == {NICE}


@pytest.mark.parametrize("large", [1, 65536, 1_000_000])
def test_answers_of_any_size_come_back_whole(large):
    assert run(lambda job: job * large, [b"a", b"bc"], count=1) == [b"a" * large, b"bc" * large]


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "it breaks what reads it (segmentation fault)"),
        (os.abort, "it breaks what reads it (aborted)"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended from outside, perhaps for want of memory"),
        (lambda: os._exit(3), "ended without a word"),
        (lambda: {}["key"], "a mistake of Fathom's (KeyError in test_worker.py"),
        (lambda: bytearray(2**33), "it needs more than 100 MB of memory: cut it"),
    ],
)
def test_a_job_that_breaks_its_process_is_a_sentence_and_the_others_are_done(deed, says):
    def task(job):
        if job == b"bad":
            deed()
        return job

    answers = run(task, [b"1", b"bad", b"2", b"3", b"bad"], count=1, most_bytes=100 * 2**20)

    assert answers[0] == b"1"
    assert answers[2:4] == [b"2", b"3"]
    assert isinstance(answers[1], Broken)
    assert says in answers[1].reason
    assert isinstance(answers[4], Broken)


@pytest.mark.parametrize(("hang", "says"), [(True, "nothing came of it"), (False, "of computing")])
def test_a_job_without_end_is_ended(hang, says):
    def task(job):
        while job == b"bad":
            if hang:
                time.sleep(10)
        return job

    answers = run(task, [b"bad", b"good"], count=1, most_s=0.2, nice=0)

    assert isinstance(answers[0], Broken)
    assert says in answers[0].reason
    assert answers[1] == b"good"


def test_where_one_job_after_another_hangs_the_rest_is_not_tried():
    def task(job):
        while job == b"bad":
            time.sleep(10)
        return job

    answers = run(task, [b"bad", b"bad", b"good", *[b"bad"] * 6], count=1, most_s=0.2)

    assert answers.pop(2) == b"good"
    hung = [answer.reason.startswith("nothing came of it") for answer in answers]
    assert hung == [True] * 5 + [False] * 3
    assert answers[-1].reason.startswith("not tried")


def test_no_process_is_left_when_the_caller_has_had_enough():
    with Crew(lambda job: str(os.getpid()).encode(), 2) as crew:
        pids = {int(next(crew.run([b"x"] * 100)))}
        pids |= {worker.pid for worker in crew._workers}

    assert len(pids) == 2
    assert not any(here(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_whole_group_is_left_to_the_one_that_began_it(number):
    def struck(job):
        os.kill(os.getpid(), number)
        return job

    assert run(struck, [b"1", b"2"]) == [b"1", b"2"]


def test_what_a_job_prints_is_not_for_the_player(capfd):
    def noisy(job):
        os.write(1, b"to stdout")
        os.write(2, b"to stderr")
        return job

    run(noisy, [b"x"])

    assert capfd.readouterr() == ("", "")


def test_no_process_outlives_one_that_is_killed(tmp_path):
    told = tmp_path / "pid"

    def hang(job):
        told.write_text(str(os.getpid()))
        told.rename(tmp_path / "told")
        while True:
            time.sleep(10)

    parent = os.fork()
    if parent == 0:
        run(hang, [b"x"])
        os._exit(0)
    while not (tmp_path / "told").exists():
        time.sleep(0.01)
    pid = int((tmp_path / "told").read_text())

    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)

    for _ in range(500):
        if ended(pid):
            break
        time.sleep(0.01)
    else:
        os.kill(pid, signal.SIGKILL)
        raise AssertionError("the process goes on for nobody")
