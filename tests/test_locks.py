"""Two engines with one folder: the second says so, and the first is left alone."""

import fcntl
import json
import os
import subprocess
import sys
import time

import pytest
from loop_helpers import beats, write
from process_helpers import ROOT, ask, end, playing

from device.keeper import recall
from device.locks import alone, playing_alone
from hw.errors import PanelError


def state_of(home):
    return ask(home, do="state")["state"]


def play_once(*words):
    return subprocess.run(
        [
            sys.executable,
            "fathom.py",
            "play",
            "--no-display",
            "--bars",
            "1",
            "--bpm",
            "300",
            *map(str, words),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refusal(home):
    return (
        f"{home}: a Fathom plays with this folder already. End it first (`fathom ctl quit`), or name another "
        "folder for this one in FATHOM_HOME."
    )


@pytest.mark.parametrize("socket_path", [None, "/nowhere/control.sock"])
def test_a_second_engine_says_that_one_plays_already_and_leaves_it_alone(home, monkeypatch, socket_path):
    with playing(home) as box:
        before = state_of(home)["beat"]
        if socket_path:
            monkeypatch.setenv("FATHOM_SOCKET", socket_path)
        second = play_once()
        monkeypatch.delenv("FATHOM_SOCKET", raising=False)

        assert (second.returncode, second.stderr.splitlines()) == (1, [refusal(home)])
        assert state_of(home)["beat"] > before
        end(box)
    assert play_once().returncode == 0, "as soon as the first has ended"


def test_who_plays_for_a_tape_or_in_simulated_time_is_not_held_up(home, tmp_path):
    with playing(home) as box:
        ask(home, do="set", key="bpm", value=97)
        taped = play_once("--tape", tmp_path / "t")
        simulated = play_once("--time", "sim")
        assert state_of(home)["bpm"] == 97
        end(box)

    assert (taped.returncode, simulated.returncode) == (0, 0)
    assert f"{refusal(home)} This one plays without display, keys and ctl." in taped.stderr.splitlines()
    assert json.loads((tmp_path / "t").read_text().splitlines()[0])
    kept = recall(home / "state.json")[0].settings
    kept = {key: value for key, (_, value) in kept.items()}
    assert kept == {"bpm": 97}, "who plays for a tape keeps its hands off"


def test_an_engine_that_is_killed_leaves_no_lock_behind(home):
    with playing(home) as box:
        box.kill()
        box.wait()

    assert play_once().returncode == 0


def test_the_library_of_loops_can_be_changed_while_a_box_plays(home, tmp_path):
    write(tmp_path / "loop.wav", beats("x...x...x...x..." * 2))
    with playing(home) as box:
        done = subprocess.run(
            [sys.executable, "fathom.py", "loops", "set", str(tmp_path / "loop.wav"), "--bars", "2"],
            cwd=ROOT,
            capture_output=True,
            timeout=30,
        )
        assert done.returncode == 0
        with (home / "playing.lock").open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        end(box)


# --- locks -------------------------------------------------------------------------------------------------


def other(folder, code):
    """What another process prints that does something with the locks of a folder."""
    code = f"from pathlib import Path; from device.locks import *; folder = Path({str(folder)!r}); {code}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    return done.stdout or done.stderr


SENTENCE = "a Fathom plays with this folder already. End it first"
PLAY = "\nwith playing_alone(folder): print('plays')"


def test_where_nothing_can_be_written_one_plays_alone_as_well(tmp_path, monkeypatch):
    (tmp_path / "slots").mkdir()
    opened = os.open

    def refuse(path, *words):
        if str(path).endswith(".lock"):
            raise OSError(30, "Read-only file system")
        return opened(path, *words)

    monkeypatch.setattr("device.locks.os.open", refuse)

    with playing_alone(tmp_path), pytest.raises(PanelError, match=SENTENCE), playing_alone(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "slots"]


def test_a_folder_that_cannot_be_there_holds_nobody_up(tmp_path):
    (tmp_path / "home").write_text("a file")

    assert other(tmp_path / "home", PLAY) == "plays\n"
    with alone(tmp_path / "home", 0.0):
        pass


def test_who_waits_for_anothers_hand_waits_no_longer_than_it_says(tmp_path):
    with alone(tmp_path, 0.0):
        assert other(tmp_path, "\nwith alone(folder, 0.1): print('went on')") == "went on\n"


def test_a_hand_at_the_files_waits_for_the_other(tmp_path):
    with alone(tmp_path, 0.0):
        code = f"""
from pathlib import Path; from device.locks import alone; import sys
folder = Path({str(tmp_path)!r})
print('begun', flush=True)
with alone(folder, 20.0): print((folder / 'said').read_text())
"""
        waits = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert waits.stdout.readline() == "begun\n"
        time.sleep(0.2)
        (tmp_path / "said").write_text("done first")
    assert waits.communicate(timeout=20)[0] == "done first\n"


def test_a_sentence_names_the_folder_and_what_to_do_and_holds_as_long_as_the_first_plays(tmp_path):
    home = tmp_path / "home"
    with playing_alone(home), pytest.raises(PanelError, match=f"home: {SENTENCE}"), playing_alone(home):
        pass

    with playing_alone(home):
        pass
