"""A picture is written for every loop, heard or refused."""

import sys

import pytest
from loop_helpers import beats, write

from training.hear import hear
from training.plot import draw

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("voices", [1, 3])
def test_a_heard_loop_is_drawn(tmp_path, voices):
    heard = hear(write(tmp_path / "loop $x_y$ 120bpm.wav", beats(tail_s=1.0)), voices)

    draw(heard, tmp_path / "loop.png")

    assert (tmp_path / "loop.png").read_bytes()[:8] == PNG
    assert (tmp_path / "loop.png").stat().st_size > 10_000


def test_a_refused_loop_is_drawn_as_its_sentence(tmp_path):
    draw(hear(tmp_path / "missing.wav"), tmp_path / "loop.png")

    assert (tmp_path / "loop.png").read_bytes()[:8] == PNG


def test_no_global_state_of_matplotlib_is_touched(tmp_path):
    draw(hear(tmp_path / "missing.wav"), tmp_path / "loop.png")

    assert "matplotlib.pyplot" not in sys.modules
