import json
import os
import resource
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from process_helpers import ask, child_of, command_of, end, playing, wait_until

from device import keeper as keeper_room
from device.keeper import LONGEST_S, QUIET_S, Keeper, kept, previous, recall, save
from device.memory import Memory, digest, pack

ROOT = Path(__file__).parents[1]


def memory(**settings):
    """What a box says it remembers: these settings, which the file has as 0."""
    return {"settings": {key: [0, value] for key, value in settings.items()}, "knobs": None, "voice": 0}


NOTHING = memory()


class Disk:
    """What is written, and when; `full` refuses."""

    def __init__(self):
        self.now = 0.0
        self.writes = []
        self.asked = 0
        self.full = False

    def write(self, data):
        self.asked += 1
        if self.full:
            raise OSError(28, "No space left on device")
        self.writes.append((self.now, data))


def watch(keeper, disk, seen, until):
    """Let the keeper see `seen(second)` once a second."""
    while disk.now < until:
        keeper.saw(seen(disk.now), disk.now)
        disk.now += 1.0


# --- when it is written -------------------------------------------------------------------------------------


def test_nothing_is_written_where_nothing_was_changed():
    disk = Disk()
    keeper = Keeper(disk.write, digest(NOTHING))

    watch(keeper, disk, lambda now: NOTHING, 100)

    assert keeper.end()
    assert disk.writes == []


def test_what_was_changed_before_the_box_was_first_asked_is_written_too():
    disk = Disk()
    keeper = Keeper(disk.write, digest(NOTHING))

    keeper.saw(memory(bpm=97), 0.5)
    keeper.end()

    assert [data for _, data in disk.writes] == [pack(memory(bpm=97))]


def test_it_is_written_three_seconds_after_the_last_change():
    disk = Disk()
    keeper = Keeper(disk.write, digest(NOTHING))

    watch(keeper, disk, lambda now: memory(bpm=min(now, 5.0)), 60)

    assert disk.writes == [(5 + QUIET_S, pack(memory(bpm=5.0)))]


def test_a_player_who_turns_without_end_is_written_every_fifteen_seconds():
    disk = Disk()
    keeper = Keeper(disk.write, digest(NOTHING))

    watch(keeper, disk, lambda now: memory(bpm=now), 100)

    times = [now for now, _ in disk.writes]
    assert times == [LONGEST_S + n * (LONGEST_S + 1) for n in range(6)]


def test_what_was_put_back_before_it_was_written_is_not_written():
    disk = Disk()
    keeper = Keeper(disk.write, digest(NOTHING))

    watch(keeper, disk, lambda now: memory(bpm=97) if now == 3 else NOTHING, 30)
    keeper.end()

    assert disk.writes == []


def test_a_full_disk_is_tried_again_every_three_seconds_and_at_the_end():
    disk = Disk()
    keeper = Keeper(disk.write, digest(NOTHING))
    disk.full = True

    watch(keeper, disk, lambda now: memory(bpm=97), 30)
    assert 8 <= disk.asked <= 10
    assert not keeper.end()
    disk.full = False
    watch(keeper, disk, lambda now: memory(bpm=97), 40)

    assert [data for _, data in disk.writes] == [pack(memory(bpm=97))]
    assert keeper.end()


@given(st.lists(st.tuples(st.floats(0.01, 20), st.integers(0, 3), st.booleans()), max_size=60))
def test_whatever_is_changed_and_refused_it_is_written_in_the_end_and_never_too_often(moments):
    disk = Disk()
    keeper = Keeper(disk.write, digest(NOTHING))
    last = NOTHING

    for pause, value, disk.full in moments:
        disk.now += pause
        last = memory(bpm=value) if value else NOTHING
        keeper.saw(last, disk.now)
    times = [now for now, _ in disk.writes]
    disk.full = False
    keeper.end()

    assert (disk.writes[-1][1] if disk.writes else pack(NOTHING)) == pack(last)
    assert all(after - before >= QUIET_S for before, after in pairwise(times))


# --- where it is written ------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    return tmp_path / "box" / "state.json"


def test_two_generations_are_kept(file):
    for bpm in (91, 92, 93):
        save(file, pack(memory(bpm=bpm)))

    assert file.read_bytes() == pack(memory(bpm=93))
    assert previous(file).read_bytes() == pack(memory(bpm=92))
    assert sorted(path.name for path in file.parent.iterdir()) == ["state.json", "state.previous"]


def test_what_is_kept_already_is_not_written_again_and_the_one_before_stays(file):
    save(file, pack(memory(bpm=91)))
    save(file, pack(memory(bpm=92)))

    save(file, pack(memory(bpm=92)))

    assert previous(file).read_bytes() == pack(memory(bpm=91))


def test_what_a_file_keeps_is_known_by_its_digest_and_a_bad_one_keeps_nothing(file):
    assert kept(file) == ""
    save(file, pack(memory(bpm=91)))
    assert kept(file) == digest(memory(bpm=91))
    file.write_bytes(b"{")
    assert kept(file) == ""


def test_a_damaged_file_does_not_replace_the_good_one_before_it(file):
    save(file, pack(memory(bpm=91)))
    save(file, pack(memory(bpm=92)))
    file.write_bytes(b"garbage")

    save(file, pack(memory(bpm=93)))

    assert recall(file)[0].settings == {"bpm": (0, 93)}
    assert previous(file).read_bytes() == pack(memory(bpm=91))


def spoil(path, how):
    data = path.read_bytes()
    path.unlink()
    if how == "cut off":
        path.write_bytes(data[:-9])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "one bit":
        path.write_bytes(data[:-30] + bytes((data[-30] ^ 1,)) + data[-29:])
    elif how == "huge":
        with path.open("wb") as sparse:
            sparse.truncate(8 * 2**30)
    elif how == "other format":
        path.write_bytes(json.dumps({"format": 2, "all": "new"}).encode())
    elif how == "zeros":
        path.write_bytes(bytes(len(data)))
    elif how == "a folder":
        path.mkdir()
    elif how == "a pipe":
        os.mkfifo(path)


WAYS = ("cut off", "empty", "one bit", "huge", "other format", "zeros", "a folder", "a pipe", "gone")


@pytest.mark.parametrize("how", WAYS)
def test_a_bad_file_falls_back_to_the_one_before_and_says_so_in_one_sentence(file, how):
    save(file, pack(memory(bpm=91)))
    save(file, pack(memory(bpm=92)))
    spoil(file, how)

    found, notes = recall(file)

    assert found.settings == {"bpm": (0, 91)}
    (note,) = notes
    assert note.startswith("state.json: ")
    assert note.endswith(". What was remembered before it is used.")


@pytest.mark.parametrize("how", WAYS[:-1])
def test_where_both_are_bad_the_settings_file_holds_and_that_is_said(file, how):
    save(file, pack(memory(bpm=91)))
    save(file, pack(memory(bpm=92)))
    spoil(file, how)
    spoil(previous(file), how)

    found, notes = recall(file)

    assert found == Memory()
    assert [note.split(":")[0] for note in notes] == ["state.json", "state.previous"]
    assert notes[-1].endswith(". The box begins with its settings file.")


def test_a_box_that_was_never_changed_has_nothing_to_say(file):
    assert recall(file) == (Memory(), [])


def test_a_folder_that_cannot_be_there_is_said(tmp_path):
    (tmp_path / "box").write_text("a file")
    file = tmp_path / "box" / "state.json"

    assert recall(file)[0] == Memory()
    with pytest.raises(OSError, match="box"):
        save(file, pack(NOTHING))


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_disk_that_is_full_at_any_moment_loses_no_generation(file, monkeypatch, after):
    save(file, pack(memory(bpm=91)))
    save(file, pack(memory(bpm=92)))
    left, write = [after], keeper_room.write_safely

    def refuse(path, blob):
        if not left[0]:
            raise OSError(28, "No space left on device", str(path))
        left[0] -= 1
        write(path, blob)

    monkeypatch.setattr(keeper_room, "write_safely", refuse)
    for bpm in (93, 94):
        try:
            save(file, pack(memory(bpm=bpm)))
        except OSError as error:
            assert error.strerror == "No space left on device"

    found, notes = recall(file)
    assert notes == []
    assert found.settings["bpm"][1] in (92, 93)
    assert previous(file).read_bytes() in [pack(memory(bpm=bpm)) for bpm in (91, 92, 93)]


# --- as a player meets it ---------------------------------------------------------------------------------


def keeper_of(box):
    """The number of the keeper's process, once it has started; None where there is none."""
    return child_of(box.pid, "_keep")


def change_everything(home):
    ask(home, do="set", key="bpm", value=97)
    ask(home, do="set", key="voice.2.note", value=44)
    ask(home, do="turn", knob="B", to=0.25)


def found_again(home):
    """Whether a box that starts now has what `change_everything` changed."""
    with playing(home) as box:
        state = ask(home, do="state")["state"]
        kept = ask(home, do="memory")["memory"]["settings"]
        end(box)
    return state["bpm"] == 97 and state["knobs"] == [0.5, 0.25, 0.5, 0.5] and kept["voice.2.note"] == [38, 44]


def test_what_was_changed_is_there_again_after_quitting_at_once(home):
    with playing(home) as box:
        done = subprocess.run(
            [sys.executable, "fathom.py", "ctl", '{"do": "set", "key": "voice.2.note", "value": 44}'],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout) == {"ok": True}
        change_everything(home)
        ask(home, do="quit")
        box.communicate(timeout=20)
        assert box.returncode == 0

    assert found_again(home)


def test_a_box_whose_plug_is_pulled_remembers_what_was_changed_seconds_before(home):
    with playing(home) as box:
        change_everything(home)
        keeper = keeper_of(box)
        time.sleep(2)
        box.kill()
        box.wait()
        assert wait_until(lambda: not command_of(keeper)), "the keeper ends when the box is gone"

    assert found_again(home)


def test_music_goes_on_without_the_keeper_and_the_box_writes_in_the_end_itself(home, tmp_path):
    with playing(home, "--tape", tmp_path / "t") as box:
        os.kill(keeper_of(box), signal.SIGKILL)
        change_everything(home)
        before = ask(home, do="state")["state"]["beat"]
        time.sleep(1)
        state = ask(home, do="state")["state"]
        assert state["beat"] > before + 1
        said = end(box)

    assert "Every gate is low and every note off." in said
    assert found_again(home)


def test_a_signal_to_the_whole_group_ends_the_box_and_then_the_keeper(home):
    with playing(home) as box:
        change_everything(home)
        keeper = keeper_of(box)
        os.killpg(box.pid, signal.SIGTERM)
        os.kill(keeper, signal.SIGTERM)  # as a service that is stopped sends to everything of it
        box.communicate(timeout=20)
        assert box.returncode == 0
        assert wait_until(lambda: not command_of(keeper))

    assert found_again(home)


def test_the_keeper_ignores_ctrl_c_has_no_terminal_and_leaves_no_zombie(home):
    with playing(home) as box:
        keeper = keeper_of(box)
        assert wait_until(lambda: ignores(keeper, signal.SIGINT))
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP):
            assert ignores(keeper, number)
            os.kill(keeper, number)
        fields = Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()
        assert fields[0] in "SR"
        assert int(fields[3]) == keeper, "a session of its own"
        assert fields[4] == "0", "no terminal"
        assert int(fields[16]) == 10, "behind everything else"
        for stream in (1, 2):
            assert os.readlink(f"/proc/{keeper}/fd/{stream}") == os.devnull
        end(box)
        assert not command_of(keeper)


def ignores(pid, number):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def test_nothing_is_written_by_a_box_in_which_nothing_was_changed(home):
    with playing(home, "--bpm", 150, "--knobs", "0.1,0.2,0.3,0.4") as box:
        keeper_of(box)
        time.sleep(QUIET_S + 1.5)
        end(box)

    assert not (home / "state.json").exists()


def test_it_is_written_while_the_box_plays_on(home):
    with playing(home) as box:
        change_everything(home)
        assert wait_until((home / "state.json").exists, QUIET_S + 3)
        assert box.poll() is None
        end(box)


def test_flags_a_fresh_start_and_an_edited_file_win(home):
    home.mkdir()
    with playing(home) as box:
        change_everything(home)
        end(box)

    with playing(home, "--bpm", 150, "--knobs", "0,0,0,1") as box:
        state = ask(home, do="state")["state"]
        assert (state["bpm"], state["knobs"]) == (150, [0, 0, 0, 1])
        ask(home, do="set", key="voice.1.mute", value=True)
        end(box)
    with playing(home, "--fresh") as box:
        state = ask(home, do="state")["state"]
        assert (state["bpm"], state["knobs"]) == (120, [0.5] * 4)
        end(box)
    assert found_again(home)
    (home / "settings.toml").write_text("bpm = 101\n")
    with playing(home) as box:
        state = ask(home, do="state")["state"]
        assert (state["bpm"], state["knobs"]) == (101, [0.5, 0.25, 0.5, 0.5])
        end(box)


def test_a_bad_state_file_is_said_on_stderr_and_in_the_notes(home):
    save(home / "state.json", pack(memory(seed=7)))
    save(home / "state.json", pack(memory(seed=8)))
    (home / "state.json").write_bytes(b"{")
    sentence = "state.json: not what a box has remembered, or cut off. What was remembered before it is used."

    with playing(home) as box:
        notes = ask(home, do="state")["state"]["notes"]
        said = end(box)

    assert sentence in notes
    assert said.count(sentence) == 1
    assert (home / "state.json").read_bytes() == b"{", "nothing was changed, nothing is written"


def test_a_full_disk_is_one_sentence_in_the_end_and_loses_nothing_that_was_kept(home):
    save(home / "state.json", pack(memory(seed=7)))
    save(home / "state.json", pack(memory(seed=8)))
    before = {path.name: path.read_bytes() for path in home.iterdir()}

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # bytes; a state file is larger

    with playing(home, prepare=full) as box:
        change_everything(home)
        time.sleep(QUIET_S + 1.5)
        said = end(box)

    sentence = f"{home / 'state.json'}: File too large. What was changed by hand is not remembered."
    assert said.splitlines().count(sentence) == 1
    assert {path.name: path.read_bytes() for path in home.glob("state.*")} == before


def test_a_folder_that_cannot_be_written_plays_on_without_socket_and_memory(home):
    home.write_text("a file, where the folder should be")

    done = subprocess.run(
        [sys.executable, "fathom.py", "play", "--no-display", "--bars", "1", "--bpm", "300"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "This one plays without display, keys and ctl." in done.stderr
    assert "played 1 bars" in done.stderr
