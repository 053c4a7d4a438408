import pytest
from conftest import run_until

from device.cabling import Cabling
from device.settings import Settings


class Bay:
    """A patch bay that does nothing but remember."""

    def __init__(self):
        self.wishes, self.waiting, self.complaint, self.open = [], [], "", True

    def wish(self, wishes):
        self.wishes.append(wishes)

    def events(self):
        events, self.waiting = self.waiting, []
        return events

    def close(self):
        self.open = False


@pytest.fixture
def cabled(make_box):
    """A box whose ports say that they are JACK's, its cabling and the patch bay behind it."""

    def make(settings):
        box, bay = make_box(), Bay()
        box.panel.midi[0].system, box.panel.midi[0].listed = "JACK", "Fathom:out"
        box.panel.inputs[0].system, box.panel.inputs[0].listed = "JACK", "Fathom in:in"

        def start(system, wishes):
            bay.wishes.append((system, wishes))
            return bay

        box.cabling = Cabling(box.panel, box.engine.output, settings, start)
        return box, bay

    return make


def test_what_the_settings_name_is_wished_for(cabled):
    _, bay = cabled(Settings().changed("midi_out", ["TR-8*"]).changed("midi_in", ["*"]))

    assert bay.wishes == [("JACK", [("Fathom:out", "TR-8*"), ("Fathom in:in", "*")])]


def test_nothing_runs_beside_a_box_that_names_nothing(cabled):
    _, bay = cabled(Settings())

    assert bay.wishes == []


def test_another_name_is_wished_for_while_it_plays(cabled):
    box, bay = cabled(Settings().changed("midi_out", ["TR-8*"]))
    box.player.change("midi_out", ["MicroFreak"])

    box.attend_cables()
    box.attend_cables()

    assert bay.wishes[1:] == [[("Fathom:out", "MicroFreak")]]


def test_a_synthesiser_that_comes_back_is_told_to_end_what_it_sounds(cabled):
    box, bay = cabled(Settings().changed("midi_out", ["TR-8*"]))
    box.engine.start()
    run_until(box.engine, 4.0)
    box.engine.stop()
    before = len(box.engine.output.tape.entries)
    bay.waiting = [("connected", "Fathom:out", "TR-8S:midi")]

    box.attend_cables()

    assert [entry["midi"] for entry in box.engine.output.tape.entries[before:]] == [[0x80, 36, 64]]


def test_a_port_that_refuses_is_said_until_it_is_connected_or_gone(cabled):
    box, bay = cabled(Settings().changed("midi_out", ["TR-8*"]))
    bay.waiting = [("refused", "Fathom:out", "TR-8S:midi")]
    box.attend_cables()
    assert "MIDI: TR-8S:midi does not let itself be connected with Fathom:out." in box.complaints

    bay.waiting = [("gone", "Fathom:out", "TR-8S:midi")]
    box.attend_cables()

    assert box.complaints == []


def test_a_first_name_while_it_plays_waits_for_the_next_start_and_says_so(cabled):
    box, bay = cabled(Settings())
    box.player.change("midi_out", ["TR-8*"])

    box.attend_cables()

    assert bay.wishes == []
    assert box.complaints == [
        "MIDI: more ports, and the first that is connected by name, come with the next start."
    ]


def test_the_din_socket_is_no_wish_and_comes_and_goes_with_a_start(cabled):
    box, bay = cabled(Settings().changed("midi_out", ["TR-8*"]))

    box.player.change("midi_out", ["din"])
    box.attend_cables()

    assert bay.wishes[-1] == []
    assert box.cabling.complaint == "MIDI: the DIN sockets come and go with the next start."
    box.player.change("midi_out", ["TR-8*"])
    box.attend_cables()
    assert box.cabling.complaint == ""
