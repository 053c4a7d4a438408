"""Jacks on a stand-in for gpiod, as a machine without a chip has no lines to request; and the twin.

The stand-in is held against the names of the real library; real lines need a kernel that has some.
"""

import contextlib
import glob
from types import SimpleNamespace

import pytest

from hw.errors import PanelError
from hw.jacks import GpiodJacks
from hw.sim import SimJacks
from hw.table import JACKS_IN, JACKS_OUT, Wiring
from hw.timing import SimTime


class FakeRequest:
    def __init__(self, kernel, pins):
        self.kernel = kernel
        self.pins = pins
        self.released = False

    def set_values(self, values):
        assert not self.released
        assert set(values) <= set(self.pins)
        self.kernel.calls.append(dict(values))

    def wait_edge_events(self, timeout):
        assert timeout == 0
        return bool(self.kernel.events)

    def read_edge_events(self, most):
        events, self.kernel.events = self.kernel.events[:most], self.kernel.events[most:]
        return events

    def release(self):
        self.released = True


class FakeGpiod:
    """What of gpiod the jacks use, and a memory of what the kernel was told."""

    line = SimpleNamespace(
        Value=SimpleNamespace(INACTIVE=0, ACTIVE=1),
        Direction=SimpleNamespace(INPUT="input", OUTPUT="output"),
        Edge=SimpleNamespace(BOTH="both"),
        Bias=SimpleNamespace(PULL_UP="pull-up"),
        Clock=SimpleNamespace(MONOTONIC="monotonic"),
    )
    EdgeEvent = SimpleNamespace(Type=SimpleNamespace(RISING_EDGE="rising", FALLING_EDGE="falling"))
    LineSettings = SimpleNamespace

    def __init__(self, labels=None, busy=()):
        self.labels = labels or {"/dev/gpiochip0": "pinctrl-bcm2711"}
        self.busy = busy
        self.calls = []
        self.events = []
        self.requests = []

    def request_lines(self, chip, config, consumer, event_buffer_size=None):
        ((pins, settings),) = config.items()
        if set(self.busy) & set(pins):
            raise OSError(16, "Device or resource busy")
        request = FakeRequest(self, pins)
        request.chip, request.settings, request.consumer = chip, settings, consumer
        self.requests.append(request)
        return request

    @contextlib.contextmanager
    def Chip(self, path):  # noqa: N802, gpiod calls it so
        yield SimpleNamespace(get_info=lambda: SimpleNamespace(label=self.labels[path]))

    def edge(self, pin, ns, kind):
        self.events.append(SimpleNamespace(line_offset=pin, timestamp_ns=ns, event_type=kind))


WIRING = Wiring(gpiochip="/dev/gpiochip0")


def test_jacks_that_change_together_change_in_one_call():
    kernel = FakeGpiod()
    jacks = GpiodJacks(WIRING, kernel)

    jacks.write({"gate1": 1, "gate3": 1, "accent": 1})
    jacks.write({"gate1": 0})

    pins = JACKS_OUT
    assert kernel.calls == [{pins["gate1"]: 1, pins["gate3"]: 1, pins["accent"]: 1}, {pins["gate1"]: 0}]
    assert [name for name, level in jacks.levels.items() if level] == ["gate3", "accent"]


def test_outputs_are_taken_low_and_inputs_with_the_clock_of_the_player():
    kernel = FakeGpiod()
    GpiodJacks(WIRING, kernel)

    out, inputs = kernel.requests
    assert out.consumer == inputs.consumer == "fathom"
    assert (out.pins, out.settings.direction, out.settings.output_value) == (
        tuple(JACKS_OUT.values()),
        "output",
        0,
    )
    assert (inputs.pins, inputs.settings.direction) == (tuple(JACKS_IN.values()), "input")
    assert (inputs.settings.event_clock, inputs.settings.active_low) == ("monotonic", True)


def test_edges_come_with_the_kernel_s_time_and_only_once():
    kernel = FakeGpiod()
    jacks = GpiodJacks(WIRING, kernel)
    kernel.edge(JACKS_IN["clock"], 1_000, "rising")
    kernel.edge(JACKS_IN["reset"], 1_500, "rising")
    kernel.edge(JACKS_IN["clock"], 2_000, "falling")

    assert jacks.arrived() == [("clock", 1_000, True), ("reset", 1_500, True), ("clock", 2_000, False)]
    assert jacks.arrived() == []


def test_closing_pulls_every_jack_low_and_gives_the_lines_back_once():
    kernel = FakeGpiod()
    jacks = GpiodJacks(WIRING, kernel)
    jacks.write({"gate2": 1})

    jacks.close()
    jacks.close()

    assert kernel.calls[1:] == [dict.fromkeys(JACKS_OUT.values(), 0)]
    assert all(request.released for request in kernel.requests)
    assert not any(jacks.levels.values())
    assert jacks.arrived() == []


def test_a_line_that_another_program_holds_is_named_and_the_others_are_given_back():
    kernel = FakeGpiod(busy=[JACKS_IN["reset"]])

    with pytest.raises(PanelError, match=r"/dev/gpiochip0 does not give GPIO4, GPIO5 .*busy.*gpioinfo"):
        GpiodJacks(WIRING, kernel)

    assert [request.released for request in kernel.requests] == [True]
    assert kernel.calls == [dict.fromkeys(JACKS_OUT.values(), 0)]


def test_the_header_is_found_by_its_label_whatever_its_number(monkeypatch):
    labels = {"/dev/gpiochip0": "gpio-brcmstb", "/dev/gpiochip4": "pinctrl-rp1"}
    monkeypatch.setattr(glob, "glob", lambda _: list(labels))
    kernel = FakeGpiod(labels)

    GpiodJacks(Wiring(), kernel)

    assert {request.chip for request in kernel.requests} == {"/dev/gpiochip4"}


def test_a_machine_whose_chips_have_no_header_is_told_what_was_found(monkeypatch):
    labels = {"/dev/gpiochip0": "INT33FC:00"}
    monkeypatch.setattr(glob, "glob", lambda _: list(labels))

    with pytest.raises(PanelError, match=r"/dev/gpiochip0 is INT33FC:00; expected pinctrl-rp1"):
        GpiodJacks(Wiring(), FakeGpiod(labels))


def test_a_machine_without_a_chip_is_told_so():
    pytest.importorskip("gpiod", reason="gpiod is not installed")
    if glob.glob("/dev/gpiochip*"):
        pytest.skip("this machine has a gpiochip")

    with pytest.raises(PanelError, match=r"no /dev/gpiochip\*.*expected.*--panel sim"):
        GpiodJacks()


def test_the_names_of_gpiod_that_the_jacks_use_are_there():
    gpiod = pytest.importorskip("gpiod", reason="gpiod is not installed")

    gpiod.LineSettings(
        direction=gpiod.line.Direction.INPUT,
        edge_detection=gpiod.line.Edge.BOTH,
        bias=gpiod.line.Bias.PULL_UP,
        active_low=True,
        event_clock=gpiod.line.Clock.MONOTONIC,
    )
    gpiod.LineSettings(direction=gpiod.line.Direction.OUTPUT, output_value=gpiod.line.Value.INACTIVE)
    assert gpiod.line.Value.ACTIVE is not gpiod.line.Value.INACTIVE
    assert gpiod.EdgeEvent.Type.RISING_EDGE is not gpiod.EdgeEvent.Type.FALLING_EDGE
    for owner, name in [(gpiod, "request_lines"), (gpiod, "Chip"), (gpiod.Chip, "get_info")]:
        assert callable(getattr(owner, name))
    for name in ("set_values", "wait_edge_events", "read_edge_events", "release"):
        assert callable(getattr(gpiod.LineRequest, name))


def test_the_twin_remembers_changes_with_their_time():
    time = SimTime()
    jacks = SimJacks(time, remember=True)

    jacks.write({"gate1": 1, "gate2": 0})
    time.sleep_until(500)
    jacks.write({"gate1": 0, "accent": 1})
    jacks.close()
    jacks.close()

    assert jacks.edges == [(0, "gate1", 1), (500, "gate1", 0), (500, "accent", 1), (500, "accent", 0)]
    assert jacks.rises("gate1") == [0]


def test_the_twin_forgets_unless_it_is_asked_to_remember():
    jacks = SimJacks(SimTime())

    for level in (1, 0, 1):
        jacks.write({"gate1": level})

    assert jacks.edges == []
    assert jacks.levels["gate1"] == 1


def test_edges_that_are_fed_to_the_twin_arrive_once():
    time = SimTime()
    jacks = SimJacks(time)
    time.sleep_until(700)

    jacks.feed("clock", rising=True)
    jacks.feed("clock", rising=False, ns=900)

    assert jacks.arrived() == [("clock", 700, True), ("clock", 900, False)]
    assert jacks.arrived() == []


def test_the_twin_has_no_other_jacks_than_the_panel():
    jacks = SimJacks(SimTime())

    with pytest.raises(KeyError):
        jacks.write({"gate5": 1})
    with pytest.raises(KeyError):
        jacks.feed("gate1", rising=True)
