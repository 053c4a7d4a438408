import pytest

from device.health import Health
from device.slack import Job, Slack
from hw.timing import SimTime


def test_a_job_runs_as_often_as_it_asks_for():
    time, ran = SimTime(), []
    slack = Slack(time, [Job(lambda: ran.append(time.now()), every_ms=2, worst_us=100)], Health())

    for now in range(0, 10_000_000, 500_000):
        time.sleep_until(now)
        slack.spend(until=now + 1_000_000)

    assert ran == [0, 2_000_000, 4_000_000, 6_000_000, 8_000_000]


def test_a_job_that_does_not_fit_before_the_deadline_waits_for_the_next_pass():
    time, ran = SimTime(), []
    slack = Slack(time, [Job(lambda: ran.append(1), every_ms=1, worst_us=1000)], Health())

    slack.spend(until=999_999)
    assert ran == []
    slack.spend(until=1_000_000)
    assert ran == [1]


def test_a_fault_in_one_job_is_told_and_the_others_go_on():
    time, ran, told = SimTime(), [], []
    jobs = [Job(lambda: 1 / 0, every_ms=1, worst_us=10), Job(lambda: ran.append(1), every_ms=1, worst_us=10)]
    slack = Slack(time, jobs, Health())
    with pytest.raises(ZeroDivisionError):
        slack.spend(until=1_000_000)

    slack.on_fault = lambda job, error: told.append((job, str(error)))
    slack.spend(until=1_000_000)

    assert told == [(jobs[0], "division by zero")]
    assert ran == [1]


def test_a_job_that_takes_longer_than_it_states_is_counted():
    time, health = SimTime(), Health()
    slack = Slack(time, [Job(lambda: time.stall(3_000_000), every_ms=1, worst_us=1000)], health)

    slack.spend(until=5_000_000)

    assert health.overruns == 1
