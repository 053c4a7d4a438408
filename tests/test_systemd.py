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
