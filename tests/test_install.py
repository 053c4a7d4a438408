"""The installer, as it is run: in a folder that stands for a system, and killed on the way."""

import importlib.util
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path

import pytest
from install_helpers import CONFIG, FILES, ROOT, command, install, make_clone, make_system, seen

from tools import wheels
from tools.installer import boot, packages, program
from tools.installer.errors import InstallError
from tools.installer.record import Record
from tools.installer.services import to_enable, wanted_files
from tools.installer.system import System
from tools.installer.tree import Tree

CONFIG_TXT = "boot/firmware/config.txt"
COMMAND_TXT = "boot/firmware/cmdline.txt"

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="an installation wants root, and this is an ordinary user"
)


@pytest.fixture
def root(tmp_path):
    return make_system(tmp_path / "system")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return make_clone(tmp_path_factory.mktemp("clone") / "fathom")


def learn(root, text="a slot"):
    slot = root / "var/lib/fathom/slots/slot-01.safetensors"
    slot.parent.mkdir(exist_ok=True)
    slot.write_text(text)


# --- a whole installation


@as_root
def test_it_puts_everything_in_its_place(root, clone):
    said = install(clone, root)

    assert "Fathom 0.1.0 for a Raspberry Pi 4 Model B" in said
    assert os.readlink(root / "opt/fathom/current") == "releases/0.1.0"
    assert os.readlink(root / "usr/local/bin/fathom") == "/opt/fathom/current/.venv/bin/fathom"
    release = root / "opt/fathom/current"
    assert (release / ".venv/bin/fathom").is_file()
    assert (release / "systemd/install").stat().st_mode & 0o777 == 0o755
    state = (root / "var/lib/fathom").stat()
    passwd = dict(line.split(":", 1) for line in (root / "etc/passwd").read_text().splitlines())
    assert passwd["fathom"].endswith("/usr/sbin/nologin")
    assert (state.st_mode & 0o777, str(state.st_uid)) == (0o755, passwd["fathom"].split(":")[1])
    for line in (root / "etc/group").read_text().splitlines():
        name, _, _, members = line.split(":")
        assert ("fathom" in members) == (name in ("gpio", "spi", "audio", "dialout")), line
    for unit in (ROOT / "systemd").glob("*.service"):
        assert (root / "etc/systemd/system" / unit.name).read_text() == unit.read_text()
    for rules in (ROOT / "systemd").glob("*.rules"):
        assert (root / "etc/udev/rules.d" / rules.name).read_text() == rules.read_text()
    assert (root / "etc/systemd/system/multi-user.target.wants/fathom.service").is_symlink()
    assert not (root / "etc/systemd/system/multi-user.target.wants/fathom-gadget.service").exists()
    assert "dtparam=spi=on\n" in (root / CONFIG_TXT).read_text()
    assert "serial0" not in (root / COMMAND_TXT).read_text()
    assert (root / f"{CONFIG_TXT}.fathom-before").read_text() == CONFIG


@as_root
def test_a_second_run_changes_nothing_but_what_time_it_is(root, clone):
    install(clone, root)
    once = seen(root)

    install(clone, root)

    assert seen(root) == once


@as_root
def test_uninstalling_leaves_every_byte_as_it_was(root, clone):
    before = seen(root)
    install(clone, root, "--gadget")

    said = install(clone, root, "--uninstall")

    assert "Fathom is gone" in said
    assert seen(root) == before


@as_root
def test_what_was_learned_is_kept_when_fathom_goes_and_comes_back_with_it(root, clone):
    install(clone, root)
    learn(root)

    said = install(clone, root, "--uninstall")

    (kept,) = (root / "var/backups").iterdir()
    assert (kept / "slots/slot-01.safetensors").read_text() == "a slot"
    assert f"sudo mv /var/backups/{kept.name} /var/lib/fathom" in said
    assert not (root / "var/lib/fathom").exists()

    kept.rename(root / "var/lib/fathom")
    install(clone, root)
    slot = root / "var/lib/fathom/slots/slot-01.safetensors"
    assert slot.read_text() == "a slot"
    assert slot.stat().st_uid == (root / "var/lib/fathom").stat().st_uid != 0


@as_root
def test_purging_leaves_nothing_of_what_was_learned(root, clone):
    before = seen(root)
    install(clone, root)
    learn(root)

    install(clone, root, "--uninstall", "--purge")

    assert seen(root) == before


@as_root
def test_a_newer_version_takes_over_and_the_one_before_is_kept(root, clone, tmp_path):
    newer = make_clone(tmp_path / "newer", "0.2.0")
    (newer / "systemd/60-fathom-rights.rules").unlink()
    (newer / "systemd/fathom-new.service").write_text(
        "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=a.target\n"
    )
    install(clone, root)
    learn(root)

    install(newer, root)

    assert os.readlink(root / "opt/fathom/current") == "releases/0.2.0"
    assert os.readlink(root / "opt/fathom/previous") == "releases/0.1.0"
    assert (root / "opt/fathom/releases/0.1.0/.venv/bin/fathom").exists()
    assert not (root / "etc/udev/rules.d/60-fathom-rights.rules").exists()
    assert (root / "etc/systemd/system/a.target.wants/fathom-new.service").is_symlink()
    assert (root / "var/lib/fathom/slots/slot-01.safetensors").exists()

    newest = make_clone(tmp_path / "newest", "0.3.0")
    install(newest, root)
    assert sorted(path.name for path in (root / "opt/fathom/releases").iterdir()) == ["0.2.0", "0.3.0"]
    assert not (root / "etc/systemd/system/a.target.wants").exists()


@as_root
def test_other_content_of_the_same_version_gets_a_folder_of_its_own(root, clone, tmp_path):
    other = make_clone(tmp_path / "other")
    (other / "fathom.py").write_text('"""Another door."""\n')
    install(clone, root)

    install(other, root)

    assert re.fullmatch(r"releases/0\.1\.0\+[0-9a-f]{8}", os.readlink(root / "opt/fathom/current"))
    assert os.readlink(root / "opt/fathom/previous") == "releases/0.1.0"
    assert (root / "opt/fathom/current/fathom.py").read_text() == '"""Another door."""\n'


@as_root
def test_a_release_that_does_not_start_is_not_switched_to(root, clone, tmp_path):
    broken = make_clone(tmp_path / "broken", "0.2.0")
    text = (broken / "tools/set_up.py").read_text()
    (broken / "tools/set_up.py").write_text(
        text.replace("echo fathom 0.1.0", "echo no numpy here >&2; exit 1")
    )
    install(clone, root)

    said = install(broken, root, expect=1)

    assert "Not installed: Fathom 0.2.0 does not start (no numpy here)" in said
    assert os.readlink(root / "opt/fathom/current") == "releases/0.1.0"


@as_root
def test_an_update_that_waits_gives_way_and_units_that_one_brought_go_with_the_rest(root, clone):
    before = seen(root)
    install(clone, root)
    (root / "opt/fathom/next").symlink_to("releases/0.2.0")
    (root / "etc/systemd/system/fathom-later.service").write_text("[Service]\nExecStart=/bin/true\n")

    install(clone, root)
    assert not os.path.lexists(root / "opt/fathom/next")
    assert os.readlink(root / "opt/fathom/proven") == os.readlink(root / "opt/fathom/current")
    seal = json.loads((root / "opt/fathom/current/release.json").read_text())
    assert seal == {"version": "0.1.0", "manifest": ""}

    install(clone, root, "--uninstall")
    assert seen(root) == before


@as_root
def test_keys_that_the_player_trusts_are_the_players(root, tmp_path):
    clone = make_clone(tmp_path / "with-keys")
    signers = root / "etc/fathom/release_signers"
    (clone / "systemd/release_signers").write_text("# none\n")
    install(clone, root)
    assert signers.read_text() == "# none\n"

    newer = make_clone(tmp_path / "newer", "0.2.0")
    (newer / "systemd/release_signers").write_text("fathom-release ssh-ed25519 A\n")
    install(newer, root)
    assert signers.read_text() == "fathom-release ssh-ed25519 A\n"

    signers.write_text("fathom-release ssh-ed25519 B\n")
    install(newer, root)
    assert signers.read_text() == "fathom-release ssh-ed25519 B\n"


@as_root
def test_the_installed_tree_can_install_itself_again_and_take_itself_off(root, clone):
    before = seen(root)
    install(clone, root)
    once = seen(root)
    own = root / "opt/fathom/releases/0.1.0"

    install(own, root)
    assert seen(root) == once

    install(own, root, "--uninstall")
    assert seen(root) == before


@as_root
def test_choices_stay_until_they_are_taken_back(root, clone):
    install(clone, root, "--gadget", "--no-din")
    chosen = (root / CONFIG_TXT).read_text()
    assert "dwc2,dr_mode=peripheral" in chosen
    assert "midi-uart0" not in chosen
    assert "console=serial0" in (root / COMMAND_TXT).read_text()
    assert (root / "etc/systemd/system/multi-user.target.wants/fathom-gadget.service").is_symlink()

    install(clone, root)
    assert (root / CONFIG_TXT).read_text() == chosen

    install(clone, root, "--no-gadget", "--din")
    text = (root / CONFIG_TXT).read_text()
    assert "dwc2" not in text
    assert "dtoverlay=midi-uart0\n" in text
    assert "console=serial0" not in (root / COMMAND_TXT).read_text()
    assert not (root / "etc/systemd/system/multi-user.target.wants/fathom-gadget.service").exists()


@as_root
def test_listing_changes_nothing_and_names_what_would_be_done(root, clone):
    before = seen(root)

    said = install(clone, root, "--list")

    assert seen(root) == before
    for thing in ("releases/0.1.0", CONFIG_TXT, "fathom.service", "/var/lib/fathom", "systemd-sysusers"):
        assert thing in said


def empty_wheel(folder, name, number):
    """A package with nothing in it."""
    stem = f"{name.replace('-', '_')}-{number}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        about = f"{stem}.dist-info"
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")


@as_root
def test_a_folder_of_wheels_is_enough_for_an_environment(root, clone, tmp_path):
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("this Python brings no pip (python3-venv)")
    whole = tmp_path / "whole"
    shutil.copytree(clone, whole)
    shutil.copy(ROOT / "tools/set_up.py", whole / "tools/set_up.py")
    (whole / "fathom.py").write_text('def main():\n    print("fathom 0.1.0")\n')
    here = wheels.Target(platform.machine(), "{}.{}".format(*sys.version_info))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = wheels.pins((ROOT / "constraints.txt").read_text())
    (tmp_path / "wheels").mkdir()
    for name in wheels.wanted(project, here):
        empty_wheel(tmp_path / "wheels", name, pins[name])

    said = install(whole, root, "--wheels", tmp_path / "wheels")

    assert "Ready after" in said
    packages = next((root / "opt/fathom/current/.venv/lib").glob("python3*")) / "site-packages"
    assert (packages / f"numpy-{pins['numpy']}.dist-info").is_dir()
    assert (packages / f"lgpio-{pins['lgpio']}.dist-info").is_dir() or here.python >= "3.13"


# --- cut off on the way


def kill_after(seconds, clone, root, *words):
    """Run it and kill it, if it is not done before. Returns whether it was killed."""
    with subprocess.Popen(start_new_session=True, **command(clone, root, *words)) as process:
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
    return False


def time_of(clone, root, *words):
    begun = time.monotonic()
    install(clone, root, *words)
    return time.monotonic() - begun


@as_root
def test_killed_anywhere_and_run_again_it_is_as_if_nothing_had_happened(clone, tmp_path):
    straight = make_system(tmp_path / "straight")
    before = seen(straight)
    whole = time_of(clone, straight)
    wanted = seen(straight)
    install(clone, straight, "--uninstall")
    chance = random.Random(5)
    killed = 0
    for number in range(8):
        root = make_system(tmp_path / f"system-{number}")
        for _ in range(2):
            killed += kill_after(whole * chance.random(), clone, root)
        for name in ("etc/passwd", "etc/group", CONFIG_TXT, COMMAND_TXT):
            assert (root / name).read_bytes(), f"{name} is empty after a kill"
        install(clone, root)
        assert _but_times(seen(root)) == _but_times(wanted)
        killed += kill_after(whole * chance.random(), clone, root, "--uninstall")
        install(clone, root, "--uninstall")
        assert _but_times(seen(root)) == before
    assert killed > 3, "nothing was cut off, so nothing was tried"


def _but_times(tree):
    """Without bytecode, which holds times, and the draft of a file that a killed systemd-sysusers leaves."""
    return {name: held for name, held in tree.items() if "__pycache__" not in name and "etc/.#" not in name}


# --- refusals


def test_an_ordinary_user_is_told_to_use_sudo(root, clone):
    if os.geteuid():
        done = subprocess.run(check=False, **command(clone, root))
    else:
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
        if (
            not python
            or subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]).returncode
        ):
            pytest.skip("there is no Python 3.11 here that an ordinary user may run")
        with tempfile.TemporaryDirectory() as open_to_all:
            os.chmod(open_to_all, 0o755)
            visible = make_clone(Path(open_to_all) / "clone")
            words = command(visible, open_to_all)
            words["args"][0] = python
            done = subprocess.run(check=False, user=65534, group=65534, extra_groups=[], **words)

    assert done.returncode == 1
    assert "Not installed: installing needs the rights of root" in done.stderr
    assert "sudo" in done.stderr
    assert "Traceback" not in done.stderr


@as_root
@pytest.mark.parametrize(
    ("changed", "words", "sentence"),
    [
        (
            {"etc__os_release": 'PRETTY_NAME="Fedora 41"\nID=fedora\n'},
            (),
            "this is Fedora 41, expected Debian 12 or 13",
        ),
        ({"boot__firmware__config_txt": None}, (), "no config.txt in /boot/firmware or /boot"),
        (
            {"proc__device_tree__model": "Raspberry Pi 3 Model B Plus\0"},
            ("--gadget",),
            "no USB port of a Raspberry Pi 3",
        ),
        ({"proc__device_tree__model": None}, ("--readonly",), "--readonly: this is no Raspberry Pi"),
        ({"proc__self__mounts": "overlay / overlay rw 0 0\n"}, (), "the root is read-only"),
        (
            {"boot__firmware__config_txt": f"a=1\n{boot.BEGIN}\nb=2\n"},
            (),
            "one of the two lines between which",
        ),
        ({}, ("--wheels", "/no/such/folder"), "--wheels /no/such/folder: there is no such folder"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(tmp_path, clone, changed, words, sentence):
    root = make_system(tmp_path / "system", **changed)

    said = install(clone, root, *words, expect=1)

    assert sentence in said
    assert said.strip().splitlines()[-1].startswith("Not installed: ")
    assert not (root / "opt/fathom/current").exists()


@as_root
def test_a_file_of_the_players_where_the_command_goes_is_not_overwritten(root, clone):
    (root / "usr/local/bin/fathom").write_text("mine")

    said = install(clone, root, expect=1)

    assert "/usr/local/bin/fathom is there already and is no link of Fathom's" in said
    assert (root / "usr/local/bin/fathom").read_text() == "mine"


@as_root
def test_two_installations_at_once_are_one_too_many(root, clone):
    import fcntl

    handle = os.open(root / "opt", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    said = install(clone, root, expect=1)
    os.close(handle)

    assert "another installation or update is going on here" in said


@as_root
def test_uninstalling_what_is_not_there_says_so(root, clone):
    before = seen(root)

    assert "Fathom is not installed here." in install(clone, root, "--uninstall")
    assert seen(root) == before


@as_root
def test_on_a_root_that_forgets_only_the_way_out_is_open(tmp_path, clone):
    text = FILES["boot/firmware/cmdline.txt"]
    root = make_system(tmp_path / "system")
    install(clone, root, "--readonly")
    (root / "proc/self/mounts").write_text("overlay / overlay rw 0 0\n")
    assert "overlayroot=tmpfs:recurse=0" in (root / COMMAND_TXT).read_text()
    before = seen(root)

    assert "the root is read-only" in install(clone, root, "--uninstall", expect=1)
    assert "the root is read-only" in install(clone, root, expect=1)
    assert seen(root) == before

    assert "sudo reboot" in install(clone, root, "--no-readonly")
    assert (root / COMMAND_TXT).read_text() == text.replace("console=serial0,115200 ", "")


# --- the firmware's files


LINES = boot.lines(din=True, gadget=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "dtparam=audio=on",
        "dtparam=audio=on\n",
        "dtparam=audio=on\r\n[pi5]\r\narm_boost=1\r\n",
        "dtparam=audio=on\r\n[pi5]\r\narm_boost=1",
        "[pi5]\ndtoverlay=nvme\n",
        "dtparam=spi=on\ndtoverlay=spi0-1cs\n# >>> not Fathom\n",
        "# \xe4\xf6 latin\n\n\n",
    ],
)
def test_lines_go_in_once_and_out_again_without_a_trace(text):
    once = boot.with_block(text, LINES)

    assert boot.with_block(once, LINES) == once
    assert boot.without_block(once) == text
    assert once.startswith(text)
    assert once.count("\r\n") in (0, once.count("\n")), "one kind of line end"


def test_a_changed_choice_replaces_the_lines_where_they_stand():
    text = boot.with_block("a=1\n", LINES) + "[pi4]\nplayer=2\n"

    changed = boot.with_block(text, boot.lines(din=False, gadget=False))

    assert changed.endswith(f"{boot.END}\n[pi4]\nplayer=2\n")
    assert "midi-uart0" not in changed
    assert boot.without_block(changed) == "a=1\n[pi4]\nplayer=2\n"


def test_what_the_player_wrote_behind_the_lines_stays_on_a_line_of_its_own():
    text = boot.with_block("a=1", LINES) + "b=2\n"

    assert boot.without_block(text) == "a=1\nb=2\n"


def effective(text, board):
    """The lines that the firmware of a board obeys."""
    obeyed, filters = [], {"all", board, *({"pi0", "pi0w"} if board == "pi02" else ())}
    on = True
    for line in text.splitlines():
        if line.startswith("["):
            on = line.strip("[]") in filters
        elif on and not line.startswith("#"):
            obeyed.append(line)
    return obeyed


@pytest.mark.parametrize("board", ["pi3", "pi4", "pi5", "pi02"])
def test_each_board_gets_its_own_lines_whatever_section_the_players_file_ends_in(board):
    obeyed = effective(boot.with_block("[pi4]\nplayer=1\n", LINES), board)

    for line in (
        "dtparam=spi=on",
        "dtoverlay=spi0-1cs",
        "dtparam=i2c_arm=off",
        "dtparam=strict_gpiod",
        "gpio=9=pu",
    ):
        assert obeyed.count(line) == 1
    midi = [line for line in obeyed if "midi-uart0" in line]
    assert midi == ["dtoverlay=midi-uart0-pi5" if board == "pi5" else "dtoverlay=midi-uart0"]
    assert ("dtoverlay=disable-bt" in obeyed) == (board != "pi5")
    assert ("dtoverlay=dwc2,dr_mode=peripheral" in obeyed) == (board != "pi3")
    overlays = [number for number, line in enumerate(obeyed) if re.match("dtoverlay=.", line)]
    base = [number for number, line in enumerate(obeyed) if line.startswith("dtparam=")]
    assert max(base) < min(overlays), "a dtparam goes to the overlay before it"


def test_lines_of_the_players_that_take_pins_of_the_panel_are_named():
    text = "dtparam=audio=on\ndtoverlay=w1-gpio\n#dtparam=i2s=on\ndtoverlay=hifiberry-dac\n"

    first, second = boot.conflicts(boot.with_block(text, LINES))

    assert "line 2, `dtoverlay=w1-gpio`, takes the pin of jack clock in" in first
    assert "line 4, `dtoverlay=hifiberry-dac`, takes the pin of LED voice1 and 3 more" in second


def test_the_command_line_loses_its_serial_console_and_gets_it_back():
    text = "console=tty1 console=serial0,115200 root=X  quiet\n"

    changed, dropped, added = boot.command_line(text, boot.CONSOLES, [])

    assert (changed, dropped, added) == ("console=tty1 root=X quiet\n", ["console=serial0,115200"], [])
    assert boot.command_line_back(changed, dropped, added).split().count("console=serial0,115200") == 1
    assert boot.command_line("root=X", boot.CONSOLES, []) == ("root=X", [], [])


@as_root
def test_a_command_line_that_the_player_changed_since_keeps_the_change(root, clone):
    install(clone, root)
    changed = (root / COMMAND_TXT).read_text().replace("rootwait", "rootwait isolcpus=3")
    (root / COMMAND_TXT).write_text(changed)

    install(clone, root, "--uninstall")

    words = (root / COMMAND_TXT).read_text().split()
    assert "isolcpus=3" in words
    assert "console=serial0,115200" in words


@as_root
@pytest.mark.parametrize("text", [b"a=1\r\n[pi5]\r\nb=2", b"\xff\xfe odd\n", b""])
def test_a_config_of_any_bytes_comes_back_byte_for_byte(tmp_path, clone, text):
    root = make_system(tmp_path / "system", boot__firmware__config_txt=text)

    install(clone, root)
    assert (root / CONFIG_TXT).read_bytes().startswith(text)
    install(clone, root, "--uninstall")

    assert (root / CONFIG_TXT).read_bytes() == text


@as_root
def test_a_debian_that_is_no_pi_has_no_firmware_to_edit(tmp_path, clone):
    root = make_system(tmp_path / "system", proc__device_tree__model=None)

    said = install(clone, root)

    assert "for Debian GNU/Linux 12 (bookworm)" in said
    assert (root / CONFIG_TXT).read_text() == CONFIG


# --- parts


def test_units_that_are_started_by_others_or_by_choice_are_not_enabled():
    files = wanted_files(ROOT, own_storage=True)

    enabled = to_enable(files, gadget=False)

    assert "fathom.service" in enabled
    assert not [name for name in enabled if "@" in name or name == "fathom-gadget.service"]
    assert "fathom-gadget.service" in to_enable(files, gadget=True)
    assert "/etc/systemd/system/var-lib-fathom.mount" in files
    assert "/etc/systemd/system/var-lib-fathom.mount" not in wanted_files(ROOT, own_storage=False)


def test_every_unit_and_rule_of_the_project_has_a_place():
    placed = {Path(name).name for name in wanted_files(ROOT, own_storage=True)}
    tools = {"install", "gadget"}

    there = {path.name for path in (ROOT / "systemd").iterdir() if path.is_file() and path.suffix != ".conf"}
    assert there - tools == placed, "what ends in .conf is for the player to take or leave"


def test_a_record_that_cannot_be_read_is_none(tmp_path):
    from tools.installer import record

    tree = Tree(tmp_path, False, lambda line: None)
    for text in ("", "{", "[]", json.dumps({"files": 3})):
        tree.write(record.NAME, text.encode())
        assert record.read(tree) is None
    Record(files=["/a"]).save(tree)
    assert record.read(tree) == Record(files=["/a"])


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    tree = Tree(tmp_path, False, lambda line: None)
    tree.write("/etc/rules", b"old")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}")))

    tree.write("/etc/rules", b"new")

    assert (tmp_path / "etc/rules").read_bytes() == b"new"
    assert synced == [str(tmp_path / "etc/rules.fathom-new"), str(tmp_path / "etc")]


class Apt:
    """A machine's packages, in place of apt and dpkg."""

    def __init__(self, monkeypatch, installed=(), available=()):
        self.told = []
        monkeypatch.setattr(packages, "_installed", lambda name: name in installed)
        monkeypatch.setattr(packages, "_available", lambda name: name in available)
        monkeypatch.setattr(System, "tell", lambda system, what, *words, needed=True: self.told.append(words))
        self.system = System(Tree(Path("/"), False, lambda line: self.said.append(line)))
        self.said = []
        monkeypatch.setattr(Record, "save", lambda record, tree: None)

    def provide(self, python, machine="aarch64", wheels=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "version_info", (*python, 0, "final", 0))
            patch.setattr("platform.machine", lambda: machine)
            packages.provide(self.system, Record(), wheels, readonly=False)
        return self.told[-1][5:] if self.told else ()


BASE = ("libasound2", "openssh-client", "ca-certificates")


def test_nothing_is_installed_where_all_is_there(monkeypatch):
    assert Apt(monkeypatch, installed=BASE).provide((3, 11)) == ()


def test_midi_comes_from_debian_where_it_has_no_wheel(monkeypatch):
    apt = Apt(monkeypatch, installed=("libasound2t64", *BASE[1:]), available=("python3-rtmidi",))

    assert apt.provide((3, 13)) == ("python3-rtmidi",)


def test_lgpio_is_built_only_where_nobody_has_it(monkeypatch):
    held = (*BASE, "python3-rtmidi", "gcc")

    assert Apt(monkeypatch, held).provide((3, 13), "aarch64") == ()
    assert Apt(monkeypatch, held, ("python3-lgpio",)).provide((3, 13), "x86_64") == ("python3-lgpio",)
    apt = Apt(monkeypatch, held)
    assert apt.provide((3, 13), "x86_64") == ("swig", "python3-dev")
    assert "lgpio is built: no wheel for this Python" in apt.said[0]


def test_without_a_network_what_is_missing_is_named(monkeypatch, tmp_path):
    with pytest.raises(
        InstallError, match="not installed: libasound2 .MIDI ports.; with --wheels nothing is fetched"
    ):
        Apt(monkeypatch, installed=BASE[1:]).provide((3, 11), wheels=tmp_path)


def test_a_release_is_the_program_without_tests_and_leftovers(tmp_path):
    files = program.sources(ROOT)

    assert {"fathom.py", "systemd/install", "tools/set_up.py", "device/factory.safetensors"} <= set(files)
    assert not [name for name in files if "__pycache__" in name or name.startswith((".", "tests", "bench"))]
