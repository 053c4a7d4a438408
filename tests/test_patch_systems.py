"""The patch bay on a real JACK server, and on a stand-in for the ALSA sequencer."""

import inspect
import os
import sys
import time
from pathlib import Path

import pytest
from midi_helpers import jack_server, need_library, need_rtmidi, open_when_up

from hw import midi_port
from hw.errors import PanelError
from hw.midi_in import open_midi_in
from hw.midi_out import open_midi_out
from hw.patch_systems import open_ports
from hw.patchbay import PatchBay

CYCLES = 1000


@pytest.fixture
def jack(monkeypatch):
    need_rtmidi()
    library = need_library("jack")
    monkeypatch.setattr(midi_port, "SEQUENCER", "/nowhere")
    with jack_server(monkeypatch) as server:
        open_when_up(open_midi_out).close()
        system = open_ports("JACK", os.getpid())
        yield server, library, PatchBay(system)
        system.close()


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_a_synthesiser_on_jack_is_connected_by_name_and_a_star_is_what_is_physical(jack):
    _, library, bay = jack
    out, into = open_midi_out("Fathom"), open_midi_in("Fathom")
    own, wishes = [out.listed, into.listed], [(out.listed, "tr-8*"), (into.listed, "*")]
    synth = library.Client("TR-8S", no_start_server=True)
    synth.activate()
    sink = synth.midi_inports.register("MIDI 1")
    synth.midi_outports.register("MIDI 2")
    synth.midi_outports.register("MIDI 3", is_physical=True)

    events = bay.sync(own, wishes)
    assert sorted(events) == [
        ("connected", into.listed, "TR-8S:MIDI 3"),
        ("connected", out.listed, "TR-8S:MIDI 1"),
    ]
    assert [port.name for port in sink.connections] == [out.listed]
    assert bay.sync(own, wishes[:1]) == [("gone", into.listed, "TR-8S:MIDI 3")]
    synth.close()
    assert bay.sync(own, wishes) == [("gone", out.listed, "TR-8S:MIDI 1")]
    out.close()
    into.close()


def test_a_thousand_times_plugged_and_unplugged_nothing_grows(jack):
    _, library, bay = jack
    out = open_midi_out("Fathom")
    synth = library.Client("synth", no_start_server=True)
    synth.activate()
    clients = {name.partition(":")[0] for name in out._server.ports()}
    before, started = None, time.monotonic()

    for cycle in range(CYCLES):
        if cycle == CYCLES // 10:
            before = resident(), descriptors()
        port = synth.midi_inports.register("in")
        assert [event[0] for event in bay.sync([out.listed], [(out.listed, "synth")])] == ["connected"]
        port.unregister()
        assert [event[0] for event in bay.sync([out.listed], [(out.listed, "synth")])] == ["gone"]

    assert time.monotonic() - started < 20
    assert resident() - before[0] < 2**20
    assert descriptors() == before[1]
    assert {name.partition(":")[0] for name in out._server.ports()} == clients
    synth.close()
    out.close()


def test_a_jack_that_stops_is_a_sentence_and_prints_nothing(jack, capfd):
    server, _, bay = jack
    server.kill()
    server.wait()

    until = time.monotonic() + 5
    with pytest.raises(PanelError, match=r"JACK stopped, and with it every port; start it"):
        while time.monotonic() < until:
            bay.sync([], [])
            time.sleep(0.05)
    assert capfd.readouterr() == ("", "")


# --- ALSA: this library's own types, and a sequencer in memory ----------------------------------------------


class FakeSequencer:
    """What `AlsaPorts` asks of `alsa_midi.SequencerClient`."""

    def __init__(self, client_name):
        self.found = []  # (PortInfo, pid)
        self.subscribed = set()

    def add(self, client, port, client_name, name, capability, kind=0, pid=None):
        alsa = sys.modules["alsa_midi"]
        info = alsa.PortInfo(
            client_id=client,
            port_id=port,
            name=name,
            capability=capability,
            type=alsa.PortType.MIDI_GENERIC | alsa.PortType(kind),
        )
        info.client_name = client_name
        self.found.append((info, pid))

    def list_ports(self, *, include_midi_through=True, sort=True):
        through = {"Midi Through"} if not include_midi_through else set()
        return [info for info, _ in self.found if info.client_name not in through]

    def get_client_info(self, client_id=None):
        pid = next(pid for info, pid in self.found if info.client_id == client_id)
        return sys.modules["alsa_midi"].ClientInfo(client_id=client_id, pid=pid)

    def list_port_subscribers(self, port, type=None):  # noqa: A002
        alsa = sys.modules["alsa_midi"]
        reading = type == alsa.SubscriptionQueryType.READ
        others = [
            sink if reading else source
            for source, sink in self.subscribed
            if port == (source if reading else sink)
        ]
        return [alsa.SubscriptionQuery(root=port, addr=other) for other in others]

    def subscribe_port(self, sender, dest):
        self.subscribed.add((sender, dest))

    def unsubscribe_port(self, sender, dest):
        self.subscribed.remove((sender, dest))

    def close(self):
        pass


@pytest.fixture
def alsa(monkeypatch):
    library = need_library("alsa_midi")
    for name, method in inspect.getmembers(FakeSequencer, inspect.isfunction):
        if name not in ("__init__", "add"):
            real = inspect.signature(getattr(library.SequencerClient, name)).parameters
            assert set(inspect.signature(method).parameters) <= set(real), name
    monkeypatch.setattr(library, "SequencerClient", FakeSequencer)
    system = open_ports("ALSA", owner=77)
    return library, system._client, PatchBay(system)


def test_on_alsa_a_device_is_connected_both_ways_by_a_third_party_and_again_at_another_address(alsa):
    library, sequencer, bay = alsa
    caps = library.PortCaps
    both = caps.SUBS_READ | caps.SUBS_WRITE
    sequencer.add(128, 0, "Fathom", "out", caps.SUBS_READ, pid=77)
    sequencer.add(129, 0, "Fathom", "in", caps.SUBS_WRITE, pid=77)
    sequencer.add(130, 0, "Fathom", "in", caps.SUBS_WRITE, pid=78)  # another box on this machine
    sequencer.add(14, 0, "Midi Through", "Midi Through Port-0", both, library.PortType.HARDWARE)
    sequencer.add(24, 0, "TR-8S", "TR-8S MIDI 1", both, library.PortType.HARDWARE)
    own, wishes = ["Fathom:out", "Fathom:in"], [("Fathom:out", "*"), ("Fathom:in", "tr-8s")]

    assert sorted(bay.sync(own, wishes)) == [
        ("connected", "Fathom:in", "TR-8S:TR-8S MIDI 1"),
        ("connected", "Fathom:out", "TR-8S:TR-8S MIDI 1"),
    ]
    assert sequencer.subscribed == {((128, 0), (24, 0)), ((24, 0), (129, 0))}
    assert bay.sync(own, wishes) == []
    sequencer.found.pop()
    sequencer.subscribed.clear()
    sequencer.add(28, 0, "TR-8S", "TR-8S MIDI 1", both, library.PortType.HARDWARE)
    assert sorted(event[0] for event in bay.sync(own, wishes)) == ["connected", "connected", "gone", "gone"]
    assert sequencer.subscribed == {((128, 0), (28, 0)), ((28, 0), (129, 0))}
    assert len(bay.sync(own, [])) == 2
    assert sequencer.subscribed == set()


# --- what is missing is said --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "module", "package"), [("JACK", "jack", "JACK-Client"), ("ALSA", "alsa_midi", "alsa-midi")]
)
def test_without_its_library_it_is_said_what_to_install(monkeypatch, system, module, package):
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(PanelError, match=rf"{package} is not installed, so nothing.*`pip install {package}`"):
        open_ports(system, os.getpid())


def test_without_a_server_it_is_said_and_nothing_is_printed(monkeypatch, capfd):
    need_library("jack")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")

    with pytest.raises(PanelError, match=r"JACK cannot be asked for its ports"):
        open_ports("JACK", os.getpid())

    assert capfd.readouterr() == ("", "")


def test_another_system_is_left_to_the_player():
    with pytest.raises(PanelError, match=r"ports of CoreMIDI are not connected by Fathom; connect"):
        open_ports("CoreMIDI", os.getpid())
