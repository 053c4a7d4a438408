"""The units of the updater: rights, order, and that a usual start does not run them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "systemd"
UNITS = ("fathom-update.service", "fathom-release.service", "fathom-proof.service")
HIGHEST_EXPOSURE = 1.5


@pytest.fixture(scope="module")
def analyze():
    if not shutil.which("systemd-analyze"):
        if os.environ.get("FATHOM_CI"):
            pytest.fail("systemd-analyze is missing, and in CI nothing is skipped")
        pytest.skip("systemd-analyze is not on this machine")
    return "systemd-analyze"


def value(name, key):
    return re.search(rf"^{key}=(.*)$", (FOLDER / name).read_text(), re.MULTILINE).group(1)


def test_systemd_finds_no_fault_in_the_units(analyze, tmp_path):
    for name in UNITS:
        text = (FOLDER / name).read_text().replace("/opt/fathom/proven", "/")
        (tmp_path / name).write_text(text)

    done = subprocess.run(
        [analyze, "verify", *(tmp_path / name for name in UNITS)], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_has_no_more_rights_than_it_needs(analyze, name):
    done = subprocess.run(
        [analyze, "security", "--offline=yes", FOLDER / name], capture_output=True, text=True
    )

    exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout).group(1))
    assert exposure <= HIGHEST_EXPOSURE
    assert value(name, "PrivateNetwork") == "yes"
    assert set(value(name, "ReadWritePaths").split()) <= {"/opt/fathom", "/etc/systemd/system"}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_runs_the_version_that_came_up_last_and_only_when_there_is_something_to_do(name):
    assert value(name, "WorkingDirectory") == "/opt/fathom/proven"
    assert value(name, "ExecStart").startswith("/usr/bin/python3 -E -s -B -m tools.updater ")
    assert value(name, "ConditionPathExists(Glob)?".replace("(", "(?:"))


def test_a_version_is_chosen_before_the_engine_starts():
    assert "fathom.service" in value("fathom-release.service", "Before").split()
