"""Times from deltas: however seldom one looks, they are those of the arrival and not of the look."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.arrivals import TARDY_NS, Arrivals

MS = 1_000_000
S = 1_000 * MS
CLOCK_NS = 20_833_333  # 24 a beat at 120 BPM


def looked_at(arrivals, looks, lost=(), ppm=0.0):
    """What `Arrivals` makes of true times, seen at those looks; deltas of the `lost` never come."""
    arrivals_of, found, before, since, waiting = Arrivals(), [], None, 0, list(arrivals)
    for look in looks:
        deltas = []
        while waiting and waiting[0] < look:
            at = waiting.pop(0)
            if at not in lost:
                deltas.append(0.0 if before is None else (at - before) * (1 + ppm / 1e6) / 1e9)
                found.append(at)
            before = at
        yield from zip(found[len(found) - len(deltas) :], arrivals_of.times(deltas, since, look), strict=True)
        since = look


def every(ns, start, end, jitter=0, seed=1):
    rng = random.Random(seed)
    return [at + rng.randrange(jitter + 1) for at in range(start, end, ns)]


@pytest.mark.parametrize("look_ns", [1 * MS, 4 * MS, 20 * MS, 90 * MS])
def test_a_clock_is_timed_much_closer_than_it_is_looked_at(look_ns):
    clocks = every(CLOCK_NS, 0, 60 * S)
    errors = [time - at for at, time in looked_at(clocks, every(look_ns, 0, 61 * S, jitter=look_ns // 3))]

    assert len(errors) == len(clocks)
    assert max(errors[200:]) - min(errors[200:]) < 0.6 * MS + look_ns / 60  # 4 s have passed
    assert min(errors) >= 0
    assert max(errors) <= 1.4 * look_ns


@pytest.mark.parametrize("ppm", [-80, 80])
def test_two_clocks_that_drift_apart_are_followed(ppm):
    clocks = every(CLOCK_NS, 0, 1000 * S)
    errors = [time - at for at, time in looked_at(clocks, every(4 * MS, 0, 1001 * S, jitter=MS), ppm=ppm)]

    assert max(abs(error) for error in errors[200:]) < 1 * MS  # unfollowed it would be 80


def test_after_an_hour_of_silence_the_first_message_is_as_good_as_the_look():
    clocks = [*every(CLOCK_NS, 0, 2 * S), *every(CLOCK_NS, 3600 * S, 3601 * S)]
    looks = [*every(4 * MS, 0, 3 * S, jitter=MS), *every(4 * MS, 3599 * S, 3602 * S, jitter=MS)]
    for ppm in (-80, 0, 80):
        errors = [time - at for at, time in looked_at(clocks, looks, ppm=ppm)]

        assert max(abs(error) for error in errors[96:]) < 5 * MS + TARDY_NS


def test_deltas_that_were_lost_shift_nothing_for_longer_than_a_moment():
    clocks = every(CLOCK_NS, 0, 20 * S)
    lost = set(clocks[300:340])
    looks = every(4 * MS, 0, 21 * S, jitter=MS)
    errors = [time - at for at, time in looked_at(clocks, looks, lost)]

    assert max(abs(error) for error in errors[60:300]) < 0.6 * MS
    assert max(abs(error) for error in errors[300:]) < 5 * MS
    assert max(abs(error) for error in errors[400:]) < 0.6 * MS


@given(
    st.lists(st.integers(0, 40 * MS), min_size=1, max_size=40),
    st.lists(st.integers(0, 60 * MS), min_size=1, max_size=40),
)
@settings(deadline=None)
def test_times_never_run_backwards_nor_ahead_of_the_look(gaps, pauses):
    arrivals = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    looks = [sum(pauses[: n + 1]) for n in range(len(pauses))]
    keeper, since, before, last = Arrivals(), 0, 0, 0
    for look in looks:
        new = [at for at in arrivals if since <= at < look]
        times = keeper.times(
            [(at - was) / 1e9 for was, at in zip([before, *new], new, strict=False)], since, look
        )
        before = new[-1] if new else before
        since = look
        assert times == sorted(times)
        assert all(last <= time <= look for time in times)
        last = times[-1] if times else last
