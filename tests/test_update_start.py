"""A new version plays from the next start on, and the one before plays again where it does not come up."""

import json
import os
import socket
import sys
import threading

import pytest

from tests.update_helpers import Box, Signer, bundle, need_ssh_keygen
from tools.updater import engine
from tools.updater import install as installing
from tools.updater.errors import UpdateError
from tools.updater.main import main
from tools.updater.start import MOST_STARTS, PATIENCE, STEADY, begin, prove
from tools.updater.units import Units

UNIT = "fathom.service"


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    need_ssh_keygen()
    return Signer(tmp_path_factory.mktemp("keys") / "ours")


class Systemd(Units):
    """systemd, as far as a folder of units and a list of what it was told go."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.told = []
        super().__init__(folder, lambda *words: self.told.append(" ".join(words)))


class Engine:
    """An engine that answers as a list of processes says, one a second; the last one goes on for ever."""

    def __init__(self, *pids):
        self.pids = list(pids)
        self.seconds = 0.0
        self.heard = []

    def now(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds

    def answers(self):
        return self.pids.pop(0) if len(self.pids) > 1 else self.pids[0]

    def tell(self, text, failed):
        if self.pids[0] is not None:
            self.heard.append((text, failed))
        return self.pids[0] is not None


@pytest.fixture
def box(tmp_path, signer, monkeypatch):
    monkeypatch.setattr(installing, "_complete", lambda folder: None)
    return Box(tmp_path, signer)


@pytest.fixture
def systemd(tmp_path):
    return Systemd(tmp_path / "units")


def test_a_start_with_nothing_new_does_nothing(box, systemd):
    assert begin(box.releases, systemd) == ""
    assert (box.links()["current"], systemd.told) == ("0.1.0", [])


def test_the_next_start_plays_the_new_version_and_keeps_the_one_before(box, systemd, signer):
    box.take(bundle(box.stick, signer))

    said = begin(box.releases, systemd)

    assert said == f"version 0.2.0 is on trial (start 1 of {MOST_STARTS}); 0.1.0 is kept."
    assert box.links() == {"current": "0.2.0", "proven": "0.1.0", "previous": None, "next": None}


def test_a_version_that_answers_for_long_enough_stays(box, systemd, signer):
    box.take(bundle(box.stick, signer))
    begin(box.releases, systemd)
    player, said = Engine(None, None, 77), []

    prove(box.releases, systemd, player, said.append)

    assert said == ["version 0.2.0 came up and stays; 0.1.0 is kept, for going back."]
    assert player.heard == [(said[0], False)]
    assert box.links() == {"current": "0.2.0", "proven": "0.2.0", "previous": "0.1.0", "next": None}
    assert begin(box.releases, systemd) == "", "the trial is over"


@pytest.mark.parametrize(
    "pids",
    [(None,), [n for n in range(1000) for _ in range(int(STEADY) - 1)]],
    ids=["never", "begins again and again"],
)
def test_a_version_that_does_not_come_up_gives_way_at_once(box, systemd, signer, pids):
    box.take(bundle(box.stick, signer))
    begin(box.releases, systemd)
    said = []

    prove(box.releases, systemd, Engine(*pids), said.append)

    assert said == [f"version 0.2.0 did not come up within {PATIENCE:.0f} seconds; 0.1.0 plays again."]
    assert box.links() == {"current": "0.1.0", "proven": "0.1.0", "previous": None, "next": None}
    assert f"restart --no-block {UNIT}" in systemd.told


def test_a_version_whose_starts_are_all_cut_short_gives_way_at_boot(box, systemd, signer):
    box.take(bundle(box.stick, signer))
    for start in range(MOST_STARTS):
        assert f"start {start + 1} of" in begin(box.releases, systemd)

    said = begin(box.releases, systemd)

    assert said == f"version 0.2.0 did not come up in {MOST_STARTS} starts; 0.1.0 plays again."
    assert box.links()["current"] == "0.1.0"
    player = Engine(5)
    prove(box.releases, systemd, player, print)
    assert player.heard == [(said, True)], "the player is told once the engine listens"
    prove(box.releases, systemd, player, print)
    assert len(player.heard) == 1


def test_what_did_not_come_up_is_not_taken_again_from_the_same_stick(box, systemd, signer):
    path = bundle(box.stick, signer)
    box.take(path)
    begin(box.releases, systemd)
    prove(box.releases, systemd, Engine(None), print)

    with pytest.raises(UpdateError, match=r"version 0\.2\.0 was tried and did not come up, so 0\.1\.0 stays"):
        box.take(path)
    assert box.take(path, anyway=True).startswith("version 0.2.0 is ready")
    begin(box.releases, systemd)
    prove(box.releases, systemd, Engine(9), print)
    assert box.links()["proven"] == "0.2.0"


def test_going_back_by_hand_comes_with_the_next_start(box, systemd, signer, capsys):
    box.take(bundle(box.stick, signer))
    begin(box.releases, systemd)
    prove(box.releases, systemd, Engine(9), print)

    assert main(["back", "--root", str(box.releases.root)]) == 0
    assert "version 0.1.0 comes with the next start; 0.2.0 plays on until then." in capsys.readouterr().err
    begin(box.releases, systemd)
    prove(box.releases, systemd, Engine(9), print)
    assert box.links() == {"current": "0.1.0", "proven": "0.1.0", "previous": "0.2.0", "next": None}


def test_going_back_without_a_version_before_is_a_sentence(box, capsys):
    assert main(["back", "--root", str(box.releases.root)]) == 1
    assert capsys.readouterr().err == "there is no version before this one to go back to.\n"


def test_only_the_version_before_is_kept(box, systemd, signer):
    for version in ("0.2.0", "0.3.0", "0.4.0"):
        box.take(bundle(box.stick, signer, version))
        begin(box.releases, systemd)
        prove(box.releases, systemd, Engine(9), print)

    assert box.versions() == ["0.3.0", "0.4.0"]


def test_an_update_that_comes_while_another_is_on_trial_keeps_the_one_that_came_up(box, systemd, signer):
    box.take(bundle(box.stick, signer, "0.2.0"))
    begin(box.releases, systemd)
    box.take(bundle(box.stick, signer, "0.3.0"))

    begin(box.releases, systemd)
    assert box.links() == {"current": "0.3.0", "proven": "0.1.0", "previous": None, "next": None}
    prove(box.releases, systemd, Engine(None), print)
    assert box.links()["current"] == "0.1.0"


def test_a_next_version_that_is_not_whole_is_not_switched_to(box, systemd, signer):
    box.take(bundle(box.stick, signer))
    (box.releases.folder("0.2.0") / "release.json").unlink()

    assert begin(box.releases, systemd) == ""
    assert box.links()["current"] == "0.1.0"


@pytest.mark.parametrize("target", ["releases/../../etc", "/etc", "releases/x", ""])
def test_a_link_that_leads_elsewhere_is_none(box, target):
    (box.releases.root / "current").unlink()
    (box.releases.root / "current").symlink_to(target or "nothing")

    assert box.releases.of("current") is None


# --- units -----------------------------------------------------------------------------------------------


def test_units_of_the_new_version_come_with_it_and_go_with_it(box, systemd, signer):
    (systemd.folder / UNIT).write_text("[Service]\n# 0.1.0\n")
    (systemd.folder / "ssh.service").write_text("[Service]\n")
    new = "[Service]\n[Install]\nWantedBy=multi-user.target\n"
    tree = {f"systemd/{UNIT}": "[Service]\n# 0.2.0\n", "systemd/fathom-page.service": new}
    box.take(bundle(box.stick, signer, tree=tree))

    begin(box.releases, systemd)
    assert (systemd.folder / UNIT).read_text() == "[Service]\n# 0.2.0\n"
    assert (systemd.folder / "fathom-page.service").read_text() == new
    assert systemd.told == [
        "daemon-reload",
        "enable fathom-page.service",
        "start --no-block fathom-page.service",
    ]
    prove(box.releases, systemd, Engine(None), print)

    assert (systemd.folder / UNIT).read_text() == "[Service]\n# 0.1.0\n"
    assert sorted(path.name for path in systemd.folder.iterdir()) == [UNIT, "ssh.service"]


def test_a_unit_that_is_a_link_is_left_alone(box, systemd, signer):
    (systemd.folder / UNIT).symlink_to("/dev/null")
    box.take(bundle(box.stick, signer))

    begin(box.releases, systemd)

    assert os.readlink(systemd.folder / UNIT) == "/dev/null"


# --- power cuts ------------------------------------------------------------------------------------------

CHANGES = ("open", "os.rename", "os.remove", "os.symlink", "os.mkdir", "os.rmdir")


def cut_off(work, after):
    """Do something in a process that dies before its change number `after`; whether it died."""
    pid = os.fork()
    if pid == 0:
        left = [after]

        def count(event, given):
            if event in CHANGES and (event != "open" or (isinstance(given[2], int) and given[2] & 3)):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(7)

        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def everywhere(tmp_path, signer, prepare, work):
    """Boxes on which the power was cut before each change that some work makes."""
    for after in range(300):
        folder = tmp_path / str(after)
        folder.mkdir()
        box, systemd = Box(folder, signer), Systemd(folder / "units")
        prepare(box, systemd)
        died = cut_off(lambda box=box, systemd=systemd: work(box, systemd), after)
        current = box.releases.of("current")
        assert current, f"after {after} changes there is no version that plays"
        assert box.releases.complete(current), f"after {after} changes {current} is not whole"
        yield box, systemd
        if not died:
            assert after > 3, "nothing was counted"
            return
    raise AssertionError("the work has no end")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(installing, "_complete", lambda folder: (folder / ".venv").mkdir())


def test_power_cuts_while_an_update_is_taken_lose_nothing(tmp_path, signer, quick):
    path = bundle(tmp_path / "stick", signer)

    for box, systemd in everywhere(tmp_path, signer, lambda *_: None, lambda box, _: box.take(path)):
        assert box.links()["current"] == "0.1.0"
        box.take(path)
        begin(box.releases, systemd)
        assert box.links()["current"] == "0.2.0"


def test_power_cuts_at_the_switch_leave_one_version_or_the_other(tmp_path, signer, quick):
    path = bundle(tmp_path / "stick", signer)

    for box, systemd in everywhere(
        tmp_path, signer, lambda box, _: box.take(path), lambda box, systemd: begin(box.releases, systemd)
    ):
        begin(box.releases, systemd)
        assert box.links() == {"current": "0.2.0", "proven": "0.1.0", "previous": None, "next": None}
        assert 1 <= box.releases.starts <= 2
        assert "# " not in (systemd.folder / UNIT).read_text(), "the unit is the new version's"
        prove(box.releases, systemd, Engine(None), lambda text: None)
        assert box.links()["current"] == "0.1.0"


@pytest.mark.parametrize(("pid", "stays"), [(9, "0.2.0"), (None, "0.1.0")])
def test_power_cuts_at_the_judgement_come_to_the_same_judgement(tmp_path, signer, quick, pid, stays):
    path = bundle(tmp_path / "stick", signer)

    def prepare(box, systemd):
        box.take(path)
        begin(box.releases, systemd)

    def judge(box, systemd):
        prove(box.releases, systemd, Engine(pid), lambda text: None)

    for box, systemd in everywhere(tmp_path, signer, prepare, judge):
        begin(box.releases, systemd)
        judge(box, systemd)
        assert (box.links()["current"], box.links()["proven"]) == (stays, stays)
        assert not (box.releases.root / "starts").exists()
        assert ("# 0.1.0" in (systemd.folder / UNIT).read_text()) == (stays == "0.1.0")
        assert begin(box.releases, systemd) == ""


# --- the engine ------------------------------------------------------------------------------------------


@pytest.fixture
def listener(tmp_path):
    """A socket that answers one line to each who connects, and keeps what it heard."""
    heard, answers = [], [b'{"ok":true}\n']
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(tmp_path / "control.sock"))
        door.listen(4)

        def serve():
            while True:
                try:
                    connection = door.accept()[0]
                except OSError:
                    return
                with connection:
                    heard.append(json.loads(connection.recv(4096)))
                    connection.sendall(answers[0])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield tmp_path / "control.sock", heard, answers
        door.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_an_engine_that_answers_is_known_by_its_process(listener):
    path, heard, _ = listener

    assert engine.answers(path) == os.getpid()
    assert heard == [{"do": "state"}]


@pytest.mark.parametrize("answer", [b'{"ok":false}\n', b"[]\n", b"nonsense\n", b""])
def test_an_engine_that_answers_badly_has_not_come_up(listener, answer):
    path, _, answers = listener
    answers[0] = answer

    assert engine.answers(path) is None


def test_where_no_engine_runs_none_answers_and_nobody_is_told(tmp_path):
    assert engine.answers(tmp_path / "none") is None
    assert not engine.tell(tmp_path / "none", "update", "text", failed=True)


def test_the_box_is_told_as_it_is_told_of_a_stick(listener):
    path, heard, _ = listener

    assert engine.tell(path, "fathom-0.2.0.update", "it is not signed." * 100, failed=True)

    assert heard[0]["says"].startswith("it is not signed.")
    assert {key: heard[0][key] for key in ("do", "name", "state")} == {
        "do": "stick",
        "name": "fathom-0.2.0.update",
        "state": "failed",
    }
    assert len(heard[0]["says"]) == 300
