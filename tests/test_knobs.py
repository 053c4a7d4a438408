"""Adafruit's own driver on a bus in memory that answers as an MCP3008 does; the filter; the twin."""

import itertools
import os
import random

import pytest

from hw import knobs
from hw.calibration import Calibration, at_0_and_5_volts, reference
from hw.chip_watch import REGAIN, ChipWatch
from hw.knobs import END_ZONE, HYSTERESIS, KnobFilter, Mcp3008Knobs
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
        self.noise = random.Random(7)
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
        answer = [self.loose] * len(sent)  # its output is off until it answers
        if self.there == "noise":
            answer = [self.noise.randint(0, 1) for _ in sent]
        elif self.there:
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


def chip_and_knobs(counts=(0, 1, 511, 512, 513, 1000, 1022, 1023), loose=1):
    pytest.importorskip("adafruit_mcp3xxx", reason="adafruit-circuitpython-mcp3xxx is not installed")
    chip = ChipOnBus(counts)
    chip.loose = loose
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
    assert box.cv == pytest.approx([0, 512 / 656, 1, 100 / 656], abs=0.005)


def test_a_turned_knob_arrives_within_a_tenth_of_a_second_and_moves_no_other():
    chip, time, box = chip_and_knobs([512] * 8)
    others = [*box.values[1:], *box.cv]

    chip.counts[0] = 1023
    read_round(box, time, rounds=7)  # 112 ms

    assert box.values[0] == 1.0
    assert [*box.values[1:], *box.cv] == others


def test_a_step_on_a_cv_jack_arrives_at_the_next_reading():
    chip, time, box = chip_and_knobs([512] * 8)

    chip.counts[5] = 328
    read_round(box, time)

    assert box.cv[1] == pytest.approx(0.5, abs=0.005), "2.5 V"


def test_an_input_that_is_built_for_both_sides_gives_both_sides():
    circuits = ["bipolar", "unipolar", "off", "bipolar"]
    _, _, box = calibrated_box(reference(circuits), [512] * 4 + [512, 0, 0, 0])

    assert box.cv == pytest.approx([0, 0, 0, -1], abs=0.02)


def without_chip(loose=1, counts=(0,) * 8):
    """Power on, and nobody answers."""
    pytest.importorskip("adafruit_mcp3xxx", reason="adafruit-circuitpython-mcp3xxx is not installed")
    chip = ChipOnBus(counts)
    chip.there, chip.loose = False, loose
    time = SimTime()
    return chip, time, Mcp3008Knobs(time, spi=chip, cs=chip.cs)


WITHIN_A_SECOND = 62  # rounds of eight readings, 2 ms apart


@pytest.mark.parametrize("there", [False, "noise"])
@pytest.mark.parametrize("loose", [1, 0])
def test_a_chip_that_goes_is_told_of_within_a_second_and_the_values_stay(loose, there):
    chip, time, box = chip_and_knobs([700, 300, 512, 100, 0, 0, 400, 0], loose)
    before = (list(box.values), list(box.cv))

    chip.there = there
    read_round(box, time, rounds=WITHIN_A_SECOND)

    assert (box.values, box.cv) == before
    assert "MCP3008" in box.complaint
    assert "gpio=9=pu" in box.complaint


def test_a_wire_that_is_held_low_is_told_from_knobs_at_their_ends():
    chip, time, box = chip_and_knobs([700, 0, 0, 0, 0, 0, 0, 0])

    chip.there, chip.loose = False, 0  # the pull-up is there, and a short to ground
    read_round(box, time, rounds=8)

    assert "answers" in box.complaint
    assert box.values[0] == pytest.approx(0.688, abs=0.01)


@pytest.mark.parametrize("loose", [1, 0])
def test_a_chip_that_comes_back_is_believed_again_and_all_in_one_go(loose):
    chip, time, box = chip_and_knobs([700, 300, 512, 100, 0, 0, 400, 0], loose)
    chip.there = False
    read_round(box, time, rounds=3)
    before = (list(box.values), box.returns)
    seen = set()

    chip.there = True
    chip.counts[1] = 1023
    for reading in range(12 * 8):
        time.sleep_until(time.now() + READING)
        box.read(reading % 8)
        seen.add((tuple(box.values), box.returns))

    assert box.complaint == ""
    assert box.values[1] == 1.0
    assert box.returns == before[1] + 1
    assert all(values == tuple(before[0]) for values, returns in seen if returns == before[1])


def test_a_wire_whose_pull_up_comes_off_is_read_on():
    chip, time, box = chip_and_knobs([700] * 8)
    assert box.pulled_up

    chip.loose = 0
    chip.counts[0] = 300
    read_round(box, time, rounds=30)

    assert box.complaint == ""
    assert not box.pulled_up
    assert box.values[0] == pytest.approx(0.29, abs=0.01)


def test_a_wire_that_floated_is_not_taken_to_be_pulled_up():
    chip, time, box = chip_and_knobs([700] * 8, loose=0)

    chip.there = "noise"
    read_round(box, time, rounds=WITHIN_A_SECOND)
    chip.there = True
    read_round(box, time, rounds=10)

    assert (box.complaint, box.pulled_up) == ("", False)


def test_a_spark_on_the_wire_is_no_complaint_and_moves_nothing():
    chip, time, box = chip_and_knobs([700] * 8)
    before = list(box.values)

    chip.there = False
    box.read(3)
    chip.there = True
    complaints = set()
    for _ in range(10):
        read_round(box, time)
        complaints.add(box.complaint)

    assert complaints == {""}
    assert (box.values, box.returns) == (before, 1)


@pytest.mark.parametrize("counts", [[0] * 8, [1023] * 8, [512] * 8, [0, 0, 0, 0, 512, 512, 512, 512]])
def test_knobs_at_their_ends_or_all_alike_are_no_alarm(counts):
    chip, time, box = chip_and_knobs(counts)
    read_round(box, time, rounds=20)
    for channel in [*range(8), *range(8)]:  # and all are turned, one after the other, and back
        chip.counts[channel] = 300 if chip.counts[channel] != 300 else counts[channel]
        read_round(box, time, rounds=20)

    assert box.complaint == ""
    assert box.values[0] == pytest.approx(counts[0] / COUNTS, abs=0.01)


@pytest.mark.parametrize(("loose", "code"), [(1, 300), (1, 512), (0, 0), (0, 300), (0, 512)])
def test_a_chip_that_is_stuck_at_one_reading_is_told_of_and_the_values_stay(loose, code):
    counts = [700, 100, 512, 900, 0, 0, 656, 0]
    chip, time, box = chip_and_knobs(counts, loose)
    before = (list(box.values), list(box.cv))

    chip.counts = [code] * 8
    read_round(box, time, rounds=WITHIN_A_SECOND)
    assert (box.values, box.cv) == before
    assert f"the MCP3008 answers {code} on every channel" in box.complaint

    chip.counts = counts
    read_round(box, time, rounds=WITHIN_A_SECOND)
    assert box.complaint == ""
    assert box.values == pytest.approx(before[0], abs=0.005)
    assert box.cv == pytest.approx(before[1], abs=0.005)


def test_knobs_that_are_torn_to_zero_get_there():
    chip, time, box = chip_and_knobs([700, 700, 300, 0, 0, 0, 0, 0])

    chip.counts[0] = chip.counts[1] = 0
    read_round(box, time, rounds=9)

    assert box.values[:2] == [0.0, 0.0]
    assert box.complaint == ""


def test_without_a_pull_up_one_knob_that_is_torn_to_zero_gets_there():
    chip, time, box = chip_and_knobs([700, 0, 0, 0, 0, 0, 0, 0], loose=0)

    chip.counts[0] = 0
    read_round(box, time, rounds=9)

    assert box.values[0] == 0.0
    assert box.complaint == ""


def test_a_bus_that_fails_is_told_of_and_nothing_is_raised_while_playing():
    chip, time, box = chip_and_knobs([700] * 8)

    chip.failing = True
    assert box.read(0) == 700
    assert "Input/output error" in box.complaint
    chip.failing = False
    read_round(box, time, rounds=5)
    assert box.complaint == ""


@pytest.mark.parametrize("loose", [1, 0])
def test_a_box_without_a_chip_opens_with_its_knobs_in_the_middle_and_says_so(loose):
    _, time, box = without_chip(loose)
    read_round(box, time, rounds=5)

    assert (box.values, box.cv, box.returns) == ([0.5] * 4, [0.0] * 4, 0)
    assert "MCP3008" in box.complaint
    assert "dtparam=spi=on" in box.complaint


@pytest.mark.parametrize("loose", [1, 0])
def test_a_chip_that_appears_late_is_there_within_a_second(loose):
    chip, time, box = without_chip(loose, [100, 200, 300, 400, 0, 0, 0, 1023])

    chip.there = True
    read_round(box, time, rounds=WITHIN_A_SECOND)

    assert (box.complaint, box.returns) == ("", 1)
    assert box.counts == chip.counts


def test_a_machine_without_a_bus_is_told_so_and_no_reading_is_made():
    pytest.importorskip("adafruit_mcp3xxx", reason="adafruit-circuitpython-mcp3xxx is not installed")
    if os.path.exists(knobs.SPIDEV):
        pytest.skip("this machine has an SPI bus")

    box = Mcp3008Knobs()

    assert not box.present
    assert box.read(0) == 0
    for part in ("no /dev/spidev0.0", "dtparam=spi=on", "--panel sim"):
        assert part in box.complaint


def test_a_bus_that_appears_is_opened_while_the_music_rests(monkeypatch, tmp_path):
    pytest.importorskip("adafruit_mcp3xxx", reason="adafruit-circuitpython-mcp3xxx is not installed")
    spidev = tmp_path / "spidev0.0"
    monkeypatch.setattr(knobs, "SPIDEV", str(spidev))
    box = Mcp3008Knobs(SimTime())
    chip = ChipOnBus([700] * 8)
    chip.cs.value = False  # as the kernel's own chip select does
    chip.deinit = lambda: None
    monkeypatch.setattr(knobs, "_open_bus", lambda: chip)

    box.mend(resting=True)
    assert not box.present
    spidev.touch()
    box.mend(resting=False)
    assert not box.present
    box.mend(resting=True)
    read_round(box, box._time, rounds=5)

    assert (box.present, box.complaint) == (True, "")
    assert box.values[0] == pytest.approx(0.688, abs=0.01)


# --- calibration --------------------------------------------------------------------------------------------


def calibrated_box(calibration, counts):
    pytest.importorskip("adafruit_mcp3xxx", reason="adafruit-circuitpython-mcp3xxx is not installed")
    chip, time = ChipOnBus(counts), SimTime()
    return chip, time, Mcp3008Knobs(time, spi=chip, cs=chip.cs, calibration=calibration)


@pytest.mark.parametrize(("low", "high"), [(40, 980), (980, 40), (0, 1023)])
def test_the_ends_of_a_calibrated_knob_are_reached_and_its_middle_is_the_middle(low, high):
    calibration = Calibration(knobs=((low, high),) * 4)
    chip, time, box = calibrated_box(calibration, [(low + high) // 2] * 4 + [0] * 4)
    assert box.values == pytest.approx([0.5] * 4, abs=0.002)

    for end, value in ((high, 1.0), (low, 0.0)):
        chip.counts[:4] = [end] * 4
        read_round(box, time, rounds=30)
        assert box.values == [value] * 4


@pytest.mark.parametrize(
    ("volts", "counts"),
    [
        ((0, 5), (0, 1023)),
        ((0, 5), (512, 20)),
        ((-5, 5), (1000, 24)),
        ((0, 10), (3, 1020)),
        ((1, 4), (250, 760)),
    ],
)
def test_a_calibrated_cv_is_as_many_volts_as_it_is(volts, counts):
    zero, five = at_0_and_5_volts(volts, counts)
    calibration = Calibration(cv=((zero, five),) * 4)
    for wanted in (-5.0, -2.5, 0.0, 1.0, 2.5, 5.0):
        its = round(zero + wanted / 5 * (five - zero))
        if 0 <= its <= COUNTS:
            _, _, box = calibrated_box(calibration, [512] * 4 + [its] * 4)
            assert box.cv == pytest.approx([wanted / 5] * 4, abs=0.007)


def test_a_calibration_that_comes_while_it_plays_holds_at_once_and_counts_as_a_return():
    _, _, box = chip_and_knobs([300] * 8)

    box.calibrate(Calibration(knobs=((300, 900),) * 4))

    assert box.values == [0.0] * 4
    assert box.returns == 2


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
    for _ in range(REGAIN):
        watch.believes(0, 40, bytes((0x00, 0x00, 40)))

    assert watch.believes(0, 0, bytes(3))


def test_the_twin_s_knobs_are_where_they_are_turned():
    box = SimKnobs()

    box.turn(2, 0.25)
    box.turn(0, 7.0)
    box.patch(3, 1.0)

    assert box.values == [1.0, 0.5, 0.25, 0.5]
    assert [box.read(channel) for channel in range(box.channels)] == [1023, 512, 256, 512, 0, 0, 0, 1023]
    with pytest.raises(IndexError):
        box.read(8)
