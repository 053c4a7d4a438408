"""What a report shows is what the integer decoder gives."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import pattern

from device.decoder import Decoder, KnobMap, hits_of
from training.attributes import attributes
from training.survey import BETWEEN, CHANGE, MIDDLE, ROWS, follow, nearest, project, survey


def test_the_nearest_take_is_the_one_with_the_fewest_other_steps():
    takes = np.array([pattern(line).hits for line in ("x...x...x...x...", "..x...x...x...x.")])
    hits = np.array([pattern(line).hits for line in ("x...x...x.......", "..x...x...x...x.")])

    take, distance = nearest(hits, takes)

    assert take.tolist() == [0, 1]
    assert distance.tolist() == [2, 0]


def test_a_sweep_is_what_the_decoder_gives_with_the_other_knobs_in_the_middle(slot):
    sweep = survey(slot).sweeps[0]
    knobs = np.full((ROWS, 4), MIDDLE)
    knobs[:, 0] = np.rint(np.linspace(0, 1023, ROWS))

    hits = hits_of(slot.decoder.codes(knobs)[:, 0])

    assert np.array_equal(sweep.hits[::BETWEEN], hits)
    assert np.array_equal(sweep.values[::BETWEEN], attributes(hits)[:, 0])
    assert np.array_equal(nearest(hits, slot.hits)[1], sweep.distance[::BETWEEN])


def test_the_band_holds_what_a_knob_does_elsewhere(slot):
    for sweep in survey(slot).sweeps:
        assert (sweep.band[0] <= sweep.band[1]).all()


def test_takes_that_are_given_back_are_not_off(slot):
    seen = survey(slot)

    found = hits_of(slot.decoder.codes(slot.positions)[:, 0])
    assert seen.off.tolist() == (found ^ slot.hits).sum(axis=(1, 2)).tolist()


def test_distances_to_takes_agree_with_the_likeness_of_the_report(slot):
    seen = survey(slot)

    ratio = seen.places.mean() / seen.shuffled.mean()
    assert ratio == pytest.approx(slot.about.playability.likeness, abs=0.05)


def test_a_knob_that_leads_nowhere_is_found_out(slot):
    points = slot.decoder.knob_map.points.copy()
    points[2:] = 0
    dead = replace(slot, decoder=Decoder(KnobMap(points), slot.decoder.network, 1))

    assert [sweep.alive for sweep in survey(dead).sweeps] == [True, True, False, False]


def test_what_remains_is_counted_in_steps_from_the_middle():
    hits = np.array(
        [[pattern(line).hits for line in ("x...............", "x.x.............", "..x.............")]]
    )

    assert follow(CHANGE, hits).tolist() == [[2.0, 0.0, 2.0]]


def test_a_projection_looks_from_where_takes_differ_most():
    positions = np.array(
        [[0, 500, 500, 500], [1000, 500, 500, 600], [500, 500, 500, 550], [250, 500, 500, 400]]
    )

    found = project(positions)

    assert np.abs(found.axes[0]).argmax() == 0
    assert np.abs(found.axes[1]).argmax() == 3
    assert found.shares[0] > 0.9
    assert found.points.min() == pytest.approx(0.0)
    assert found.points.max() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "positions",
    [
        np.zeros((1, 4)),
        np.arange(8).reshape(2, 4) * 100,
        np.full((5, 4), 512),
        np.outer(np.arange(5), np.ones(4)),
    ],
    ids=["one", "two", "all the same", "on a line"],
)
def test_without_two_directions_there_is_no_projection(positions):
    assert project(positions) is None
