"""The units: systemd finds no fault in them, and none has more rights than it needs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[1] / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
OURS = ("fathom", "fathom-learner", "fathom-keeper")
HIGHEST_EXPOSURE = 1.5


@pytest.fixture(scope="module")
def analyze():
    if not shutil.which("systemd-analyze"):
        if os.environ.get("FATHOM_CI"):
            pytest.fail("systemd-analyze is missing, and in CI nothing is skipped")
        pytest.skip("systemd-analyze is not on this machine")
    return "systemd-analyze"


def settings_of(text):
    """Each `KEY=VALUE` of a unit as (key, value), without the comments."""
    lines = [line for line in text.splitlines() if line and line[0] not in "#["]
    return [tuple(line.split("=", 1)) for line in lines]


def value_of(unit, key):
    return [value for name, value in settings_of((SYSTEMD / f"{unit}.service").read_text()) if name == key]


def test_there_is_a_unit_for_each_service():
    assert {unit.stem for unit in UNITS} >= set(OURS)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_no_fault_in_a_unit(analyze, tmp_path, unit):
    for other in UNITS:  # they may name one another
        text = re.sub(r"(?m)^(Exec\w+=[-+!@:]*)/opt/\S+", rf"\g<1>{shutil.which('true')}", other.read_text())
        (tmp_path / other.name).write_text(text)

    done = subprocess.run([analyze, "verify", tmp_path / unit.name], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_no_unit_has_more_rights_than_it_needs(analyze, unit):
    done = subprocess.run([analyze, "security", "--offline=yes", unit], capture_output=True, text=True)

    exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout).group(1))
    assert exposure <= HIGHEST_EXPOSURE, done.stdout


@pytest.mark.parametrize("drop_in", sorted(SYSTEMD.glob("*.conf")), ids=lambda path: path.stem)
def test_systemd_finds_no_fault_in_a_drop_in(analyze, tmp_path, drop_in):
    text = (
        (SYSTEMD / "fathom.service").read_text().replace("/opt/fathom/current/.venv/bin/fathom", "/bin/true")
    )
    unit = tmp_path / "fathom.service"
    unit.write_text(text.split("[Install]")[0] + drop_in.read_text())

    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", OURS)
def test_a_service_that_ends_begins_again_however_often_and_says_when_it_is_ready(unit):
    assert value_of(unit, "Type") == ["notify"]
    assert value_of(unit, "Restart") == ["always"]
    assert value_of(unit, "StartLimitIntervalSec") == ["0"]


@pytest.mark.parametrize("unit", OURS)
def test_a_service_that_ends_leaves_the_sockets_of_the_others_alone(unit):
    assert value_of(unit, "RuntimeDirectory") == ["fathom"]
    assert value_of(unit, "RuntimeDirectoryPreserve") == ["yes"], "else systemd empties /run/fathom"


def test_an_engine_that_is_stuck_is_ended_and_whatever_ended_it_all_is_silent_after():
    assert value_of("fathom", "WatchdogSec") == ["5"]
    assert value_of("fathom", "ExecStopPost") == ["-/opt/fathom/current/.venv/bin/fathom _silence"]


def test_a_learning_that_is_killed_for_its_memory_does_not_end_the_box_nor_the_learner():
    assert value_of("fathom", "OOMPolicy") == value_of("fathom-learner", "OOMPolicy") == ["continue"]
    assert int(value_of("fathom-learner", "OOMScoreAdjust")[0]) > int(value_of("fathom", "OOMScoreAdjust")[0])


def test_the_engine_may_ask_for_realtime_priority_and_locked_memory():
    assert value_of("fathom", "LimitRTPRIO") == ["60"]
    assert value_of("fathom", "LimitMEMLOCK") == ["infinity"]
    assert not any("@resources" in value for value in value_of("fathom", "SystemCallFilter"))


def test_the_engine_may_find_out_which_board_it_is_on():
    """gpiozero and Blinka read /proc/cpuinfo and /proc/device-tree."""
    assert value_of("fathom", "ProcSubset") == []


def test_the_learner_may_make_the_callbacks_through_which_loops_are_read():
    """soundfile does, where it reads from memory; cffi cannot where memory is never both written and run."""
    assert value_of("fathom-learner", "MemoryDenyWriteExecute") == []


def test_all_agree_where_the_sockets_and_the_state_are():
    environment = dict(word.split("=") for line in value_of("fathom", "Environment") for word in line.split())
    (keeper,) = value_of("fathom-keeper", "ExecStart")
    (learner,) = value_of("fathom-learner", "ExecStart")

    home, control = environment["FATHOM_HOME"], environment["FATHOM_SOCKET"]
    assert keeper.split()[2:] == [control, f"{home}/state.json"]
    assert learner.split()[2:] == [f"{home}/slots", environment["FATHOM_LEARNER"], control]


STICK_UNITS = [SYSTEMD / f"{name}.service" for name in ("fathom-stick@", "fathom-backup@")]


@pytest.mark.parametrize("unit", STICK_UNITS, ids=lambda unit: unit.stem)
def test_a_stick_that_is_pulled_ends_its_unit_and_is_let_go_of(unit):
    text = unit.read_text()

    assert "\nBindsTo=dev-%i.device\n" in text
    assert "\nExecStopPost=-+/usr/bin/systemd-umount --quiet /run/fathom-stick/%i\n" in text
    mount = next(line for line in text.splitlines() if "systemd-mount" in line and "ExecStartPre" in line)
    assert "nosuid,nodev,noexec" in mount
    assert "in vfat|exfat) exec systemd-mount" in mount
    assert "--type=$$type" in mount, "systemd-mount refuses --owner with a list of types"
    assert ("=ro," in mount) == (unit.stem == "fathom-stick@"), "only a backup may write to a stick"


def test_a_stick_that_the_box_keeps_its_own_on_is_not_taken_for_one_with_loops():
    rules = (SYSTEMD / "90-fathom-stick.rules").read_text()
    mount = (SYSTEMD / "mount.fathom").read_text()

    skipped = rules.index('ENV{ID_FS_LABEL}=="fathom", GOTO="fathom_stick_end"')
    assert skipped < rules.index("SYSTEMD_WANTS")
    assert "blkid -L fathom" in mount


def test_the_status_that_asks_for_a_backup_is_the_one_that_the_unit_knows():
    from device.stick_run import WANTS_BACKUP

    text = STICK_UNITS[0].read_text()

    assert f"\nSuccessExitStatus={WANTS_BACKUP}\n" in text
    assert f'"$$EXIT_STATUS" != {WANTS_BACKUP} ' in text
