"""The sums and the settings of the measurements; what they measure is for `make bench`."""

import sys

import pytest

from bench import cost, lateness
from bench.__main__ import ROOMS, table
from bench.environment import AbsentError, Peer, peer_python
from bench.sums import at_share, cyclictest_latencies, lost, off_grid_us, spread
from device.settings import Settings, read_settings
from device.slot import pack
from device.slots import SlotFolder

CYCLICTEST = """# /dev/cpu_dma_latency set to 0us
T: 0 ( 4711) P:50 I:5000 C:   5000 Min:     12 Act:   17 Avg:   17 Max:     163
# Histogram
000000 000000
000012 000003
000013 000095
000040 000001
000041 000000
# Total: 000000099
# Min Latencies: 00012
# Avg Latencies: 00013
# Max Latencies: 00163
# Histogram Overflows: 00001
# Histogram Overflow at cycle number:
# Thread 0: 00077
"""


def test_a_histogram_of_cyclictest_is_read_whole():
    late = cyclictest_latencies(CYCLICTEST)

    assert len(late) == 100
    assert late[:4] == [12.0, 12.0, 12.0, 13.0]
    assert [at_share(late, share) for share in (0.5, 0.99)] == [13.0, 40.0]
    assert max(late) == 163.0


def test_a_cyclictest_that_was_refused_gives_nothing():
    assert cyclictest_latencies("Unable to change scheduling policy!\n") == []


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.001, 1), (0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000)]
)
def test_a_share_is_the_smallest_value_that_so_many_do_not_exceed(share, value):
    assert at_share(range(1000, 0, -1), share) == value


def test_few_latenesses_are_said_as_well():
    assert spread([3.0]) == "p50 3.0 us, p99 3.0 us, p99.9 3.0 us, worst 3.0 us"


def test_a_constant_delay_and_a_lost_note_are_no_lateness_on_a_grid():
    late = [0, 5_000, 0, 70_000, 1_000]
    at = [9_000_000 + n * 125_000_000 + late_ns for n, late_ns in enumerate(late) if n != 2]

    assert off_grid_us(at, 125e6) == [0.0, 5.0, 70.0, 1.0]
    assert off_grid_us([t + 12_345_678 for t in at], 125e6) == [0.0, 5.0, 70.0, 1.0]


def test_notes_of_one_instant_are_each_as_late_as_they_are():
    assert off_grid_us([100_000, 140_000, 125_100_000, 125_190_000], 125e6) == [0.0, 40.0, 0.0, 90.0]


def test_an_edge_that_was_played_twice_makes_up_for_no_other():
    bar = [("gate1", 1), ("gate1", 0), ("clock", 1), ("clock", 0)]

    assert lost(bar * 2, bar * 2) == 0
    assert lost(bar * 2, [*bar, ("gate1", 1), ("gate1", 1)]) == 3


def test_the_settings_of_the_lateness_are_good():
    settings, complaints = read_settings(lateness.toml(lateness.SETTINGS))

    assert complaints == []
    assert settings.bpm == lateness.BPM
    assert all(voice.density == 1.0 for voice in settings.voices)


def test_ratios_are_of_what_could_be_had():
    late = {lateness.GATES: [10.0] * 99 + [99.0], lateness.PEER: [200.0] * 100}

    assert lateness.ratios(late) == [(f"p99, {lateness.PEER}", "20.00 times", f"that of {lateness.GATES}")]


def test_a_command_that_is_not_here_is_absent_with_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")

    with pytest.raises(AbsentError, match="cyclictest is not here: apt-get install rt-tests"):
        lateness.cyclictest(1.0)


def test_a_peer_that_cannot_be_installed_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.environment.FOLDER", tmp_path)
    monkeypatch.setattr("bench.environment.sys.executable", "/bin/false")

    with pytest.raises(AbsentError, match="nothing could not be installed"):
        peer_python("nothing")


def test_a_case_with_a_setting_that_is_not_there_yet_is_left_out():
    assert not cost.Case("", changes={"voices.ratchets_of_the_future": 3}).known()
    assert not cost.Case("", voices=len(Settings().voices) + 1).known()
    assert sum(case.known() for case in cost.CASES) >= 6


def test_a_case_mutes_the_voices_above_its_own():
    settings = cost.Case("", voices=2, changes={"bpm": 60}).settings()

    assert [voice.mute for voice in settings.voices] == [False, False] + [True] * (len(settings.voices) - 2)
    assert settings.bpm == 60


def test_more_voices_and_hits_are_more_writes(slot, tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "BEATS", 8)
    monkeypatch.setattr(cost, "RUNS", 1)
    monkeypatch.setattr(cost, "CASES", [cost.Case("few"), cost.Case("many", changes={"voices.density": 1.0})])
    SlotFolder(tmp_path / "slots").save(1, pack(slot))

    few, many = cost.rows(tmp_path)

    assert few[1].endswith(" us a beat")
    assert float(few[2].split()[4]) < float(many[2].split()[4])


def test_a_room_is_its_name_its_first_line_and_its_rows():
    lines = table("decoding", [("a", "b", "c")]).splitlines()

    assert lines[0] == "## Decoding"
    assert lines[2].startswith("Measures the decoder")
    assert lines[-1] == "| a | b | c |"
    assert all(room.__doc__ and callable(room.rows) for room in ROOMS.values())


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """A peer that says hello, answers one job and ends."""
    monkeypatch.setattr("bench.environment.peer_python", lambda name, *packages: sys.executable)
    script = tmp_path / "peer.py"
    script.write_text("import json\nprint(json.dumps({'version': '1'}), flush=True)\nprint(input())\n")
    with Peer("echo", "echo", (), script) as peer:
        yield peer


def test_a_peer_says_hello_and_answers_jobs(peer):
    assert peer.hello == {"version": "1"}
    assert peer.ask({"files": ["a.wav"]}) == {"files": ["a.wav"]}


def test_a_peer_that_ends_is_absent(peer, tmp_path):  # `peer` keeps packages away
    (tmp_path / "ends.py").write_text("")

    with pytest.raises(AbsentError, match="the one that ends does not run here"):
        Peer("ends", "the one that ends", (), tmp_path / "ends.py")
