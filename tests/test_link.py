"""Ableton Link between two processes on a network of their own, its clock, its twin and its complaints."""

import builtins
import importlib.util
import sys
import time
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_helpers import Peer, comes
from midi_helpers import need

from hw import link
from hw.errors import PanelError
from hw.link import BAR, READS, LinkTime
from hw.sim import SimLink
from hw.timing import SimTime

SECOND = 1_000_000_000
CLOSE_S = 0.002  # they agree to 1 us over a loopback; a busy machine may come in between


@pytest.fixture(scope="module")
def peers():
    """Two peers in one session: the first came with 120 BPM and the second with 97."""
    need(
        importlib.util.find_spec("link") is not None,
        "Link: LinkPython-extern is not here; install fathom[link] to run this",
    )
    first = Peer(120.0)
    # Where two began within half a second of each other Link takes neither for the older.
    assert comes(lambda: first.ask("line", time.monotonic_ns())[0] > 2.0)
    second = Peer(97.0, beside=first)
    yield first, second
    for peer in (first, second):
        peer.end()


def apart(first, second):
    """Seconds between two peers' places in the bar, the most of five looks."""
    worst = 0.0
    for _ in range(5):
        now = time.monotonic_ns()
        (one, bpm), (other, _) = first.ask("line", now), second.ask("line", now)
        distance = (one - other + BAR / 2) % BAR - BAR / 2
        worst = max(worst, abs(distance) * 60 / bpm)
        time.sleep(0.05)
    return worst


def test_peers_find_each_other_and_the_later_takes_tempo_and_place_in_the_bar(peers):
    assert comes(lambda: [peer.ask("peers") for peer in peers] == [1, 1])

    assert comes(lambda: peers[1].ask("line", time.monotonic_ns())[1] == pytest.approx(120.0))
    assert peers[0].ask("line", time.monotonic_ns())[1] == pytest.approx(120.0)
    assert apart(*peers) < CLOSE_S


@pytest.mark.parametrize(("who", "bpm"), [(0, 141.3), (1, 88.0)])
def test_a_tempo_that_one_sets_reaches_the_other_and_the_beat_stays_together(peers, who, bpm):
    peers[who].ask("set_tempo", bpm)

    assert peers[who].ask("line", time.monotonic_ns())[1] == pytest.approx(bpm, rel=1e-5)
    assert comes(lambda: peers[1 - who].ask("line", time.monotonic_ns())[1] == pytest.approx(bpm, rel=1e-5))
    assert apart(*peers) < CLOSE_S


def test_a_peers_beat_is_one_straight_line_in_our_time(peers):
    now = time.monotonic_ns()
    beat, bpm = peers[0].ask("line", now)

    assert peers[0].ask("line", now + 10 * SECOND)[0] - beat == pytest.approx(bpm / 6, abs=1e-4)


def test_start_and_stop_are_shared_with_their_time(peers):
    at = time.monotonic_ns() + SECOND
    peers[0].ask("start", at)

    assert comes(lambda: peers[1].ask("playing"))
    assert peers[0].ask("playing")
    assert peers[1].ask("turned_ns") == pytest.approx(at, abs=CLOSE_S * SECOND)

    peers[1].ask("stop")

    assert comes(lambda: not peers[0].ask("playing"))
    assert peers[0].ask("turned_ns") == pytest.approx(time.monotonic_ns(), abs=5 * SECOND)


def test_a_peer_that_leaves_is_missed_and_found_again(peers):
    peers[1].ask("enable", False)
    assert comes(lambda: peers[0].ask("peers") == 0)

    peers[1].ask("enable", True)
    assert comes(lambda: [peer.ask("peers") for peer in peers] == [1, 1])

    peers[1].ask("close")
    peers[1].ask("close")
    assert comes(lambda: peers[0].ask("peers") == 0)
    assert peers[1].ask("peers") == 0


class Clocks:
    """CLOCK_MONOTONIC and Link's. Each reading takes what `delays` says; when they run out, a microsecond."""

    def __init__(self, ahead=7_000_000_000, steered=0.0):
        self.ns = 50 * SECOND
        self.ahead = ahead
        self.steered = steered
        self.delays = []

    def now(self):
        self.ns += self.delays.pop(0) if self.delays else 1000
        return self.ns

    def true(self, ns):
        """Link's time then, in nanoseconds, not cut off."""
        return ns - self.ahead - (ns - 50 * SECOND) * self.steered

    def micros(self):
        return int(self.true(self.now())) // 1000


@given(st.integers(-(10**12), 49 * SECOND), st.lists(st.integers(100, 10**7), max_size=12))
def test_links_time_is_ours_less_what_lies_between_to_the_microsecond(ahead, delays):
    clocks = Clocks(ahead)
    clocks.delays = delays
    times = LinkTime(clocks.micros, clocks.now)

    for ns in (clocks.ns, clocks.ns + 3 * SECOND):
        assert times.micros_at(ns) * 1000 == pytest.approx(ns - ahead, abs=2500)
        assert times.ns_at(times.micros_at(ns)) == pytest.approx(ns, abs=1000)


@pytest.mark.parametrize("steered", [-500e-6, 500e-6])
def test_the_clocks_are_compared_again_as_they_drift_apart(steered):
    clocks = Clocks(steered=steered)
    times = LinkTime(clocks.micros, clocks.now)
    worst = 0.0

    for _ in range(1000):
        clocks.ns += SECOND // 50
        worst = max(worst, abs(times.micros_at(clocks.ns) * 1000 - clocks.true(clocks.ns)))

    assert worst < 65_000, "20 s apart they would be 10 ms"


def test_a_look_at_the_clocks_that_was_held_up_changes_nothing():
    clocks = Clocks()
    times = LinkTime(clocks.micros, clocks.now)
    clocks.ns += SECOND // 5
    before = times.ns_at(0)
    clocks.delays = 2 * READS * [1000, 20_000_000]

    times.micros_at(clocks.ns)

    assert times.ns_at(0) == before == pytest.approx(clocks.ahead, abs=2500)
    assert len(clocks.delays) < 2 * READS, "it did look"


def test_before_links_time_began_it_is_zero():
    clocks = Clocks(ahead=49 * SECOND)

    assert LinkTime(clocks.micros, clocks.now).micros_at(48 * SECOND) == 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'link'"), "LinkPython-extern is not installed. Run `pip"),
        (ImportError("libatomic.so.1: cannot open shared object file"), "sudo apt install libatomic1"),
        (ImportError("undefined symbol: x"), "undefined symbol: x. Run `pip install LinkPython-extern`"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(monkeypatch, error, said):
    real = builtins.__import__

    def fails(name, *rest):
        if name == "link":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fails)

    with pytest.raises(PanelError) as found:
        link.Link(120.0, enabled=False)
    assert said in str(found.value)


def test_another_packages_module_of_that_name_is_refused(monkeypatch):
    other = types.ModuleType("link")
    other.__file__ = "/somewhere/link.py"
    monkeypatch.setitem(sys.modules, "link", other)

    with pytest.raises(PanelError, match="/somewhere/link.py. is another package's"):
        link.Link(120.0, enabled=False)


def test_the_twins_beat_goes_on_from_where_a_tempo_changes():
    time = SimTime()
    session = SimLink(time, 120.0, enabled=True)
    time.sleep_until(SECOND)

    session.set_tempo(60.0)

    assert session.line(SECOND) == (2.0, 60.0)
    assert session.line(2 * SECOND) == (3.0, 60.0)


def test_the_twin_is_told_what_others_do():
    time = SimTime()
    session = SimLink(time, 120.0, enabled=True)

    session.refer(beat=1.5, ns=SECOND, bpm=90.0)
    session.peers = 2
    session.start(ns=3 * SECOND)

    assert session.line(3 * SECOND) == (4.5, 90.0)
    assert (session.peers, session.playing, session.turned_ns) == (2, True, 3 * SECOND)

    session.close()

    assert (session.peers, session.enabled) == (0, False)
