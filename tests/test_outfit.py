"""Wiring and calibration of the settings file: what is used, and what is said of what cannot be."""

import re
from pathlib import Path

import pytest

from device.outfit import GROUPS, PATHS, read_outfit
from device.settings import Settings, read_settings
from hw.calibration import Calibration
from hw.table import Wiring

PAGE = (
    (Path(__file__).parents[1] / "docs" / "formats.md").read_text().partition("## What the box is made of")[2]
)


def complaints(text):
    return read_outfit(text)[1]


def test_without_a_word_the_box_is_the_reference_panel():
    outfit, said = read_outfit("bpm = 90")

    assert (outfit.wiring, outfit.calibration, said) == (Wiring(), Calibration(), [])


def test_a_part_is_moved_and_the_others_stay():
    outfit, said = read_outfit(
        '[wiring]\ngpiochip = "/dev/gpiochip9"\n[wiring.out]\ngate1 = 17\ngate2 = 16\n'
        "[wiring.leds]\nplay = 13\nlearn = 12"
    )

    assert said == []
    assert outfit.wiring.gpiochip == "/dev/gpiochip9"
    assert (outfit.wiring.jacks_out["gate1"], outfit.wiring.jacks_out["gate3"]) == (17, 22)
    assert (outfit.wiring.leds["play"], outfit.wiring.buttons) == (13, Wiring().buttons)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[wiring.out]\ngate1 = 9", "jack gate1 out is on GPIO9, which belongs to SPI0, the MCP3008"),
        ("[wiring.in]\nclock = 14", "jack clock in is on GPIO14, which belongs to UART0"),
        ("[wiring.out]\ngate1 = 5", "jack reset in is on GPIO5, and so is jack gate1 out"),
        ("[wiring.out]\ngate1 = 40", "wiring.out.gate1 = 40: expected a whole number from 0 to 27"),
        ("[wiring.out]\ngate1 = '16'", "wiring.out.gate1 = '16': expected a whole number from 0 to 27"),
        ("[wiring.out]\ngate1 = true", "wiring.out.gate1 = True: expected a whole number"),
        ("[wiring.out]\ngate7 = 16", "wiring.out.'gate7' is no part of the panel; expected one of gate1"),
        ("[wiring.buttons]\nSTOP = 3", "wiring.buttons.'STOP' is no part of the panel; expected one of PLAY"),
        (
            "[wiring]\ngate1 = 16",
            "wiring.'gate1' is not known; expected gpiochip, serial, or one of",
        ),
        ("[wiring]\nout = 16", "wiring.out = 16: expected a table of parts"),
        ("[wiring]\ngpiochip = 0", "wiring.gpiochip = 0: expected a path that begins with /dev/"),
        ("wiring = 3", "wiring = 3: expected a table"),
    ],
)
def test_wiring_that_cannot_be_is_one_sentence_and_the_reference_plays(text, sentence):
    outfit, said = read_outfit(text, "settings.toml")

    assert len(said) == 1
    assert sentence in said[0]
    assert said[0].endswith("the reference wiring is used.")
    assert said[0].startswith("settings.toml: ")
    assert outfit.wiring == Wiring()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A = [0, 2000]", "calibration.A = [0, 2000]: expected two counts, whole numbers from 0 to 1023"),
        ("A = [500, 540]", "calibration.A = [500, 540]: expected two counts"),
        ("A = [1]", "at least 100 apart"),
        ("cv_B = [1.5, 700]", "calibration.cv_B = [1.5, 700]: expected two counts"),
        ("cv_volts = [0, 0.5]", "calibration.cv_volts = [0, 0.5]: expected two voltages from -12 to 12"),
        ("cv_volts = [nan, 5]", "calibration.cv_volts = [nan, 5]: expected two voltages"),
        ("E = [0, 1023]", "calibration.'E' is not known; expected one of A, B, C, D, cv_A"),
    ],
)
def test_a_calibration_that_cannot_be_names_key_value_and_range_and_the_others_hold(text, sentence):
    outfit, said = read_outfit(f"[calibration]\n{text}\nD = [900, 100]")

    assert len(said) == 1
    assert sentence in said[0]
    assert outfit.calibration.knobs == ((0, 1023), (0, 1023), (0, 1023), (900, 100))


def test_cvs_are_known_by_two_voltages_wherever_those_stand_and_the_others_by_their_mode():
    outfit, said = read_outfit(
        "[calibration]\ncv_A = [1000, 20]\ncv_volts = [-5, 5]", cv=["off", "bipolar", "unipolar", "off"]
    )

    assert said == []
    assert outfit.calibration.cv == ((510.0, 20.0), (512, 1028), (0, 656), (0, 656))


def test_the_settings_leave_both_tables_alone():
    settings, said = read_settings("bpm = 90\n[wiring.out]\ngate1 = 9\n[calibration]\nA = 3")

    assert (settings.bpm, said) == (90.0, [])
    assert settings == Settings().changed("bpm", 90)


def test_a_file_that_is_no_toml_is_said_once_and_not_here():
    assert complaints("[wiring") == []


def test_the_formats_page_has_every_part_where_it_is_in_the_reference():
    for group, (_, parts) in GROUPS.items():
        table = PAGE.partition(f"[wiring.{group}]")[2].partition("\n\n")[0]
        assert dict(re.findall(r"^    (\w+) = (\d+)$", table, re.MULTILINE)) == {
            name: str(pin) for name, pin in parts.items()
        }
    for name in (*PATHS, "A", "cv_volts", "cv_A"):
        assert re.search(rf"^    {name} = ", PAGE, re.MULTILINE), name
