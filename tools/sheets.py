"""The sheets of the wiring, drawn from the table that the program plays from. Writes no file.

What the parts are worth is in `tools.circuit`, what they look like in `tools.schematic`.
"""

from __future__ import annotations

from collections.abc import Callable

from hw.table import BUTTONS, CVS, JACKS_IN, JACKS_OUT, KNOBS, LEDS, RESERVED, Wiring
from tools import circuit
from tools.circuit import SCALERS, farads, ohms
from tools.schematic import Sheet

# The header of every Pi since the B+: what each of its forty pins is, from pin 1 on.
HEADER: tuple[str | int, ...] = (
    *("3V3", "5V", 2, "5V", 3, "GND", 4, 14, "GND", 15, 17, 18, 27, "GND", 22, 23, "3V3", 24, 10, "GND"),
    *(9, 25, 11, 8, "GND", 7, 0, 1, 5, "GND", 6, 12, 13, "GND", 19, 16, 26, 20, "GND", 21),
)
SPI = {8: "CS", 9: "MISO", 10: "MOSI", 11: "SCLK"}  # of SPI0
MIDI = {14: "MIDI_TX", 15: "MIDI_RX"}  # of UART0
CHANNEL_PINS = tuple(range(1, 9))  # of the MCP3008
BUFFER_IN, BUFFER_OUT = tuple(range(2, 10)), tuple(range(18, 10, -1))  # of the 74AHCT541
AMPLIFIERS = (("U3A", (3, 2, 1)), ("U3B", (5, 6, 7)), ("U4A", (3, 2, 1)), ("U4B", (5, 6, 7)))
PLACES = {"jack {} out": "gates", "jack {} in": "inputs", "button {}": "buttons", "LED {}": "buttons"}


def physical(pin: int) -> int:
    """Where on the header a pin of that BCM number is.

    >>> physical(2), physical(21)
    (3, 40)
    """
    return HEADER.index(pin) + 1


def net(pin: int) -> str:
    return f"GPIO{pin}"


def uses() -> dict[int, tuple[str, str]]:
    """What each BCM number is for, in words, and the sheet that shows it; from the table and its reserve."""
    found = {pin: (part, sheet_of(part)) for part, pin in Wiring().parts()}
    for use, pins in RESERVED.items():
        for pin in pins:
            what = use
            if pin in SPI:
                what = f"{SPI[pin]} of {use}"
            elif pin in MIDI:
                what = f"{MIDI[pin][-2:]} of {use}"
            found[pin] = (what, "knobs" if pin in SPI else "midi" if pin in MIDI else "")
    return found


def sheet_of(part: str) -> str:
    for words, sheet in PLACES.items():
        before, after = words.split("{}")
        if part.startswith(before) and part.endswith(after):
            return sheet
    raise KeyError(part)


# --- sheets ---------------------------------------------------------------------------------------------


def header() -> Sheet:
    known = uses()
    sheet = Sheet(
        860, 632, "1  The header", "The 40 pins of a Raspberry Pi and what is wired to each of them."
    )
    sheet.text(24, 54, "seen from above, pin 1 beside the mark of the board; BCM numbers", "small")
    top, pitch, left, right = 84, 26, 414, 446
    sheet.frame(left - 18, top - 16, 68, pitch * 20 + 6)
    for index, what in enumerate(HEADER):
        y = top + pitch * (index // 2)
        odd = index % 2 == 0
        x, sign = (left, -1) if odd else (right, 1)
        anchor = "end" if odd else "start"
        sheet.block(x - 10, y - 10, 20, 20, str(index + 1))
        if isinstance(what, str):
            sheet.wire((x + sign * 10, y), (x + sign * 34, y))
            sheet.text(x + sign * 40, y + 4, what, "name hot" if what != "GND" else "small", anchor)
            continue
        says, place = known[what]
        sheet.wire((x + sign * 10, y), (x + sign * 34, y))
        sheet.flag(x + sign * 34, y, net(what), "right" if odd else "left", 84)
        idle = not place
        sheet.text(
            x + sign * 128,
            y + 4,
            f"{says}: leave open" if idle else says,
            "small" if idle else "name",
            anchor,
        )
        if place:
            at = 24 if odd else sheet.width - 24
            sheet.text(at, y + 4, f"sheet {number_of(place)}", "small", "start" if odd else "end")
    return sheet


def gates() -> Sheet:
    sheet = Sheet(
        860, 646, "2  Gates, accent, clock and reset out", "Seven pins through a 5 V buffer to seven jacks."
    )
    sheet.text(24, 54, "at 5 V, each jack with 1 kΩ; inputs of U1 held low while no program runs", "small")
    top, pitch, left, box = 146, 54, 40, 372
    rows = [top + pitch * row for row in range(8)]
    chip = sheet.chip(
        box,
        top - pitch / 2,
        120,
        "U1  74AHCT541",
        [(str(pin), f"A{row + 1}") for row, pin in enumerate(BUFFER_IN)],
        [(str(pin), f"Y{row + 1}") for row, pin in enumerate(BUFFER_OUT)],
        pitch,
        aside=-30,
    )
    bus = [y + 26 for y in rows[: len(JACKS_OUT)]]
    sheet.wire((left, bus[0]), (left, bus[-1]))
    for row, (name, pin) in enumerate(JACKS_OUT.items()):
        y = rows[row]
        into, out = chip[f"A{row + 1}"], chip[f"Y{row + 1}"]
        sheet.flag(226, y, f"{net(pin)} {name}", "right", 150)
        sheet.wire((226, y), into)
        end, low = sheet.resistor(
            left, bus[row], f"R{row + 1}", ohms(circuit.GATE_DOWN), length=86, beside=True
        )
        sheet.wire((end, low), (256, low), (256, y))
        sheet.dot(256, y)
        if row:
            sheet.dot(left, bus[row])
        x, _ = sheet.resistor(out[0], y, f"R{row + 11}", ohms(circuit.GATE_SERIES), length=96)
        sheet.jack(x, y, name, f"J{row + 1}")
    sheet.dot(left, bus[-1])
    sheet.ground(left, bus[-1])
    y = rows[7]
    sheet.flag(226, y, f"{net(14)} {MIDI[14]}", "right", 150)
    sheet.wire((226, y), chip["A8"])
    end, low = sheet.resistor(left + 46, y + 26, "R8", ohms(circuit.GATE_DOWN), length=86, beside=True)
    sheet.wire((end, low), (256, low), (256, y))
    sheet.dot(256, y)
    sheet.wire((left + 46, low), (left + 18, low))
    sheet.rail(left + 18, low, "3V3")
    sheet.flag(chip["Y8"][0] + 20, y, "MIDI_TX_5V", "left")
    sheet.wire(chip["Y8"], (chip["Y8"][0] + 20, y))
    sheet.text(chip["Y8"][0] + 124, y + 4, f"to sheet {number_of('midi')}", "small")
    foot = top - pitch / 2 + 8 * pitch
    for at, number, label in ((24, "1", "/OE1"), (60, "19", "/OE2"), (96, "10", "GND")):
        sheet.wire(sheet.lead(box + at, foot, number, label), (box + 60, foot + 22))
    sheet.dot(box + 60, foot + 22)
    sheet.ground(box + 60, foot + 22)
    x, above = sheet.lead(box + 96, top - pitch / 2, "20", "VCC", "up")
    sheet.rail(x, above, "5V")
    sheet.wire((x, above), (x + 320, above))
    sheet.dot(x, above)
    sheet.capacitor(x + 320, above, "C1", "100 nF", 40)
    sheet.ground(x + 320, above + 40)
    return sheet


def inputs() -> Sheet:
    sheet = Sheet(
        860, 450, "3  Clock and reset in", "Each input jack turns a transistor on, which pulls its pin low."
    )
    sheet.text(
        24, 54, "a high jack is a low pin: the program turns it over again; the jacks stand ±12 V", "small"
    )
    for row, (name, pin) in enumerate(JACKS_IN.items()):
        y = 150 + 186 * row
        sheet.jack(186, y, name, f"J{row + 8}", "left")
        x, _ = sheet.resistor(186, y, f"R{21 + row}", ohms(circuit.IN_SERIES), length=110)
        sheet.wire((x, y), (470, y))
        sheet.dot(x + 16, y)
        sheet.resistor(x + 16, y, f"R{23 + row}", ohms(circuit.IN_BASE), "down", 74)
        sheet.ground(x + 16, y + 74)
        sheet.dot(x + 106, y)
        sheet.wire((x + 106, y), (x + 106, y + 12))
        sheet.diode(x + 106, y + 74, f"D{1 + row}", "1N4148", "up", 62)
        sheet.ground(x + 106, y + 74)
        collector, emitter = sheet.npn(470, y, f"Q{1 + row}", "2N3904")
        sheet.wire(emitter, (emitter[0], y + 74))
        sheet.ground(emitter[0], y + 74)
        out = collector[1] - 8
        sheet.wire(collector, (collector[0], out), (collector[0] + 150, out))
        sheet.dot(collector[0] + 110, out)
        sheet.resistor(collector[0] + 110, out - 62, f"R{25 + row}", ohms(circuit.IN_UP), "down", 62)
        sheet.rail(collector[0] + 110, out - 62, "3V3")
        sheet.wire((collector[0] + 150, out), (collector[0] + 176, out))
        sheet.flag(collector[0] + 176, out, f"{net(pin)} {name} in", "left", 140)
    return sheet


def knobs() -> Sheet:
    sheet = Sheet(
        860,
        700,
        "4  Knobs and the converter",
        "Four potentiometers and eight channels of an MCP3008 on SPI0.",
    )
    sheet.text(
        24, 54, "pots, VREF and VDD from the same 3.3 V: a knob is a share of it, whatever it is", "small"
    )
    _pots(sheet)
    _converter(sheet)
    return sheet


def _pots(sheet: Sheet) -> None:
    for column, (name, channel) in enumerate(KNOBS.items()):
        x = 92 + 204 * column
        sheet.rail(x, 112, "3V3")
        at, y = sheet.pot(x, 112, name, ohms(circuit.KNOB), 84)
        sheet.ground(x, 196)
        sheet.text(x - 14, 188, f"RV{column + 1}", "small", "end")
        sheet.wire((at, y), (at + 22, y))
        sheet.dot(at + 8, y)
        sheet.capacitor(at + 8, y, f"C{2 + column}", farads(circuit.SMOOTH), 56)
        sheet.ground(at + 8, y + 56)
        sheet.flag(at + 22, y, f"KNOB_{name}", "left", 78)
        sheet.text(at + 32, y - 15, f"to CH{channel}", "small")


def _converter(sheet: Sheet) -> None:
    names = {channel: f"KNOB_{name}" for name, channel in KNOBS.items()}
    names |= {channel: f"CV_{name}" for name, channel in CVS.items()}
    pitch = 38
    chip = sheet.chip(
        290,
        296,
        130,
        "U2  MCP3008",
        [(str(pin), f"CH{channel}") for channel, pin in enumerate(CHANNEL_PINS)],
        [
            *(("16", "VDD"), ("15", "VREF"), None, None, ("12", "DOUT"), ("13", "CLK"), ("11", "DIN")),
            *(("10", "/CS"), ("14", "AGND"), ("9", "DGND")),
        ],
        pitch,
    )
    for channel, name in sorted(names.items()):
        x, y = chip[f"CH{channel}"]
        sheet.flag(x - 14, y, name, "right", 90)
        sheet.wire((x - 14, y), (x, y))
        if name.startswith("CV"):
            sheet.text(x - 114, y + 4, f"from sheet {number_of('cv')}", "small", "end")
    x, y = chip["VDD"]
    sheet.wire((x, y), (x + 150, y))
    sheet.wire(chip["VREF"], (x + 20, y + pitch), (x + 20, y))
    sheet.rail(x + 20, y, "3V3")
    for at, ref, value in ((x + 70, "C6", "100 nF"), (x + 150, "C7", "10 µF")):
        sheet.capacitor(at, y, ref, value, 44)
        sheet.ground(at, y + 44)
    sheet.dot(x + 20, y)
    sheet.dot(x + 70, y)
    for name, pin in (("DOUT", 9), ("CLK", 11), ("DIN", 10), ("/CS", 8)):
        sheet.wire(chip[name], (x + 190, chip[name][1]))
        sheet.flag(x + 190, chip[name][1], f"{net(pin)} {SPI[pin]}", "left", 130)
    y = chip["DOUT"][1]
    sheet.dot(x + 40, y)
    sheet.resistor(x + 40, y - 66, "R27", ohms(circuit.MISO_UP), "down")
    sheet.rail(x + 40, y - 66, "3V3")
    sheet.wire(chip["AGND"], (x + 12, chip["AGND"][1]), (x + 12, chip["DGND"][1]))
    sheet.wire(chip["DGND"], (x + 12, chip["DGND"][1]))
    sheet.dot(x + 12, chip["DGND"][1])
    sheet.ground(x + 12, chip["DGND"][1])


def cv() -> Sheet:
    sheet = Sheet(860, 830, "5  CV in", "Four inputs, each scaled by resistors and followed by an amplifier.")
    uni, bi = SCALERS["unipolar"], SCALERS["bipolar"]
    sheet.text(24, 54, f"as drawn, without what is dashed: {_range('unipolar')}", "small")
    sheet.text(
        24,
        70,
        f"bipolar, {_range('bipolar')}: fit what is dashed, and {ohms(bi.down)} in place of {ohms(uni.down)}",
        "small",
    )
    for row, (name, channel) in enumerate(CVS.items()):
        y, first = 176 + 172 * row, 31 + 10 * row
        sheet.jack(136, y, f"CV {name}", f"J{11 + row}", "left", normal=True)
        x, _ = sheet.resistor(136, y, f"R{first}", ohms(uni.series), length=100)
        sheet.wire((x, y), (x + 130, y))
        sheet.dot(x + 16, y)
        sheet.resistor(x + 16, y, f"R{first + 1}", ohms(uni.down), "down", 64)
        sheet.ground(x + 16, y + 64)
        sheet.dot(x + 60, y)
        sheet.resistor(x + 60, y - 62, f"R{first + 2}", ohms(bi.up or 0), "down", 62, dashed=True)
        sheet.rail(x + 60, y - 62, "3V3")
        name_of, pins = AMPLIFIERS[row]
        end, out = sheet.amplifier(x + 130, y, name_of, pins)
        at, _ = sheet.resistor(end, out, f"R{first + 3}", ohms(circuit.CV_SMOOTH), length=90)
        sheet.wire((at, out), (at + 40, out))
        sheet.dot(at + 14, out)
        sheet.capacitor(at + 14, out, f"C{11 + row}", farads(circuit.SMOOTH), 50)
        sheet.ground(at + 14, out + 50)
        sheet.flag(at + 40, out, f"CV_{name}", "left", 76)
        sheet.text(at + 128, out + 4, f"to CH{channel}", "small")
        if row % 2 == 0:
            sheet.text(
                at + 40,
                y - 50,
                f"{name_of[:2]}: 8 to 3V3, 4 to GND, {farads(circuit.SMOOTH)} between",
                "small",
            )
    return sheet


def buttons() -> Sheet:
    sheet = Sheet(
        860, 540, "6  Buttons and LEDs", "Four buttons and seven LEDs, each from its pin to ground."
    )
    sheet.text(
        24, 54, "a pressed button is a low pin; its pull-up is in the Pi. A high pin is a lit LED", "small"
    )
    for row, (name, pin) in enumerate(BUTTONS.items()):
        y = 138 + 96 * row
        sheet.flag(150, y, net(pin), "right", 84)
        x, _ = sheet.button(150, y, name, 110)
        sheet.text(x - 55, y + 20, f"SW{row + 1}", "small", "middle")
        sheet.wire((x, y), (x + 24, y), (x + 24, y + 6))
        sheet.ground(x + 24, y + 6)
    for row, (name, pin) in enumerate(LEDS.items()):
        y = 112 + 60 * row
        sheet.flag(506, y, net(pin), "right", 84)
        x, _ = sheet.resistor(506, y, f"R{71 + row}", ohms(circuit.LED), length=90)
        x, _ = sheet.diode(x, y, f"D{11 + row}", "", "right", 70, lit=True)
        sheet.wire((x, y), (x + 20, y), (x + 20, y + 6))
        sheet.ground(x + 20, y + 6)
        sheet.text(x + 46, y + 4, name, "name")
    return sheet


def midi() -> Sheet:
    sheet = Sheet(
        860, 480, "7  DIN MIDI", "MIDI in through an opto-coupler, MIDI out from the eighth gate of U1."
    )
    sheet.text(
        24,
        54,
        "by the numbers on a DIN socket's pins; TRS jack of type A: 5 is tip, 4 ring, 2 sleeve",
        "small",
    )
    pitch = 34
    into = sheet.chip(
        60,
        130,
        96,
        "J21  MIDI in",
        [],
        [("4", "source"), None, ("5", "sink"), None, ("2", "left open")],
        pitch,
    )
    (x, y), low = into["source"], into["sink"][1]
    x, _ = sheet.resistor(x, y, "R81", ohms(circuit.MIDI_IN), length=90)
    sheet.wire((x, y), (x + 110, y))
    sheet.wire(into["sink"], (x + 110, low))
    sheet.dot(x + 26, y)
    sheet.dot(x + 26, low)
    sheet.diode(x + 26, low, "D3", "1N4148", "up", low - y)
    chip = sheet.chip(
        x + 132,
        130,
        100,
        "U5  H11L1",
        [("1", "A"), None, ("2", "K")],
        [("6", "VCC"), None, ("4", "VO"), None, ("5", "GND")],
        pitch,
    )
    at, out = chip["VCC"][0], chip["VO"][1]
    sheet.wire(chip["VCC"], (at + 240, y))
    sheet.rail(at + 40, y, "3V3")
    sheet.dot(at + 40, y)
    sheet.resistor(at + 40, y, "R82", ohms(circuit.MIDI_UP), "down", out - y)
    sheet.dot(at + 40, out)
    sheet.wire(chip["VO"], (at + 78, out))
    sheet.flag(at + 78, out, f"{net(15)} {MIDI[15]}", "left", 130)
    sheet.capacitor(at + 240, y, "C10", "100 nF", 50)
    sheet.ground(at + 240, y + 50)
    sheet.wire(chip["GND"], (at + 12, chip["GND"][1]))
    sheet.ground(at + 12, chip["GND"][1])

    outward = sheet.chip(
        440, 360, 96, "J22  MIDI out", [("4", "source"), ("5", "sink"), ("2", "shield")], [], pitch
    )
    for name, ref in (("source", "R83"), ("sink", "R84")):
        y = outward[name][1]
        sheet.resistor(
            outward[name][0] - 100, y, ref, ohms(circuit.MIDI_OUT), length=100, beside=name == "sink"
        )
    x = outward["source"][0] - 100
    sheet.rail(x, outward["source"][1], "5V")
    sheet.flag(x, outward["sink"][1], "MIDI_TX_5V", "right")
    sheet.text(x - 106, outward["sink"][1] + 4, f"sheet {number_of('gates')}", "small", "end")
    sheet.wire(outward["shield"], (outward["shield"][0] - 14, outward["shield"][1]))
    sheet.ground(outward["shield"][0] - 14, outward["shield"][1])
    return sheet


def power() -> Sheet:
    sheet = Sheet(860, 330, "8  Power", "From the 12 V of a rack to the 5 V pins of the header.")
    sheet.text(24, 54, "in place of all this: a supply at the Pi's own socket. Never both at once", "small")
    rack = sheet.chip(
        50,
        120,
        120,
        "J31  Eurorack, 16 pins",
        [],
        [("9, 10", "+12 V"), ("11, 12", "+5 V, open"), ("1, 2", "−12 V, open"), ("3–8", "GND")],
        36,
    )
    x, y = rack["+12 V"]
    sheet.wire((x, y), (x + 24, y))
    sheet.resistor(x + 24, y, "F1  2 A", "", length=80)
    sheet.wire((x + 41, y), (x + 87, y))  # through its body: a fuse
    x += 104
    x, _ = sheet.diode(x, y, "D4", "1N5822", "right", 70)
    sheet.wire((x, y), (x + 100, y))
    sheet.dot(x + 30, y)
    sheet.capacitor(x + 30, y, "C15", "100 µF", 60)
    sheet.ground(x + 30, y + 60)
    sheet.block(x + 100, y - 24, 140, 100, "M1", "12 V to 5.1 V", "3 A (Pi 5: 5 A)")
    sheet.wire((x + 170, y + 76), (x + 170, y + 100))
    sheet.ground(x + 170, y + 100)
    sheet.wire((x + 240, y), (x + 262, y))
    sheet.flag(x + 262, y, "5V", "left", 60)
    sheet.text(x + 262, y + 26, "header, pins 2 and 4", "small")
    sheet.text(x + 262, y + 41, "U1 and R83", "small")
    sheet.wire(rack["GND"], (rack["GND"][0] + 20, rack["GND"][1]))
    sheet.ground(rack["GND"][0] + 20, rack["GND"][1])
    return sheet


SHEETS: dict[str, Callable[[], Sheet]] = {
    "header": header,
    "gates": gates,
    "inputs": inputs,
    "knobs": knobs,
    "cv": cv,
    "buttons": buttons,
    "midi": midi,
    "power": power,
}


def number_of(name: str) -> int:
    """The number of a sheet."""
    return [*SHEETS].index(name) + 1


def _range(name: str) -> str:
    return circuit.volts(*SCALERS[name].ends())
