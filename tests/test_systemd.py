import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "systemd" / "fathom.service"
HIGHEST_EXPOSURE = 1.5


@pytest.fixture(scope="module")
def analyze():
    if not shutil.which("systemd-analyze"):
        if os.environ.get("FATHOM_CI"):
            pytest.fail("systemd-analyze is missing, and in CI nothing is skipped")
        pytest.skip("systemd-analyze is not on this machine")
    return "systemd-analyze"


def test_systemd_finds_no_fault_in_the_unit(analyze, tmp_path):
    copy = tmp_path / "fathom.service"
    copy.write_text(UNIT.read_text().replace("/opt/fathom/.venv/bin/fathom", shutil.which("true")))

    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_gives_the_engine_no_more_rights_than_it_needs(analyze):
    done = subprocess.run([analyze, "security", "--offline=yes", UNIT], capture_output=True, text=True)

    exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout).group(1))
    assert exposure <= HIGHEST_EXPOSURE


def test_a_learning_that_is_killed_for_its_memory_does_not_end_the_box():
    assert "\nOOMPolicy=continue\n" in UNIT.read_text()


def test_the_engine_may_ask_for_realtime_priority_and_locked_memory():
    text = UNIT.read_text()

    assert "LimitRTPRIO=" in text
    assert "LimitMEMLOCK=infinity" in text
    assert "~@resources" not in text, "it would refuse sched_setscheduler"


STICK_UNITS = [UNIT.with_name(f"{name}.service") for name in ("fathom-stick@", "fathom-backup@")]


@pytest.mark.parametrize("unit", STICK_UNITS, ids=lambda unit: unit.stem)
def test_a_unit_of_a_stick_is_sound_and_has_next_to_no_rights(analyze, tmp_path, unit):
    for each in STICK_UNITS:
        text = re.sub(r"(?m)^(Exec\w+=[-+]*)/opt/\S+", rf"\g<1>{shutil.which('true')}", each.read_text())
        (tmp_path / each.name).write_text(text)

    done = subprocess.run([analyze, "verify", tmp_path / unit.name], capture_output=True, text=True)
    told = subprocess.run([analyze, "security", "--offline=yes", unit], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert float(re.search(r"exposure level for \S+: ([\d.]+)", told.stdout).group(1)) <= HIGHEST_EXPOSURE


@pytest.mark.parametrize("unit", STICK_UNITS, ids=lambda unit: unit.stem)
def test_a_stick_that_is_pulled_ends_its_unit_and_is_let_go_of(unit):
    text = unit.read_text()

    assert "\nBindsTo=dev-%i.device\n" in text
    assert "\nExecStopPost=-+/usr/bin/systemd-umount --quiet /run/fathom-stick/%i\n" in text
    mount = next(line for line in text.splitlines() if "systemd-mount" in line and "ExecStartPre" in line)
    assert "nosuid,nodev,noexec" in mount
    assert "--type=vfat,exfat" in mount
    assert ("=ro," in mount) == (unit.stem == "fathom-stick@"), "only a backup may write to a stick"


def test_the_status_that_asks_for_a_backup_is_the_one_that_the_unit_knows():
    from device.stick_run import WANTS_BACKUP

    text = STICK_UNITS[0].read_text()

    assert f"\nSuccessExitStatus={WANTS_BACKUP}\n" in text
    assert f'"$$EXIT_STATUS" != {WANTS_BACKUP} ' in text
