"""The front door: words, JSON fields and exit status that stay as they are."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from device.slot import pack
from device.slots import SlotFolder, load_file
from training.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[1]


def fathom(*words, **more):
    command = [sys.executable, "fathom.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, **more)


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def drum_loop(path, steps, bpm=120, bars=2, rate=44100):
    """A loop of short decaying bursts on the steps of two bars, written to a file."""
    rng = np.random.default_rng(7)
    sound = np.zeros(int(bars * 240 / bpm * rate))
    burst = rng.normal(0, 0.3, int(0.06 * rate)) * np.exp(-np.linspace(0, 8, int(0.06 * rate)))
    for step in steps:
        start = int(step * 15 / bpm * rate)
        end = min(len(sound), start + len(burst))
        sound[start:end] += burst[: end - start]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate)
    return path


@pytest.fixture
def loops(tmp_path):
    """Three good loops and what else lies on a stick."""
    folder = tmp_path / "stick"
    drum_loop(folder / "one-120bpm.wav", [0, 4, 8, 12, 16, 20, 24, 28])
    drum_loop(folder / "two-120bpm.wav", [0, 3, 6, 10, 16, 19, 22, 26, 28, 30])
    drum_loop(folder / "three-90bpm.flac", [2, 6, 10, 14, 18, 22, 26, 30], bpm=90)
    (folder / "text.wav").write_text("this is no sound\n" * 50)
    (folder / "readme.txt").write_text("hello")
    soundfile.write(folder / "silence-120bpm.wav", np.zeros(44100 * 4), 44100)
    return folder


def test_learn_turns_loops_into_a_slot_that_decodes_renders_and_plays(home, loops, tmp_path):
    learned = fathom("learn", loops, "--slot", 5, "--seed", 3, "--epochs", 200, "--json")

    assert learned.returncode == 0, learned.stderr
    (report,) = rows(learned)
    assert set(report) >= {"slot", "takes", "rejected", "seconds", "playability"}
    assert set(report["seconds"]) >= {"hear", "train", "measure", "total"}
    assert set(report["playability"]) >= {
        "reach", "meaning", "travel", "evenness", "likeness", "silence", "heldout_f1",
    }  # fmt: skip
    assert report["takes"] == 3
    assert sorted(Path(row["file"]).name for row in report["rejected"]) == ["silence-120bpm.wav", "text.wav"]
    assert all(row["reason"] for row in report["rejected"])

    (decoded,) = rows(fathom("decode", 5, "--knobs", "0.1,0.2,0.3,0.4", "--json"))
    assert decoded["knobs"] == [0.1, 0.2, 0.3, 0.4]
    assert np.shape(decoded["scores"]) == np.shape(decoded["hits"]) == (1, 32)
    assert np.shape(decoded["velocities"]) == np.shape(decoded["offsets"]) == (1, 32)

    made = fathom(
        "render", 5, "--knobs", "0.1,0.2,0.3,0.4", "--bars", 4, "--bpm", 100, "-o", tmp_path / "a.mid"
    )
    assert made.returncode == 0, made.stderr
    assert mido.MidiFile(tmp_path / "a.mid").length == pytest.approx(4 * 4 * 0.6, abs=0.3)

    (listed,) = rows(fathom("slots", "--json"))
    assert {"slot", "takes", "created", "architecture", "playability"} <= set(listed)
    assert (listed["slot"], listed["takes"]) == (5, 3)


def test_learn_and_slots_say_what_each_knob_is_for(home, loops):
    shown = fathom("learn", loops, "--slot", 2, "--epochs", 20)
    (learned,) = rows(fathom("learn", loops, "--slot", 3, "--epochs", 20, "--json"))
    listed = rows(fathom("slots", "--json"))

    assert "A busy" in shown.stdout
    assert learned["knobs"]["A"] == "busy"
    assert learned["knobs"] == listed[1]["knobs"]
    assert "D what remains" in fathom("slots").stdout


def test_architectures_are_learned_by_name_and_an_unknown_one_is_said_with_those_that_are_known(home, loops):
    known = fathom("learn", loops, "--slot", 1, "--epochs", 5, "--architecture", "paper-1", "--json")
    unknown = fathom("learn", loops, "--slot", 1, "--architecture", "deeper")
    told = " ".join(fathom("learn", "--help").stdout.split())

    assert rows(known)[0]["architecture"] == "paper-1"
    assert unknown.returncode == 1
    assert unknown.stderr == (f"architecture 'deeper': expected one of {', '.join(ARCHITECTURES)}.\n")
    assert all(name in told for name in ARCHITECTURES)


@pytest.mark.parametrize("words", [("hear", ""), ("learn", "", "--slot", "1")])
def test_an_empty_path_is_not_the_folder_in_which_one_is(home, words):
    refused = fathom(*words)

    assert refused.returncode == 2
    assert refused.stderr.endswith("argument PATH: '': expected a folder or a loop\n")


def test_where_another_network_makes_little_of_the_takes_the_loops_are_not_blamed(home, loops):
    ours, theirs = (
        fathom("learn", loops / "two-120bpm.wav", "--slot", 1, *more).stderr
        for more in ((), ("--architecture", "paper-2"))
    )

    assert "give it more loops" in ours
    assert "Learn them without --architecture." in theirs
    assert "give it more loops" not in theirs


def test_the_same_loops_and_seed_give_the_same_bytes_wherever_they_lie(home, loops, tmp_path):
    loops.rename(tmp_path / "here")
    first = fathom("learn", tmp_path / "here", "--slot", tmp_path / "a.safetensors", "--epochs", 20)
    (tmp_path / "here").rename(tmp_path / "there")
    again = fathom("learn", tmp_path / "there", "--slot", tmp_path / "b.safetensors", "--epochs", 20)

    assert first.returncode == again.returncode == 0, first.stderr
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_learn_shows_epochs_and_loss(home, loops):
    learned = fathom("learn", loops, "--slot", 1, "--epochs", 20)

    assert "epoch 20 of 20, loss 0." in learned.stderr
    assert "reach" in learned.stdout


def test_the_loss_falls_in_each_training_as_another_program_is_told(home, loops):
    words = ("learn", loops, "--slot", 1, "--epochs", 100, "--trainings", 2, "--progress", "json")
    learned = fathom(*words, "--eager")

    assert learned.returncode == 0, learned.stderr
    told = [json.loads(line) for line in learned.stderr.splitlines() if line.startswith("{")]
    for number in (1, 2):
        steps = [row for row in told if row["what"] == f"training {number} of 2"]
        assert (steps[0]["done"], steps[-1]["done"]) == (1, 100)
        assert 0 < steps[-1]["loss"] < steps[0]["loss"] / 2


def test_hear_says_what_it_hears_and_why_not(home, loops):
    heard = fathom("hear", loops, "--json")

    assert heard.returncode == 0
    by_name = {Path(row["file"]).name: row for row in rows(heard)}
    assert set(by_name["one-120bpm.wav"]) >= {
        "file", "ok", "error", "bpm", "beats", "bars", "confidence", "evidence", "onsets_s", "takes",
    }  # fmt: skip
    good = by_name["two-120bpm.wav"]
    assert (good["ok"], good["bpm"], good["bars"], good["beats"]) == (True, 120, 2, 8)
    assert np.flatnonzero(good["takes"][0]["hits"][0]).tolist() == [0, 3, 6, 10, 16, 19, 22, 26, 28, 30]
    assert not by_name["text.wav"]["ok"]
    assert not by_name["silence-120bpm.wav"]["ok"]
    assert "readme.txt" not in by_name


def test_hear_draws_a_picture(home, loops, tmp_path):
    heard = fathom("hear", loops / "two-120bpm.wav", "--plot", tmp_path / "loop.png")

    assert heard.returncode == 0, heard.stderr
    assert (tmp_path / "loop.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_hear_draws_a_picture_of_every_loop_beside_the_name_it_was_given(home, loops, tmp_path):
    heard = fathom("hear", loops, "--plot", tmp_path / "loop.png")

    assert heard.returncode == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["loop-1.png", "loop-2.png", "loop-3.png"]


def test_decode_reads_positions_from_stdin_until_it_ends(home, slot):
    SlotFolder(home / "slots").save(1, pack(slot))

    decoded = rows(fathom("decode", 1, input="0 0 0 0\n0.5,0.5,0.5,0.5\n\n1 1 1 1\n"))

    assert [row["knobs"] for row in decoded] == [[0.0] * 4, [0.5] * 4, [1.0] * 4]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["hear", "/nowhere"], "/nowhere"),
        (["learn", "/nowhere", "--slot", "1"], "nothing to learn"),
        (["decode", "9", "--knobs", "0,0,0,0"], "slot 9: empty"),
        (["decode", "9", "--knobs", "0,0"], "slot 9: empty"),
        (["slots", "show", "4"], "slot 4: empty"),
        (["slots", "undo", "4"], "slot 4: nothing to undo"),
        (["slots", "import", "/etc/hostname", "4"], "not a whole slot file"),
        (["ctl", "start"], "no box is running"),
        (["ctl", "{not json"], "not JSON"),
    ],
)
def test_an_expected_failure_is_status_1_and_says_why(home, words, sentence):
    done = fathom(*words)

    assert done.returncode == 1
    assert done.stdout == ""
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["hear"],
        ["learn", "x"],
        ["play", "--bars", "0"],
        ["play", "--panel", "desk"],
        ["play", "--knobs", "1,2"],
        ["decode", "1", "--density", "7"],
        ["learn", "x", "--slot", "1", "--voices", "2"],
        ["learn", "x", "--slot", "1", "--epochs", "many"],
    ],
)
def test_wrong_words_are_status_2(home, words):
    done = fathom(*words)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_wrong_knobs_are_said(home, slot):
    SlotFolder(home / "slots").save(1, pack(slot))

    done = fathom("decode", 1, "--knobs", "0,2,0,0")

    assert done.returncode == 1
    assert "expected four numbers from 0 to 1" in done.stderr


def test_a_slot_is_exported_imported_and_undone(home, slot, other_slot, tmp_path):
    folder = SlotFolder(home / "slots")
    folder.save(1, pack(slot))

    assert fathom("slots", "export", 1, tmp_path / "mine.safetensors").returncode == 0
    assert load_file(tmp_path / "mine.safetensors", "mine").about == slot.about
    folder.save(1, pack(other_slot))
    assert fathom("slots", "undo", 1).returncode == 0
    assert folder.load(1).about == slot.about
    assert fathom("slots", "import", tmp_path / "mine.safetensors", 7).returncode == 0
    assert folder.load(7).about == slot.about


def test_a_disk_that_cannot_be_written_is_said_and_the_old_slot_stays(home, loops, slot):
    folder = SlotFolder(home / "slots")
    folder.save(1, pack(slot))
    (home / "slots" / "slot-02.safetensors").mkdir()  # stands where the new file would be

    done = fathom("learn", loops, "--slot", 2, "--epochs", 5)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"{home}/slots/slot-02.safetensors: Is a directory"
    assert folder.load(1).about == slot.about
    assert sorted(path.name for path in (home / "slots").iterdir()) == [
        "slot-01.safetensors",
        "slot-02.safetensors",
    ]


def test_the_version_is_that_of_the_project(home):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert fathom("--version").stdout == f"fathom {project['version']}\n"


def test_the_doctor_gives_a_line_for_every_check(home):
    done = fathom("doctor", "--json")

    found = {row["check"]: row for row in rows(done)}
    assert {"python", "panel", "midi", "realtime", "storage", "factory slot", "settings", "timing"} <= set(
        found
    )
    assert found["panel"]["ok"]
    assert all(row["ok"] or row["advice"] for row in found.values())


def test_the_demo_loops_are_written_and_named(home, tmp_path):
    made = fathom("demo", tmp_path / "loops")

    assert len(made.stdout.splitlines()) == 12
    assert len(list((tmp_path / "loops").rglob("*bpm.wav"))) == 12


def test_a_reader_who_has_had_enough_gets_no_traceback(home, slot, tmp_path):
    SlotFolder(home / "slots").save(1, pack(slot))
    (tmp_path / "knobs").write_text("0.1,0.2,0.3,0.4\n" * 20_000)
    command = f"{sys.executable} fathom.py decode 1 < {tmp_path}/knobs | head -1"

    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert json.loads(done.stdout)["knobs"] == [0.1, 0.2, 0.3, 0.4]
    assert done.stderr == ""


def test_hear_writes_the_takes_as_midi_files_named_like_their_loops(home, loops, tmp_path):
    heard = fathom("hear", loops, "--midi", tmp_path / "new" / "takes")

    assert heard.returncode == 0, heard.stderr
    files = sorted((tmp_path / "new" / "takes").iterdir())
    assert [path.name for path in files] == ["one-120bpm.mid", "three-90bpm.mid", "two-120bpm.mid"]
    assert mido.MidiFile(files[0]).length == pytest.approx(4.0)


def test_pictures_go_into_a_folder_that_is_made(home, loops, tmp_path):
    nowhere = {"PATH": "/usr/bin", "HOME": "/proc/nowhere", "FATHOM_HOME": str(home)}

    heard = fathom("hear", loops, "--plot", tmp_path / "new" / "loop.png", env=nowhere)

    assert heard.returncode == 0
    assert len(list((tmp_path / "new").glob("loop-?.png"))) == 3
    assert "matplotlib" not in heard.stderr.lower()


def test_a_file_that_cannot_be_written_is_said_and_the_loops_are_heard(home, loops, tmp_path):
    (tmp_path / "takes" / "one-120bpm.mid").mkdir(parents=True)

    heard = fathom("hear", loops, "--midi", tmp_path / "takes", "--json")

    assert heard.returncode == 1
    assert sum(row["ok"] for row in rows(heard)) == 3
    says = f"{tmp_path}/takes/one-120bpm.mid: Is a directory; no more of these are written.\n"
    assert heard.stderr == says


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_heard(home, loops, tmp_path):
    (tmp_path / "file").write_text("")

    heard = fathom("hear", loops, "--midi", tmp_path / "file" / "a.mid")

    assert heard.returncode == 1
    assert heard.stdout == ""
    assert heard.stderr.count("\n") == 1


def test_a_loop_is_decided_listed_heard_so_and_reset(home, loops):
    loop = loops / "two-120bpm.wav"

    done = fathom("loops", "set", loop, "--bars", 1, "--shift", -1, "--json")
    (decision,) = rows(done)
    assert done.returncode == 0, done.stderr
    assert {key: decision[key] for key in ("name", "bars", "shift")} == {
        "name": "two-120bpm.wav", "bars": 1, "shift": -1,
    }  # fmt: skip
    assert rows(fathom("loops", "--json")) == [decision]
    (heard,) = rows(fathom("hear", loop, "--json"))
    assert (heard["bars"], heard["overrides"]) == (1, {"bars": 1, "shift": -1})

    fathom("loops", "reject", decision["content"][:8])
    learned = fathom("learn", loops, "--slot", 1, "--epochs", 5, "--json")
    (report,) = rows(learned)
    reasons = {Path(row["file"]).name: row["reason"] for row in report["rejected"]}
    assert "the library says so" in reasons["two-120bpm.wav"]
    assert report["takes"] == 2

    assert "as it is heard" in fathom("loops", "reset", loop).stdout
    assert fathom("loops", "--json").stdout == ""
    (heard,) = rows(fathom("hear", loop, "--json"))
    assert (heard["bars"], heard["overrides"]) == (2, {})


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["set", "LOOP", "--bpm", "1000"], 1, "bpm is 1000, expected 30 to 300"),
        (["set", "LOOP", "--bars", "99"], 1, "bars is 99, expected a whole number from 1 to 32"),
        (["set", "LOOP", "--bars", "two"], 2, "invalid int value"),
        (["set", "LOOP"], 2, "say what to set"),
        (["reject", "/nowhere.wav"], 1, "/nowhere.wav: no such file"),
        (["reject", "."], 1, "a folder, expected a loop"),
        (["dance"], 2, "invalid choice"),
    ],
)
def test_a_decision_that_cannot_be_is_said_and_nothing_is_decided(home, loops, words, status, says):
    done = fathom("loops", *(loops / "one-120bpm.wav" if word == "LOOP" else word for word in words))

    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "library.json").exists()


def test_the_second_time_all_is_known_and_the_slot_is_the_same(home, loops, tmp_path):
    words = ("--seed", 3, "--epochs", 20)
    assert fathom("learn", loops, "--slot", tmp_path / "a.safetensors", *words).returncode == 0
    assert all(row["cached"] for row in rows(fathom("hear", loops, "--json")))
    assert not any(row["cached"] for row in rows(fathom("hear", loops, "--json", "--no-cache")))
    assert fathom("learn", loops, "--slot", tmp_path / "b.safetensors", *words).returncode == 0
    assert fathom("learn", loops, "--slot", tmp_path / "c.safetensors", *words, "--no-cache").returncode == 0

    one, *others = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert others == [one, one]


def test_a_render_of_endless_length_is_refused(home, slot, tmp_path):
    SlotFolder(home / "slots").save(1, pack(slot))

    done = fathom("render", 1, "--knobs", "0,0,0,0", "--bars", 10**9, "--bpm", 120, "-o", tmp_path / "a.mid")

    assert done.returncode == 2
    assert "a whole number from 1 to 1000" in done.stderr
