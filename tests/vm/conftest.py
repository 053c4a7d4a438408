"""What the stories share: an image, and machines that show their console where a test fails."""

import os
import sys

import pytest

from .image import ImageError, build, lacking
from .machine import Machine
from .panel import Panel, hardware
from .wheels import wheelhouse


def say(line):
    """To the terminal at once: the first time takes minutes."""
    print(f"\n{line}", file=sys.__stderr__, flush=True)


def give_up(why):
    """Skip; where nothing may be skipped, fail."""
    if os.environ.get("FATHOM_CI") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def image():
    """Debian with the panel's kernel modules, of FATHOM_VM_SUITE (bookworm)."""
    if why := lacking():
        give_up(why)
    try:
        return build(os.environ.get("FATHOM_VM_SUITE", "bookworm"), say)
    except ImageError as error:
        give_up(str(error))


@pytest.fixture(scope="session")
def wheels(image):
    """A folder with wheels of all that the box requires, for the image's Python."""
    try:
        return wheelhouse(image.python, say=say)
    except ImageError as error:
        give_up(str(error))


@pytest.fixture(scope="session")
def stick_folder(image, tmp_path_factory):
    """A place for sticks; whoever makes sticks needs the tools that the image needs."""
    return tmp_path_factory.mktemp("sticks")


@pytest.fixture(scope="module")
def machine(image, wheels, tmp_path_factory):
    """A Pi 4 with the reference panel, switched on; one for all the stories of a file, in their order."""
    folder = tmp_path_factory.mktemp("machine")
    with Machine(image, folder, share={"wheels": wheels}, words=hardware("4")) as machine:
        say(f"the machine is up after {machine.boot_s:.0f} s")
        yield machine
    machine.disk.unlink()  # pytest keeps its folders for a while


@pytest.fixture(scope="module")
def panel(machine):
    return Panel(machine)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With a story that fails, the end of the console and of the journal."""
    report = yield
    machine = getattr(item, "funcargs", {}).get("machine")
    if report.failed and isinstance(machine, Machine):
        report.sections.append(("console of the machine", machine.console()[-4000:]))
        if machine.on:
            try:
                report.sections.append(("journal of the machine", machine.journal(lines=60)))
            except Exception as error:
                report.sections.append(("journal of the machine", f"there is none: {error}"))
    return report
