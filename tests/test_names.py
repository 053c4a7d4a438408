"""A name says a tempo in many spellings, and holds many numbers that are none."""

import pytest

from training.names import read_name


@pytest.mark.parametrize(
    ("name", "bpm"),
    [
        ("120bpm", 120),
        ("bpm 92.5", 92.5),
        ("Bpm_87", 87),
        ("beat 87,5 BPM", 87.5),
        ("drums-095-120bpm", 120),
        ("174 BPM DnB", 174),
        ("break01 - 168 BPM", 168),
        ("loop.120bpm", 120),
        ("(126 bpm) clap", 126),
        ("[98] bpm swing", 98),
        ("tempo=140 acid", 140),
        ("bpm120_Am", 120),
        ("120.00bpm", 120),
        ("take 45 bpm 120", 120),
        ("Pack_136.9bpm", 136.9),
        ("take 120 bpm", 120),
        ("Loop124bpmKit2", 124),
        ("01 bpm 174", 174),
        ("140bpm half time", 140),
        ("double-time 85bpm", 85),
        ("808 kit 24bit 44100 2024 63bpm", 63),
        ("１２０ｂｐｍ", 120),
    ],
)
def test_a_number_beside_the_word_bpm_is_the_tempo(name, bpm):
    assert read_name(name).tempos == (bpm,)
    assert read_name(name).numbers == ()


def test_two_tempos_are_both_said():
    assert read_name("140bpm (was 174bpm)").tempos == (140.0, 174.0)


@pytest.mark.parametrize(
    "name", ["bpm", "0bpm", "999bpm", "5bpm", "999999bpm", "120 bpmish", "bpm2000", "1e3bpm", "-bpm-"]
)
def test_a_tempo_out_of_range_is_none(name):
    assert read_name(name).tempos == ()


@pytest.mark.parametrize(
    ("name", "bpm", "likely"),
    [
        ("Loop_128_Amin", 128, True),
        ("120_drums", 120, False),
        ("Artist_Break_170_Am", 170, True),
        ("KSHMR - 126 - C#m - Top", 126, True),
        ("DnB174", 174, False),
        ("house 92.5 perc", 92.5, True),
        ("95Fmin pad", 95, True),
        ("Pack_Drums_100", 100, False),
        ("SO_TR_90_perc", 90, False),
        ("SC_LDD_174_drum_loop_01", 174, False),
        ("DS_OTH_95_vox_Cmaj", 95, False),
        ("TR-909 kit 126", 126, False),
        ("House@124", 124, False),
    ],
)
def test_a_number_alone_may_be_a_tempo(name, bpm, likely):
    assert read_name(name).numbers == ((bpm, likely),)


@pytest.mark.parametrize(
    "name",
    [
        "808 kick",
        "TR-909 hats",
        "tr 77",
        "CR-78 rumba",
        "SH-101 bass",
        "Juno 106 chord",
        "mpc60 break",
        "24bit",
        "96 khz",
        "44100",
        "192kbps",
        "128k",
        "loop 2024-01-01",
        "1999",
        "take 101",
        "take_063",
        "drums-095",
        "vol. 90",
        "Vol 100",
        "no. 120",
        "#120",
        "v120",
        "pt.77",
        "90s house",
        "100hz hum",
        "120ms gap",
        "64 bars",
        "100 hits",
        "55 loop",
        "250 loop",
        "",
        "loop",
    ],
)
def test_a_number_that_counts_or_measures_is_no_tempo(name):
    assert read_name(name).tempos == read_name(name).numbers == ()


@pytest.mark.parametrize(
    ("name", "bars"), [("4 bars", 4), ("2bar 120", 2), ("8-bars_170", 8), ("bars", None), ("minibar 4", None)]
)
def test_bars_are_read(name, bars):
    assert read_name(name).bars == bars


@pytest.mark.parametrize(
    ("name", "meter", "sure"),
    [
        ("waltz 120bpm", (3, 4), True),
        ("brush 3-4 time", (3, 4), True),
        ("jig_6_8_feel", (6, 8), True),
        ("beat_4-4", (4, 4), False),
        ("7-8 loop", (7, 8), False),
        ("take 13-48", None, False),
        ("120bpm", None, False),
    ],
)
def test_the_meter_is_read(name, meter, sure):
    assert (read_name(name).meter, read_name(name).meter_sure) == (meter, sure)


def test_feel_and_one_shots_are_read():
    assert read_name("blues shuffle").triplets
    assert read_name("12-8 groove").triplets
    assert not read_name("straight").triplets
    assert read_name("Kick One-Shot").one_shot
    assert not read_name("one shotgun").one_shot
