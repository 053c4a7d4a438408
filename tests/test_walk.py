"""The doctor's walk over a panel: by itself, and with hands."""

import pytest
from guide_helpers import Player

from device import doctor
from device import walk as walking
from device.outfit import Outfit, read_outfit
from device.walk import converter, jumper_of, walk
from hw.calibration import Calibration
from hw.errors import PanelError
from hw.panel import open_panel
from hw.timing import SimTime

JUMPER_US = 80


@pytest.fixture
def panel():
    return open_panel("sim", midi_port=None, time=SimTime(), remember=True)


def wire(panel, out="gate1", into="clock", bounces=0, lose=0):
    """A cable from an output to an input, that may bounce or lose the first pulses."""
    write, left = panel.jacks.write, [lose]

    def written(levels):
        if levels.get(out):
            if left[0]:
                left[0] -= 1
            else:
                for bounce in range(1 + bounces):
                    panel.jacks.feed(into, True, panel.time.now() + JUMPER_US * 1000 + bounce * 1000)
        write(levels)

    panel.jacks.write = written


def findings(panel, guide=None, jumpers=(), outfit=None):
    return {found.check: found for found in walk(panel, panel.time, outfit or Outfit(), guide, jumpers)}


def test_without_hands_every_part_has_a_line_and_nothing_is_asked(panel):
    found = findings(panel)

    kinds = [check.partition(" ")[0] for check in found]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "board": 1,
        "converter": 1,
        "knob": 4,
        "CV": 4,
        "jack": 9,
        "button": 4,
        "LED": 7,
    }
    assert all(finding.ok for finding in found.values())
    assert found["knob A"].found == "stands at 512 counts, 0.50"
    assert found["CV A"].found == "stands at 0 counts, 0.00 V"
    assert found["jack gate1 out"].found == "GPIO16 is ours and low"
    assert not any(panel.jacks.levels.values())
    assert set(panel.lamps.states.values()) == {"off"}


def test_knobs_that_are_turned_are_told_with_their_range_and_what_is_wrong_with_them(panel):
    turns = {"A": [(0, 0.0), (0, 1.0)], "B": [(1, 0.2), (1, 0.9)], "C": [(3, 0.0), (3, 1.0)], "D": []}

    class Hands(Player):
        def wait(self, until, seconds):
            name = self.said[-1].removeprefix("Turn knob ")[0]
            for knob, place in turns.get(name, []) if "knob" in self.said[-1] else []:
                panel.knobs.turn(knob, place)
                if until():
                    return True
            return until()

    found = findings(panel, Hands())

    assert (found["knob A"].ok, found["knob A"].found) == (True, "went from 0 to 1023 counts")
    assert not found["knob B"].ok
    assert "fathom calibrate" in found["knob B"].advice
    assert "but channel 3 moved" in found["knob C"].found
    assert found["knob D"].advice.startswith("Look at its three legs")
    assert not found["CV A"].ok
    assert not found["CV A"].needed


def test_a_knob_reaches_its_ends_where_those_were_measured():
    counts = [[500] * 8, [500] * 8, [100] * 8, [900] * 8]
    calibration = Calibration(knobs=((100, 900),) * 4)

    found = list(
        converter(lambda: counts.pop(0) if len(counts) > 1 else counts[0], "", True, calibration, Player())
    )

    assert next(one for one in found if one.check == "knob A").ok


@pytest.mark.parametrize(
    ("cable", "ok", "found"),
    [
        ({}, True, "50 sent, 50 seen: half within 80 us, worst 80 us"),
        ({"bounces": 1}, False, "50 sent, 100 seen"),
        ({"lose": 20}, False, "50 sent, 30 seen"),
        (None, False, "50 sent, 0 seen"),
    ],
)
def test_a_jumper_is_measured(panel, cable, ok, found):
    if cable is not None:
        wire(panel, **cable)

    jumper = findings(panel, jumpers=[("gate1", "clock")])["jumper gate1:clock"]

    assert jumper.ok == ok
    assert jumper.found.startswith(found)
    assert bool(jumper.advice) == (not ok)


def test_with_hands_the_player_puts_the_jumper_in(panel):
    wire(panel)

    assert findings(panel, Player())["jumper gate1:clock"].ok
    assert "jumper gate1:clock" not in findings(panel, Player(answers=[("cable from gate1", "n")]))


def test_buttons_lamps_and_jacks_are_tried_one_by_one(panel):
    hands = [(f"Press {name} ", lambda name=name: panel.buttons.press(name)) for name in ("PLAY", "LEARN")]
    hands.append(("Press SLOT ", lambda: panel.buttons.press("SHIFT")))
    hands.append(("pulses into reset", lambda: [panel.jacks.feed("reset", True, n * 10**8) for n in (1, 2)]))
    player = Player(hands, [("LED learn", "n"), ("gate2 out", "n")])

    found = findings(panel, player)

    assert [found[f"button {name}"].ok for name in ("PLAY", "LEARN", "SLOT", "SHIFT")] == [
        True,
        True,
        False,
        False,
    ]
    assert found["button SLOT"].found == "GPIO7 was not pressed, but SHIFT was pressed"
    assert [found[f"LED {name}"].ok for name in ("play", "learn")] == [True, False]
    assert [found[f"jack gate{n} out"].ok for n in (1, 2)] == [True, False]
    assert found["jack reset in"].found == "GPIO5: 2 pulses, 10.0 a second"
    assert not found["jack clock in"].ok
    assert panel.jacks.rises("gate4")


def test_what_is_not_to_be_had_is_said_with_its_own_advice(panel):
    panel.jacks.missing = ["gate2 out", "clock in"]
    panel.jacks.complaint = "jacks: GPIO17 (gate2 out) is held by gpioset. Stop what holds it."
    panel.buttons.missing = ["SLOT"]
    panel.knobs.complaint = "knobs: no MCP3008 answers on SPI0. Look at its wiring."

    found = findings(panel, jumpers=[("gate1", "clock")])

    assert (found["jack gate2 out"].ok, found["jack gate2 out"].advice) == (False, "Stop what holds it.")
    assert not found["jumper gate1:clock"].ok
    assert not found["button SLOT"].ok
    assert (found["converter"].found, found["converter"].advice) == (
        "no MCP3008 answers on SPI0.",
        "Look at its wiring.",
    )
    assert found["jack gate1 out"].ok


def test_parts_are_named_by_the_pins_of_the_settings(panel):
    outfit, _ = read_outfit("[wiring.out]\ngate1 = 17\ngate2 = 16")

    assert findings(panel, outfit=outfit)["jack gate1 out"].found.startswith("GPIO17")


@pytest.mark.parametrize("word", ["gate1", "gate9:clock", "gate1:gate2", "clock:gate1", ""])
def test_a_jumper_that_cannot_be_is_told_what_can(word):
    with pytest.raises(PanelError, match="expected an output and an input, as gate1:clock"):
        jumper_of(word)


# --- beside a box that plays --------------------------------------------------------------------------------


@pytest.fixture
def pi(home, monkeypatch):
    """The findings of `doctor --panel pi`, by what was looked at, as lists."""
    monkeypatch.setattr(doctor, "TIMED_WAKES", 5)
    monkeypatch.setattr(walking, "LIT_NS", 0)
    monkeypatch.setattr(walking, "LOOK_NS", 0)

    def examine(**more):
        found = {}
        for finding in doctor.examine("pi", **more):
            found.setdefault(finding.check, []).append(finding)
        return found

    return examine


def test_of_a_box_that_plays_the_knobs_are_read_and_the_rest_is_said_in_one_line(pi, monkeypatch):
    answer = {
        "name": "pi",
        "counts": [10, 20, 30, 40, 0, 0, 0, 0],
        "answers": True,
        "pulled_up": False,
        "complaints": ["jacks: GPIO17 (gate2 out) is held by gpioset."],
    }
    monkeypatch.setattr(
        doctor, "call", lambda path, message: {"value": answer} if message["do"] == "panel" else {}
    )
    monkeypatch.setattr(doctor, "_box", lambda: doctor.Finding("box", True, "a box plays"))
    monkeypatch.setattr(doctor, "open_panel", lambda *_, **__: pytest.fail("the box has the lines"))

    found = pi()

    assert [finding.found for finding in found["panel"]] == [
        "a box plays and holds jacks, buttons and LEDs.",
        "jacks: GPIO17 (gate2 out) is held by gpioset.",
    ]
    assert "systemctl stop fathom" in found["panel"][0].advice
    assert found["knob B"][0].found.startswith("stands at 20 counts")
    assert "gpio=9=pu" in found["converter"][0].advice
    assert not any(check.startswith(("button", "LED", "jack")) for check in found)
    assert pi(jumpers=[("gate1", "clock")])["panel"][0].needed


def test_a_machine_without_a_panel_is_one_line_and_the_rest_is_looked_at(pi, monkeypatch):
    def missing(*words, **more):
        raise PanelError("jacks: no /dev/gpiochip* on this machine.")

    monkeypatch.setattr(doctor, "open_panel", missing)

    found = pi()

    assert [finding.ok for finding in found["panel"]] == [False]
    for check in ("midi loopback", "realtime", "stick", "storage", "settings", "timing"):
        assert check in found


def test_sticks_that_are_mounted_are_named(pi, monkeypatch, tmp_path):
    monkeypatch.setattr(
        doctor, "open_panel", lambda *_, **__: open_panel("sim", midi_port=None, time=SimTime())
    )
    assert (pi()["stick"][0].ok, pi()["stick"][0].needed) == (False, False)

    (tmp_path / "sda1").mkdir()
    monkeypatch.setattr(doctor, "STICKS", tmp_path)
    assert pi()["stick"][0].found == "sda1 is mounted"


def test_wiring_that_cannot_be_is_found_with_the_settings(pi, home, monkeypatch):
    monkeypatch.setattr(
        doctor, "open_panel", lambda *_, **__: open_panel("sim", midi_port=None, time=SimTime())
    )
    home.mkdir()
    (home / "settings.toml").write_text("[wiring.out]\ngate1 = 9")

    assert "jack gate1 out is on GPIO9" in pi()["settings"][0].found
