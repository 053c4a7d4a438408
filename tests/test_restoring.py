"""Restoring is all or nothing: cut off anywhere, the box is as before or as restored, and never between."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from device import restoring
from device.errors import ModelError
from device.home import home as home_of

ROOT = Path(__file__).parents[1]
OLD = {
    "settings.toml": "bpm = 90",
    "slots/slot-01.safetensors": "old",
    "loops/a/x.wav": "old",
    "heard/x": "cache",
}
NEW = {
    "settings.toml": "bpm = 120",
    "state.json": "{}",
    "slots/slot-02.safetensors": "new",
    "loops/b/y.wav": "new",
}
AFTER = {**NEW, "heard/x": "cache"}
WITHOUT_LOOPS = {key: value for key, value in NEW.items() if not key.startswith("loops")}


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def held(folder):
    """What the box has of its own: all files but those of a restoring."""
    apart = (restoring.READY, restoring.DECIDED, restoring.BACK, restoring.BEFORE)
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in apart
    }


@pytest.fixture
def box(home):
    write(home, OLD)
    return home


def test_what_is_restored_takes_the_place_of_all_that_was_there(box):
    write(restoring.ready(box), NEW)
    assert held(box) == OLD, "being made ready is not being restored"

    restoring.restore(box)

    assert held(box) == AFTER
    assert sorted(path.name for path in box.iterdir() if path.name.startswith("restore")) == []


def test_it_can_be_undone_and_done_again_as_often_as_wanted(box):
    write(restoring.ready(box), NEW)
    restoring.restore(box)

    for wanted in (OLD, AFTER, OLD, AFTER):
        restoring.undo(box)
        assert held(box) == wanted


def test_loops_that_were_not_backed_up_stay_also_when_it_is_undone(box):
    write(restoring.ready(box), WITHOUT_LOOPS)
    restoring.restore(box, kept=["loops"])
    assert held(box) == {**WITHOUT_LOOPS, "loops/a/x.wav": "old", "heard/x": "cache"}
    write(box, {"loops/c/z.wav": "came later"})

    restoring.undo(box)

    assert held(box) == {**OLD, "loops/c/z.wav": "came later"}


def test_a_second_restoring_is_the_one_that_is_undone(box):
    for number in range(2):
        write(restoring.ready(box), {**NEW, "settings.toml": f"bpm = {100 + number}"})
        restoring.restore(box)

    restoring.undo(box)

    assert held(box)["settings.toml"] == "bpm = 100"


def test_nothing_to_undo_is_a_sentence(box):
    with pytest.raises(ModelError, match="nothing to undo"):
        restoring.undo(box)


CUT = """
import os, sys
from pathlib import Path
left = int(sys.argv[2])
def cut(name, real):
    def call(*words, **more):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return real(*words, **more)
    setattr(os, name, call)
for name in ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync", "open"):
    cut(name, getattr(os, name))
from device import restoring
home = Path(sys.argv[1])
if sys.argv[3] == "undo":
    restoring.undo(home)
elif sys.argv[3] == "complete":
    restoring.complete(home)
else:
    new = restoring.ready(home)
    for name, text in eval(sys.argv[4]).items():
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).write_text(text)
    restoring.restore(home)
"""


def cut_off(home, after, what):
    """Restore or undo in another process that ends, as by a power cut, after so many steps; its status."""
    words = [sys.executable, "-c", CUT, str(home), str(after), what, repr(NEW)]
    return subprocess.run(words, cwd=ROOT, timeout=60).returncode


@pytest.fixture
def in_process(monkeypatch):
    """Cuts a function off after so many steps of the disk, as a power cut would; whether it ended."""

    class CutError(BaseException):
        pass

    def run(function, after):
        left = after
        with monkeypatch.context() as patch:

            def counted(real):
                def call(*words, **more):
                    nonlocal left
                    left -= 1
                    if left < 0:
                        raise CutError
                    return real(*words, **more)

                return call

            for name in ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync"):
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                function()
            except CutError:
                return False
        return True

    return run


def again(box, files):
    """The box with these files and nothing else."""
    restoring._remove(box)
    write(box, files)


def test_cut_off_at_every_step_it_is_as_before_or_as_restored(box, in_process):
    seen = set()
    for after in range(500):
        again(box, OLD)

        def restore():
            write(restoring.ready(box), NEW)
            restoring.restore(box)

        whole = in_process(restore, after)
        now = held(home_of())  # whoever comes next
        assert now in (OLD, AFTER), f"cut off after {after} steps"
        seen.add(now == AFTER)
        if now == AFTER:
            restoring.undo(box)
            assert held(box) == OLD, f"cut off after {after} steps, what was there before is kept"
        if whole:
            break
    else:
        pytest.fail("it never came to its end")
    assert seen == {True, False}


def test_cut_off_again_while_it_is_brought_to_its_end(box, in_process):
    for after in range(500):
        again(box, OLD)
        write(restoring.ready(box), NEW)
        restoring._decide(box, restoring.READY, ())

        whole = in_process(lambda: restoring.complete(box), after)
        in_process(lambda: restoring.complete(box), after // 2)
        assert held(home_of()) == AFTER
        restoring.undo(box)
        assert held(box) == OLD, f"cut off after {after} steps"
        if whole:
            break


def test_an_undo_that_is_cut_off_at_every_step_can_be_done_again(box, in_process):
    for after in range(500):
        again(box, OLD)
        write(restoring.ready(box), NEW)
        restoring.restore(box)

        whole = in_process(lambda: restoring.undo(box), after)
        now = held(home_of())
        assert now in (OLD, AFTER), f"cut off after {after} steps"
        restoring.undo(box)
        assert held(box) == (AFTER if now == OLD else OLD), f"cut off after {after} steps"
        if whole:
            break


@pytest.mark.parametrize("after", [0, 5, 9, 14, 20, 30])
def test_a_process_that_is_killed_in_its_midst_is_brought_to_its_end_by_the_next(box, after):
    assert cut_off(box, after, "restore") in (0, 9)

    done = subprocess.run(
        [sys.executable, "fathom.py", "loops"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert held(box) in (OLD, AFTER)
    assert not (box / restoring.DECIDED).exists()


def test_what_a_running_box_writes_in_its_midst_does_no_harm(box):
    write(restoring.ready(box), NEW)
    restoring._decide(box, restoring.READY, ())
    os.mkdir(box / restoring.DECIDED / restoring.OLD)
    os.rename(box / "settings.toml", box / restoring.DECIDED / restoring.OLD / "settings.toml")
    write(box, {"settings.toml": "written since", "state.json": "written since"})

    restoring.complete(box)

    assert held(box) == AFTER


def test_a_box_on_a_disk_that_has_become_read_only_is_used_as_it_is(box, monkeypatch):
    write(restoring.ready(box), NEW)
    restoring._decide(box, restoring.READY, ())

    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuse)

    assert home_of() == box
