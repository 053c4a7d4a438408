import base64
import contextlib
import itertools
import json
import socket
import threading

import pytest
from conftest import pattern, play_pattern, run_until

from device.client import call
from device.messages import LONGEST
from device.remote import ENOUGH_NS, MOST_CLIENTS, MOST_LINES, Remote
from device.slot import pack
from hw.errors import PanelError


@pytest.fixture
def box(make_box, slot, other_slot, tmp_path):
    """An engine whose box has an open control socket."""
    box = make_box(library={1: slot, 2: other_slot}, slots=[slot])
    remote = Remote(box, tmp_path / "control.sock")
    yield box.engine, remote
    remote.close()


def talk(remote, *lines):
    """Send lines as one client and return the answers that come back."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(remote.path))
        client.sendall(
            b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
        )
        client.setblocking(False)
        received = b""
        for _ in range(200):
            remote.serve()
            try:
                received += client.recv(1 << 20)
            except BlockingIOError:
                continue
    for _ in range(2):
        remote.serve()  # notices that the client has gone
    return [json.loads(line) for line in received.splitlines()]


def test_start_stop_turn_and_set_do_what_they_say(box):
    engine, remote = box

    answers = talk(
        remote,
        {"do": "start"},
        {"do": "turn", "knob": "B", "to": 0.25},
        {"do": "turn", "knob": "B", "by": 0.5},
        {"do": "set", "key": "voice.1.note", "value": 40},
    )

    assert answers == [{"ok": True}] * 4
    assert engine.player.playing
    assert engine.panel.knobs.values[1] == 0.75
    assert engine.player.settings.voices[0].note == 40


def test_a_slot_is_taken_in_piece_by_piece_while_others_are_answered(box, other_slot, monkeypatch):
    engine, remote = box
    now = itertools.count(0, ENOUGH_NS // 2)  # every look at the clock finds that time has passed
    monkeypatch.setattr(engine.time, "now", lambda: next(now))
    blob = base64.b64encode(pack(other_slot)).decode()
    with socket.socket(socket.AF_UNIX) as learner, socket.socket(socket.AF_UNIX) as other:
        heard = {learner: b"", other: b""}
        for client in heard:
            client.connect(str(remote.path))
            client.setblocking(False)
        load = json.dumps({"do": "load", "slot": 1, "blob": blob}).encode()
        asked = 0
        learner.sendall(load + b'\n{"do": "get", "key": "bpm"}\n')
        for _ in range(200):
            if heard[other].count(b"\n") == asked:
                other.sendall(b'{"do": "get", "key": "voice"}\n')
                asked += not heard[learner]
            remote.serve()
            for client in heard:
                with contextlib.suppress(BlockingIOError):
                    heard[client] += client.recv(1 << 20)

    first, second = heard[learner].splitlines()
    assert json.loads(first) == {
        "ok": True,
        "says": "slot 1 comes in on the next bar line of the box that plays.",
    }
    assert json.loads(second) == {"ok": True, "value": 120.0}
    assert asked > 5, "so often was another client answered before the slot was in"


def test_the_state_says_what_plays(box, slot):
    engine, remote = box
    engine.start()
    run_until(engine, 2.0)

    (answer,) = talk(remote, {"do": "state"})

    state = answer["state"]
    assert state["playing"]
    assert state["beat"] == pytest.approx(2.0, abs=0.1)
    assert state["slots"] == ["slot 1"]
    assert state["hits"][0] == slot.decoder.decode([0.5] * 4).pattern().hits[0].astype(int).tolist()


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"hello\n", "message not understood"),
        (b"\xff\xfe\x00\n", "message not understood"),
        (b"[1, 2]\n", "message not understood"),
        ({"do": "explode"}, "Known are start, stop, toggle, rewind"),
        ({"do": "turn", "knob": "E", "to": 0.5}, "knob 'E', expected A, B, C or D"),
        ({"do": "turn", "knob": "A", "to": 7}, "A = 7: expected 0 to 1"),
        ({"do": "set", "key": "bpm", "value": 900}, "bpm = 900: expected a number from 20 to 300"),
        ({"do": "set", "key": "bpm", "value": {"a": []}}, "expected a number from 20 to 300"),
        ({"do": "slots", "slots": [9]}, "slot 9: empty"),
        ({"do": "slots", "slots": []}, "slots: 0 of them, expected 1 to 16"),
        ({"do": "slots", "slots": [1] * 16 + [2]}, "slots: 17 of them, expected 1 to 16"),
        ({"do": "slots", "slots": [99]}, "slot 99: expected a number from 1 to 16"),
        ({"do": "nudge", "key": "voice.1.pitch", "by": 1}, "expected a number, and a setting that is one"),
        ({"do": "load", "slot": 1, "blob": "AAAA"}, "slot 1: not a whole slot file"),
        (b'{"do":"set","key":"bpm","value":' + b"[" * 3000 + b"]" * 900 + b"}\n", "message not understood"),
        (b'{"do":"set","key":"bpm","value":' + b"[" * 100_000 + b"}\n", "expected at most 4096"),
        (b'{"do":"set","key":"bpm","value":' + b"9" * 400 + b"}\n", "bpm = a number of many digits"),
        ({"do": "set", "key": "bpm", "value": [0] * 1000}, "bpm = [0, 0, 0, 0, 0, 0, ...]"),
        ({"do": "set", "key": f"voice.{'1' * 3000}.note", "value": 1}, "is not a setting"),
        ({"do": "set", "key": "slots", "value": [1] * 17}, "expected 1 to 16 slot numbers"),
        (b'{"do":"turn","knob":"A","to":1e999}\n', "message not understood"),
    ],
)
def test_what_cannot_be_done_is_answered_in_one_sentence(box, message, said):
    engine, remote = box
    engine.start()
    before = engine.player.settings

    (answer,) = talk(remote, message)

    assert not answer["ok"]
    assert said in answer["error"]
    assert engine.player.settings == before
    assert engine.player.playing


def test_a_new_slot_comes_in_whole_over_the_socket(box, other_slot):
    engine, remote = box

    (answer,) = talk(remote, {"do": "load", "slot": 1, "blob": base64.b64encode(pack(other_slot)).decode()})

    assert answer == {"ok": True, "says": "slot 1 comes in on the next bar line of the box that plays."}
    assert engine.player.ensemble.slots[0].about == other_slot.about


@pytest.mark.parametrize("number", [0, 17, -1, 10**30])
def test_a_good_slot_for_a_number_that_the_panel_has_not_is_refused(box, other_slot, number):
    engine, remote = box
    blob = base64.b64encode(pack(other_slot)).decode()

    (answer,) = talk(remote, {"do": "load", "slot": number, "blob": blob})

    assert not answer["ok"]
    assert set(engine.player.library) == {1, 2}


def test_clients_that_are_silent_make_room_for_others(box):
    _, remote = box
    silent = []
    for _ in range(3 * MOST_CLIENTS):
        silent.append(socket.socket(socket.AF_UNIX))
        silent[-1].connect(str(remote.path))
        remote.serve()

    assert len(remote.clients) == MOST_CLIENTS
    assert talk(remote, {"do": "stop"}) == [{"ok": True}]
    for client in silent:
        client.close()


def test_a_client_that_sends_without_end_is_dropped(box):
    _, remote = box
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(remote.path))
        client.setblocking(False)
        sent = 0
        with pytest.raises(ConnectionError):
            while sent < 4 * LONGEST:
                try:
                    sent += client.send(b"x" * 65536)
                except BlockingIOError:
                    remote.serve()
    assert remote.clients == []


def test_a_client_that_never_reads_is_dropped_and_the_others_are_served(box):
    _, remote = box
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(remote.path))
        deaf.sendall(b'{"do":"state"}\n' * 2000)
        for _ in range(600):
            remote.serve()
        assert remote.clients == []
        assert talk(remote, {"do": "stop"}) == [{"ok": True}]


def test_a_watcher_that_has_not_read_the_last_state_gets_no_more(box):
    _, remote = box
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(remote.path))
        client.sendall(b'{"do":"watch"}\n')
        for _ in range(5000):
            remote.serve()
            remote.publish()
        (held,) = remote.clients
        assert len(held.unsent) < 100_000


def test_a_second_box_leaves_the_first_ones_socket_alone(box, make_box):
    _, remote = box

    with pytest.raises(PanelError, match="another Fathom plays there already"):
        Remote(make_box(), remote.path)


def test_a_dead_boxs_socket_is_taken_over(make_box, tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    Remote(make_box(), path).close()

    assert not path.exists()


def test_a_path_that_is_too_long_for_a_socket_is_said(make_box, tmp_path):
    with pytest.raises(PanelError, match="longer than 107 bytes; set FATHOM_SOCKET"):
        Remote(make_box(), tmp_path / ("x" * 120) / "control.sock")


def test_a_call_reaches_the_box_and_says_where_none_runs(box, tmp_path):
    engine, remote = box
    done = threading.Event()

    def serve():
        while not done.is_set():
            remote.serve()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert call(remote.path, {"do": "start"}) == {"ok": True}
    finally:
        done.set()
        thread.join()
    assert engine.player.playing
    with pytest.raises(PanelError, match="no box is running at"):
        call(tmp_path / "nothing.sock", {"do": "start"})


def test_one_pass_answers_a_few_lines_and_every_client_has_its_turn(box):
    _, remote = box
    with socket.socket(socket.AF_UNIX) as loud, socket.socket(socket.AF_UNIX) as quiet:
        for client in (loud, quiet):
            client.connect(str(remote.path))
            remote.serve()
        loud.sendall(b'{"do":"stop"}\n' * 1000)
        quiet.sendall(b'{"do":"stop"}\n')
        for _ in range(3):
            remote.serve()
        loud.setblocking(False)
        quiet.setblocking(False)
        assert len(loud.recv(1 << 20).splitlines()) <= 3 * MOST_LINES
        assert quiet.recv(1 << 20) == b'{"ok":true}\n'


def test_serving_clients_does_not_move_the_music(box):
    engine, remote = box
    play_pattern(engine, pattern("x" * 16))
    engine.start()
    talk(remote, *[b"nonsense\n"] * 200)
    run_until(engine, 8.0)

    assert engine.health.dropped == 0
    assert engine.health.worst_ns == 0


def test_what_is_amiss_elsewhere_is_told_among_the_notes_until_it_is_well(box):
    engine, remote = box
    sentence = "state.json: No space left on device."

    talk(remote, {"do": "complain", "of": "keeper", "says": "state.json: the first."})
    talk(remote, {"do": "complain", "of": "stick", "says": "stick: pulled out."})
    talk(remote, {"do": "complain", "of": "keeper", "says": sentence})
    assert state(remote)["notes"][-2:] == ["stick: pulled out.", sentence]
    assert remote.box.panel is engine.panel
    remote.box.light_lamps()
    assert engine.panel.lamps.states["clock"] == "double"

    talk(remote, {"do": "complain", "of": "keeper"}, {"do": "complain", "of": "stick", "says": ""})
    assert state(remote)["notes"] == engine.panel.notes
    remote.box.light_lamps()
    assert engine.panel.lamps.states["clock"] != "double"


def test_nobody_can_fill_the_notes_with_complaints(box):
    _, remote = box
    before = len(state(remote)["notes"])

    for number in range(100):
        talk(remote, {"do": "complain", "of": f"number {number}", "says": f"{number}: amiss."})
    (answer,) = talk(remote, {"do": "complain", "of": "x", "says": "y" * 301})

    assert len(state(remote)["notes"]) - before == 8
    assert state(remote)["notes"][-1] == "99: amiss."
    assert not answer["ok"]


def test_memory_says_whether_anything_was_changed_since_the_start(box):
    _, remote = box

    (before,) = talk(remote, {"do": "memory"})
    talk(remote, {"do": "set", "key": "bpm", "value": 97})
    (changed,) = talk(remote, {"do": "memory"})
    talk(remote, {"do": "set", "key": "bpm", "value": 120})
    (put_back,) = talk(remote, {"do": "memory"})

    assert "touched" not in before
    assert changed["touched"]
    assert put_back["touched"], "what was written meanwhile is to be written again"
    assert put_back["memory"] == before["memory"]


def state(remote):
    return talk(remote, {"do": "state"})[0]["state"]
