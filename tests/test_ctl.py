"""`fathom ctl` in words: what it sends, what it prints, and what it says when that cannot be done."""

import json
import threading

import pytest

import fathom
from device import messages
from device.remote import Remote


@pytest.fixture
def box(make_box, slot, other_slot, home):
    """A box that listens where `fathom ctl` speaks to."""
    box = make_box(library={1: slot, 2: other_slot})
    remote = Remote(box, home / "control.sock")
    done = threading.Event()

    def serve():
        while not done.is_set():
            remote.serve()
            done.wait(0.001)

    thread = threading.Thread(target=serve)
    thread.start()
    yield box
    done.set()
    thread.join()
    remote.close()


def ctl(capsys, *words):
    """Exit status, stdout and stderr."""
    status = fathom.main(["ctl", *words])
    printed = capsys.readouterr()
    return status, printed.out.strip(), printed.err.strip()


@pytest.mark.parametrize(
    ("words", "key", "printed"),
    [
        ("bpm 140", "bpm", "140.0"),
        ("voice.1.density 0.7", "voice.1.density", "0.7"),
        ("voices.mute true", "voice.4.mute", "true"),
        ("clock midi", "clock", '"midi"'),
        ("clock_in 24", "clock_in", '"24"'),
        ("voice.2.delay_ms -12.5", "voice.2.delay_ms", "-12.5"),
        ("voice.1.scale minor", "voice.1.scale", '"minor"'),
        ("voice.1.pitch 0 3 7", "voice.1.pitch", "[0, 3, 7]"),
        ("voice.1.pitch 5", "voice.1.pitch", "[5]"),
        ("voice.1.pitch []", "voice.1.pitch", "[]"),
        ("home 0 0.25 0.5 1", "get home", "[0.0, 0.25, 0.5, 1.0]"),
        ("cc.10.74 voice.1.density", "cc.10.74", '"voice.1.density"'),
        ("A 0.25", "A", "0.25"),
        ("slot 2", "slot", "[2]"),
        ("slots 1 2", "slots", "[1, 2]"),
        ("voice 3", "voice", "3"),
        ("nudge bpm -20", "bpm", "100.0"),
        ("set bpm 90", "bpm", "90.0"),
        ("turn B 1", "B", "1.0"),
    ],
)
def test_a_setting_and_a_value_set_it_and_a_setting_alone_prints_it(box, capsys, words, key, printed):
    assert ctl(capsys, *words.split()) == (0, '{"ok": true}', "")
    assert ctl(capsys, *key.split()) == (0, printed, "")


def test_messages_are_sent_by_their_names(box, capsys):
    for words in ("start", "hold true", "learn voice.1.density", "record 2", "locate 8", "generate"):
        assert ctl(capsys, *words.split()) == (0, '{"ok": true}', "")
    assert ctl(capsys, "undo")[0] == 0

    assert box.player.playing
    assert box.desk.held
    assert box.controls.learning == "voice.1.density"
    assert box.desk.recording == 1
    assert box.desk.knobs == [0.5] * 4
    status, printed, _ = ctl(capsys, "state")
    assert status == 0
    assert json.loads(printed)["state"]["playing"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bpm 900", "bpm = 900: expected a number from 20 to 300 beats a minute"),
        ("bpm fast", "bpm = 'fast': expected a number from 20 to 300 beats a minute"),
        ("voice.1.colour 3", "'voice.1.colour' is neither a setting"),
        (
            "explode",
            "'explode' is neither a setting (bpm, voices.density, voice.1.note) nor a message. Known are",
        ),
        ("slot 9", "slot 9: empty; filled slots: 1, 2."),
        ("slot nine", "message not understood"),
        ("A 7", "A = 7: expected 0 to 1"),
        ("undo it", "undo: words after it: 1, expected at most 0."),
        ("learn tempo", "learn = 'tempo': expected a setting that is a number"),
        ("voice 17", "voice = 17: expected a whole number from 1 to 16"),
        ("cc.130 A", "cc.'130': expected a control change from 0 to 119"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_status_1(box, capsys, words, said):
    before = box.player.settings
    status, printed, sentence = ctl(capsys, *words.split())

    assert (status, printed) == (1, "")
    assert said in sentence
    assert "\n" not in sentence
    assert box.player.settings == before


def test_undo_and_redo_say_what_came_back(box, capsys):
    assert ctl(capsys, "undo") == (0, '{"ok": true, "says": "nothing to undo."}', "")
    ctl(capsys, "bpm", "130")
    assert ctl(capsys, "undo") == (0, '{"ok": true, "says": "undone: bpm 130 -> 120."}', "")
    assert ctl(capsys, "redo") == (0, '{"ok": true, "says": "done again: bpm 120 -> 130."}', "")


def test_json_is_answered_in_json(box, capsys):
    assert ctl(capsys, '{"do": "get", "key": "bpm"}') == (0, '{"ok": true, "value": 120.0}', "")
    assert ctl(capsys, '{"do":', '"start"}') == (0, '{"ok": true}', "")
    status, printed, sentence = ctl(capsys, '{"do": "set", "key": "bpm", "value": 900}')
    assert (status, sentence) == (1, "")
    assert json.loads(printed)["error"].startswith("bpm = 900")


def test_home_alone_goes_there_and_with_places_says_where_it_is(box, capsys):
    assert messages.from_words(["home"]) == {"do": "home"}
    assert ctl(capsys, "get", "home") == (0, "[0.5, 0.5, 0.5, 0.5]", "")
