import timeit

import pytest

from device.health import Health


def health_of(late_us):
    health = Health()
    for late in late_us:
        health.wrote(round(late * 1000))
    return health


def test_shares_of_lateness_are_at_most_an_eighth_too_high():
    health = health_of([3] * 980 + [70] * 18 + [700, 9000])

    assert health.below_us(0.5) == 4
    assert health.below_us(0.99) == 72
    assert health.below_us(0.999) == 704
    assert health.below_us(1.0) == 9000
    assert health.summary()["p999_us"] == 704
    assert health.summary()["worst_us"] == 9000


@pytest.mark.parametrize("late", [0.3, 7.9, 15, 16, 17, 127, 128, 1000, 24_999, 3_600_000_000])
def test_a_share_is_never_below_what_was_late_nor_far_above(late):
    shown = health_of([late, 1e10]).below_us(0.5)

    assert late <= shown <= max(late + 1, late * 1.125 + 1) or late > 1e9


def test_no_share_is_above_the_worst():
    health = health_of([100.0, 100.5])

    assert health.below_us(0.99) == health.summary()["worst_us"] == 101


def test_nothing_written_is_nothing_late():
    assert Health().below_us(0.99) == 0
    assert Health().histogram() == []


def test_what_is_early_or_absurdly_late_is_counted_all_the_same():
    health = health_of([-5, 1e13])

    assert sum(count for _, count in health.histogram()) == 2


def test_the_histogram_holds_every_write_under_rising_edges():
    health = health_of(range(2000))

    edges = [upper for upper, _ in health.histogram()]
    assert edges == sorted(set(edges))
    assert sum(count for _, count in health.histogram()) == 2000
    assert health.histogram()[:16] == [(upper, 1) for upper in range(1, 17)]
    assert (128, 8) in health.histogram()


def test_counting_a_write_costs_next_to_nothing():
    health = Health()

    assert min(timeit.repeat(lambda: health.wrote(123_456), number=1000, repeat=20)) < 10e-6 * 1000
