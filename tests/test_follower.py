"""The line through an outer clock: early, steady, quick to follow, and not fooled by single pulses."""

import math
import random
from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.follower import Follower

MS = 1_000_000
SECOND = 1_000_000_000
START = 5 * SECOND
RATES = (1, 2, 4, 8, 24, 48)  # pulses per beat


def even(bpm, rate, beats, start=START):
    """True times of pulses; the first after `start` when that is the last of others."""
    period = 60e9 / bpm / rate
    return [start + n * period for n in range(round(beats * rate) + 1)]


def then(times, bpm, rate, beats):
    return times + even(bpm, rate, beats, times[-1])[1:]


def jittered(times, ms, seed=1):
    rng = random.Random(seed)
    return sorted(round(time + rng.uniform(-ms, ms) * MS) for time in times)


def follow(pulses, rate, **options):
    """A follower and, after every pulse, (count, time, bpm, locked)."""
    follower, story = Follower(rate, **options), []
    for pulse in pulses:
        follower.pulse(pulse)
        story.append((follower.count, follower.time, follower.bpm, follower.locked))
    return follower, story


def errors(story, truth):
    """How far each pulse of the line is from the true one, in milliseconds."""
    return [abs(time - truth[count]) / MS for count, time, _, _ in story]


def from_lock(story):
    return next(n for n, (_, _, _, locked) in enumerate(story) if locked)


def p99(values):
    return sorted(values)[int(0.99 * len(values))]


@pytest.mark.parametrize("bpm", [40, 90, 120, 174])
def test_midi_clock_with_a_millisecond_of_jitter_gives_a_steady_tempo_and_phase(bpm):
    tempi, phases, begins = [], [], []
    for seed in range(4):
        truth = even(bpm, 24, 80)
        _, story = follow(jittered(truth, 1, seed), 24)
        begin = from_lock(story)
        begins.append(begin / 24)
        tempi += [tempo for _, _, tempo, _ in story[begin:]]
        phases += errors(story, truth)[begin:]

    assert max(begins) <= (1.0 if bpm <= 120 else 1.5)
    assert fmean(tempi) == pytest.approx(bpm, rel=1e-3)
    assert pstdev(tempi) < 0.05
    assert p99(phases) < 0.4


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("bpm", [20, 60, 120, 300])
def test_a_steady_clock_locks_within_two_beats_and_stays(rate, bpm):
    for jitter in (0, 1):
        truth = even(bpm, rate, 60)
        follower, story = follow(jittered(truth, jitter), rate)
        begin = from_lock(story)

        assert begin <= 2 * rate
        assert all(locked for _, _, _, locked in story[begin:])
        assert [count for count, _, _, _ in story[begin:]] == list(range(begin, len(truth)))
        assert follower.bpm == pytest.approx(bpm, rel=2e-3)
        assert max(errors(story, truth)[begin:]) < 1.5
        assert (follower.jumps, follower.complaint) == (0, "")


def test_a_pulse_per_beat_locks_after_two_intervals():
    _, story = follow(jittered(even(120, 1, 3), 1), 1)

    assert [locked for _, _, _, locked in story] == [False, False, True, True]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    ("before", "after"), [(120, 60), (120, 180), (120, 125), (120, 127), (120, 240), (200, 60), (120, 40)]
)
def test_a_jump_is_followed_within_two_beats_and_the_count_goes_on(rate, before, after):
    for seed in range(3):
        truth = then(even(before, rate, 12), after, rate, 8)
        follower, story = follow(jittered(truth, 1, seed), rate)
        there = 12 * rate + 2 * rate

        assert story[there][0] == there
        assert all(locked for _, _, _, locked in story[there:])
        assert max(errors(story, truth)[there:]) < 1.5
        assert follower.bpm == pytest.approx(after, rel=2e-3)
        assert follower.count == len(truth) - 1


def test_a_jump_is_told_and_a_small_change_of_tempo_is_none():
    far, _ = follow(jittered(then(even(120, 24, 8), 60, 24, 4), 1), 24)
    near, _ = follow(jittered(then(even(120, 24, 8), 122, 24, 4), 1), 24)

    assert (far.jumps, near.jumps) == (1, 0)


@pytest.mark.parametrize("to", [130, 112])
@pytest.mark.parametrize(
    ("jitter", "rates", "most"), [(0, RATES, 1.0), (1, (24, 48), 2.0), (1, (2, 4, 8), 2.7)]
)
def test_eight_beats_of_accelerando_are_followed_closely(to, jitter, rates, most):
    for rate in rates:
        truth = even(120, rate, 16)
        for n in range(8 * rate):
            truth.append(truth[-1] + 60e9 / rate / (120 + (to - 120) * (n + 0.5) / (8 * rate)))
        truth = then(truth, to, rate, 8)
        for seed in range(4):
            follower, story = follow(jittered(truth, jitter, seed), rate)

            assert max(errors(story, truth)[14 * rate :]) < most
            assert follower.jumps == 0


@pytest.mark.parametrize("turn", [1.05, 1.1, 0.92])
def test_a_hand_on_the_tempo_knob_of_an_analogue_clock_is_followed_at_once(turn):
    period, truth = 500.0 * MS, even(120, 1, 8)
    for _ in range(5):
        period *= turn
        truth.append(truth[-1] + period)
    truth += [truth[-1] + period * n for n in (1, 2, 3)]

    follower, story = follow([round(time) for time in truth], 1)

    assert story[-4][2] == pytest.approx(60e9 / period, rel=0.02)
    assert follower.bpm == pytest.approx(60e9 / period, rel=0.005)
    assert follower.jumps == 0


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("jitter", [0, 1])
def test_a_lost_pulse_is_counted_and_disturbs_nothing(rate, jitter):
    truth = even(120, rate, 24)
    pulses = jittered(truth, jitter)
    del pulses[12 * rate + 1]

    follower, story = follow(pulses, rate)

    assert story[12 * rate + 1][0] == 12 * rate + 2
    assert follower.count == len(truth) - 1
    assert max(errors(story[12 * rate :], truth)) < 1.5
    assert max(abs(bpm - 120) for _, _, bpm, _ in story[12 * rate :]) < 0.3
    assert follower.jumps == 0


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("share", [0.06, 0.2, 0.4, 0.6, 0.7])
def test_a_pulse_too_many_is_not_counted_and_disturbs_nothing(rate, share):
    truth = even(120, rate, 24)
    pulses = jittered(truth, 0.3)
    pulses.insert(12 * rate + 1, round(pulses[12 * rate] + share * 60e9 / 120 / rate))

    follower, story = follow(pulses, rate)

    assert follower.count == len(truth) - 1
    assert max(errors(story[12 * rate :], truth)) < 0.6
    assert max(abs(bpm - 120) for _, _, bpm, _ in story[12 * rate :]) < 0.2
    assert follower.jumps == 0


@pytest.mark.parametrize("rate", [1, 4, 24])
def test_a_contact_that_bounces_is_one_pulse_at_a_jack(rate):
    pulses = jittered(even(120, rate, 16), 0.1)
    pulses.insert(8 * rate + 1, pulses[8 * rate] + MS // 10)

    follower, _ = follow(pulses, rate, batched=False)

    assert (follower.count, follower.jumps) == (16 * rate, 0)
    assert follower.bpm == pytest.approx(120, abs=0.05)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("share", [-0.4, -0.3, 0.3, 0.4])
def test_one_pulse_far_off_leaves_the_line_as_it_is(rate, share):
    truth = even(120, rate, 24)
    pulses = [round(time) for time in truth]
    pulses[12 * rate] += round(share * 60e9 / 120 / rate)

    follower, story = follow(pulses, rate)

    assert max(errors(story[12 * rate :], truth)) < 0.001
    assert max(abs(bpm - 120) for _, _, bpm, _ in story[12 * rate :]) < 0.001
    assert (follower.count, follower.jumps) == (len(truth) - 1, 0)


@pytest.mark.parametrize("rate", RATES)
def test_after_a_pause_the_next_number_follows_at_the_new_place(rate):
    truth = even(120, rate, 8)
    follower, _ = follow(jittered(truth, 0.3), rate)
    late = round(5.3 * 60e9 / 120 / rate)

    assert not follower.lost(round(truth[-1] + late * 0.7))
    assert follower.lost(round(truth[-1] + late))
    again = even(100, rate, 4, start=truth[-1] + late)
    for pulse in jittered(again, 0.3):
        follower.pulse(pulse)

    assert follower.count == len(truth) + len(again) - 1
    assert follower.time == pytest.approx(again[-1], abs=0.6 * MS)
    assert follower.bpm == pytest.approx(100, abs=0.5)
    assert follower.locked
    assert follower.jumps == 1


@pytest.mark.parametrize("bpm", [40, 90, 115, 120, 125, 174, 240])
@pytest.mark.parametrize("batch", [5.333, 10.667, 21.333, 23.22])  # ms: JACK at 48 and 44.1 kHz
def test_pulses_in_batches_give_the_average_tempo_without_a_complaint(bpm, batch):
    truth = even(bpm, 24, 200, start=START + 3 * MS)
    pulses = [round(math.ceil(time / (batch * MS)) * batch * MS) for time in truth]
    follower, complaints = Follower(24), set()
    tempi = []
    for pulse in pulses:
        follower.pulse(pulse)
        complaints.add(follower.complaint)
        tempi.append(follower.bpm)

    assert complaints == {""}
    assert fmean(tempi[len(tempi) // 2 :]) == pytest.approx(bpm, rel=1e-3)
    assert pstdev(tempi[len(tempi) // 2 :]) < 0.003 * bpm
    assert abs(follower.count - (len(truth) - 1)) <= 1
    assert follower.locked


@pytest.mark.parametrize("apart", [0, 0.1, 1.0])
@pytest.mark.parametrize("bpm", [60, 120, 290])
def test_pulses_in_pairs_are_all_counted(bpm, apart):
    truth = even(bpm, 24, 40)[1:]
    pulses = [round(truth[n | 1] + (n & 1) * apart * MS) for n in range(len(truth))]

    follower, story = follow(pulses, 24)

    assert follower.count == len(truth) - 1
    assert from_lock(story) <= 48
    assert fmean(bpm for _, _, bpm, _ in story[480:]) == pytest.approx(bpm, rel=1e-3)
    assert (follower.jumps, follower.complaint) == (0, "")


@pytest.mark.parametrize("share", [0.55, 0.6, 2 / 3])
def test_swung_eighths_give_the_tempo_between_them(share):
    truth = even(120, 2, 40)
    pulses = [round(time + n % 2 * (2 * share - 1) * 250 * MS) for n, time in enumerate(truth)]

    follower, story = follow(pulses, 2)

    assert fmean(bpm for _, _, bpm, _ in story[40:]) == pytest.approx(120, abs=0.1)
    assert (follower.count, follower.jumps) == (len(truth) - 1, 0)


def test_pulses_far_too_fast_are_said_and_never_followed():
    follower, _ = follow(jittered(even(120, 1, 8), 0.1), 1)
    line = follower.count, follower.time, follower.period
    for pulse in even(600, 1, 40, start=START + 4.13 * SECOND):
        follower.pulse(round(pulse))

    assert follower.complaint == (
        "the clock's pulses mean 600 BPM at 1 a beat, expected 20 to 300: check the pulses-a-beat setting"
    )
    assert (follower.count, follower.time, follower.period) == line


@pytest.mark.parametrize(("rate", "sent"), [(1, 24), (4, 24), (24, 96), (24, 1), (8, 1)])
def test_a_wrong_number_of_pulses_a_beat_is_said_with_the_tempo_it_means(rate, sent):
    follower, _ = follow([round(time) for time in even(120, sent, 8)], rate)

    assert f"pulses mean {120 * sent / rate:g} BPM at {rate} a beat" in follower.complaint
    assert follower.bpm == pytest.approx(120)
    assert not follower.locked


def test_the_complaint_ends_when_the_setting_fits():
    follower, _ = follow([round(time) for time in even(600, 1, 20)], 1)
    assert follower.complaint

    for pulse in even(100, 1, 5, start=START + 3 * SECOND):
        follower.pulse(round(pulse))

    assert follower.complaint == ""
    assert follower.bpm == pytest.approx(100)
    assert follower.locked


def test_reset_forgets_everything():
    follower, _ = follow(jittered(even(60, 4, 8), 1), 4)

    follower.reset()

    assert vars(follower).keys() == vars(Follower(4)).keys()
    assert (follower.count, follower.locked, follower.bpm, follower.jumps) == (-1, False, 120.0, 0)
    assert not follower.lost(10**18)


@pytest.mark.parametrize("rate", [1, 2])
def test_a_day_of_pulses_does_not_drift(rate):
    rng = random.Random(1)
    follower, period = Follower(rate), 60e9 / 133.7 / rate
    worst = 0.0
    for n in range(round(24 * 60 * 133.7 * rate)):
        true = START + n * period
        follower.pulse(round(true + rng.uniform(-MS, MS)))
        if n > 100:
            worst = max(worst, abs(follower.time - true))

    assert follower.count == n
    assert worst < 1.3 * MS
    assert follower.bpm == pytest.approx(133.7, abs=0.2)


INTERVALS = st.one_of(
    st.integers(-SECOND, 10 * SECOND),
    st.sampled_from([0, 1, MS // 10, 10 * SECOND, 20_833_333, 41_666_667, 500 * MS, 250 * MS, 3000 * MS]),
    st.integers(0, MS),
)


@settings(max_examples=150)
@given(
    rate=st.sampled_from([0.5, *RATES]),
    batched=st.sampled_from([None, False, True]),
    runs=st.lists(st.tuples(INTERVALS, st.integers(1, 80)), max_size=12),
)
def test_no_clock_whatever_breaks_it(rate, batched, runs):
    follower = Follower(rate, batched=batched)
    time, counts = START, [-1]
    for interval, times in runs:
        for _ in range(times):
            time += interval
            follower.pulse(time)
            counts.append(follower.count)
            assert 20 <= follower.bpm <= 300
            assert follower.period > 0
            assert math.isfinite(follower.time)
            assert follower.lost(time) in (True, False)
    assert all(after >= before for before, after in pairwise(counts))


@given(st.lists(st.integers(0, 2 * SECOND), max_size=300), st.sampled_from(RATES))
def test_random_pulses_do_not_break_it_and_a_steady_clock_mends_it(intervals, rate):
    follower, time = Follower(rate), START
    for interval in intervals:
        time += interval
        follower.pulse(time)

    truth = even(97, rate, 8, start=time + 16 * SECOND)
    for pulse in truth:
        follower.pulse(round(pulse))

    assert follower.bpm == pytest.approx(97, rel=1e-3)
    assert follower.time == pytest.approx(truth[-1], abs=MS / 10)
    assert follower.locked


@pytest.mark.parametrize(
    ("per_beat", "stray"),
    [(1, [0, 1482, 2963]), (4, [0, 120]), (4, [0, 4409, 8818, 9000]), (24, [0, 700, 710, 1500])],
)
def test_stray_pulses_before_a_steady_clock_are_soon_forgotten(per_beat, stray):
    """A plug that is pushed in, or somebody who tries a button: then the clock runs, at 100 BPM."""
    follower = Follower(per_beat)
    for ms in stray:
        follower.pulse(round(ms * 1e6))
    period = 60e9 / 100 / per_beat
    begin = stray[-1] * 1e6 + 1e9

    for number in range(max(12, 4 * per_beat)):
        follower.pulse(round(begin + number * period))

    assert follower.locked
    assert abs(follower.time - begin - number * period) < 0.02 * period
    assert follower.bpm == pytest.approx(100, rel=0.02)
