from device.health import Health


def test_shares_of_lateness_are_powers_of_two_above_them():
    health = Health()
    for late_us in [3] * 98 + [700, 9000]:
        health.wrote(late_us * 1000)

    assert health.below_us(0.5) == 4
    assert health.below_us(0.99) == 1024
    assert health.below_us(1.0) == 16384
    assert health.summary()["worst_us"] == 9000


def test_nothing_written_is_nothing_late():
    assert Health().below_us(0.99) == 0
