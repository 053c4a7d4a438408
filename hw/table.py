"""The one table of the reference panel: what is on it, what it is called, where it is wired.

Pins are BCM numbers. Twenty parts want a pin and only seventeen are free once SPI0, I2C1, the UART and the
HAT's identity are kept. So the panel gives up I2C1 (leave `dtparam=i2c_arm` off; the board's own pull-ups on
2 and 3 suit buttons) and the second chip select of SPI0 (`dtoverlay=spi0-1cs` frees 7); UART0 stays for DIN
MIDI. Pins 0 to 8 are pulled up at boot: they carry buttons and inputs, so that no gate opens before its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hw.errors import PanelError

JACKS_OUT: Mapping[str, int] = MappingProxyType(
    {"gate1": 16, "gate2": 17, "gate3": 22, "gate4": 23, "accent": 24, "clock": 25, "reset": 26}
)
JACKS_IN: Mapping[str, int] = MappingProxyType({"clock": 4, "reset": 5})
BUTTONS: Mapping[str, int] = MappingProxyType({"PLAY": 3, "LEARN": 6, "SLOT": 7, "SHIFT": 2})
LEDS: Mapping[str, int] = MappingProxyType(
    {"play": 12, "learn": 13, "clock": 27, "voice1": 18, "voice2": 19, "voice3": 20, "voice4": 21}
)

KNOBS: Mapping[str, int] = MappingProxyType({"A": 0, "B": 1, "C": 2, "D": 3})  # channels of the MCP3008
CVS: Mapping[str, int] = MappingProxyType({"A": 4, "B": 5, "C": 6, "D": 7})
CHANNELS = 8
COUNTS = 1023  # highest count of a 10-bit channel
CV_VOLTS = 5.0  # at a CV jack, which move what it is added to over its whole travel
CV_COUNTS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"unipolar": (0, 656), "bipolar": (512, 1028)}  # at 0 V and at 5 V, of an input that is built for that
)
ADC_HZ = 1_000_000  # the chip does 1.35 MHz at 2.7 V and 3.6 MHz at 5 V; we feed it 3.3 V

DIN = "din"  # what the settings call the DIN sockets, among MIDI outputs and inputs
SERIAL = "/dev/serial0"  # the header's UART, which the DIN sockets are on

PRESSES = ("press", "release", "hold")
LAMP_STATES = ("off", "on", "slow", "fast", "double")

RESERVED: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        "the HAT's identity": frozenset({0, 1}),
        "SPI0, the MCP3008": frozenset({8, 9, 10, 11}),
        "UART0, DIN MIDI": frozenset({14, 15}),
    }
)
PULLED_UP_AT_BOOT = frozenset(range(9))  # the others that a header has are pulled down


@dataclass(frozen=True)
class Wiring:
    """Which pin each part is on: the reference panel, where nothing else is said.

    Outputs are high when the jack is high. Inputs and buttons pull their pin to ground when they are high or
    pressed: an input jack has a transistor before the pin, which turns the signal over.
    """

    jacks_out: Mapping[str, int] = field(default_factory=lambda: JACKS_OUT)
    jacks_in: Mapping[str, int] = field(default_factory=lambda: JACKS_IN)
    buttons: Mapping[str, int] = field(default_factory=lambda: BUTTONS)
    leds: Mapping[str, int] = field(default_factory=lambda: LEDS)
    gpiochip: str = ""  # path of the chip; empty: the one that the header is on
    serial: str = SERIAL  # path of the UART

    def __post_init__(self) -> None:
        """Raises PanelError where two parts share a pin, or one sits where it cannot."""
        taken: dict[int, str] = {}
        for part, pin in self.parts():
            if not 0 <= pin <= 27:
                raise PanelError(f"{part} is on GPIO{pin}; expected GPIO0 to GPIO27. Change the wiring.")
            for use, pins in RESERVED.items():
                if pin in pins:
                    raise PanelError(f"{part} is on GPIO{pin}, which belongs to {use}. Give it another pin.")
            if pin in taken:
                raise PanelError(f"{part} is on GPIO{pin}, and so is {taken[pin]}. Give one another pin.")
            taken[pin] = part

    def parts(self) -> list[tuple[str, int]]:
        """Every part that has a pin, in words, with its pin."""
        groups = {
            "jack {} out": self.jacks_out,
            "jack {} in": self.jacks_in,
            "button {}": self.buttons,
            "LED {}": self.leds,
        }
        return [(words.format(name), pin) for words, group in groups.items() for name, pin in group.items()]
