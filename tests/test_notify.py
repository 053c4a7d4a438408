"""What systemd hears of a service: over a real socket, and never at the price of a wait."""

import os
import socket

import pytest

from device.notify import SAYS_NS, Notify
from device.services import status_of, supervised

SECOND = 1_000_000_000


class Clock:
    now = SECOND

    def __call__(self):
        return self.now


@pytest.fixture
def systemd(tmp_path):
    """The end at which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as end:
        end.bind(str(tmp_path / "notify"))
        yield end


@pytest.fixture
def make_notify():
    made = []

    def make(*words):
        made.append(Notify(*words))
        return made[-1]

    yield make
    for notify in made:
        notify.close()


def asked(end, **more):
    return {"NOTIFY_SOCKET": end.getsockname(), **more}


def heard(end):
    """All that has come, one text a datagram."""
    texts = []
    while True:
        try:
            texts.append(end.recv(4096).decode())
        except BlockingIOError:
            return texts


def test_where_nobody_asks_nothing_is_said(make_notify):
    for address in ("", "relative", "/nowhere/at/all"):
        notify = make_notify({"NOTIFY_SOCKET": address} if address else {}, Clock())

        notify.ready()
        notify.attend()
        notify.stopping()
        notify.close()

        assert not notify.asked


@pytest.mark.parametrize("kind", ["a file", "abstract"])
def test_it_is_ready_with_a_status_and_says_when_it_ends(kind, tmp_path, make_notify):
    address = str(tmp_path / "s") if kind == "a file" else f"@fathom-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as end:
        end.bind(address.replace("@", "\0"))
        notify = make_notify({"NOTIFY_SOCKET": address}, Clock())

        notify.ready("waits\nfor orders")
        notify.say("works")
        notify.say("works")
        notify.stopping()

        assert heard(end) == ["READY=1\nSTATUS=waits for orders", "STATUS=works", "STOPPING=1"]


def test_no_child_can_speak_in_its_name(systemd, make_notify):
    environment = asked(systemd, WATCHDOG_USEC="5000000", WATCHDOG_PID=str(os.getpid()), PATH="/bin")

    make_notify(environment, Clock())

    assert environment == {"PATH": "/bin"}


def test_an_engine_is_ready_when_a_whole_pass_was_made(systemd, make_notify):
    notify = make_notify(asked(systemd), Clock())

    notify.attend()
    assert heard(systemd) == []
    notify.attend()
    notify.attend()

    assert heard(systemd) == ["READY=1"]


@pytest.mark.parametrize("pid", [None, os.getpid()])
def test_the_watchdog_is_fed_twice_as_often_as_it_asks_and_only_by_the_loop(systemd, pid, make_notify):
    clock = Clock()
    mine = {} if pid is None else {"WATCHDOG_PID": str(pid)}
    notify = make_notify(asked(systemd, WATCHDOG_USEC="5000000", **mine), clock)

    fed = []
    for tenth in range(100):  # ten seconds of passes
        clock.now = SECOND + tenth * SECOND // 10
        notify.attend()
        fed += [tenth for text in heard(systemd) if text == "WATCHDOG=1"]
    clock.now += 60 * SECOND  # the loop is stuck

    assert fed == [0, 25, 50, 75]
    assert heard(systemd) == []


@pytest.mark.parametrize(
    "strange", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}]
)
def test_a_watchdog_that_is_anothers_or_none_is_not_fed(systemd, strange, make_notify):
    notify = make_notify(asked(systemd, **{"WATCHDOG_USEC": "5000000", **strange}), Clock())

    for _ in range(10):
        notify.attend()

    assert heard(systemd) == ["READY=1"]


def test_the_status_is_told_now_and_then_and_only_where_it_is_another(systemd, make_notify):
    clock, says = Clock(), ["playing"]
    notify = make_notify(asked(systemd), clock, lambda: says[0])

    told = []
    for tenth in range(100):
        clock.now = SECOND + tenth * SECOND // 10
        says[0] = "playing" if tenth < 50 else "stopped"
        notify.attend()
        told += [(tenth, text) for text in heard(systemd)]

    every = 10 * SAYS_NS // SECOND
    assert [text for _, text in told] == ["READY=1", "STATUS=playing", "STATUS=stopped"]
    assert 50 <= told[-1][0] <= 50 + every


def test_one_who_asks_and_never_listens_holds_nobody_up(systemd, make_notify):
    clock = Clock()
    notify = make_notify(asked(systemd, WATCHDOG_USEC="2"), clock, lambda: f"at {clock.now}")

    for _ in range(2000):  # a socket's queue is full long before
        clock.now += SAYS_NS
        notify.attend()
    assert heard(systemd)
    clock.now += SAYS_NS
    notify.attend()

    assert heard(systemd) == ["WATCHDOG=1"], "it goes on as soon as there is room"


def test_one_who_asks_and_is_gone_is_no_fault(tmp_path, make_notify):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "s"))
        notify = make_notify({"NOTIFY_SOCKET": str(tmp_path / "s"), "WATCHDOG_USEC": "2"}, Clock())

    for _ in range(3):
        notify.attend()
    notify.stopping()


def test_a_box_tells_tempo_slots_and_lateness_from_its_own_loop(make_box, systemd, monkeypatch):
    for key, value in asked(systemd, WATCHDOG_USEC="1000000").items():
        monkeypatch.setenv(key, value)
    box = make_box(bars=8)

    with supervised(box):
        box.sync.start()
        during = []
        while not box.engine.stopping:
            box.engine.step()
            during += heard(systemd)

    assert during[:2] == ["WATCHDOG=1", "READY=1"]
    assert during.count("WATCHDOG=1") > 16, "twice a second, for 16 seconds"
    says = [text for text in during if text.startswith("STATUS=")]
    assert 6 <= len(says) <= 8, "every two seconds"
    assert all(text.startswith("STATUS=playing, 120.0 BPM, slot 1; 99 % of ") for text in says)
    assert heard(systemd) == ["STOPPING=1"]


def test_the_status_says_what_is_lost(make_box):
    box = make_box()
    box.engine.health.dropped = 3

    assert status_of(box) == (
        "stopped, 120.0 BPM, slot 1; 99 % of 0 writes within 0 us, worst 0 us, 3 hits dropped"
    )
