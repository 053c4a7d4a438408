"""That every package of the box comes as a wheel, or is known to be built: asked of the index itself."""

import json
import os
import subprocess
import tomllib

import pytest

from tools import set_up, wheels
from tools.set_up import SetUpError
from tools.wheels import Target

PROJECT = tomllib.loads((set_up.ROOT / "pyproject.toml").read_text())["project"]
PINS = wheels.pins(set_up.CONSTRAINTS.read_text())
BOOKWORM, TRIXIE = Target("aarch64", "3.11"), Target("aarch64", "3.13")


def answer_of(target, constraints=set_up.CONSTRAINTS):
    try:
        return wheels.resolve(PROJECT, target, constraints)
    except SetUpError as error:
        if "is there a network" not in str(error) or os.environ.get("FATHOM_CI"):
            raise
        pytest.skip(f"the package index was not asked: {error}")


@pytest.mark.parametrize("machine", wheels.MACHINES)
@pytest.mark.parametrize("python", wheels.PYTHONS)
def test_all_that_the_box_needs_is_a_wheel_or_known_to_be_built(machine, python):
    answer = answer_of(Target(machine, python))

    assert answer.wrong(PINS) == []
    assert {"numpy", "aubio-ledfx", "gpiod", "adafruit-blinka", "cffi"} <= set(answer.wheels)
    built = {"3.11": [], "3.13": ["python-rtmidi"]}[python]
    if (machine, python) == ("x86_64", "3.13"):
        built = ["lgpio", *built]
    assert sorted(answer.without) == built


def test_the_empty_placeholder_of_lgpio_is_noticed_where_a_pin_lets_it_in(tmp_path):
    loose = tmp_path / "constraints.txt"
    loose.write_text(set_up.CONSTRAINTS.read_text().replace("\nlgpio==0.2.2.0", "\nlgpio"))
    project = {**PROJECT, "dependencies": ["lgpio"], "optional-dependencies": {"midi": [], "pi": []}}
    try:
        answer = wheels.resolve(project, Target("x86_64", "3.13"), loose)
    except SetUpError as error:
        if os.environ.get("FATHOM_CI"):
            raise
        pytest.skip(f"the package index was not asked: {error}")

    assert answer.wheels["lgpio"] == "0.0.0.2"
    assert "lgpio 0.0.0.2 would be installed, expected 0.2.2.0" in answer.wrong(PINS)


def test_what_is_asked_for_depends_on_machine_and_python():
    assert "lgpio" in wheels.wanted(PROJECT, BOOKWORM)
    assert "adafruit-lgpio" in wheels.wanted(PROJECT, TRIXIE)
    assert "lgpio" not in wheels.wanted(PROJECT, TRIXIE)
    assert "lgpio" in wheels.wanted(PROJECT, Target("x86_64", "3.13"))
    assert "python-rtmidi" in wheels.wanted(PROJECT, TRIXIE)


class Pip:
    """Answers in pip's place: what each package needs, and which have no wheel."""

    def __init__(self, monkeypatch, needs, without=()):
        self.asked = []
        self.needs, self.without = needs, without
        monkeypatch.setattr(subprocess, "run", self.run)

    def run(self, command, **_):
        report = command.index("--report")
        names = [wheels.name_of(exact) for exact in command[report + 2 :]]
        self.asked.append(names)
        for name in names:
            if name in self.without:
                said = f"ERROR: No matching distribution found for {name}"
                return subprocess.CompletedProcess(command, 1, "", said)
        told = [
            {"metadata": {"name": name, "version": "1", "requires_dist": self.needs.get(name, [])}}
            for name in names
        ]
        with open(command[report + 1], "w") as file:
            json.dump({"install": told}, file)
        return subprocess.CompletedProcess(command, 0, "", "")


def test_what_packages_need_in_turn_is_followed_by_the_markers_of_the_box(monkeypatch):
    here = 'here; platform_machine == "aarch64" and python_version >= "3.13"'
    pip = Pip(
        monkeypatch, {"top": [here, 'gone; sys_platform == "win32"', 'more; extra == "all"'], "here": ["top"]}
    )
    project = {"dependencies": ["top"], "optional-dependencies": {"midi": [], "pi": ["adafruit-lgpio"]}}

    answer = wheels.resolve(project, TRIXIE)

    assert pip.asked == [["top", "adafruit-lgpio", "python-rtmidi"], ["here"]]
    assert set(answer.wheels) == {"top", "adafruit-lgpio", "python-rtmidi", "here"}


def test_what_has_no_wheel_is_told_apart_from_what_nobody_can_provide(monkeypatch):
    Pip(monkeypatch, {}, without=("python-rtmidi", "spidev"))
    project = {"dependencies": ["spidev"], "optional-dependencies": {"midi": [], "pi": []}}

    answer = wheels.resolve(project, BOOKWORM)

    assert answer.without == ["python-rtmidi", "spidev"] or answer.without == ["spidev", "python-rtmidi"]
    assert [sentence for sentence in answer.wrong({"lgpio": "1"}) if "no wheel" in sentence] == [
        "spidev has no wheel, and tools/set_up.py has no other way to it"
    ]
    assert "no wheel of python-rtmidi (from Debian's python3-rtmidi" in answer.line()
