"""The house: arrows run one way, twins have the same methods, every room says what it keeps out."""

import ast
import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from hw import din, fingers, jacks, knobs, link, midi_in, midi_out, panel, sim, timing

ROOT = Path(__file__).parents[1]
ROOMS = ("hw", "device", "training")
DOORS = ("fathom.py",)
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).glob("*.py"))

# What training may know of the device: slot file, pattern, integer decoder and what those are made of.
OPEN_TO_TRAINING = {"device.slot", "device.pattern", "device.decoder", "device.network", "device.encoder"}


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path):
    """Modules of the project that a file imports, also inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name_of(module) for module in MODULES}
            found |= (inside & modules) or {node.module}
    return {name for name in found if name.split(".")[0] in (*ROOMS, "fathom")}


def test_the_rooms_are_those_of_the_design():
    for folder in ("hw", "device", "training", "systemd", "bench", "tests", "docs"):
        assert (ROOT / folder).is_dir(), folder
    for file in (
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "pyproject.toml",
        "fathom.py",
        "docs/architecture.md",
    ):
        assert (ROOT / file).is_file(), file


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_one_way(path):
    allowed = {"hw": {"hw"}, "device": {"hw", "device"}, "training": {"device", "training"}}[path.parent.name]

    for name in imports(path):
        assert name.split(".")[0] in allowed, f"{name_of(path)} imports {name}"
        if path.parent.name == "training" and name.startswith("device."):
            assert name in OPEN_TO_TRAINING, f"{name_of(path)} imports {name}"


def test_no_modules_import_each_other_in_a_circle():
    arrows = {name_of(path): imports(path) for path in MODULES}
    finished, open_ = set(), []

    def visit(name):
        assert name not in open_, f"a circle: {' -> '.join([*open_[open_.index(name) :], name])}"
        if name in finished:
            return
        open_.append(name)
        for other in sorted(arrows.get(name, ())):
            visit(other)
        finished.add(open_.pop())

    for name in arrows:
        visit(name)


@pytest.mark.parametrize("path", [*MODULES, *(ROOT / door for door in DOORS)], ids=name_of)
def test_every_file_says_first_what_it_is_for_and_stays_a_room(path):
    text = path.read_text()
    first = ast.get_docstring(ast.parse(text))

    assert first, f"{name_of(path)} has no docstring"
    assert len(text.splitlines()) <= 480, f"{name_of(path)} is no room any more"


def public(thing):
    return {name for name, value in inspect.getmembers(thing, callable) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("real", "twin", "protocol"),
    [
        (jacks.GpiodJacks, sim.SimJacks, panel.Jacks),
        (knobs.Mcp3008Knobs, sim.SimKnobs, panel.Knobs),
        (fingers.GpioButtons, sim.SimButtons, panel.Buttons),
        (fingers.GpioLamps, sim.SimLamps, panel.Lamps),
        (midi_out.MidiOut, sim.SimMidi, panel.Midi),
        (midi_in.MidiIn, sim.SimMidiIn, panel.MidiInput),
        (din.DinOut, sim.SimMidi, panel.Midi),
        (din.DinIn, sim.SimMidiIn, panel.MidiInput),
        (link.Link, sim.SimLink, link.Session),
        (timing.RealTime, timing.SimTime, timing.Time),
    ],
)
def test_a_twin_has_every_method_of_the_real_part(real, twin, protocol):
    assert public(protocol) <= public(real) <= public(twin)
    for name in public(protocol):
        assert [*inspect.signature(getattr(real, name)).parameters] == [
            *inspect.signature(getattr(twin, name)).parameters
        ], name


def test_no_driver_is_imported_before_it_is_needed():
    drivers = {
        "gpiod",
        "gpiozero",
        "lgpio",
        "rtmidi",
        "link",
        "jack",
        "alsa_midi",
        "board",
        "busio",
        "adafruit_mcp3xxx",
        "RPi",
    }
    heavy = {"aubio", "soundfile", "soxr", "matplotlib"}
    for path in MODULES:
        if path.name == "audio.py" or path.name == "onsets.py":
            continue
        for node in ast.parse(path.read_text()).body:
            names = {alias.name.split(".")[0] for alias in getattr(node, "names", [])}
            module = (getattr(node, "module", None) or "").split(".")[0]
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not ({module} | names) & drivers, f"{name_of(path)} line {node.lineno}"
                if path.parent.name == "device":
                    assert not ({module} | names) & heavy, f"{name_of(path)} line {node.lineno}"


def test_a_slots_tensors_are_named_in_one_file_alone():
    named = [name_of(path) for path in MODULES if "knobs.points" in path.read_text()]

    assert named == ["device.decoder", "device.slot"], "the decoder only complains of it by name"


def test_the_architecture_page_names_every_module_and_no_other():
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.split("## Where things are")[1]
    named = set()
    for row in table.splitlines():
        room = ""
        for word in row.split("|")[1].split("`") if row.startswith("| `") else []:
            if word.endswith(".py"):
                room = word.rpartition("/")[0] or room
                named.add(f"{room}/{word.rpartition('/')[2]}")

    files = {str(path.relative_to(ROOT)) for path in MODULES if path.name != "__init__.py"}
    assert named - {"/errors.py"} == files - {f"{room}/errors.py" for room in ROOMS}


def test_the_formats_page_names_all_that_can_be_said_of_a_loop():
    from training.overrides import RANGES

    page = (ROOT / "docs" / "formats.md").read_text()
    for name in RANGES:
        assert re.search(rf"^    {name} = ", page.split("## What you say of a loop")[1], re.MULTILINE), name


def test_the_formats_page_names_every_setting_and_message():
    from device.messages import Request
    from device.specs import BOX_SPECS, VOICE_SPECS

    page = (ROOT / "docs" / "formats.md").read_text()
    for name in (*BOX_SPECS, *VOICE_SPECS):
        assert re.search(rf"^    {name} = ", page, re.MULTILINE), name
    for message in get_args(Request):
        tag = message.__struct_config__.tag
        assert f'"do": "{tag}"' in page or f"`{tag}`" in page, tag


def test_files_that_the_readme_names_are_there():
    for name in re.findall(
        r"(?:hw|device|training|docs|tools|systemd)/[\w./]+\.\w+", (ROOT / "README.md").read_text()
    ):
        assert (ROOT / name).is_file() or name == "docs/figures.md", name
