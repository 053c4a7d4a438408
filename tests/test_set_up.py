"""The set-up: what it decides, what it says, and that its pins fit the project."""

import hashlib
import io
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tools import set_up
from tools.set_up import Record, SetUpError

PROJECT = tomllib.loads((set_up.ROOT / "pyproject.toml").read_text())["project"]
DONE = Record("done", "cpython-311 linux-x86_64", "/clone", "/clone/.venv", "abc", ["dev", "midi"])


def pins() -> dict[str, str]:
    lines = set_up.CONSTRAINTS.read_text().splitlines()
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line.split("#")[0].strip()) for line in lines]
    return {pin[1]: pin[2] for pin in found if pin}


def test_every_requirement_is_pinned() -> None:
    wanted = sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])
    names = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in wanted}

    assert names - set(pins()) == set()


def test_every_package_of_this_environment_is_pinned_at_its_version() -> None:
    if set_up.read_record(Path(sys.prefix)) is None:
        pytest.skip("this environment was not made by the set-up")
    folders = [folder for folder in sys.path if folder.startswith(sys.prefix)]
    here = {re.sub(r"[-_.]+", "-", item.name).lower(): item.version for item in distributions(path=folders)}
    here.pop("pip")

    assert here.items() - pins().items() == set()


def test_a_second_run_has_nothing_to_do() -> None:
    assert set_up.decide(DONE, DONE) == "nothing"
    assert set_up.decide(DONE, replace(DONE, extras=["midi"])) == "nothing"


def test_new_pins_and_new_extras_bring_it_up_to_date() -> None:
    assert set_up.decide(DONE, replace(DONE, needs="def")) == "update"
    assert set_up.decide(replace(DONE, extras=["midi"]), DONE) == "update"


def test_a_run_that_was_killed_starts_anew_and_one_that_stopped_goes_on() -> None:
    assert set_up.decide(None, DONE) == "anew"
    assert set_up.decide(replace(DONE, state="working"), DONE) == "anew"
    assert set_up.decide(replace(DONE, state="stopped"), DONE) == "update"


@pytest.mark.parametrize("part", ["python", "root", "venv"])
def test_another_python_and_a_moved_clone_start_anew(part: str) -> None:
    assert set_up.decide(DONE, replace(DONE, **{part: "other"})) == "anew"


def test_a_package_that_the_distribution_has_by_now_is_fetched() -> None:
    without = replace(DONE, without={"python-rtmidi": "no compiler"})

    assert set_up.decide(without, without) == "nothing"
    assert set_up.decide(without, replace(DONE, without={"python-rtmidi": "/usr/lib/.../rtmidi"})) == "update"


def test_a_link_whose_package_was_removed_is_noticed() -> None:
    assert set_up.decide(replace(DONE, linked=["rtmidi"]), DONE) == "update"


def test_only_requirements_and_pins_change_the_fingerprint() -> None:
    usual = set_up.fingerprint(PROJECT, b"numpy==2.4.6")

    assert set_up.fingerprint({**PROJECT, "version": "9"}, b"numpy==2.4.6") == usual
    assert set_up.fingerprint(PROJECT, b"numpy==2.4.7") != usual
    assert set_up.fingerprint({**PROJECT, "dependencies": []}, b"numpy==2.4.6") != usual


def test_a_record_is_read_back_and_a_torn_one_is_no_record(tmp_path: Path) -> None:
    set_up.write_record(tmp_path, DONE)
    assert set_up.read_record(tmp_path) == DONE

    (tmp_path / set_up.RECORD).write_text('{"state": "do')
    assert set_up.read_record(tmp_path) is None


def test_a_folder_that_it_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")

    with pytest.raises(SetUpError, match="was not made by Fathom's set-up"):
        set_up.Environment(tmp_path).make(DONE)
    assert (tmp_path / "pyvenv.cfg").exists()


def test_what_it_made_earlier_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up.write_record(tmp_path, DONE)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "half-written").touch()
    monkeypatch.setattr(set_up.Environment, "_unpack_pip", lambda here: None)

    set_up.Environment(tmp_path).make(replace(DONE, state="working"))

    assert not (tmp_path / "lib" / "half-written").exists()
    assert (tmp_path / "bin" / "python").exists()
    assert set_up.decide(set_up.read_record(tmp_path), DONE) == "anew"


def test_an_unknown_extra_is_named() -> None:
    with pytest.raises(SetUpError, match=r"'cello' is not known; pyproject.toml has dev, link, midi, pi"):
        set_up.requirements(PROJECT, ["cello"])


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "Temporary failure in name resolution\nNo matching distribution found for rich",
            "is there a network",
        ),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("SSLError: CERTIFICATE_VERIFY_FAILED", "is the clock right"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "no wheel of numpy==2.4.6 for Python 3"),
        (
            "no matching distributions available for your environment:\n    numpy\n",
            "no wheel of numpy for Python",
        ),
        ("Segmentation fault", "pip failed"),
    ],
)
def test_what_pip_says_becomes_a_sentence(said: str, sentence: str) -> None:
    assert sentence in set_up.reason(said)


@pytest.mark.parametrize("folder", ["plain", "with space", "long" * 40])
def test_the_command_starts_from_any_folder(tmp_path: Path, folder: str) -> None:
    root = tmp_path / folder
    root.mkdir()
    (root / "fathom.py").write_text("def main(): print('played'); return 3\n")
    python = root / "python"
    python.symlink_to(sys.executable)
    script = root / "fathom"
    script.write_text(set_up.command_script(python, root))
    script.chmod(0o755)

    done = subprocess.run([script], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (3, "played\n")


class Index:
    """A package index of one wheel, in place of the network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wheel: bytes) -> None:
        self.asked: list[str] = []
        self.wheel = wheel
        monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple/")
        monkeypatch.delenv("PIP_CERT", raising=False)
        monkeypatch.setattr("urllib.request.urlopen", self.answer)

    def answer(self, address: str, **_: object) -> io.BytesIO:
        self.asked.append(address)
        page = b'<a href="../../files/pip-1-py3-none-any.whl#sha256=00">pip-1-py3-none-any.whl</a>'
        return io.BytesIO(self.wheel if address.endswith(".whl#sha256=00") else page)


def test_pip_comes_from_the_index_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(monkeypatch, b"wheel")

    assert set_up.download("pip-1-py3-none-any.whl", hashlib.sha256(b"wheel").hexdigest()) == b"wheel"
    assert index.asked[0] == "https://mirror.example/simple/pip/"
    assert index.asked[1].startswith("https://mirror.example/files/pip-1")


def test_an_altered_pip_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Index(monkeypatch, b"something else")

    with pytest.raises(SetUpError, match="damaged or altered"):
        set_up.download("pip-1-py3-none-any.whl", hashlib.sha256(b"wheel").hexdigest())


def test_pip_comes_from_a_folder_where_one_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetUpError, match="has no pip-.*.whl, and this Python no pip of its own"):
        set_up.from_folder(tmp_path)

    (tmp_path / set_up.PIP).write_bytes(b"something else")
    with pytest.raises(SetUpError, match="is damaged or altered"):
        set_up.from_folder(tmp_path)

    monkeypatch.setattr(set_up, "PIP_SHA256", hashlib.sha256(b"something else").hexdigest())
    assert set_up.from_folder(tmp_path) == b"something else"


def test_what_a_build_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (lgpio,) = [borrowed for borrowed in set_up.BORROWED if borrowed.requirement == "lgpio"]
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(sys, "base_prefix", "/usr/local")

    why = set_up.missing(lgpio)

    assert "a build needs swig, a C compiler" in why or "a build needs swig and a C compiler" in why
    assert "`sudo apt install swig gcc python3-dev`" in why


def test_a_stand_in_from_another_project_is_enough(tmp_path: Path) -> None:
    (lgpio,) = [borrowed for borrowed in set_up.BORROWED if borrowed.requirement == "lgpio"]
    here = set_up.Environment(tmp_path)
    record = here.packages / "adafruit_lgpio-0.2.2.0.dist-info" / "RECORD"
    assert not here.has(lgpio)
    record.parent.mkdir(parents=True)
    record.touch()

    assert here.has(lgpio)
    assert here.borrow(lgpio)
