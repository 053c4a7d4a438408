"""The sums of `make bench`'s table of hearing, and the table itself on a few loops that are made here."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import hearing, labelled
from bench.__main__ import main
from bench.environment import AbsentError
from bench.labelled import of_other_groups
from bench.loops import BPM, scores
from bench.scoring import Tally, nearest_steps, onset_tally, pooled, step_tally, tempo_is_right
from training.audio import Loop
from training.demo import perform, render
from training.synth import RATE
from training.tuning import fold_of

STEP_S = 15 / BPM
CLASSES = {"kick": "kick", "snare": "snare", "closed": "chh"}


def truth(steps, optional=(), onsets=(), faint=()):
    row = {"steps": [0] * 32, "optional_steps": [0] * 32}
    for key, places in (("steps", steps), ("optional_steps", optional)):
        for place in places:
            row[key][place] = 1
    return row | {"onsets_s": [*onsets, *faint], "onset_optional": [0] * len(onsets) + [1] * len(faint)}


def steps(*places):
    return np.isin(np.arange(32), places)


def test_steps_that_are_hardly_heard_count_neither_way():
    row = truth([0, 4, 8], optional=[12])

    assert step_tally(steps(0, 4, 8), row).exact
    assert step_tally(steps(0, 4, 8, 12), row).exact
    assert step_tally(steps(0, 5, 8, 12), row) == Tally(2, 1, 1)


def test_onsets_that_are_hardly_heard_count_neither_way():
    row = truth([], onsets=[0.0, 0.5], faint=[0.75])
    heard = np.array([0.01, 0.74, 0.9])

    assert onset_tally([(0, 0)], heard, row, 0.05) == Tally(right=1, extra=1, missed=1)
    assert onset_tally([(0, 0)], heard, row, 0.005) == Tally(right=1, extra=2, missed=1)


def test_counts_are_pooled_over_loops_not_figures():
    assert pooled([Tally(9, 0, 0), Tally(0, 1, 1)]).f1 == pytest.approx(0.9)
    assert pooled([]).f1 == 0.0


def test_a_step_past_the_end_is_the_first_and_what_rings_on_is_none():
    assert nearest_steps([3.95, 4.5], bpm=120, bars=2).nonzero()[0].tolist() == [0]


def test_four_bars_are_folded_to_two():
    assert nearest_steps([4.0, 6.0], bpm=120, bars=4).nonzero()[0].tolist() == [0, 16]


def test_a_tempo_is_right_with_its_bars_as_it_is_named_or_as_long_as_it_is():
    row = {"bpm": 168.0, "bpm_by_length": 172.67, "bars": 2}

    assert tempo_is_right(168.5, 2, row)
    assert tempo_is_right(172.7, 2, row)
    assert not tempo_is_right(84.0, 1, row)
    assert not tempo_is_right(168.0, 1, row)


def test_a_loop_of_half_a_bar_is_right_where_it_is_refused_and_a_whole_one_is_not():
    half = Loop(Path("half.wav"), "half.wav", np.ones(RATE, np.float32), RATE, 1.0)
    heard = np.array([0.0, 0.5]), np.ones(2)

    assert hearing.reading(half, *heard, {"bpm": 120.0, "bars": 0.5}, named=True) is True
    assert hearing.reading(half, *heard, {"bpm": 120.0, "bars": 2}, named=True) is None


def test_no_network_knows_a_loop_of_a_group_that_it_judges():
    known = [({"group": f"song {number // 2}"}, None, None) for number in range(40)]

    for fold in range(5):
        groups = {row["group"] for row, _, _ in of_other_groups(known, fold)}
        assert groups
        assert all(fold_of(group) != fold for group in groups)


@pytest.fixture
def loops(tmp_path, monkeypatch):
    """Eight drum loops with their truth, where the labelled loops would be; a little practice and grid."""
    folder = tmp_path / "loops"
    folder.mkdir()
    rows = []
    for number, beat in enumerate(scores(8)):
        soundfile.write(folder / beat.path.name, render(beat), RATE)
        at, drums = {}, {}
        for hit in perform(beat):
            at[hit.step] = min(at.get(hit.step, 99.0), (hit.step + hit.offset) * STEP_S)
            drums.setdefault(hit.step, set()).add(CLASSES[hit.voice])
        onsets = [at[step] for step in sorted(at)]
        row = truth(at, onsets=onsets) | {"file": beat.path.name, "kind": "drums", "bpm": BPM, "bars": 2}
        classes = ["+".join(sorted(drums[step])) for step in sorted(at)]
        rows.append(row | {"onset_classes": classes, "group": f"song {number}"})
    (folder / "truth.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    monkeypatch.setattr(labelled, "LOOPS", folder)
    monkeypatch.setattr(labelled, "PRACTICE", 8)
    monkeypatch.setattr(labelled, "LEAST_PRACTICE", 8)
    monkeypatch.setattr(hearing, "PASSES", 1)
    monkeypatch.setattr(hearing, "GRID_TEMPOS", range(120, 121))
    return folder


def absent(*_):
    raise AbsentError("librosa could not be installed: no network")


def test_the_table_says_what_is_heard_by_whom(loops, tmp_path, monkeypatch):
    monkeypatch.setattr(hearing, "Librosa", absent)

    table = {what: (found, beside) for what, found, beside in hearing.rows(tmp_path)}

    ours, shipped = table[f"by {hearing.UNKNOWN}"], table[f"by {hearing.SHIPPED}"]
    assert float(ours[0].split()[2].rstrip(",")) > 0.7
    assert "times real time" not in ours[1]
    assert "times real time from files to takes" in shipped[1]
    assert "step F1" in table[f"by {hearing.AUBIO}"][0]
    assert table["tempo and bars of 8 exact loops"][0].startswith("100.0 % right")
    assert any(what.startswith("three voices of 8 drum loops") for what in table)
    assert table["by librosa; and onsets matched by mir_eval"] == (
        "not measured",
        "librosa could not be installed: no network",
    )


def test_without_labelled_loops_the_table_says_so_and_goes_on(loops, tmp_path, monkeypatch):
    monkeypatch.setattr(labelled, "LOOPS", tmp_path / "nowhere")

    first, second = hearing.rows(tmp_path)

    assert first == ("labelled loops", "not measured", "none lie beside the checkout, in ../shared/loops")
    assert second[0] == "4 rendered loops on the grid, 120 to 120 BPM"


def test_too_few_loops_are_refused_in_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench", "hearing", "--loops", "3"])

    with pytest.raises(SystemExit):
        main()

    assert "--loops is 3, expected 20 or more" in capsys.readouterr().err
