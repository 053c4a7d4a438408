"""The tempo comes from what speaks for it, never from how many hits there are."""

import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, hits

from training.errors import LoopError
from training.tempo import check_length, find_tempo

SILENCE = np.zeros(RATE, np.float32)


def onsets_of(steps=BEAT, bpm=120.0):
    return np.flatnonzero(hits(steps)) * 15.0 / bpm


def find(steps=BEAT, bpm=120.0, name="loop", folder="loops", acid=None, duration_s=None):
    onsets = onsets_of(steps, bpm)
    duration_s = len(steps) * 15.0 / bpm if duration_s is None else duration_s
    return find_tempo(duration_s, name, folder, acid, onsets, beats(steps, bpm), RATE)


@pytest.mark.parametrize(
    "name",
    [
        "beat 87bpm",
        "beat_87_BPM",
        "87BPM-beat",
        "bpm87 beat",
        "Bpm_87",
        "beat 87.0 bpm",
        "3 beats 87bpm 2024",
    ],
)
def test_the_file_name_says_the_tempo(name):
    tempo = find(bpm=87, name=name)

    assert (tempo.bpm, tempo.bars, tempo.beats) == (87.0, 2, 8)
    assert tempo.evidence[0] == "file name says 87 BPM"


def test_a_fraction_in_the_name_counts():
    assert find(bpm=93.5, name="loop 93,5bpm").bpm == 93.5


def test_the_folder_says_the_tempo_when_the_name_does_not():
    tempo = find(bpm=70, folder="70 BPM breaks")

    assert (tempo.bpm, tempo.bars) == (70.0, 2)
    assert "folder name says 70 BPM" in tempo.evidence


def test_the_name_outweighs_the_folder_and_the_acid_chunk():
    acid = {"tempo": 90.0, "beats": 6, "one_shot": False}

    assert find(name="loop 120bpm", folder="90bpm", acid=acid).bpm == 120.0


def test_an_acid_chunk_decides_between_one_bar_and_two():
    acid = {"tempo": 75.0, "beats": 4, "one_shot": False}
    tempo = find("x...x..xx...x...", bpm=75, acid=acid)

    assert (tempo.bpm, tempo.bars) == (75.0, 1)
    assert any("ACID" in sentence for sentence in tempo.evidence)


def test_a_lone_number_in_the_name_is_weak_evidence():
    assert find(bpm=170, name="Artist_Break_170_Am").bpm == 170.0
    assert find(bpm=120, name="kick loop 808 take 63").bpm == pytest.approx(120.0)


@pytest.mark.parametrize("bpm", [90, 100, 110, 120, 128, 140])
def test_the_length_of_two_bars_says_the_tempo(bpm):
    tempo = find(bpm=bpm)

    assert (tempo.bpm, tempo.bars) == (pytest.approx(bpm, abs=0.01), 2)
    assert f"{480 / bpm:.3f} s is 2 bars at {bpm} BPM" in tempo.evidence


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_the_name_and_the_length_say_the_bars(count):
    steps = "X...x..xX..xx..." * count

    assert find(steps, name="loop 120bpm").bars == count


@pytest.mark.parametrize(
    "steps", ["X..X..X..X..X...X..X..X..X......", "X...............x...............", BEAT, "X" * 32]
)
def test_the_number_of_hits_never_says_the_bars(steps):
    for name in ("loop 120bpm", "loop"):
        assert (find(steps, name=name).bpm, find(steps, name=name).bars) == (120.0, 2)


@pytest.mark.parametrize("tail_s", [0.3, 1.0, 2.0, 3.0, 4.0])
def test_a_tail_adds_no_bars_when_the_tempo_is_known(tail_s):
    assert find(name="loop 120bpm", duration_s=4.0 + tail_s).bars == 2


def test_an_encoders_padding_does_not_change_the_named_tempo():
    tempo = find(name="loop 120bpm", duration_s=4.05)

    assert (tempo.bpm, tempo.bars) == (120.0, 2)


def test_a_ringing_tail_without_a_name_is_explained_by_the_hits():
    tempo = find("X..xX.x.X.xxX..x" * 2, bpm=120, duration_s=4.43)

    assert (tempo.bpm, tempo.bars) == (120.0, 2)


def test_a_tempo_that_is_no_whole_number_is_read_from_the_length():
    tempo = find(bpm=97.37)

    assert tempo.bpm == pytest.approx(97.37, abs=0.05)


def test_less_than_a_bar_is_refused_with_what_was_found():
    with pytest.raises(
        LoopError, match=r"1.000 s is 2 beats \(file name says 120 BPM\), expected at least one bar"
    ):
        find("X...x...", name="loop 120bpm")
    with pytest.raises(LoopError, match="shorter than a bar"):
        check_length(0.5)


def test_no_hit_is_refused():
    with pytest.raises(LoopError, match="no hit was heard"):
        find_tempo(4.0, "loop", "", None, np.zeros(0), SILENCE, RATE)


def test_an_unclear_tempo_is_refused_with_both_readings_and_a_way_out():
    onsets = np.sort(np.random.default_rng(1).uniform(0, 11.6, 25))

    with pytest.raises(LoopError, match=r"may be .* or .*120bpm"):
        find_tempo(11.7, "field recording", "", None, onsets, np.ones(1000, np.float32), RATE)


def test_agreement_gives_more_confidence_than_length_alone():
    assert find(name="loop 120bpm").confidence >= find().confidence > 0.5


def test_absurd_numbers_in_a_name_are_no_tempo():
    for name in ("999999bpm", "0bpm", "bpm", "808 loop 2024-01-01"):
        assert find(name=name).bpm == pytest.approx(120.0)
