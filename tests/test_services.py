"""Engine, keeper and learner as services: real processes that end and begin again in any order."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from loop_helpers import beats, write
from process_helpers import ROOT, ask, child_of, children, command_of, end, playing, wait_until

from device.keeper import QUIET_S, kept, recall, save
from device.learner import AWAY
from device.memory import digest, pack
from device.services import NO_KEEPER
from device.slot import pack as pack_slot
from device.slots import SlotFolder

LONG_S = 180  # who gives way gets little of a busy machine


@contextmanager
def service(home, verb, *words, prepare=None):
    """One service of a box as systemd starts it, from when it says that it is ready."""
    home.mkdir(exist_ok=True)
    address = home / f"{verb}.notify"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(20)
        process = subprocess.Popen(
            [sys.executable, "fathom.py", verb, *map(str, words)],
            cwd=ROOT,
            env={**os.environ, "NOTIFY_SOCKET": str(address)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=prepare,
        )
        try:
            assert systemd.recv(4096).startswith(b"READY=1")
            yield process
        finally:
            process.kill()
            process.communicate()


def keeper(home, **more):
    return service(home, "_keeper-service", home / "control.sock", home / "state.json", **more)


def learner(home):
    return service(home, "_learner-service", home / "slots", home / "learner.sock", home / "control.sock")


def state_of(home):
    return ask(home, do="state")["state"]


def notes_of(home):
    return state_of(home)["notes"]


def learner_of(home):
    return state_of(home)["learner"]


def remembered(home):
    """The settings of the state file, as they were set by hand."""
    return {key: value for key, (_, value) in recall(home / "state.json")[0].settings.items()}


def memory(**settings):
    return {"settings": {key: [0, value] for key, value in settings.items()}, "knobs": None, "voice": 0}


def ended(process, timeout=20):
    """End a service in good order; what it said."""
    process.terminate()
    _, said = process.communicate(timeout=timeout)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return said


# --- the engine alone ---------------------------------------------------------------------------------------


def test_an_engine_among_services_starts_neither_keeper_nor_learner_and_says_that_they_are_away(home):
    with playing(home, "--services") as box:
        assert wait_until(lambda: AWAY in notes_of(home))
        assert ask(home, do="train") == {"ok": False, "error": AWAY}
        words = [word for child in children(box.pid) for word in command_of(child)]
        assert not {"_keep", "_learner"} & set(words)
        assert wait_until(lambda: NO_KEEPER in notes_of(home), 20)
        end(box)


def test_what_was_changed_is_written_by_an_engine_that_ends_without_a_keeper(home):
    with playing(home, "--services") as box:
        ask(home, do="set", key="bpm", value=97)
        end(box)

    assert remembered(home) == {"bpm": 97}


def test_an_engine_that_was_not_touched_writes_nothing(home):
    with playing(home, "--services", "--bpm", 150) as box:
        end(box)

    assert not (home / "state.json").exists()


# --- the keeper ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["keeper", "engine"])
def test_the_keeper_writes_while_the_box_plays_whichever_began_first(home, first):
    both = [keeper(home), playing(home, "--services")]
    a, b = both if first == "keeper" else both[::-1]
    with a as one, b as other:
        keeping, box = (one, other) if first == "keeper" else (other, one)
        ask(home, do="set", key="bpm", value=97)
        assert wait_until((home / "state.json").exists, QUIET_S + 5)
        assert remembered(home) == {"bpm": 97}
        end(box)
        ended(keeping)


def test_of_an_engine_that_is_killed_the_keeper_writes_what_it_knew_before_the_next_one_reads(home):
    with keeper(home) as keeping:
        for bpm in (97, 98):
            with playing(home, "--services") as box:
                ask(home, do="set", key="bpm", value=bpm)
                time.sleep(1.5)  # it has been asked since, and nothing is written yet
                box.kill()
                box.wait()
            with playing(home, "--services") as box:
                assert state_of(home)["bpm"] == bpm
                end(box)
        ended(keeping)

    assert remembered(home) == {"bpm": 98}


def test_what_an_engine_wrote_in_the_end_is_later_than_what_the_keeper_knew(home):
    with keeper(home) as keeping, playing(home, "--services") as box:
        ask(home, do="set", key="bpm", value=97)
        time.sleep(1.5)  # the keeper knows of that
        ask(home, do="set", key="bpm", value=98)
        end(box)
        ended(keeping)

    assert remembered(home) == {"bpm": 98}


def test_a_keeper_that_is_killed_and_comes_back_finds_out_what_it_missed(home):
    with playing(home, "--services") as box:
        with keeper(home) as keeping:
            ask(home, do="set", key="bpm", value=97)
            assert wait_until(lambda: remembered(home) == {"bpm": 97}, QUIET_S + 5)
            keeping.kill()
            keeping.wait()
        ask(home, do="set", key="bpm", value=120)  # as it was in the beginning
        with keeper(home):
            assert wait_until(lambda: remembered(home) == {}, QUIET_S + 5)
        box.kill()


def test_a_keeper_that_comes_back_leaves_the_generation_before_alone(home):
    home.mkdir()
    save(home / "state.json", pack(memory(seed=7)))
    with playing(home, "--services") as box, keeper(home) as keeping:
        ask(home, do="set", key="bpm", value=97)
        assert wait_until(lambda: remembered(home).get("bpm") == 97, QUIET_S + 5)
        before = (home / "state.previous").read_bytes()
        keeping.kill()
        keeping.wait()
        with keeper(home) as again:
            time.sleep(QUIET_S + 1.5)
            ended(again)
        end(box)

    assert (home / "state.previous").read_bytes() == before


def test_a_fresh_start_leaves_what_is_kept_alone_until_something_is_changed(home):
    home.mkdir()
    save(home / "state.json", pack(memory(seed=7)))
    with keeper(home) as keeping, playing(home, "--services", "--fresh") as box:
        time.sleep(QUIET_S + 1.5)
        assert kept(home / "state.json") == digest(memory(seed=7))
        ask(home, do="set", key="bpm", value=97)
        assert wait_until(lambda: remembered(home) == {"bpm": 97}, QUIET_S + 5)
        end(box)
        ended(keeping)


def test_a_keeper_that_is_stopped_first_writes_at_once(home):
    with playing(home, "--services") as box, keeper(home) as keeping:
        ask(home, do="set", key="bpm", value=97)
        time.sleep(1.5)
        ended(keeping)
        assert remembered(home) == {"bpm": 97}
        box.kill()


def test_a_full_disk_is_said_in_the_journal_and_in_the_state_and_taken_back(home):
    home.mkdir()
    save(home / "state.json", pack(memory(seed=7)))

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))  # a state file is larger

    file = home / "state.json"
    sentence = f"{file}: File too large. What is changed by hand is not kept until that is well."
    with playing(home, "--services") as box, keeper(home, prepare=full) as keeping:
        ask(home, do="set", key="bpm", value=97)
        assert wait_until(lambda: sentence in notes_of(home), QUIET_S + 5)
        assert kept(home / "state.json") == digest(memory(seed=7))
        resource.prlimit(keeping.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert wait_until(lambda: remembered(home).get("bpm") == 97, QUIET_S + 5)
        assert wait_until(lambda: sentence not in notes_of(home))
        end(box)
        said = ended(keeping)

    assert said.splitlines() == [sentence, f"{file}: what is changed by hand is kept again."]


def test_the_keeper_loads_no_arrays():
    code = "import fathom, device.keeper_service, device.silence, sys; print('numpy' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


# --- the learner --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(home, slot):
    """A box with one slot, and loops that are learned in a second or trained for half a minute."""
    for name, steps in (("a", "x...x...x...x..."), ("b", "x..x..x...x.x..."), ("c", "..x...x...x...xx")):
        write(home / "loops" / f"{name}-120bpm.wav", beats(steps * 2))
    folder = SlotFolder(home / "slots")
    folder.save(1, pack_slot(slot))
    return folder


def train(home, slot=2, **more):
    """Begin to learn, as soon as the learner is there."""
    answers = []
    ask_for = {"do": "train", "slot": slot, "eager": True, **more}
    assert wait_until(lambda: bool(answers and answers[-1]["ok"]) or answers.append(ask(home, **ask_for)))


def test_a_learner_that_begins_after_the_engine_learns_and_hands_over(home, folder):
    with playing(home, "--services", "--slot", 1) as box:
        assert wait_until(lambda: AWAY in notes_of(home))
        with learner(home) as service:
            train(home)
            assert wait_until(lambda: learner_of(home)["state"] == "done", LONG_S)
            assert learner_of(home)["offered"] == 2
            assert AWAY not in notes_of(home)
            assert ask(home, do="slots", slots=[2])["ok"]
            assert wait_until(lambda: state_of(home)["slots"] == ["slot 2"])
            ended(service)
        end(box)


def test_a_learner_that_is_killed_is_a_sentence_and_the_next_one_learns(home, folder):
    with playing(home, "--services", "--slot", 1) as box:
        with learner(home) as service:
            train(home, trainings=16)
            number = child_of(service.pid, "learn")
            assert wait_until(lambda: learner_of(home)["state"] == "training", LONG_S)
            service.kill()
            service.wait()
            assert wait_until(lambda: learner_of(home)["state"] == "failed")
            assert learner_of(home)["says"].startswith("learning: its service ended; slot 2 is as it was")
            assert wait_until(lambda: not command_of(number)), "nobody learns on for nobody"
        with learner(home):
            train(home)
            assert wait_until(lambda: learner_of(home)["state"] == "done", LONG_S)
        end(box)


def test_a_learning_outlives_an_engine_that_is_killed_and_is_watched_by_the_next_one(home, folder):
    with learner(home) as service:
        with playing(home, "--services", "--slot", 1) as box:
            train(home, trainings=16)
            assert wait_until(lambda: learner_of(home)["state"] == "training", LONG_S)
            number = child_of(service.pid, "learn")
            box.kill()
            box.wait()
        assert command_of(number)
        with playing(home, "--services", "--slot", 1) as box:
            assert wait_until(lambda: learner_of(home)["state"] == "training")
            assert command_of(number)
            assert ask(home, do="cancel")["says"] == "slot 2 is learned no longer."
            assert wait_until(lambda: learner_of(home)["says"] == "cancelled: slot 2 is as it was.")
            end(box)
        ended(service)


def test_a_slot_that_is_finished_while_no_engine_is_there_is_offered_by_the_next_one_and_only_once(
    home, folder
):
    with learner(home) as service:
        with playing(home, "--services", "--slot", 1) as box:
            train(home, trainings=2)
            box.kill()
            box.wait()
        assert wait_until(lambda: folder.filled() == [1, 2], LONG_S)
        assert wait_until(lambda: not children(service.pid))
        with playing(home, "--services", "--slot", 1) as box:
            assert wait_until(lambda: learner_of(home)["offered"] == 2)
            ask(home, do="cancel")
            end(box)
        with playing(home, "--services", "--slot", 1) as box:
            train(home, slot=3, paths=["nowhere"])
            assert wait_until(lambda: learner_of(home)["state"] == "failed")
            assert learner_of(home)["offered"] is None
            end(box)
        said = ended(service)

    assert "slot 2: 3 takes learned in " in said


def test_a_learner_that_is_ended_ends_what_it_has_begun(home, folder):
    with playing(home, "--services", "--slot", 1) as box, learner(home) as service:
        train(home, trainings=16)
        number = child_of(service.pid, "learn")
        ended(service)
        assert not command_of(number)
        assert not (home / "learner.sock").exists()
        assert folder.filled() == [1]
        end(box)


def test_a_second_learner_leaves_the_first_alone(home):
    with learner(home):
        words = [sys.executable, "fathom.py", "_learner-service"]
        words += [str(home / name) for name in ("slots", "learner.sock", "control.sock")]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=20)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "another Fathom" in done.stderr


# --- the engine and systemd ---------------------------------------------------------------------------------


def test_an_engine_that_hangs_no_longer_feeds_the_watchdog(home, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        with playing(home, "--services") as box:
            heard = []
            systemd.settimeout(20)
            while heard.count(b"WATCHDOG=1") < 5:
                heard.append(systemd.recv(4096))
            assert b"READY=1" in heard
            box.send_signal(signal.SIGSTOP)
            systemd.settimeout(0.5)
            with pytest.raises(TimeoutError):
                while True:
                    systemd.recv(4096)
            box.send_signal(signal.SIGCONT)
            systemd.settimeout(20)
            assert systemd.recv(4096) == b"WATCHDOG=1"
            box.terminate()
            while b"STOPPING=1" not in heard:
                heard.append(systemd.recv(4096))
            box.communicate(timeout=20)
            assert box.returncode == 0
