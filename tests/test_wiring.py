"""The wiring on paper is that of the program: drawn from its table, legible, and every part is named."""

import inspect
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from device.box import Box
from device.hands import LONG, SHORT
from device.settings import Settings
from hw.table import BUTTONS, CVS, JACKS_IN, JACKS_OUT, KNOBS, LAMP_STATES, LEDS, RESERVED, Wiring
from tools import circuit, sheets, wiring
from tools.circuit import SCALERS, Scaler
from tools.schematic import Area

SVG = "{http://www.w3.org/2000/svg}"
PAGE = wiring.PAGE.read_text(encoding="utf-8")


def texts(name):
    return [text.text for text in ET.fromstring(wiring.SHEETS[name]().svg()).iter(f"{SVG}text")]


def section(title):
    """A part of the page, from its title to the next."""
    return re.split(r"^## ", PAGE.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def rows(text):
    """Cells of the tables of a text, without their heads."""
    lines = [line[1:-1].split("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines if line[0].strip(" -")]


# --- the drawing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", wiring.SHEETS)
def test_the_sheets_in_docs_are_those_that_the_table_gives(name):
    kept = (wiring.FOLDER / f"{name}.svg").read_text(encoding="utf-8")

    assert kept == wiring.SHEETS[name]().svg(), "draw it anew: make wiring"


def test_docs_holds_no_sheet_that_is_not_drawn_and_the_page_shows_each():
    assert {path.stem for path in wiring.FOLDER.iterdir()} == set(wiring.SHEETS)
    assert re.findall(r"\]\(wiring/(\w+)\.svg\)", PAGE) == list(wiring.SHEETS)


@pytest.mark.parametrize("name", wiring.SHEETS)
def test_no_label_lies_on_another_on_a_part_or_on_a_wire(name):
    sheet = wiring.SHEETS[name]()
    inside = Area(0, 0, sheet.width, sheet.height, "the sheet")

    for one, other in combinations(sheet.labels, 2):
        assert not one.meets(other), f"{one} and {other}"
    for label in sheet.labels:
        assert label.left >= inside.left, label
        assert label.right <= inside.right, label
        assert label.bottom <= inside.bottom, label
        for other in (*sheet.bodies, *sheet.wires):
            assert not label.meets(other), f"{label} and {other}"


@pytest.mark.parametrize("name", wiring.SHEETS)
def test_no_part_lies_on_another(name):
    for one, other in combinations(wiring.SHEETS[name]().bodies, 2):
        assert not one.meets(other), f"{one} and {other}"


@pytest.mark.parametrize("name", wiring.SHEETS)
def test_a_sheet_is_text_says_what_it_is_and_has_two_looks(name):
    svg = wiring.SHEETS[name]().svg()
    root = ET.fromstring(svg)

    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text
    assert root.find(f"{SVG}desc").text
    assert "prefers-color-scheme: dark" in svg
    assert not re.search(r'fill="#|stroke="#|href=|<image|<script', svg)


def test_every_part_is_on_its_sheet_with_its_pin():
    assert {f"GPIO{pin}" for _, pin in Wiring().parts()} < set(texts("header"))
    for name, pin in JACKS_OUT.items():
        assert {f"GPIO{pin} {name}", name} <= set(texts("gates"))
    for name, pin in JACKS_IN.items():
        assert {f"GPIO{pin} {name} in", name} <= set(texts("inputs"))
    for group in (BUTTONS, LEDS):
        for name, pin in group.items():
            assert {f"GPIO{pin}", name} <= set(texts("buttons"))
    for name, channel in KNOBS.items():
        assert {f"KNOB_{name}", f"to CH{channel}"} <= set(texts("knobs"))
    for name, channel in CVS.items():
        assert {f"CV_{name}", f"CV {name}", f"to CH{channel}"} <= set(texts("cv"))


def test_another_table_gives_another_drawing(monkeypatch):
    monkeypatch.setattr(sheets, "JACKS_OUT", {**JACKS_OUT, "gate1": 27})

    assert "GPIO27 gate1" in texts("gates")


def test_a_pin_of_the_header_is_where_every_pi_has_it():
    assert len(sheets.HEADER) == 40
    assert sorted(pin for pin in sheets.HEADER if isinstance(pin, int)) == list(range(28))
    assert [sheets.physical(pin) for pin in (4, 17, 18, 25, 26, 21)] == [7, 11, 12, 22, 37, 40]


def test_the_buses_on_the_sheets_are_on_the_pins_that_the_table_keeps_for_them():
    kept = {use.split(",")[0]: pins for use, pins in RESERVED.items()}

    assert set(sheets.SPI) == kept["SPI0"]
    assert set(sheets.MIDI) == kept["UART0"]


# --- the page -------------------------------------------------------------------------------------------


def test_the_tables_of_the_page_are_made_from_the_code():
    assert wiring.page(PAGE) == PAGE, "make them anew: make wiring"


def test_the_page_names_every_part_with_its_pin_or_channel():
    named = {row[0]: row[1] for row in rows(section("What is wired where"))}

    for part, pin in Wiring().parts():
        assert named[part] == f"GPIO{pin}"
    for kind, channels in (("knob", KNOBS), ("CV", CVS)):
        for name, channel in channels.items():
            assert named[f"{kind} {name}"].startswith(f"CH{channel} ")


def test_the_page_that_lost_the_place_of_a_table_is_refused():
    with pytest.raises(ValueError, match="no <!-- parts -->"):
        wiring.page(PAGE.replace("<!-- parts -->", ""))


def test_every_part_of_the_sheets_is_on_the_parts_list():
    listed = set()
    for line in circuit.parts():
        for words in re.split(r",? ", line.parts):
            letters, first, last = re.fullmatch(r"([A-Z]+)(\d+)(?:–[A-Z]*(\d+))?", words).groups()
            listed |= {f"{letters}{number}" for number in range(int(first), int(last or first) + 1)}
    drawn = set()
    for name in wiring.SHEETS:
        for text in texts(name):
            drawn |= set(re.findall(r"\b(?:RV|SW|[RCDFJMQU])\d+", text))

    assert drawn - listed == {"J31"}, "the rack's own plug"
    assert listed - drawn == {"C8", "C9"}, "beside U3 and U4, in words"


def test_the_layers_on_the_page_are_those_of_the_settings():
    said = {row[0]: row[1:] for row in rows(section("Knobs while a button is held"))}
    settings = Settings()
    layers = {"SHIFT": settings.shift, "PLAY": settings.play_layer}
    layers |= {"SLOT": settings.slot_layer, "LEARN": settings.learn_layer}

    for button in BUTTONS:
        assert len(said[button]) == len(KNOBS)
        for words, target in zip(said[button], layers[button], strict=True):
            assert f"`{target}`" in words or (target, words) == ("-", "nothing"), button


def test_the_page_says_of_every_button_what_it_does():
    said = {row[0]: row[1:] for row in rows(section("Buttons"))}
    words = {deed: deed for deed in ("next", "undo", "redo", "generate", "home")}
    words |= {"stop": "stops", "train": "learns", "cancel": "cancels", "rewind": "back to the top"}

    for column, deeds in enumerate((SHORT, LONG)):
        for (button, shifted), deed in deeds.items():
            assert words[deed] in said[button][column + 2 * shifted], (button, deed)


def test_the_page_says_of_the_learn_lamp_each_state_that_the_box_gives_it():
    said = next(row[1:] for row in rows(section("Lamps")) if row[0] == "learn")
    given = set(re.findall(rf'"({"|".join(LAMP_STATES)})"', inspect.getsource(Box._learning)))

    assert {state for state, words in zip(LAMP_STATES, said, strict=True) if words} == given


def test_the_page_says_of_every_lamp_what_it_shows():
    said = {row[0] for row in rows(section("Lamps"))}

    assert {*LEDS} - {f"voice{number}" for number in (2, 3, 4)} <= {words.split()[0] for words in said}
    for state in LAMP_STATES:
        assert f"**{state}**" in section("Lamps"), state


# --- the figures ----------------------------------------------------------------------------------------


def test_a_unipolar_cv_begins_at_nothing_and_ends_before_eight_volts_with_any_resistors():
    scaler = SCALERS["unipolar"]

    assert scaler.ends()[0] == 0.0
    assert scaler.spread(lambda one: one.ends()[1])[1] < 8.0


def test_a_bipolar_cv_is_even_about_nothing_and_ends_before_five_volts():
    low, high = SCALERS["bipolar"].ends()

    assert low == pytest.approx(-high)
    assert 4.9 < high < 5.0


def test_a_scaler_is_what_the_law_of_nodes_gives():
    scaler = Scaler(1e3, 2e3, 4e3)
    gain, offset = scaler.gain_and_offset()
    at = gain * 1.5 + offset * circuit.V3

    assert (1.5 - at) / 1e3 + (circuit.V3 - at) / 4e3 == pytest.approx(at / 2e3)


def test_a_gate_of_a_rack_is_high_and_its_rest_is_low():
    low, high = circuit.input_rises()

    assert 0.8 < low < high < 3.0


def test_nothing_is_asked_for_more_than_it_can_do():
    assert (circuit.V5 + circuit.V12) / circuit.GATE_SERIES < circuit.BUFFER_MOST
    assert circuit.PIN_LEAK * circuit.GATE_DOWN < circuit.BUFFER_LOW
    assert circuit.PIN_HIGH > circuit.BUFFER_HIGH
    for scaler in SCALERS.values():
        for volts in (circuit.V12, -circuit.V12):
            assert scaler.intruding(volts) < circuit.AMPLIFIER_MOST / 10
