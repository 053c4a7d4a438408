"""What is wished for is connected when it comes, and nothing else is touched."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.patchbay import PatchBay, Port, wanted_by

OUT, IN = "Fathom:out", "Fathom:in"


@dataclass
class FakeSystem:
    """Ports and cables in memory, by address, as in the kernel's sequencer."""

    there: list[Port] = field(default_factory=list)
    linked: set = field(default_factory=set)
    refuses: bool = False

    def plug(self, key, name, source=False, hardware=True):
        self.there.append(Port(key, name.partition(":")[0], name, source, False, hardware))

    def unplug(self, key):
        self.there = [port for port in self.there if port.key != key]
        self.linked = {cable for cable in self.linked if key not in cable}

    def ports(self, own):
        ours = [Port(name, "Fathom", name, name != IN, True, False) for name in sorted(own)]
        return [*ours, *self.there]

    def cables(self, port):
        return {cable for cable in self.linked if port.key in cable}

    def connect(self, source, sink):
        if self.refuses:
            raise OSError("busy")
        assert (source.key, sink.key) not in self.linked
        self.linked.add((source.key, sink.key))

    def disconnect(self, source, sink):
        self.linked.remove((source.key, sink.key))

    def close(self):
        pass


@pytest.fixture
def bay():
    system = FakeSystem()
    bay = PatchBay(system)
    return system, lambda *wishes: bay.sync([OUT, IN], wishes)


def test_what_is_wished_for_is_connected_once_when_it_comes_and_again_when_it_comes_back(bay):
    system, sync = bay
    wish = (OUT, "tr-8*")

    assert sync(wish) == []
    system.plug(20, "TR-8S:MIDI 1")
    assert sync(wish) == [("connected", OUT, "TR-8S:MIDI 1")]
    assert sync(wish) == []
    system.unplug(20)
    assert sync(wish) == [("gone", OUT, "TR-8S:MIDI 1")]
    system.plug(24, "TR-8S:MIDI 1")
    assert sync(wish) == [("connected", OUT, "TR-8S:MIDI 1")]
    assert system.linked == {(OUT, 24)}


def test_what_went_and_came_between_two_looks_is_told_as_both(bay):
    system, sync = bay
    system.plug(20, "TR-8S:MIDI 1")
    sync((OUT, "TR-8S"))
    system.unplug(20)
    system.plug(20, "TR-8S:MIDI 1")

    assert [event[0] for event in sync((OUT, "TR-8S"))] == ["gone", "connected"]


def test_an_input_hears_sources_and_an_output_feeds_sinks(bay):
    system, sync = bay
    system.plug(20, "KeyStep:MIDI 1", source=True)
    system.plug(20, "KeyStep:MIDI 1", source=False)

    events = sync((IN, "keystep"), (OUT, "keystep"))

    assert events == [("connected", IN, "KeyStep:MIDI 1"), ("connected", OUT, "KeyStep:MIDI 1")]
    assert system.linked == {(20, IN), (OUT, 20)}


def test_a_star_is_all_hardware_and_neither_programs_nor_our_own(bay):
    system, sync = bay
    system.plug(20, "USB MIDI:MIDI 1")
    system.plug(21, "USB MIDI:MIDI 2")
    system.plug(128, "synth:in", hardware=False)

    sync((OUT, "*"), (IN, "*"))

    assert system.linked == {(OUT, 20), (OUT, 21)}


def test_our_own_are_not_connected_with_each_other_also_when_they_fit(bay):
    system, sync = bay

    assert sync((OUT, "Fathom*"), (IN, "Fathom*")) == []
    assert system.linked == set()


def test_a_wish_that_ends_is_unplugged_and_what_others_plugged_stays(bay):
    system, sync = bay
    system.plug(20, "A:1")
    system.plug(21, "B:1")
    system.linked.add((OUT, 21))
    sync((OUT, "A"))

    assert sync() == [("gone", OUT, "A:1")]
    assert system.linked == {(OUT, 21)}


def test_what_others_had_connected_is_told_as_connected_and_not_connected_twice(bay):
    system, sync = bay
    system.plug(20, "A:1")
    system.linked.add((OUT, 20))

    assert sync((OUT, "A")) == [("connected", OUT, "A:1")]


def test_what_refuses_is_told_once_and_tried_again(bay):
    system, sync = bay
    system.plug(20, "A:1")
    system.refuses = True

    assert sync((OUT, "A")) == [("refused", OUT, "A:1")]
    assert sync((OUT, "A")) == []
    system.refuses = False
    assert sync((OUT, "A")) == [("connected", OUT, "A:1")]


def test_what_is_unplugged_while_it_is_connected_has_refused_nothing(bay):
    system, sync = bay
    system.plug(20, "A:1")

    def connect(source, sink):
        system.unplug(20)
        raise OSError("no such port")

    system.connect = connect
    assert sync((OUT, "A")) == []


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("usb midi [1]", True),  # as it is written, though it reads as a glob too
        ("USB MIDI [1]:MIDI 1", True),
        ("usb*", True),
        ("*:midi 1", True),
        ("usb midi", False),
        ("", False),
    ],
)
def test_a_name_fits_as_written_or_as_a_glob(name, fits):
    port = Port(1, "USB MIDI [1]", "USB MIDI [1]:MIDI 1", source=False, own=False, hardware=False)

    assert wanted_by(name, port) is fits


@given(st.lists(st.tuples(st.sampled_from(["plug", "unplug", "wish"]), st.integers(1, 5)), max_size=40))
@settings(deadline=None)
def test_whatever_comes_and_goes_cables_are_what_is_wished_for_and_there(steps):
    system = FakeSystem()
    bay = PatchBay(system)
    wishes, told = [(OUT, "*")], set()
    for do, key in steps:
        system.unplug(key)
        if do == "plug":
            system.plug(key, f"synth {key}:in")
        elif do == "wish":
            wishes = [(OUT, f"synth {key}"), (OUT, f"synth {key % 2 + 1}:*")] if key < 5 else [(OUT, "*")]
        for what, _, theirs in bay.sync([OUT], wishes):
            assert (theirs in told) == (what == "gone")
            told ^= {theirs}

        expected = {port for port in system.there if any(wanted_by(name, port) for _, name in wishes)}
        assert system.linked == {(OUT, port.key) for port in expected}
        assert told == {port.name for port in expected}
