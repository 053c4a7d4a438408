"""Adafruit's own driver on a bus in memory that answers as an MCP3008 does; the filter; the twin."""

import itertools
import os
import random

import pytest

from hw import knobs
from hw.errors import PanelError
from hw.knobs import END_ZONE, HYSTERESIS, ChipWatch, KnobFilter, Mcp3008Knobs
from hw.sim import SimKnobs
from hw.table import ADC_HZ, COUNTS
from hw.timing import SimTime

MS = 1_000_000
READING = 2 * MS  # from one channel to the next


class ChipOnBus:
    """An MCP3008 and the bus it is on, bit by bit as its data sheet draws it.

    `there` is whether it has power and wires; without, the bus reads as `loose`: 1 with a pull-up, 0 without.
    """

    def __init__(self, counts):
        self.counts = list(counts)
        self.there = True
        self.loose = 1
        self.failing = False
        self.locked = False
        self.speed = None
        self.cs = ChipSelect()

    def try_lock(self):
        if self.locked:
            return False
        self.locked = True
        return True

    def unlock(self):
        assert self.locked
        self.locked = False

    def configure(self, baudrate=None, polarity=0, phase=0):
        assert (polarity, phase) in {(0, 0), (1, 1)}
        self.speed = baudrate

    def write_readinto(self, out, into):
        assert self.locked
        assert self.cs.value is False, "the chip is not selected"
        if self.failing:
            raise OSError(5, "Input/output error")
        sent = f"{int.from_bytes(out, 'big'):0{8 * len(out)}b}"
        answer = [self.loose if not self.there else 1] * len(sent)  # its output floats until it answers
        if self.there:
            start = sent.index("1")
            single, channel = sent[start + 1], int(sent[start + 2 : start + 5], 2)
            assert single == "1", "not a pair of channels"
            # A clock to sample, the null bit, then ten bits.
            answer[start + 6 : start + 17] = [0, *map(int, f"{self.counts[channel]:010b}")]
        into[:] = int("".join(map(str, answer)), 2).to_bytes(len(out), "big")


class ChipSelect:
    value = True

    def switch_to_output(self, value=True, drive_mode=None):
        self.value = value


def chip_and_knobs(counts=(0, 1, 511, 512, 513, 1000, 1022, 1023)):
    pytest.importorskip("adafruit_mcp3xxx", reason="adafruit-circuitpython-mcp3xxx is not installed")
    chip = ChipOnBus(counts)
    time = SimTime()
    return chip, time, Mcp3008Knobs(time, spi=chip, cs=chip.cs)


def read_round(panel_knobs, time, rounds=1):
    for _ in range(rounds):
        for channel in range(panel_knobs.channels):
            time.sleep_until(time.now() + READING)
            panel_knobs.read(channel)


def test_every_channel_is_read_to_the_count():
    chip, _, box = chip_and_knobs()

    assert [box.read(channel) for channel in range(8)] == chip.counts
    assert box.complaint == ""


def test_the_chip_is_read_at_one_megahertz_and_left_unselected():
    chip, _, box = chip_and_knobs()

    box.read(3)

    assert chip.speed == ADC_HZ == 1_000_000
    assert chip.cs.value is True
    assert not chip.locked


def test_knobs_stand_where_they_are_from_the_first_moment():
    _, _, box = chip_and_knobs([0, 512, 1023, 1019, 0, 512, 1023, 100])

    assert box.values == pytest.approx([0, 0.5, 1, 1], abs=0.002)
    assert box.cv == pytest.approx([0, 0.5, 1, 100 / COUNTS], abs=0.002)


def test_a_turned_knob_arrives_within_a_tenth_of_a_second_and_moves_no_other():
    chip, time, box = chip_and_knobs([512] * 8)
    others = [*box.values[1:], *box.cv]

    chip.counts[0] = 1023
    read_round(box, time, rounds=7)  # 112 ms

    assert box.values[0] == 1.0
    assert [*box.values[1:], *box.cv] == others


def test_a_step_on_a_cv_jack_arrives_at_the_next_reading():
    chip, time, box = chip_and_knobs([512] * 8)

    chip.counts[5] = 900
    read_round(box, time)

    assert box.cv[1] == pytest.approx(900 / COUNTS, abs=0.005)


@pytest.mark.parametrize("loose", [1, 0])
def test_a_chip_that_goes_is_told_of_and_the_values_stay(loose):
    chip, time, box = chip_and_knobs([700, 300, 512, 100, 0, 0, 400, 0])
    before = (list(box.values), list(box.cv))

    chip.there, chip.loose = False, loose
    read_round(box, time, rounds=4)

    assert (box.values, box.cv) == before
    assert "MCP3008" in box.complaint
    assert "gpio=9=pu" in box.complaint


@pytest.mark.parametrize("loose", [1, 0])
def test_a_chip_that_comes_back_is_believed_again(loose):
    chip, time, box = chip_and_knobs([700, 300, 512, 100, 0, 0, 400, 0])
    chip.there, chip.loose = False, loose
    read_round(box, time, rounds=3)

    chip.there = True
    chip.counts[1] = 1023
    read_round(box, time, rounds=12)

    assert box.complaint == ""
    assert box.values[1] == 1.0


def test_a_knob_that_is_torn_to_zero_gets_there():
    chip, time, box = chip_and_knobs([700, 0, 0, 0, 0, 0, 0, 0])

    chip.counts[0] = 0
    read_round(box, time, rounds=9)

    assert box.values[0] == 0.0
    assert box.complaint == ""


def test_two_knobs_that_are_torn_to_zero_get_there_while_another_is_up():
    chip, time, box = chip_and_knobs([700, 700, 300, 0, 0, 0, 0, 0])

    chip.counts[0] = chip.counts[1] = 0
    read_round(box, time, rounds=9)

    assert box.values[:2] == [0.0, 0.0]
    assert box.complaint == ""


def test_a_bus_that_fails_is_told_of_and_nothing_is_raised_while_playing():
    chip, time, box = chip_and_knobs([700] * 8)

    chip.failing = True
    assert box.read(0) == 700
    assert "Input/output error" in box.complaint
    chip.failing = False
    read_round(box, time)
    assert box.complaint == ""


def test_a_box_without_a_chip_does_not_open():
    pytest.importorskip("adafruit_mcp3xxx", reason="adafruit-circuitpython-mcp3xxx is not installed")
    chip = ChipOnBus([0] * 8)
    chip.there = False

    with pytest.raises(PanelError, match=r"no MCP3008 answers on SPI0.*dtparam=spi=on"):
        Mcp3008Knobs(SimTime(), spi=chip, cs=chip.cs)


def test_a_machine_without_a_bus_is_told_so():
    pytest.importorskip("adafruit_mcp3xxx", reason="adafruit-circuitpython-mcp3xxx is not installed")
    if os.path.exists(knobs.SPIDEV):
        pytest.skip("this machine has an SPI bus")

    with pytest.raises(PanelError, match=r"no /dev/spidev0.0.*dtparam=spi=on.*--panel sim"):
        Mcp3008Knobs()


def test_a_resting_knob_rests_in_the_noise_of_its_wire():
    noise = random.Random(1)
    knob = KnobFilter()
    for _ in range(50):
        knob.feed(600, seconds=0.016)

    values = {knob.feed(600 + noise.choice([-2, -1, 0, 1, 2]), seconds=0.016) for _ in range(5000)}

    assert len(values) == 1


@pytest.mark.parametrize(
    ("end", "value"), [(END_ZONE, 0.0), (0, 0.0), (COUNTS - END_ZONE, 1.0), (COUNTS, 1.0)]
)
def test_both_ends_are_reached_from_the_other_by_a_pot_that_stops_short(end, value):
    knob = KnobFilter()
    knob.feed(COUNTS - end, seconds=0.016)

    stop_short = HYSTERESIS if end in (END_ZONE, COUNTS - END_ZONE) else 0  # still inside the end zone
    for _ in range(60):
        knob.feed(end - stop_short if value == 0.0 else end + stop_short, seconds=0.016)

    assert knob.value == value


def test_a_slow_turn_has_no_stairs():
    knob = KnobFilter()
    values = [knob.feed(counts, seconds=0.016) for counts in range(100, 900)]

    steps = [b - a for a, b in itertools.pairwise(values[50:])]

    assert max(steps) < 1.5 / COUNTS
    assert min(steps) > 0.5 / COUNTS


def test_a_filter_settles_in_the_same_time_however_often_it_is_read():
    often, seldom = KnobFilter(), KnobFilter()
    often.feed(200, 0.001)
    seldom.feed(200, 0.001)

    for _ in range(40):
        often.feed(800, seconds=0.001)
    seldom.feed(800, seconds=0.04)

    assert often.value == pytest.approx(seldom.value, abs=1e-9)


def test_the_watch_believes_small_falls_to_zero_at_once():
    watch = ChipWatch()
    watch.believes(0, 40, answered=True)

    assert watch.believes(0, 0, answered=True)


def test_the_twin_s_knobs_are_where_they_are_turned():
    box = SimKnobs()

    box.turn(2, 0.25)
    box.turn(0, 7.0)
    box.patch(3, 1.0)

    assert box.values == [1.0, 0.5, 0.25, 0.5]
    assert [box.read(channel) for channel in range(box.channels)] == [1023, 512, 256, 512, 0, 0, 0, 1023]
    with pytest.raises(IndexError):
        box.read(8)
