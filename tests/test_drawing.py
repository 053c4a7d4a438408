"""Drawings show what they are given: every hit once, at its place, and no more than fits."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from conftest import pattern

from training.drawing import Lane, Line, Point, Scale, bars, chart, plane, ramp, strip, take_row

SVG = "{http://www.w3.org/2000/svg}"


def edges(drawing, voice=0):
    """Left edges of the blocks of one voice."""
    root = ET.fromstring(drawing)
    found = [path.get("d") for path in root.iter(f"{SVG}path") if f"v{voice} s" in path.get("class", "")]
    return sorted(float(x) for d in found for x in re.findall(r"M([\d.-]+)", d))


def drawn(take, **more):
    return take_row(take.hits, take.velocities, take.offsets, "a title", "a description", **more)


def test_a_take_has_one_block_for_each_hit_and_leans_as_it_was_played():
    straight = edges(drawn(pattern("x...x...x..x....")))
    late = edges(drawn(pattern("x...x...x..x....", offsets=0.5)))

    assert len(straight) == 8
    step = (straight[1] - straight[0]) / 4
    assert np.allclose(np.array(late) - straight, step / 2, atol=0.11)


def test_louder_hits_have_a_stronger_shade():
    classes = re.findall(r'class="v0 s(\d)"', drawn(pattern("x.X.............")))

    assert classes == ["3", "4"]


def test_each_voice_has_its_own_colour_and_row():
    made = drawn(pattern("x...x...x...x...", "....x.......x...", "x.x.x.x.x.x.x.x."))

    assert [len(edges(made, voice)) for voice in range(3)] == [8, 4, 16]


def test_a_strip_has_a_row_of_blocks_for_each_pattern():
    rows = [pattern("x..............."), pattern("x...x..........."), pattern("x...x...x...x...")]
    hits, velocities = (np.array([getattr(row, part) for row in rows]) for part in ("hits", "velocities"))
    lane = Lane(
        "busy", np.array([1.0, 2.0, 4.0]), np.array([[0.0, 1.0, 2.0], [2.0, 3.0, 5.0]]), ends=("0", "5")
    )

    made = strip(hits, velocities, [lane], "a title", "a description")

    assert len(edges(made)) == hits.sum()
    assert ">busy<" in made
    assert ">5<" in made


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0, 1, 0, 100), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Scale(0, 40, 0, 100), [0, 10, 20, 30, 40]),
        (Scale(3, 3, 0, 100), [3]),
        (Scale(0.5, 0.7, 0, 100, log=True), [0.5, 0.7]),
    ],
)
def test_ticks_are_round_and_few(scale, ticks):
    assert scale.ticks() == pytest.approx(ticks)


@pytest.mark.parametrize("high", [1e-9, 0.3, 1.0, 7.0, 99.0, 1023.0, 2e6])
def test_a_scale_keeps_to_its_places_and_never_has_a_crowd_of_ticks(high):
    scale = Scale(0.0, high, 10.0, 110.0)

    assert [scale(-1.0), scale(0.0), scale(high), scale(2 * high)] == [10.0, 10.0, 110.0, 110.0]
    assert 1 <= len(scale.ticks()) <= 6


def test_values_that_are_all_one_are_drawn_too():
    flat = Line(np.array([1.0]), np.array([0.0]), "curve", "one epoch without loss")

    for made in (
        chart([flat], ("x", "y"), False, "a title", "a description"),
        bars(np.zeros((2, 1), int), ("x", "y"), "a title", "a description"),
        strip(np.zeros((1, 1, 32), bool), np.zeros((1, 1, 32)), [Lane("busy", np.zeros(1))], "t", "d"),
    ):
        assert "nan" not in made
        ET.fromstring(made)


def test_points_stay_on_their_plane_and_have_their_name():
    points = [Point(0.0, 0.0, 0, "low <left>"), Point(1.0, 1.0, 6, "top right", mark="12")]
    ground = np.arange(16).reshape(4, 4) % 7

    root = ET.fromstring(plane(points, ground, ("x", "y"), "a title", "a description"))

    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles == ["a title", "low <left>", "top right"]
    for circle in root.iter(f"{SVG}circle"):
        x, y, r = (float(circle.get(key)) for key in ("cx", "cy", "r"))
        assert 40 <= x - r <= x + r <= 336
        assert 6 <= y - r <= y + r <= 302


def test_every_drawing_has_a_title_and_a_description():
    for made in (
        drawn(pattern("x...............")),
        ramp("1", "9", "colours"),
        plane([], None, ("x", "y"), "t", "d"),
    ):
        root = ET.fromstring(made)
        assert root.get("role") == "img"
        assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
        assert all(child.text for child in list(root)[:2])
