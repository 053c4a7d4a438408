"""Taking an update: a good one waits for the next start, a bad one is a sentence, and no more."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.update_helpers import TARGET, TREE, Box, Signer, bundle, need_ssh_keygen
from tools.updater import bundle as bundles
from tools.updater import install as installing
from tools.updater import signature
from tools.updater.errors import UpdateError
from tools.updater.main import main
from tools.updater.signature import verify

AS_IT_WAS = {"current": "0.1.0", "proven": "0.1.0", "previous": None, "next": None}


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    need_ssh_keygen()
    return Signer(tmp_path_factory.mktemp("keys") / "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    need_ssh_keygen()
    return Signer(tmp_path_factory.mktemp("keys") / "theirs")


@pytest.fixture
def box(tmp_path, signer):
    return Box(tmp_path, signer)


def refused(box, path, sentence, **more):
    """The bundle is refused in one sentence, and the box is as it was."""
    with pytest.raises(UpdateError, match=sentence) as error:
        box.take(path, **more)
    assert "\n" not in str(error.value)
    assert box.links() == AS_IT_WAS
    assert box.versions() == ["0.1.0"]


def test_a_new_version_waits_for_the_next_start_and_what_plays_is_left_alone(box, signer):
    said = box.take(bundle(box.stick, signer))

    assert said == "version 0.2.0 is ready and comes with the next start; 0.1.0 plays on until then."
    assert box.links() == AS_IT_WAS | {"next": "0.2.0"}
    folder = box.releases.folder("0.2.0")
    assert (folder / ".venv/bin/fathom").exists()
    assert not (folder / "wheels").exists(), "they are installed, and take space"


def test_the_stick_may_be_pulled_once_it_is_read_and_before_the_environment_is_made(box, signer, monkeypatch):
    order = []
    monkeypatch.setattr(installing, "_complete", lambda folder: order.append("made"))
    path = bundle(box.stick, signer)

    def read():
        held = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists()]
        order.append("still open" if str(path) in held else "read")

    box.take(path, read=read)

    assert order == ["read", "made"]


def test_the_same_bundle_again_changes_nothing_and_says_so(box, signer):
    path = bundle(box.stick, signer)
    said = box.take(path)

    assert box.take(path) == said
    box.releases.adopt("0.2.0")
    assert box.take(path) == "version 0.2.0 is installed already; nothing was changed."


def test_a_newer_one_takes_the_place_of_one_that_waits(box, signer):
    box.take(bundle(box.stick, signer, "0.2.0"))

    box.take(bundle(box.stick, signer, "0.3.0"))

    assert box.links() == AS_IT_WAS | {"next": "0.3.0"}
    assert box.versions() == ["0.1.0", "0.3.0"]


def test_a_bundle_of_another_key_is_refused(box, stranger):
    refused(box, bundle(box.stick, stranger), "it is signed by another key than the 1 key in")


def test_a_bundle_that_was_signed_for_something_else_is_refused(box, signer, monkeypatch):
    monkeypatch.setattr(signature, "NAMESPACE", "git")
    path = bundle(box.stick, signer)
    monkeypatch.undo()

    refused(box, path, "its signature does not fit")


def test_an_unsigned_bundle_is_refused(box, signer):
    head = bundle(box.stick, signer).read_bytes()
    sizes = head.split(b"\n")[0].split()
    line = b"fathom-update 1 0 %s\n" % sizes[3]
    (box.stick / "fathom-0.2.0.update").write_bytes(line + head[head.index(b"\n") + 1 + int(sizes[2]) :])

    refused(box, box.stick / "fathom-0.2.0.update", "it is not signed")


def test_a_manifest_that_was_changed_after_it_was_signed_is_refused(box, signer):
    path = bundle(box.stick, signer)
    path.write_bytes(path.read_bytes().replace(b'"0.2.0"', b'"0.2.1"'))

    refused(box, path, "its signature does not fit: it was changed after it was signed")


@pytest.mark.parametrize("text", ["", "# nobody yet\n\n", None])
def test_without_a_key_every_bundle_is_refused_with_what_to_do(box, signer, text):
    box.signers.unlink() if text is None else box.signers.write_text(text)

    refused(box, bundle(box.stick, signer), "so no bundle can be trusted; put the publisher's line there")


def test_the_placeholder_that_is_installed_holds_no_key():
    placeholder = Path(__file__).parents[1] / "systemd" / "release_signers"

    with pytest.raises(UpdateError, match="has no key"):
        verify(b"", b"x", placeholder)


def test_a_key_for_another_namespace_or_name_does_not_sign_updates(box, signer):
    for was, now in (("fathom-update", "git"), ("fathom-release ", "somebody ")):
        box.signers.write_text(signer.line.replace(was, now))

        refused(box, bundle(box.stick, signer), "it is signed by another key")


def test_a_key_whose_dates_are_over_is_named(box, signer):
    box.signers.write_text(signer.line.replace("namespaces=", 'valid-before="20200101",namespaces='))

    refused(box, bundle(box.stick, signer), "the dates in .* do not let its key sign now")


def test_without_ssh_keygen_it_is_said_how_to_get_it(box, signer, monkeypatch):
    path = bundle(box.stick, signer)
    monkeypatch.setenv("PATH", "")

    refused(box, path, "ssh-keygen is missing: `sudo apt install openssh-client`")


def test_a_file_that_was_changed_in_the_bundle_is_refused_by_its_hash(box, signer):
    path = bundle(box.stick, signer)
    path.write_bytes(path.read_bytes().replace(b"assert list", b"assert True"))

    refused(box, path, "tools/set_up.py in it is not as its manifest says")


def test_a_file_that_changes_after_it_was_looked_at_changes_nothing(box, signer, monkeypatch):
    path = bundle(box.stick, signer, tree={"CHANGELOG.md": "x" * 2**20})  # more than is read ahead
    good = path.read_bytes()
    check = installing._check_fit

    def meanwhile(*given):
        path.write_bytes(good[: good.index(b"import argparse")] + bytes(9999))
        check(*given)

    monkeypatch.setattr(installing, "_check_fit", meanwhile)

    refused(box, path, "in it is not as its manifest says|it is cut off")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 0.999])
def test_a_bundle_that_is_cut_off_is_refused(box, signer, share):
    path = bundle(box.stick, signer)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    refused(box, path, "it is cut off|its signature does not fit|it is no update bundle")


def test_a_stick_that_is_pulled_while_it_is_read_is_a_sentence(box, signer, monkeypatch):
    def pulled(*given):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(bundles, "unpack", pulled)

    refused(box, bundle(box.stick, signer), "it could not be read to its end; leave the stick in")


def test_a_bundle_with_more_behind_it_is_refused(box, signer):
    path = bundle(box.stick, signer)
    with path.open("ab") as file:
        file.write(b"x")

    refused(box, path, "something was added to it")


def test_a_bundle_that_is_too_large_is_refused_by_its_size_alone(box):
    path = box.stick / "huge.update"
    with path.open("wb") as file:
        file.truncate(2 * 2**30)

    refused(box, path, r"it has 2048 MB, expected at most \d+ MB")


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_what_is_no_plain_file_is_refused_without_waiting(box, signer, tmp_path, kind):
    path = box.stick / "x.update"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(bundle(tmp_path / "elsewhere", signer))

    refused(box, path, "it is no plain file|it is a link, expected a file")


def test_a_signed_manifest_that_leads_out_of_its_folder_is_refused(box, signer, monkeypatch):
    monkeypatch.setattr(bundles, "parse", lambda text: None)  # even whoever holds the key cannot say this
    path = bundle(box.stick, signer, tree={"../../../etc/passwd": "root::0:0"})
    monkeypatch.undo()

    refused(box, path, r"its manifest cannot be used \(the path '../../../etc/passwd'\)")


def test_random_damage_is_always_a_sentence(box, signer):
    path = bundle(box.stick, signer)
    whole = path.read_bytes()
    chance = random.Random(7)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 3, 50))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        if bytes(damaged) != whole:
            refused(box, path, ".")


def test_an_older_version_is_refused_unless_it_is_asked_for(tmp_path, signer):
    box = Box(tmp_path, signer, "0.10.0")
    path = bundle(box.stick, signer, "0.9.0")

    with pytest.raises(UpdateError, match=r"version 0\.9\.0 is older than 0\.10\.0"):
        box.take(path)
    assert box.take(path, anyway=True).startswith("version 0.9.0 is ready")


def test_another_content_under_a_version_that_is_installed_is_refused(box, signer):
    box.take(bundle(box.stick, signer))
    changed = bundle(box.stick, signer, tree={"hw/panel.py": "# changed"})

    with pytest.raises(UpdateError, match=r"another bundle of version 0\.2\.0 is installed"):
        box.take(changed)
    assert box.links() == AS_IT_WAS | {"next": "0.2.0"}


def test_a_bundle_for_another_python_or_machine_is_refused(box, signer):
    path = bundle(box.stick, signer, needs={TARGET: 1, "3.13-aarch64": 1})

    refused(
        box,
        path,
        r"made for 3.11-aarch64, 3.13-aarch64 \(Python and proc.*is 3.12-x86_64",
        target="3.12-x86_64",
    )


def test_the_box_says_what_it_is_as_a_bundle_does():
    assert bundles.TARGET.fullmatch(installing.here())


def test_a_bundle_that_needs_more_than_is_free_is_refused(box, signer, monkeypatch):
    usage = installing.shutil.disk_usage(box.releases.root)
    monkeypatch.setattr(installing.shutil, "disk_usage", lambda folder: usage._replace(free=2**20))

    refused(box, bundle(box.stick, signer), r"it needs \d+ MB on the card, 1 MB are free")


def test_where_space_is_scarce_the_version_before_makes_room(box, signer, monkeypatch):
    box.lay("0.1.1")
    usage = installing.shutil.disk_usage(box.releases.root)

    def scarce(folder):
        return usage._replace(free=0 if "0.1.0" in box.versions() else 2**40)

    monkeypatch.setattr(installing.shutil, "disk_usage", scarce)
    box.take(bundle(box.stick, signer))

    assert box.links() == {"current": "0.1.1", "proven": "0.1.1", "previous": None, "next": "0.2.0"}


def test_a_card_that_is_full_half_way_is_a_sentence_and_leaves_no_folder(box, signer, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundles, "unpack", full)

    refused(box, bundle(box.stick, signer), "the card is full")


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (
            "tools/set_up.py",
            "import sys\nsys.exit('Set-up: no wheel of numpy.')",
            "could not be made .*no wheel of numpy",
        ),
        ("device/play.py", "import nothing_of_that_name", "a part of it is missing .*nothing_of_that_name"),
        ("tools/updater/__main__.py", "raise SystemExit('no')", "its updater does not run"),
        ("tools/set_up.py", TREE["tools/set_up.py"].replace("jack", "silence"), "no gate in its first bar"),
        (
            "tools/set_up.py",
            TREE["tools/set_up.py"].replace("echo", "exit 3; echo"),
            "it does not play .*status 3",
        ),
    ],
)
def test_a_version_that_does_not_work_here_is_never_switched_to(box, signer, file, text, sentence):
    refused(box, bundle(box.stick, signer, tree={file: text}), sentence)


def test_a_version_that_never_ends_its_trial_is_given_up(box, signer, monkeypatch):
    monkeypatch.setattr(installing, "PATIENCE", 1)

    refused(
        box,
        bundle(box.stick, signer, tree={"tools/set_up.py": "import time\ntime.sleep(60)"}),
        "no end after",
    )


def test_one_update_at_a_time(box, signer):
    path = bundle(box.stick, signer)
    with box.releases.held():
        refused(box, path, "another update is under way")


def test_where_nothing_was_installed_there_is_nothing_to_go_back_to(tmp_path, signer, box):
    path = bundle(box.stick, signer)
    (box.releases.root / "current").unlink()

    with pytest.raises(UpdateError, match="no version is installed here that can be gone back to"):
        box.take(path)


@pytest.mark.parametrize(
    ("mount", "sort"),
    [
        ("25 1 0:23 / / rw - overlay overlayroot rw", "an overlay"),
        ("25 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n30 25 0:9 / /opt/fathom rw - tmpfs none rw", "memory"),
        ("25 1 179:2 / / rw shared:1 - ext4 /dev/mmcblk0p2 rw\n30 25 0:9 / /opt/fa rw - tmpfs none rw", ""),
    ],
)
def test_a_root_that_forgets_is_noticed(mount, sort):
    assert installing.volatile(Path("/opt/fathom"), mount) == sort


def test_two_bundles_are_one_too_many(box, signer):
    bundle(box.stick, signer, "0.2.0")
    (box.stick / "._fathom-0.2.0.update").touch()
    assert installing.find(box.stick.parent).name == "fathom-0.2.0.update"

    bundle(box.stick, signer, "0.3.0")
    with pytest.raises(UpdateError, match="2 update bundles are there .* expected one"):
        installing.find(box.stick.parent)


def test_a_name_of_a_stick_cannot_forge_a_line_of_the_journal(box, capsys):
    (box.stick / "a\nfathom: all is well\x1b[2J\udcff.update").touch()

    status = main(["stick", str(box.stick.parent), "--root", str(box.releases.root), "--socket", "/nowhere"])

    said = capsys.readouterr().err
    assert status == 1
    assert re.fullmatch(r"a\?fathom: all is well\?\[2J\?\.update: it is no update bundle.*\n", said)


def test_the_updater_runs_on_the_systems_python_and_tells_who_asked_for_it(box, signer, tmp_path):
    import socket

    path = bundle(box.stick, signer, needs={installing.here(): 1000})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        words = ["stick", box.stick.parent, "--root", box.releases.root, "--signers", box.signers]
        done = subprocess.run(
            [sys.executable, "-E", "-s", "-S", "-B", "-m", "tools.updater", *words, "--socket", "/nowhere"],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")},
            capture_output=True,
            text=True,
        )

        assert (done.returncode, done.stderr.startswith(f"{path.name}: version 0.2.0 is ready")) == (0, True)
        assert listener.recv(100) == b"READY=1"


def test_a_bundle_is_the_same_bytes_when_it_is_made_again(tmp_path, signer):
    assert bundle(tmp_path / "a", signer).read_bytes() == bundle(tmp_path / "b", signer).read_bytes()
