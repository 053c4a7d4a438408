"""Making a release: what goes into a bundle, and which wheels a box needs."""

import io
import subprocess
import zipfile

import pytest
from packaging.requirements import Requirement

from tests.update_helpers import Signer, need_ssh_keygen
from tools import release
from tools.release import Source, Target
from tools.updater import bundle
from tools.updater.errors import UpdateError
from tools.updater.install import EXTRAS

PROJECT = """
[project]
version = "0.3.0"
dependencies = ["alpha>=1", "old; python_version < '3.12'"]
[project.optional-dependencies]
midi = ["python-rtmidi>=1"]
pi = ["beta[more]>=1; platform_machine == 'aarch64'", "other; platform_machine == 'x86_64'"]
"""
PINS = "alpha==1.0  # a note\nbeta==2.0\nold==3.0\ngamma==4.0\npython-rtmidi==1.5.8\nlgpio==0.2\nother==1\n"


def git(root, *words):
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", root, *own, *words], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path):
    """A project of few files, committed."""
    root = tmp_path / "clone"
    for name, text in (
        ("fathom.py", "print()\n"),
        ("hw/panel.py", ""),
        ("tests/test_it.py", ""),
        ("systemd/install", "#!/bin/sh\n"),
        ("pyproject.toml", PROJECT),
        ("constraints.txt", PINS),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "systemd/install").chmod(0o755)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "all")
    return root


def wheel(folder, name, needs=(), size=0):
    """A wheel of that name, with what it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    package, version, *_ = name.split("-")
    with zipfile.ZipFile(folder / name, "w") as archive:
        told = "".join(f"Requires-Dist: {need}\n" for need in needs)
        archive.writestr(f"{package}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: x\n{told}")
        archive.writestr("x.py", "#" * size)


@pytest.fixture
def wheelhouse(tmp_path, monkeypatch):
    """All wheels that the project needs, and an index that has no others."""
    folder = tmp_path / "out" / "wheels"
    wheel(folder, "alpha-1.0-cp311-cp311-manylinux_2_28_aarch64.whl", ["gamma; python_version < '3.13'"])
    wheel(folder, "alpha-1.0-cp313-cp313-manylinux_2_28_aarch64.whl", ["gamma; python_version < '3.13'"])
    wheel(folder, "alpha-1.0-cp311-cp311-manylinux_2_28_x86_64.whl")
    wheel(folder, "beta-2.0-py3-none-any.whl", ["gamma; extra == 'more'", "unheard-of; extra == 'less'"])
    wheel(folder, "old-3.0-py3-none-any.whl")
    wheel(folder, "gamma-4.0-py2.py3-none-any.whl", size=1000)
    wheel(folder, "gamma-3.9-py2.py3-none-any.whl")
    wheel(folder, "lgpio-0.2-cp311-cp311-manylinux_2_34_aarch64.whl")
    wheel(folder, release.set_up.PIP)
    asked = []

    def fetch(target, where, pins):
        asked.extend(pins)
        return f"ERROR: No matching distribution found for {next(iter(pins))}"

    monkeypatch.setattr(Target, "fetch", fetch)
    return folder, asked


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    need_ssh_keygen()
    return Signer(tmp_path_factory.mktemp("keys") / "ours")


def test_a_target_gets_the_wheels_that_it_needs_and_no_others(clone, wheelhouse):
    folder, asked = wheelhouse

    found = release.wheels(clone, Target("3.11-aarch64"), folder)

    assert [path.name.split("-")[0] for path in found] == ["alpha", "beta", "gamma", "lgpio", "old", "pip"]
    assert "alpha-1.0-cp311-cp311-manylinux_2_28_aarch64.whl" in [path.name for path in found]
    assert set(asked) == {"python-rtmidi==1.5.8"}, "what is there is not fetched"


def test_what_a_python_does_not_need_stays_out(clone, wheelhouse):
    found = release.wheels(clone, Target("3.13-aarch64"), wheelhouse[0])

    assert [path.name.split("-")[0] for path in found] == ["alpha", "beta", "gamma", "pip"]


def test_a_wheel_that_is_missing_is_named(clone, wheelhouse):
    (wheelhouse[0] / "gamma-4.0-py2.py3-none-any.whl").unlink()

    with pytest.raises(UpdateError, match=r"gamma 4\.0: no wheel for 3\.11-aarch64 .*No matching"):
        release.wheels(clone, Target("3.11-aarch64"), wheelhouse[0])


def test_a_package_without_a_pin_is_named(clone, wheelhouse):
    (clone / "constraints.txt").write_text(PINS.replace("gamma==4.0", ""))

    with pytest.raises(UpdateError, match="gamma is needed on 3.11-aarch64 and has no pin"):
        release.wheels(clone, Target("3.11-aarch64"), wheelhouse[0])


def test_markers_are_asked_of_the_box_and_not_of_this_machine():
    target = Target("3.13-aarch64")

    assert not target.applies(Requirement("a; python_version < '3.13'"), [])
    assert target.applies(Requirement("a; platform_machine == 'aarch64' and extra == 'b'"), ["b"])
    assert not target.applies(Requirement("a; extra == 'b'"), [])
    assert not target.applies(Requirement("a; sys_platform == 'win32'"), [])


@pytest.mark.parametrize("name", ["aarch64", "3.11", "2.7-aarch64", "3.11-../x"])
def test_a_target_that_is_none_is_named(name):
    with pytest.raises(UpdateError, match="expected a Python and a machine, as 3.11-aarch64"):
        Target(name)


def test_a_release_holds_the_commit_and_the_same_input_gives_the_same_bytes(clone, wheelhouse, signer):
    out = wheelhouse[0].parent
    path = release.release(clone, signer.key, ["3.11-aarch64", "3.13-aarch64"], out)
    once = path.read_bytes()

    manifest = bundle.parse(bundle.read_head(io.BytesIO(once))[1])

    assert path.name == "fathom-0.3.0.update"
    project = [item.path for item in manifest.files if not item.path.startswith("wheels/")]
    assert project == ["constraints.txt", "fathom.py", "hw/panel.py", "pyproject.toml", "systemd/install"]
    assert [item.path for item in manifest.files if item.executable] == ["systemd/install"]
    for_whom = {
        item.path.split("/")[1].split("-")[0]: item.targets for item in manifest.files if item.targets
    }
    assert for_whom["old"] == ("3.11-aarch64",)
    assert for_whom["gamma"] == ("3.11-aarch64", "3.13-aarch64")
    (clone / "fathom.py").touch()
    assert release.release(clone, signer.key, ["3.13-aarch64", "3.11-aarch64"], out).read_bytes() == once


@pytest.mark.parametrize("name", ["fathom.py", "new.py"])
def test_a_clone_that_differs_from_its_commit_makes_no_release(clone, signer, name):
    (clone / name).write_text("changed")

    with pytest.raises(UpdateError, match=f"{name} differs from the commit"):
        release.project(clone)


def test_a_link_in_the_project_makes_no_release(clone):
    (clone / "hw" / "link.py").symlink_to("/etc/passwd")
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "a link")

    with pytest.raises(UpdateError, match="hw/link.py is no plain file"):
        release.project(clone)


def test_a_key_that_cannot_sign_leaves_no_bundle(tmp_path):
    need_ssh_keygen()
    (tmp_path / "key").write_text("no key")

    with pytest.raises(UpdateError, match="ssh-keygen could not sign with it"):
        release.write(
            tmp_path / "a.update", "1.0", "0" * 40, {"3.11-aarch64": 1}, [Source("a", b"")], tmp_path / "key"
        )
    assert not (tmp_path / "a.update").exists()


def test_the_extras_of_a_box_are_those_of_the_project():
    import tomllib

    told = tomllib.loads((release.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) <= set(told)
