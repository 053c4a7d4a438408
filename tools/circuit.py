"""The values of the reference circuit, and what follows from them. Draws nothing and knows no pin.

Volts, ohms, amperes, farads. What is taken from a data sheet says so; nothing here was measured on a Pi.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

from hw.table import COUNTS, CVS, JACKS_IN, JACKS_OUT, KNOBS, LEDS

V3, V5, V12 = 3.3, 5.0, 12.0
TOLERANCE = 0.01  # of every resistor

GATE_SERIES = 1e3
GATE_DOWN = 10e3  # holds a buffer's input while no program does
IN_SERIES = 100e3
IN_BASE = 100e3
IN_UP = 10e3
CV_IN = 150e3
CV_SMOOTH, SMOOTH = 1e3, 100e-9
KNOB = 10e3
MISO_UP = 10e3
LED = 680.0
MIDI_OUT = MIDI_IN = 220.0
MIDI_UP = 1e3

# Data sheets: AHCT541 (TI SCLS269, Nexperia), 2N3904, MCP6002 (DS21733), MCP3008 (DS21295), H11L1, and
# Raspberry Pi's "Voltage specifications" of BCM2711, whose limits are the narrower ones of the two they give.
BUFFER_HIGH, BUFFER_LOW = 2.0, 0.8  # what an AHCT input takes for high and for low
BUFFER_MOST = 25e-3  # through one output
PIN_HIGH = 2.6  # of a Pi's output that gives 4 mA
PIN_LOW = 0.8  # what a Pi's input takes for low
PIN_LEAK = 10e-6
PIN_UP = 33e3  # the strongest pull-up in a pin; the weakest is 73 kΩ
BASE, BASE_OFF, GAIN = 0.65, 0.5, 40  # of a 2N3904: it conducts, it does not; at 0.1 mA
AMPLIFIER_OFFSET = 4.5e-3
AMPLIFIER_MOST = 2e-3  # into an input that is beyond the supply
CLAMP = 0.5  # beyond the supply, where an input begins to take current
OPTO_LIT, OPTO_DROP = 1.6e-3, 1.2
FOREIGN_DROP = 1.4  # of the LED in somebody else's MIDI input
LED_DROP = 1.9  # of a red one


class Scaler(NamedTuple):
    """The three resistors of a CV input: from the jack, to ground, and to 3.3 V (none: left out)."""

    series: float
    down: float
    up: float | None

    def gain_and_offset(self) -> tuple[float, float]:
        """What the converter sees of a volt at the jack, and with the jack at ground, as a share of 3.3 V."""
        up = 1 / self.up if self.up else 0.0
        whole = 1 / self.series + 1 / self.down + up
        return 1 / self.series / whole, up / whole

    def ends(self) -> tuple[float, float]:
        """Volts at the jack that give the first and the last count."""
        gain, offset = self.gain_and_offset()
        return -offset * V3 / gain, (1 - offset) * V3 / gain

    def spread(self, of: Callable[[Scaler], float]) -> tuple[float, float]:
        """Lowest and highest value of something over the tolerance of the resistors."""
        one = (1 - TOLERANCE, 1 + TOLERANCE)
        values = [
            of(Scaler(self.series * a, self.down * b, self.up and self.up * c))
            for a, b, c in product(one, repeat=3)
        ]
        return min(values), max(values)

    def impedance(self) -> float:
        """What a cable is loaded with, within the range."""
        down = 1 / self.down + (1 / self.up if self.up else 0.0)
        return self.series + 1 / down

    def intruding(self, volts: float) -> float:
        """Amperes into the amplifier's input, at so many volts that it is clamped."""
        at = V3 + CLAMP if volts > 0 else -CLAMP
        return abs((volts - at) / self.series - at / self.down + ((V3 - at) / self.up if self.up else 0.0))


SCALERS: Mapping[str, Scaler] = {
    "unipolar": Scaler(CV_IN, 110e3, None),
    "bipolar": Scaler(CV_IN, 300e3, 100e3),
}


def ohms(value: float) -> str:
    """
    >>> ohms(1e3), ohms(680.0), ohms(150e3)
    ('1 kΩ', '680 Ω', '150 kΩ')
    """
    return f"{value / 1e3:g} kΩ" if value >= 1e3 else f"{value:g} Ω"


def farads(value: float) -> str:
    """
    >>> farads(100e-9), farads(10e-6)
    ('100 nF', '10 µF')
    """
    return f"{value * 1e6:g} µF" if value >= 1e-6 else f"{value * 1e9:g} nF"


def volts(low: float, high: float) -> str:
    """
    >>> volts(0.0, 7.8), volts(-4.95, 4.95)
    ('0 to 7.80 V', '−4.95 to 4.95 V')
    """
    return f"{low:.2f} to {high:.2f} V".replace("-0.00", "0.00").replace("0.00 to", "0 to").replace("-", "−")


def input_rises() -> tuple[float, float]:
    """Volts at a clock or reset jack below which it is surely low, and above which surely high."""
    load = IN_UP * PIN_UP / (IN_UP + PIN_UP)
    base = (V3 - PIN_LOW) / load / GAIN
    return BASE_OFF * (1 + IN_SERIES / IN_BASE), BASE + IN_SERIES * (BASE / IN_BASE + base)


class Line(NamedTuple):
    """A row of the parts list."""

    pieces: int
    parts: str
    what: str
    why: str


def parts() -> list[Line]:
    """Everything that is bought, apart from the Pi, wire and a panel."""
    outs, ins, cvs, knobs, leds = len(JACKS_OUT), len(JACKS_IN), len(CVS), len(KNOBS), len(LEDS)
    return [
        Line(1, "U1", "74AHCT541 or 74HCT541, DIP-20", "3.3 V to 5 V"),
        Line(1, "U2", "MCP3008, DIP-16", "knobs and CV to SPI"),
        Line(cvs // 2, "U3, U4", "MCP6002, DIP-8", "followers for CV, rail to rail at 3.3 V"),
        Line(1, "U5", "H11L1, DIP-6 (runs at 3.3 V; a 6N138 wants 5 V)", "opto-coupler of MIDI in"),
        Line(ins, "Q1, Q2", "2N3904 (a BC547B does as well; its legs differ)", "turns an input over"),
        Line(ins + 1, "D1–D3", "1N4148", "reverse voltage at inputs and MIDI in"),
        Line(leds, "D11–D17", "LED, red or amber, 2 mA type", "blue and white want more than 3.3 V leaves"),
        Line(
            knobs,
            "RV1–RV4",
            f"{ohms(KNOB)} potentiometer, linear",
            "between 3.3 V and ground, as the converter is",
        ),
        Line(4, "SW1–SW4", "push button that closes", "from its pin to ground"),
        Line(outs + ins, "J1–J9", "3.5 mm mono jack", "gates, accent, clock, reset"),
        Line(cvs, "J11–J14", "3.5 mm mono jack with a switch", "CV; 0 V while no plug is in it"),
        Line(2, "J21, J22", "DIN socket, 5 poles, 180° (or TRS jack, type A)", "MIDI"),
        Line(outs, "R1–R7", ohms(GATE_DOWN), "gates stay low while no program runs"),
        Line(1, "R8", ohms(GATE_DOWN), "MIDI out rests while no program runs"),
        Line(outs, "R11–R17", ohms(GATE_SERIES), "jacks may be shorted, and patched to each other"),
        Line(2 * ins, "R21–R24", ohms(IN_SERIES), "inputs stand ±12 V; pull the base down"),
        Line(ins, "R25, R26", ohms(IN_UP), "collectors"),
        Line(1, "R27", ohms(MISO_UP), "without a chip the line reads 1: a box that has lost it notices"),
        Line(cvs, "R31 R41 R51 R61", ohms(CV_IN), "CV inputs stand ±12 V"),
        Line(
            cvs,
            "R32 R42 R52 R62",
            f"{ohms(SCALERS['unipolar'].down)}; bipolar: {ohms(SCALERS['bipolar'].down)}",
            "range",
        ),
        Line(cvs, "R33 R43 R53 R63", f"left out; bipolar: {ohms(SCALERS['bipolar'].up or 0)}", "range"),
        Line(cvs, "R34 R44 R54 R64", ohms(CV_SMOOTH), "lets the amplifier drive its capacitor"),
        Line(leds, "R71–R77", ohms(LED), "LEDs"),
        Line(3, "R81, R83, R84", ohms(MIDI_OUT), "the MIDI current loop"),
        Line(1, "R82", ohms(MIDI_UP), "output of U5"),
        Line(5, "C1, C6, C8–C10", "100 nF ceramic, each close to its chip", "supplies"),
        Line(knobs + cvs, "C2–C5, C11–C14", f"{farads(SMOOTH)} ceramic, close to U2", "quiet knobs and CV"),
        Line(1, "C7", "10 µF", "VREF of U2"),
        Line(1, "C15", "100 µF, 25 V", "input of M1"),
        Line(1, "M1", "step-down converter, 12 V to 5.1 V, 3 A (Pi 5: 5 A)", "the box in a rack"),
        Line(1, "F1", "fuse or PTC, 2 A slow (Pi 5: 4 A)", "the rack's supply"),
        Line(1, "D4", "1N5822", "a cable that is plugged in the wrong way round"),
    ]


class Sum(NamedTuple):
    """A figure that follows from the values."""

    what: str
    figure: str
    how: str


def sums() -> list[Sum]:
    """Every figure that `docs/panel.md` claims of the circuit."""
    low, high = input_rises()
    found = [
        Sum("gate at a jack, into 100 kΩ", f"{V5 * 100e3 / (100e3 + GATE_SERIES):.2f} V", "5 V × 100 / 101"),
        Sum(
            "gate shorted to ground",
            f"{V5 / GATE_SERIES * 1e3:.0f} mA",
            f"U1 may give {BUFFER_MOST * 1e3:.0f} mA",
        ),
        Sum(
            "gate patched to an output at −12 V, at the worst",
            f"{(V5 + V12) / GATE_SERIES * 1e3:.0f} mA",
            "as if the other had no resistor of its own",
        ),
        Sum(
            "input of U1 while nobody drives its pin",
            f"at most {PIN_LEAK * GATE_DOWN:.1f} V",
            f"{PIN_LEAK * 1e6:.0f} µA × {ohms(GATE_DOWN)}; U1 takes up to {BUFFER_LOW} V for low",
        ),
        Sum(
            "pin that is high, against what U1 wants",
            f"{PIN_HIGH} V against {BUFFER_HIGH:g} V",
            f"guaranteed at 4 mA; R1–R7 take {V3 / GATE_DOWN * 1e3:.2f} mA",
        ),
        Sum(
            "clock and reset in: surely low",
            f"below {low:.1f} V",
            f"base below {BASE_OFF} V, half of the jack's",
        ),
        Sum(
            "clock and reset in: surely high",
            f"above {high:.1f} V",
            f"weakest transistor (gain {GAIN}), strongest pull-up",
        ),
        Sum(
            "clock or reset in at ±12 V",
            f"{(V12 - BASE) / IN_SERIES * 1e3:.2f} mA",
            "into the base, or through D1 or D2; the Pi sees none of it",
        ),
    ]
    for name, scaler in SCALERS.items():
        found += _of_scaler(f"CV {name}", scaler)
    worst = max(scaler.intruding(there) for scaler in SCALERS.values() for there in (V12, -V12))
    found += [
        Sum(
            "CV at ±12 V, into U3 or U4",
            f"{worst * 1e6:.0f} µA",
            f"an input stands {AMPLIFIER_MOST * 1e3:g} mA",
        ),
        Sum(
            "CV: offset of U3, U4",
            f"{AMPLIFIER_OFFSET / V3 * COUNTS:.1f} counts at most",
            "4.5 mV; calibration takes it out",
        ),
        Sum("CV and knobs: the converter itself", "±1 count", "its non-linearity; calibration leaves it"),
        Sum("CV: smoothing", f"{CV_SMOOTH * SMOOTH * 1e3:g} ms", f"{ohms(CV_SMOOTH)} × {farads(SMOOTH)}"),
        Sum(
            "knob: smoothing, at the most",
            f"{KNOB / 4 * SMOOTH * 1e3:g} ms",
            f"a quarter of {ohms(KNOB)} × {farads(SMOOTH)}",
        ),
        Sum("LED", f"{(V3 - LED_DROP) / LED * 1e3:.1f} mA", f"(3.3 − {LED_DROP}) V / {ohms(LED)}"),
        Sum(
            "MIDI out, into an input",
            f"{(V5 - FOREIGN_DROP) / (2 * MIDI_OUT + MIDI_IN) * 1e3:.1f} mA",
            f"(5 − {FOREIGN_DROP}) V / 660 Ω; the standard's 5 mA",
        ),
        Sum(
            "MIDI in, from an output of 5 V",
            f"{(V5 - OPTO_DROP) / (2 * MIDI_OUT + MIDI_IN) * 1e3:.1f} mA",
            f"U5 wants {OPTO_LIT * 1e3:g} mA",
        ),
        Sum(
            "all of it, without the Pi",
            f"about {own_current() * 1e3:.0f} mA",
            "every LED on, every gate into 100 kΩ, MIDI sending",
        ),
    ]
    return found


def _of_scaler(name: str, scaler: Scaler) -> list[Sum]:
    first, last = scaler.ends()
    low, high = scaler.spread(lambda one: one.ends()[1])
    exact = "resistors 1 % off, at the worst"
    found = [
        Sum(f"{name}: range", volts(first, last), f"to a count of {COUNTS}"),
        Sum(f"{name}: where it ends", volts(low, high), exact),
    ]
    if scaler.up:
        low, high = scaler.spread(lambda one: one.ends()[0])
        found.append(Sum(f"{name}: where it begins", volts(low, high), exact))
        low, high = scaler.spread(lambda one: one.gain_and_offset()[1] * COUNTS)
        found.append(
            Sum(f"{name}: count at 0 V", f"{low:.0f} to {high:.0f}", f"{COUNTS / 2:g} is the middle")
        )
    gain, offset = scaler.gain_and_offset()
    at_five = (gain * 5 / V3 + offset) * COUNTS
    found.append(Sum(f"{name}: count at 5 V", f"{at_five:.0f}", "if there were no end"))
    count = (last - first) / COUNTS
    found.append(Sum(f"{name}: one count", f"{count * 1e3:.1f} mV", f"{last - first:.2f} V / {COUNTS}"))
    found.append(Sum(f"{name}: load on the cable", f"{scaler.impedance() / 1e3:.0f} kΩ", "within the range"))
    return found


def own_current() -> float:
    """What the circuit takes besides the Pi, with everything on."""
    leds = len(LEDS) * (V3 - LED_DROP) / LED
    knobs = len(KNOBS) * V3 / KNOB
    pulls = len(JACKS_OUT) * V3 / GATE_DOWN + len(JACKS_IN) * V3 / IN_UP
    gates = len(JACKS_OUT) * (V5 / 101e3 + 1.5e-3)  # an AHCT input at 3.3 V costs up to 1.5 mA
    midi = V5 / (3 * MIDI_OUT) + V3 / MIDI_UP + 5e-3  # U5 takes 5 mA
    return leds + knobs + pulls + gates + midi + 2e-3  # U2, U3 and U4


class Board(NamedTuple):
    """What Raspberry Pi says of a board ("Power supply"), in amperes; `busy`: every core, where said."""

    name: str
    supply: float
    typical: float
    busy: float | None


BOARDS = (
    Board("Zero 2 W", 2.0, 0.35, None),
    Board("3B+", 2.5, 0.5, 0.98),  # busy: measured by PidRamble
    Board("4B", 3.0, 0.6, 1.25),
    Board("5", 5.0, 0.8, None),
)
CONVERTER_VOLTS, CONVERTER_YIELD = 5.1, 0.85


def from_rack(amperes: float) -> float:
    """What a board and the circuit take from the rack's 12 V."""
    return (amperes + own_current()) * CONVERTER_VOLTS / CONVERTER_YIELD / V12
