"""Calibrating by hand: what a player is asked, what is measured, what is written where."""

import threading
import tomllib

import pytest
from guide_helpers import Player

from device import calibrating
from device.calibrating import calibrate, calibrate_box, merged
from device.errors import SettingsError
from device.remote import Remote
from device.settings_file import with_table
from hw.errors import PanelError
from hw.timing import SimTime


class Chip:
    """Counts that hands move."""

    def __init__(self):
        self.counts = [500] * 4 + [0] * 4

    def put(self, channel, counts):
        return lambda: self.counts.__setitem__(channel, counts)

    def hands(self):
        """A player who does as told, at knobs that stop short and CVs that are built for both sides."""
        found = []
        for channel, name in enumerate("ABCD"):
            found.append((f"Turn knob {name} fully left", self.put(channel, 12 + channel)))
            found.append((f"Patch 0 V into CV {name}", self.put(4 + channel, 512)))
            found.append((f"Patch 5 V into CV {name}", self.put(4 + channel, 1020 - channel)))
        return found

    def right(self):
        """Turns the knob that was asked for last fully right."""
        turned = [channel for channel in range(4) if self.counts[channel] == 12 + channel]
        self.counts[turned[-1]] = 1010


def test_each_knob_and_each_cv_is_measured_at_two_points():
    chip = Chip()
    player = Player([*chip.hands(), ("Now fully right", chip.right)])

    found = calibrate(player, lambda: chip.counts, SimTime())

    assert found == {
        **{name: [12 + n, 1010] for n, name in enumerate("ABCD")},
        "cv_volts": [0, 5],
        **{f"cv_{name}": [512, 1020 - n] for n, name in enumerate("ABCD")},
    }


def test_noise_is_taken_away():
    chip, reads = Chip(), []
    player = Player([*chip.hands(), ("Now fully right", chip.right)])

    def read():
        reads.append(0)
        return [counts + (700 if len(reads) % 7 == 0 else 0) for counts in chip.counts]

    assert calibrate(player, read, SimTime())["A"] == [12, 1010]


def test_what_is_skipped_or_does_not_move_stays_as_it_was_and_is_said():
    chip = Chip()
    hands = [("Turn knob B fully left", chip.put(1, 500)), ("Turn knob C fully left", chip.put(2, 20))]
    rights = iter([chip.put(1, 520), chip.put(3, 980)])
    hands.append(("Now fully right", lambda: next(rights)()))
    player = Player(hands, [("knob A", "s"), ("knob D", "s"), ("CV", "s")])

    assert calibrate(player, lambda: chip.counts, SimTime()) == {}
    said = " ".join(player.said)
    assert "knob B: channel 1 went from 500 to 520, expected at least 100 counts. It stays" in said
    assert "knob C: channel 2 went from 20 to 20, expected at least 100 counts, but channel 3 did" in said


def test_where_nobody_answers_nothing_is_changed():
    with pytest.raises(PanelError, match="nobody answers.*Nothing is changed"):
        calibrate(Player(leaves="Turn knob C"), lambda: [0] * 8, SimTime())


def test_a_cv_that_was_skipped_is_told_at_the_new_voltages():
    before = {"cv_volts": [-5, 5], "cv_A": [12, 1012], "cv_B": [0, 1000]}

    table = merged(before, {"cv_volts": [0.0, 5.0], "cv_B": [500, 1000]})

    assert table == {"cv_volts": [0, 5], "cv_B": [500, 1000], "cv_A": [512, 1012]}
    with pytest.raises(
        PanelError, match="cv_A was measured at 0 and 5 V, and -5 or 5 V are out of its range"
    ):
        merged({"cv_A": [0, 656]}, {"cv_volts": [-5.0, 5.0], "cv_B": [20, 1000]})


# --- the file -----------------------------------------------------------------------------------------------

MINE = """# how I play
bpm = 97 # slow

[voices]
density = 0.4

[calibration] # done in May
# the left one is worn
A = [3, 900]   # worn
"cv_A" = [0, 656]

[voice.1]
note = 40 # kick
"""


def test_a_table_is_written_and_every_other_line_stays():
    after = with_table(MINE, "calibration", {"A": [9, 1000], "B": [4, 1001]})

    assert after == MINE.replace("A = [3, 900]   # worn", "A = [9, 1000]   # worn").replace(
        "656]\n", "656]\nB = [4, 1001]\n"
    )


@pytest.mark.parametrize("text", ["", "bpm = 97", "bpm = 97\n\n", "[voice.1]\nnote = 3\n", "[calibration]"])
def test_a_table_that_is_not_there_is_made(text):
    after = with_table(text, "calibration", {"A": [9, 1000]})

    assert tomllib.loads(after) == {**tomllib.loads(text), "calibration": {"A": [9, 1000]}}
    assert after.startswith(text.rstrip("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "calibration = { A = [3, 900] }",
        "calibration.A = [3, 900]",
        "[calibration]\nA = [\n  3,\n  900,\n]\n",
        "[[calibration]]\nA = [3, 900]",
        'said = """\n[calibration]\n"""\n[calibration]\nA = [3, 900]\n',
    ],
)
def test_a_form_that_cannot_be_changed_safely_is_left_to_the_player(text):
    with pytest.raises(SettingsError, match=r"write it yourself.*A = \[9, 1000\]"):
        with_table(text, "calibration", {"A": [9, 1000]})


def test_a_file_that_is_no_toml_is_not_touched():
    with pytest.raises(SettingsError, match="is not TOML"):
        with_table("bpm = ", "calibration", {"A": [9, 1000]})


# --- a whole box --------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(calibrating, "SAMPLE_NS", 0)


@pytest.fixture
def serving(home, make_box):
    """A box with a control socket that is served beside."""
    home.mkdir()
    box = make_box()
    box.panel.name = "pi"
    remote = Remote(box, home / "control.sock")
    done = threading.Event()

    def serve():
        while not done.wait(0.001):
            remote.serve()

    server = threading.Thread(target=serve)
    server.start()
    yield box
    done.set()
    server.join()
    remote.close()


def test_a_box_that_plays_is_asked_and_told_and_the_file_keeps_its_comments(
    serving, home, quick, monkeypatch
):
    told = []
    monkeypatch.setattr(serving.panel.knobs, "calibrate", told.append)
    (home / "settings.toml").write_text(MINE)
    knobs = serving.panel.knobs
    hands = [
        ("Turn knob A fully left", lambda: knobs.turn(0, 0.02)),
        ("Now fully right", lambda: knobs.turn(0, 0.98)),
    ]
    player = Player(hands, [(f"knob {name}", "s") for name in "BCD"] + [("CV", "s")])

    calibrate_box(player)

    text = (home / "settings.toml").read_text()
    assert "A = [20, 1003]   # worn" in text
    assert "# the left one is worn" in text
    assert tomllib.loads(text)["bpm"] == 97
    assert told[0].knobs == ((20, 1003), (0, 1023), (0, 1023), (0, 1023))
    assert told[0].cv[0] == (0, 656)
    assert "A: written to " in player.said[-1]


def test_a_simulated_panel_has_nothing_to_measure(serving, quick):
    serving.panel.name = "sim"

    with pytest.raises(PanelError, match="whose panel is simulated"):
        calibrate_box(Player())


def test_a_converter_that_does_not_answer_is_said_before_a_knob_is_turned(serving, quick):
    serving.panel.knobs.complaint = "knobs: no MCP3008 answers."
    player = Player()

    with pytest.raises(PanelError, match="no MCP3008 answers"):
        calibrate_box(player)
    assert player.said == []


def test_a_calibration_that_cannot_be_is_refused_by_the_box(serving, home):
    from device.client import call

    answer = call(home / "control.sock", {"do": "calibrate", "values": {"A": [5, 9000]}})

    assert not answer["ok"]
    assert "calibration.A = [5, 9000]: expected two counts" in answer["error"]
    panel = call(home / "control.sock", {"do": "panel"})["value"]
    assert panel["counts"] == [512, 512, 512, 512, 0, 0, 0, 0]
    assert panel["complaints"] == []


def test_nothing_is_written_where_all_is_skipped(serving, home, quick):
    player = Player(answers=[("", "s")])

    calibrate_box(player)

    assert not (home / "settings.toml").exists()
    assert "nothing is changed" in player.said[-1]
