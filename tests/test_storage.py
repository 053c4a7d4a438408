"""The storage of a box whose root is read-only: really mounted, where a machine lets one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HELPER = Path(__file__).parents[1] / "systemd" / "mount.fathom"


def hidden(script, *words):
    """Run a shell script as root whose mounts nobody else sees."""
    command = ["unshare", "--mount", "sh", "-eu", "-c", script, "sh", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def box(tmp_path):
    """A boot partition with a file for storage, and the folder that it is for."""
    if os.geteuid() or not all(map(shutil.which, ("unshare", "mkfs.ext4", "losetup"))):
        pytest.skip("mounting wants root, unshare, mkfs.ext4 and losetup")
    (tmp_path / "boot/firmware").mkdir(parents=True)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/below").write_text("what lay there before")
    image = tmp_path / "boot/firmware/fathom-state.img"
    image.write_bytes(bytes(12 * 2**20))
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    may = hidden('losetup -f >/dev/null && mount --bind "$1" /boot', tmp_path / "boot")
    if may.returncode:
        pytest.skip(f"this machine lets nobody mount: {may.stderr.strip()}")
    return tmp_path


def mounted(box, then=""):
    script = (
        f'mount --bind "$1" /boot; "$2" fathom "$3"; {then} grep " $3 " /proc/mounts; ls "$3"; umount "$3"'
    )
    done = hidden(script, box / "boot", HELPER, box / "state")
    assert done.returncode == 0, done.stderr
    return done


def test_what_the_box_remembers_is_journalled_with_its_data(box):
    kind = mounted(box).stdout

    assert " ext4 rw,nosuid,nodev,noexec,noatime," in kind
    assert "data=journal" in kind
    assert "below" not in kind


def test_what_was_written_is_there_at_the_next_start(box):
    mounted(box, 'echo 1 >"$3/slot";')

    assert "slot" in mounted(box).stdout


def test_storage_that_is_beyond_repair_leaves_the_box_what_lies_below(box):
    image = box / "boot/firmware/fathom-state.img"
    image.write_bytes(b"\x55" * image.stat().st_size)

    done = mounted(box)

    assert "below" in done.stdout
    assert "cannot be mended: expected an ext4" in done.stderr
    assert "what is changed now is forgotten" in done.stderr
