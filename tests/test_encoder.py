from conftest import pattern

from device.encoder import FULL, take_codes


def test_a_take_is_shown_as_hits_velocities_and_offsets():
    codes = take_codes([pattern("X..." * 4, offsets=-0.25), pattern("...x" * 4, offsets=0.5)])

    assert codes.shape == (2, 96)
    assert codes[0, :4].tolist() == [FULL, 0, 0, 0]
    assert codes[0, 32:36].tolist() == [FULL, 0, 0, 0]
    assert codes[0, 64:68].tolist() == [-64, 0, 0, 0]
    assert codes[1, 32:36].tolist() == [0, 0, 0, 76]
    assert codes[1, 64:68].tolist() == [0, 0, 0, FULL]
