"""The box under pulses at the clock jack: every rate, resets, pauses, one pulse for each step."""

import random

import numpy as np
import pytest
from clock_helpers import START, S, clocks, feed, rises
from conftest import beats, pattern

from device.clock import NS_PER_MS
from device.settings import Settings

EVERY_BEAT = pattern("x...x...x...x...")


@pytest.mark.parametrize("per_beat", ["1", "2", "4", "8", "24", "48"])
def test_pulses_lead_at_every_rate(make_box, per_beat):
    box = make_box(EVERY_BEAT, Settings().changed("clock_in", per_beat).changed("clock", "jack"))
    box.sync.start()
    assert box.sync.awaited

    feed(box, clocks(132, int(per_beat) * 12, first=S, per_beat=int(per_beat), what="clock"))

    found = np.array(rises(box))
    wanted = S + np.arange(12) * 60e9 / 132
    assert len(found) == 12
    assert np.abs(found - wanted)[3:].max() < 0.1 * NS_PER_MS
    assert found[0] - S < 1.5 * NS_PER_MS


@pytest.mark.parametrize("after_ms", [-20, -3, -0.5, 0, 0.5, 3, 6])
def test_a_reset_before_with_or_after_a_pulse_means_that_pulse(make_box, after_ms):
    box = make_box(pattern("x..............."), Settings().changed("clock", "jack"))
    box.sync.start()
    pulses = clocks(120, 4 * 12, first=S, per_beat=4, what="clock")
    reset = (pulses[22][0] + round(after_ms * NS_PER_MS), "reset")

    feed(box, sorted([*pulses, reset], key=lambda pair: pair[0]), until=S + 6 * S)

    wanted = [S, S + 2 * S, pulses[22][0], pulses[22][0] + 2 * S]
    assert len(rises(box)) == 4
    assert rises(box) == pytest.approx(wanted, abs=max(after_ms, 0) * NS_PER_MS + 1.2 * NS_PER_MS)
    assert rises(box, "reset")[-1] == rises(box)[2]


def test_a_reset_between_pulses_waits_for_the_next(make_box):
    box = make_box(pattern("x..............."), Settings().changed("clock", "jack"))
    box.sync.start()
    pulses = clocks(120, 4 * 8, first=S, per_beat=4, what="clock")

    feed(box, sorted([*pulses, (pulses[9][0] + 60 * NS_PER_MS, "reset")], key=lambda pair: pair[0]))

    assert rises(box) == pytest.approx([S, pulses[10][0], pulses[10][0] + 2 * S], abs=1.2 * NS_PER_MS)


def test_a_modular_that_pauses_pauses_the_box_and_goes_on_with_the_next_pulse(make_box):
    box = make_box(pattern("x" * 16), Settings().changed("clock", "jack"))
    box.sync.start()
    feed(box, clocks(120, 9, first=S, per_beat=4, what="clock"), until=4 * S)
    assert not box.player.playing
    before = len(rises(box))

    feed(box, clocks(120, 8, first=5 * S, per_beat=4, what="clock"), until=6 * S)

    found = rises(box)[before:]
    assert found[0] == pytest.approx(5 * S, abs=1.2 * NS_PER_MS)
    assert beats(box.engine, "gate1")[before] == pytest.approx(9 / 4)


def test_one_pulse_for_each_step_plays_every_step_with_its_pulse_however_uneven(make_box):
    settings = Settings().changed("clock_in", "step").changed("clock", "jack")
    box = make_box(pattern("x" * 16), settings)
    box.sync.start()
    noise = random.Random(3)
    times = np.cumsum([S] + [round(noise.uniform(0.06, 0.3) * S) for _ in range(40)]).tolist()

    feed(box, [(at, "clock") for at in times], until=times[-1] + S // 20)

    found = np.array(rises(box))
    assert len(found) == len(times)
    assert (found - times).min() >= 0
    assert (found - times).max() < 4 * NS_PER_MS, "a pass, and the gap of a gate that was still up"


def test_a_reset_at_the_jack_under_midi_clock_moves_nobody(make_box):
    box = make_box(EVERY_BEAT)
    master = clocks(120, 24 * 8, first=S)

    feed(
        box,
        sorted([(S - NS_PER_MS, START), *master, (master[120][0] + NS_PER_MS, "reset")], key=lambda p: p[0]),
    )

    assert rises(box)[1:] == pytest.approx([S + n * S // 2 for n in range(1, 8)], abs=0.2 * NS_PER_MS)


def test_a_step_clock_that_ends_leaves_the_box_where_it_waited(make_box):
    settings = Settings().changed("clock", "jack").changed("clock_in", "step").changed("clock_lost", "go")
    box = make_box(pattern("x" * 16), settings)
    box.sync.start()
    pulses = clocks(120, 12, first=S, per_beat=4, what="clock")

    feed(box, pulses, until=pulses[-1][0] + 2 * S)

    assert beats(box.engine, "gate1")[:16] == pytest.approx([n / 4 for n in range(16)], abs=0.003)
    assert box.player.skipped == box.engine.health.dropped == 0
