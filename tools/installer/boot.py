"""What the firmware reads: lines of `config.txt`, words of `cmdline.txt`. Texts in, texts out, no files.

All that Fathom needs stands between two marker lines; what stands outside of them is the player's and keeps
every byte. A `dtparam` goes to the overlay before it, so ours come first, behind an empty `dtoverlay=`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hw.table import Wiring
from tools.installer.errors import InstallError

BEGIN = "# >>> Fathom: `systemd/install --uninstall` takes these lines out again"
ADDED_END = " (and the line end before them)"
END = "# <<< Fathom"

WITH_DIN = ("pi3", "pi4", "pi02")  # what these call UART0 is taken by Bluetooth
WITH_GADGET = ("pi4", "pi5", "pi02")  # a USB port that can be a device
CONSOLES = r"console=(serial0|ttyAMA0|ttyS0)(,\S*)?"
PINS_OF = (  # what in a player's lines takes pins of the panel -> these
    (r"dtparam=(?:\S*,)?i2s(?:=on)?(?:,|$)", (18, 19, 20, 21)),
    (r"dtoverlay=(?:hifiberry|iqaudio|allo-|justboom|i2s-|audioinjector|googlevoicehat)", (18, 19, 20, 21)),
    (r"dtoverlay=w1-gpio(?!.*gpiopin=)", (4,)),
    (r"dtoverlay=gpio-shutdown(?!.*gpio_pin=)", (3,)),
    (r"dtoverlay=gpio-fan(?!.*gpiopin=)", (12,)),
    (r"dtoverlay=gpio-ir(?!.*gpio_pin=)", (18,)),
    (r"dtoverlay=pwm(?!-2chan)", (18,)),
    (r"dtoverlay=spi1-", (16, 17, 18, 19, 20, 21)),
)


def lines(din: bool, gadget: bool) -> list[str]:
    """The lines for every board that Fathom knows: a card may move from one to another."""
    pins = {pin for _, pin in Wiring().parts()}
    found = ["[all]", "dtoverlay=", "dtparam=spi=on"]
    if pins & {2, 3}:
        found += ["dtparam=i2c_arm=off"]  # the panel has buttons there
    found += ["dtparam=strict_gpiod", "gpio=9=pu"]  # a dead engine's gates fall; a chip that is gone shows
    if din:
        found += ["[pi5]", "dtparam=uart0=on"]
        for board in WITH_DIN:
            found += [f"[{board}]", "enable_uart=1"]
    if 7 in pins:
        found += ["[all]", "dtoverlay=spi0-1cs"]
    if din:
        found += ["[pi5]", "dtoverlay=midi-uart0-pi5"]
        for board in WITH_DIN:
            found += [f"[{board}]", "dtoverlay=disable-bt", "dtoverlay=midi-uart0"]
    if gadget:
        for board in WITH_GADGET:
            found += [f"[{board}]", "dtoverlay=dwc2,dr_mode=peripheral"]
    return [*found, "[all]"]


def with_block(text: str, wanted: Iterable[str], name: str = "config.txt") -> str:
    """The text with these lines between the markers: where they stood before, else at its end.

    >>> print(with_block("arm_64bit=1", ["[all]", "dtparam=spi=on"]))
    arm_64bit=1
    # >>> Fathom: `systemd/install --uninstall` takes these lines out again (and the line end before them)
    [all]
    dtparam=spi=on
    # <<< Fathom
    <BLANKLINE>
    """
    end = "\r\n" if "\r\n" in text else "\n"
    found = _block(text, name)
    if found is None:
        bare = bool(text) and not text.endswith("\n")
        before, begin, after = text + (end if bare else ""), BEGIN + (ADDED_END if bare else ""), ""
    else:
        before, after = text[: found.start()], text[found.end() :]
        begin = BEGIN + (found["added"] or "")
    return before + end.join([begin, *wanted, END]) + end + after


def without_block(text: str, name: str = "config.txt") -> str:
    """The text as it would be without the lines between the markers.

    >>> without_block(with_block("arm_64bit=1", ["dtparam=spi=on"]))
    'arm_64bit=1'
    """
    while found := _block(text, name):
        before, after = text[: found.start()], text[found.end() :]
        if found["added"] and not after:
            before = re.sub(r"\r?\n\Z", "", before)
        text = before + after
    return text


def _block(text: str, name: str) -> re.Match[str] | None:
    pattern = f"^{re.escape(BEGIN)}(?P<added>{re.escape(ADDED_END)})?\r?$.*?^{re.escape(END)}[^\n]*(?:\n|\\Z)"
    found = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    if found is None and (BEGIN in text or re.search(f"^{re.escape(END)}", text, re.MULTILINE)):
        raise InstallError(
            f"{name} has one of the two lines between which Fathom's stand, expected both: take out what "
            "is left "
            f"of them ({BEGIN[:12]!r} to {END!r}), then run it again."
        )
    return found


def conflicts(text: str) -> list[str]:
    """Sentences about lines of the player's that take pins of the panel."""
    wired: dict[int, str] = {pin: part for part, pin in Wiring().parts()}
    found = []
    for number, line in enumerate(without_block(text).splitlines(), 1):
        for pattern, pins in PINS_OF:
            parts = [wired[pin] for pin in pins if pin in wired]
            if re.match(pattern, line.strip()) and parts:
                found.append(
                    f"config.txt line {number}, `{line.strip()}`, takes the pin of {parts[0]}"
                    f"{f' and {len(parts) - 1} more' if len(parts) > 1 else ''}: take the line out, or move "
                    "these parts to other pins."
                )
                break
    return found


def command_line(text: str, drop: str, add: Iterable[str]) -> tuple[str, list[str], list[str]]:
    """The kernel's command line without words that `drop` matches, with those to add; and which those were.

    >>> command_line("console=serial0,115200 root=X\\n", CONSOLES, ["overlayroot=tmpfs"])
    ('root=X overlayroot=tmpfs\\n', ['console=serial0,115200'], ['overlayroot=tmpfs'])
    """
    words = text.split()
    dropped = [word for word in words if drop and re.fullmatch(drop, word)]
    added = [word for word in add if word not in words]
    if not dropped and not added:
        return text, [], []
    kept = [word for word in words if word not in dropped]
    return " ".join(kept + added) + _tail(text), dropped, added


def command_line_back(text: str, dropped: Iterable[str], added: Iterable[str]) -> str:
    """The command line without words that were added and with those that were dropped, at its start."""
    words = text.split()
    kept = [word for word in words if word not in set(added)]
    back = [word for word in dropped if word not in words]
    return text if kept == words and not back else " ".join(back + kept) + _tail(text)


def _tail(text: str) -> str:
    return text[len(text.rstrip()) :]
