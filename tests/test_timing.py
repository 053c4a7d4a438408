"""Time as it passes, and its twin."""

import signal
import time

import pytest

from hw.timing import SPIN_NS, RealTime, SimTime

MS = 1_000_000


@pytest.mark.parametrize("wait_ns", [0, SPIN_NS // 2, SPIN_NS, 3 * MS])
@pytest.mark.parametrize("exact", [True, False])
def test_a_wait_is_never_over_early(wait_ns, exact):
    clock = RealTime()

    for _ in range(20):
        due = clock.now() + wait_ns
        clock.sleep_until(due, exact)
        assert clock.now() >= due


def test_a_deadline_that_has_passed_is_not_waited_for():
    clock = RealTime()
    before = time.process_time()

    for _ in range(1000):
        clock.sleep_until(clock.now() - MS)

    assert time.process_time() - before < 0.1


def test_a_long_wait_costs_no_processor():
    clock = RealTime()
    before = time.process_time_ns()

    clock.sleep_until(clock.now() + 200 * MS)

    assert time.process_time_ns() - before < 20 * MS


def test_a_wait_that_need_not_be_exact_does_not_spin():
    def processor_time(exact):
        before = time.process_time_ns()
        for _ in range(200):
            clock.sleep_until(clock.now() + MS, exact)
        return time.process_time_ns() - before

    clock = RealTime()

    assert processor_time(exact=False) < processor_time(exact=True)


def test_time_is_the_clock_that_the_kernel_stamps_edges_with():
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    now = RealTime().now()

    assert before <= now <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def test_a_signal_is_handled_at_once_and_the_wait_goes_on():
    clock = RealTime()
    handled = []
    old = signal.signal(signal.SIGALRM, lambda *_: handled.append(clock.now()))
    try:
        due = clock.now() + 60 * MS
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        clock.sleep_until(due)
    finally:
        signal.signal(signal.SIGALRM, old)

    assert clock.now() >= due
    assert [at < due for at in handled] == [True]


def test_the_twin_is_there_at_once_and_never_goes_back():
    clock = SimTime()

    assert clock.now() == 0
    clock.sleep_until(3_600_000 * MS)
    clock.sleep_until(MS)
    assert clock.now() == 3_600_000 * MS


def test_a_stall_lets_time_pass_in_the_twin():
    clock = SimTime()
    clock.sleep_until(10 * MS)

    clock.stall(30 * MS)

    assert clock.now() == 40 * MS
