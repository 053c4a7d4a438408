"""The tempo comes from what speaks for it, never from how many hits there are."""

import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, hits, write

from training.errors import LoopError
from training.hear import hear
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


def words(duration_s=4.0, steps=BEAT, step_bpm=120.0, name="loop", **word):
    """What is found when the player says something."""
    return find_tempo(
        duration_s, name, "loops", None, onsets_of(steps, step_bpm), beats(steps, step_bpm), RATE, **word
    )


def test_the_players_tempo_stands_above_the_name():
    tempo = words(name="loop 120bpm", bpm=60)

    assert (tempo.bpm, tempo.bars, tempo.evidence[0]) == (60.0, 1, "you say 60 BPM")
    assert words(name="loop 120bpm", bpm=240).bars == 4


def test_the_players_bars_stand_above_the_name():
    for bars, bpm in ((1, 60.0), (2, 120.0), (3, 180.0), (4, 240.0)):
        tempo = words(name="loop 77bpm", bars=bars)

        assert (tempo.bpm, tempo.bars) == (pytest.approx(bpm), bars)
        assert tempo.evidence[0] == ("you say 1 bar" if bars == 1 else f"you say {bars} bars")


def test_bars_that_the_player_says_leave_the_named_tempo_where_they_fit_it():
    tempo = words(duration_s=7.0, name="loop 120bpm", bars=2)

    assert (tempo.bpm, tempo.bars) == (120.0, 2)


def test_the_player_says_both():
    tempo = words(name="loop 77bpm", bpm=120, bars=1)

    assert (tempo.bpm, tempo.bars, tempo.beats, tempo.confidence) == (120.0, 1, 4, 1.0)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (
            {"bpm": 120, "bars": 4},
            "you say 4 bars at 120 BPM, which last 8.000 s, the file lasts 4.000 s: say 2",
        ),
        ({"bpm": 40, "bars": 2}, "the file lasts 4.000 s: say 1 bar or another tempo"),
        ({"bars": 9}, "you say 9 bars, which last at least 7.200 s at 300 BPM, the file lasts 4.000 s"),
        ({"bars": 0}, "you say 0 bars, expected 1 to 32"),
        ({"bars": 33}, "you say 33 bars, expected 1 to 32"),
        ({"bpm": 0}, "you say 0 BPM, expected 30 to 300"),
        ({"bpm": float("nan")}, "you say nan BPM, expected 30 to 300"),
        ({"bpm": 30}, r"4.000 s is 2 beats \(you say 30 BPM\), expected at least one bar"),
    ],
)
def test_what_the_player_says_and_cannot_be_is_one_sentence(word, sentence):
    with pytest.raises(LoopError, match=sentence) as error:
        words(**word)

    assert "\n" not in str(error.value)


def test_the_players_bars_lay_a_waltz_and_an_odd_loop():
    assert words(duration_s=6.0, steps="X...x...x..." * 4, name="waltz 120bpm", bars=3).bars == 3
    assert words(duration_s=3.5, name="120bpm", bars=2).bars == 2


@pytest.mark.parametrize("name", ["waltz 120bpm", "120bpm 3-4 time", "120bpm"])
def test_bars_of_three_are_refused_with_a_way_out(name):
    steps = "X.......x..." * 4

    with pytest.raises(LoopError, match=r"12 beats at 120 BPM, which is 4 bars of 3/4.*say its bars"):
        find(steps, name=name)


def test_two_bars_of_three_are_no_bar_and_a_half():
    with pytest.raises(LoopError, match=r"6 beats at 120 BPM, which is 2 bars of 3/4"):
        find("X...x...x..." * 2, name="120bpm")


@pytest.mark.parametrize("count", [5, 7, 9, 11])
def test_beats_that_make_no_bars_are_refused_and_said(count):
    with pytest.raises(LoopError, match=f"is {count} beats at 120 BPM"):
        find("X..." * count, name="120bpm")


@pytest.mark.parametrize("count", [3, 5, 6, 7])
def test_an_odd_number_of_bars_is_heard(count):
    assert find("X..x..x.X.x...x." * count, name="loop 120bpm").bars == count


def test_triplets_are_laid_on_sixteenths_and_said():
    thirds = np.arange(24) / 3 * 0.5
    tempo = find_tempo(4.0, "loop 120bpm", "", None, thirds, beats(), RATE)

    assert (tempo.bpm, tempo.bars) == (120.0, 2)
    assert any("in three" in sentence for sentence in tempo.evidence)


def test_silence_that_is_no_rest_is_cut_off_where_the_name_says_the_tempo():
    lead_s = 0.33
    tempo = find_tempo(4.0 + lead_s, "120bpm", "", None, onsets_of() + lead_s, SILENCE + 1, RATE)

    assert (tempo.bars, tempo.start_s) == (2, pytest.approx(lead_s))
    assert any("bar 1 begins 0.330 s" in sentence for sentence in tempo.evidence)


def test_a_rest_at_the_start_stays():
    tempo = find("..x...x...x...x." * 2, name="120bpm")

    assert (tempo.bars, tempo.start_s) == (2, 0.0)


def test_a_pickup_is_left_out_where_its_downbeats_are_louder():
    steps = "...x" + "X...x...x...x..." * 2
    onsets = onsets_of(steps)
    peaks = np.where(np.isin(np.round(onsets / 0.125).astype(int), (4, 20)), 1.0, 0.3)

    tempo = find_tempo(4.5, "120bpm", "", None, onsets, beats(steps), RATE, peaks)

    assert (tempo.bars, tempo.start_s) == (2, pytest.approx(0.5))


def test_an_acid_chunk_for_three_is_refused():
    acid = {"tempo": 120.0, "beats": 6, "one_shot": False, "meter": (3, 4)}

    with pytest.raises(LoopError, match=r"2 bars of 3/4.*ACID chunk says"):
        find("X...x...x..." * 2, acid=acid)


def test_an_acid_chunk_that_only_repeats_its_writers_default_decides_nothing():
    acid = {"tempo": 120.0, "beats": 0, "one_shot": False}

    assert find(bpm=100, acid=acid).bpm == pytest.approx(100.0)
    assert find(bpm=93, acid=dict(acid, one_shot=True)).bpm == pytest.approx(93.0)


def test_one_hit_alone_is_a_one_shot():
    with pytest.raises(LoopError, match="one hit was heard and nothing says a tempo"):
        find("X" + "." * 31, bpm=117.3)
    with pytest.raises(LoopError, match=r"one hit was heard \(file name says one-shot\)"):
        find("X" + "." * 31, name="Kick One Shot 120bpm")


def test_one_hit_in_a_file_cut_to_whole_bars_is_a_loop():
    found = find("X" + "." * 31, bpm=120)

    assert (found.bpm, found.bars) == (pytest.approx(120), 2)


def test_one_hit_of_a_named_tempo_is_a_loop():
    assert find("X" + "." * 31, name="sub 120bpm").bars == 2


def test_bars_in_the_name_count():
    assert find(BEAT, name="2 bars drums").bars == 2
    assert find(BEAT * 2, bpm=100, name="4 bars").bars == 4


def test_numbers_that_are_no_tempo_move_nothing():
    for name in ("808 take 63", "vol 90", "TR-77", "Juno 106", "24bit 96khz", "loop 2024 #101"):
        assert find(bpm=100, name=name).bpm == pytest.approx(100.0)


def test_the_tempo_before_a_tail_is_fitted_to_the_hits():
    steps = "X.x.x.xxX.xxx.x." * 2
    tempo = find_tempo(5.3, "loop", "", None, onsets_of(steps, 113.4), beats(steps, 113.4, tail_s=1.07), RATE)

    assert tempo.bpm == pytest.approx(113.4, abs=0.1)


def played(seed):
    """A loop as a player may have it: its onsets, length, tempo and bars."""
    rng = np.random.default_rng(seed)
    bpm = float(np.round(rng.uniform(70, 175), 1 if rng.random() < 0.3 else 0))
    bars = int(rng.choice([1, 2, 2, 4]))
    often = np.tile([0.95, 0.15, 0.5, 0.2, 0.85, 0.15, 0.5, 0.2], 2)
    bar = rng.random(16) < often
    steps = np.flatnonzero(np.tile(bar, bars) ^ (rng.random(16 * bars) < 0.06))
    swing = float(rng.choice([0.0, 0.0, 0.2]))
    lean = swing * (steps % 2) + 0.05 * rng.standard_normal(len(steps))
    onsets = np.sort(np.maximum((steps + lean) * 15 / bpm, 0.0))
    return onsets, bars * 240 / bpm, bpm, bars


def test_named_loops_of_every_tempo_are_right():
    for seed in range(150):
        onsets, length_s, bpm, bars = played(seed)
        tempo = find_tempo(length_s, f"Pack_{bpm:g}bpm", "", None, onsets, SILENCE, RATE)

        assert (tempo.bpm, tempo.bars) == (bpm, bars), seed


def test_confidence_is_how_often_it_is_right_and_wrong_readings_are_unsure():
    said, right = [], []
    for seed in range(300):
        onsets, length_s, bpm, bars = played(seed)
        try:
            tempo = find_tempo(length_s, "loop", "", None, onsets, SILENCE, RATE)
        except LoopError:
            continue
        said.append(tempo.confidence)
        right.append(abs(tempo.bpm / bpm - 1) < 0.01 and tempo.bars == bars)
    said, right = np.array(said), np.array(right)

    assert right[said >= 0.9].mean() >= 0.85
    assert right[said < 0.6].mean() <= 0.75
    assert abs(said.mean() - right.mean()) < 0.1


def test_a_name_that_the_hits_contradict_is_kept_and_doubted():
    doubted = []
    for seed in range(40):
        onsets, length_s, bpm, _ = played(seed)
        wrong = round(bpm * 1.13)
        tempo = find_tempo(length_s + 0.4, f"{wrong}bpm", "", None, onsets, SILENCE, RATE, bars=None)

        assert tempo.bpm == pytest.approx(wrong, rel=0.016)
        doubted.append(tempo.confidence)

    assert np.median(doubted) < 0.5


def test_tempo_and_bars_do_not_hang_on_how_many_hits_there_are():
    full = np.arange(32) * 0.125
    for seed in range(30):
        some = np.sort(np.random.default_rng(seed).choice(full, 12, replace=False))

        tempo = find_tempo(4.0, "120bpm", "", None, some, SILENCE, RATE)

        assert (tempo.bpm, tempo.bars) == (120.0, 2)


@pytest.mark.parametrize("lead_s", [0.15, 0.33, 0.8])
def test_a_loop_recorded_with_silence_before_it_lands_on_its_steps(tmp_path, lead_s):
    air = np.zeros(round(lead_s * RATE), np.float32)

    heard = hear(write(tmp_path / "loop 97bpm.wav", np.concatenate([air, beats(bpm=97)])))

    assert (heard.bpm, heard.bars) == (97.0, 2)
    assert heard.takes[0].hits[0].tolist() == hits(BEAT)
    assert np.abs(heard.takes[0].offsets).max() <= 1 / 12


def test_bars_of_three_are_refused_by_what_comes_back_alike(tmp_path):
    kick, snare = "X..........." * 4, "....x...x..." * 4
    waltz = beats(kick, kind="kick") + beats(snare)
    four = beats("X......." * 6, kind="kick") + beats("....x..." * 6)

    assert "4 bars of 3/4" in hear(write(tmp_path / "a 120bpm.wav", waltz)).error
    assert hear(write(tmp_path / "b 120bpm.wav", four)).bars == 3


def test_an_eighth_shuffle_keeps_its_thirds_as_offsets(tmp_path):
    quarters = beats("X...x..." * 4, kind="kick")
    late = np.roll(beats("..x...x." * 4), round(2 / 3 * 0.125 * RATE))

    heard = hear(write(tmp_path / "shuffle 120bpm.wav", quarters + late))

    assert heard.takes[0].hits[0].tolist() == hits("X..x" * 8)
    assert heard.takes[0].offsets[0, 3::4] == pytest.approx(-1 / 3, abs=1 / 12)
    assert any("in three" in sentence for sentence in heard.evidence)


def test_a_last_hit_on_the_bar_line_makes_no_odd_beats():
    tempo = find(BEAT + "X.......", name="120bpm")

    assert (tempo.bars, tempo.start_s) == (2, 0.0)


def test_a_rest_of_a_whole_bar_at_the_start_stays():
    tempo = find("." * 16 + "X...x...x.x.x...", name="120bpm")

    assert (tempo.bars, tempo.start_s) == (2, 0.0)


def test_one_hit_that_fills_no_bars_of_its_named_tempo_is_a_one_shot():
    with pytest.raises(LoopError, match=r"one hit .* 3.300 s is no whole bars at 120 BPM \(file name says"):
        find("X" + "." * 31, name="crash 120bpm", duration_s=3.3)


@pytest.mark.parametrize("bars", [1, 2, 3, 4, 5, 7])
def test_bars_alone_mean_the_whole_file_and_are_never_unclear(bars):
    for seed in range(10):
        onsets = np.sort(np.random.default_rng(seed).uniform(0, 7.3, 20))

        tempo = find_tempo(7.37, "loop", "", None, onsets, SILENCE, RATE, bars=bars)

        assert (tempo.bars, tempo.bpm) == (bars, pytest.approx(bars * 240 / 7.37, rel=0.011))
