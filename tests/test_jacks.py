"""Jacks on a stand-in for gpiod, as a machine without a chip has no lines to request; and the twin.

The stand-in is held against the names of the real library; real lines need a kernel that has some.
"""

import contextlib
import glob
from types import SimpleNamespace

import pytest

from hw import header
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
        if self.kernel.broken:
            raise OSError(5, "Input/output error")
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
        Edge=SimpleNamespace(RISING="rising"),
        Bias=SimpleNamespace(PULL_UP="pull-up"),
        Clock=SimpleNamespace(MONOTONIC="monotonic"),
    )
    LineSettings = SimpleNamespace

    def __init__(self, labels=None, busy=(), lines=54, secret=()):
        """`busy` lines are held by another; `secret` ones too, but nobody says so."""
        self.labels = labels or {"/dev/gpiochip0": "pinctrl-bcm2711"}
        self.busy = set(busy)
        self.secret = set(secret)
        self.lines = lines
        self.refused = False
        self.broken = False
        self.numbers = {}
        self.calls = []
        self.events = []
        self.requests = []

    def request_lines(self, chip, config, consumer, event_buffer_size=None):
        pins = tuple(pin for group in config for pin in group)
        if max(pins) >= self.lines:
            raise ValueError("line offset is out of range")
        held = {pin for request in self.requests if not request.released for pin in request.pins}
        if (self.busy | self.secret | held) & set(pins):
            raise OSError(16, "Device or resource busy")
        request = FakeRequest(self, pins)
        request.config, request.settings = config, next(iter(config.values()))
        request.chip, request.consumer = chip, consumer
        self.requests.append(request)
        return request

    @contextlib.contextmanager
    def Chip(self, path):  # noqa: N802, gpiod calls it so
        if self.refused:
            raise PermissionError(13, "Permission denied")

        def line_info(pin):
            return SimpleNamespace(used=pin in self.busy, consumer="gpioset" if pin in self.busy else "")

        info = SimpleNamespace(label=self.labels[path])
        yield SimpleNamespace(get_info=lambda: info, get_line_info=line_info)

    def edge(self, pin, ns, lost=0):
        """An edge, after so many that found the kernel's buffer full."""
        number = self.numbers[pin] = self.numbers.get(pin, 0) + 1 + lost
        self.events.append(SimpleNamespace(line_offset=pin, timestamp_ns=ns, line_seqno=number))


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
    kernel.edge(JACKS_IN["clock"], 1_000)
    kernel.edge(JACKS_IN["reset"], 1_500)
    kernel.edge(JACKS_IN["clock"], 2_000)

    assert jacks.arrived() == [("clock", 1_000, True), ("reset", 1_500, True), ("clock", 2_000, True)]
    assert jacks.arrived() == []
    assert jacks.missed == 0


def test_edges_that_the_kernel_let_go_are_counted():
    kernel = FakeGpiod()
    jacks = GpiodJacks(WIRING, kernel)
    for n in range(200):
        kernel.edge(JACKS_IN["clock"], n * 1_000, lost=2 if n == 100 else 0)

    heard = [len(jacks.arrived()) for _ in range(4)]

    assert heard == [64, 64, 64, 8]
    assert jacks.missed == 2


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


@pytest.mark.parametrize("way", ["busy", "secret"])
def test_jacks_whose_lines_another_program_holds_are_named_and_the_others_play(way):
    gone = {JACKS_OUT["gate2"], JACKS_IN["reset"]}
    kernel = FakeGpiod(**{way: gone})

    jacks = GpiodJacks(WIRING, kernel)
    jacks.write({"gate1": 1, "gate2": 1})
    kernel.edge(JACKS_IN["clock"], 1_000)

    assert "GPIO5 (reset in) " in jacks.complaint
    assert "GPIO17 (gate2 out) " in jacks.complaint
    assert ("held by gpioset" if way == "busy" else "busy") in jacks.complaint
    assert "the other jacks play" in jacks.complaint
    assert {JACKS_OUT["gate1"]: 1} in kernel.calls
    assert jacks.arrived() == [("clock", 1_000, True)]


def test_a_line_that_is_given_back_plays_again_at_the_level_it_should_have():
    kernel = FakeGpiod(busy=[JACKS_OUT["gate2"]])
    jacks = GpiodJacks(WIRING, kernel)
    jacks.write({"gate1": 1, "gate2": 1})
    jacks.mend(resting=False)
    assert jacks.complaint
    before = list(kernel.calls)

    kernel.busy.clear()
    jacks.mend(resting=False)

    assert jacks.complaint == ""
    assert kernel.calls == before, "no jack that plays was touched"
    ((pins, settings),) = kernel.requests[-1].config.items()
    assert (pins, settings.output_value) == ((JACKS_OUT["gate2"],), 1)
    jacks.write({"gate1": 0, "gate2": 0})
    assert kernel.calls[-2:] == [{JACKS_OUT["gate1"]: 0}, {JACKS_OUT["gate2"]: 0}]
    jacks.close()
    assert all(request.released for request in kernel.requests)


def test_a_box_without_rights_says_so_and_takes_its_jacks_when_it_has_them():
    kernel = FakeGpiod()
    kernel.refused = True

    jacks = GpiodJacks(WIRING, kernel)
    jacks.write({"gate1": 1})
    assert jacks.arrived() == []
    assert "/dev/gpiochip0 does not open" in jacks.complaint
    assert "group gpio" in jacks.complaint

    kernel.refused = False
    jacks.mend(resting=False)
    assert jacks.complaint == ""
    assert {settings.output_value for settings in kernel.requests[0].config.values()} == {0, 1}


def test_a_chip_with_too_few_lines_gives_those_it_has():
    kernel = FakeGpiod(lines=24)

    jacks = GpiodJacks(WIRING, kernel)
    jacks.write({"gate1": 1, "accent": 1})

    assert "GPIO24 (accent out) line offset is out of range" in jacks.complaint
    assert {JACKS_OUT["gate1"]: 1} in kernel.calls


def test_lines_that_fail_while_it_plays_are_said_and_taken_again():
    kernel = FakeGpiod()
    jacks = GpiodJacks(WIRING, kernel)

    kernel.broken = True
    jacks.write({"gate1": 1})
    assert "sets no lines any more" in jacks.complaint
    jacks.write({"gate3": 1})

    kernel.broken = False
    jacks.mend(resting=False)
    assert jacks.complaint == ""
    levels = {pin: its.output_value for pins, its in kernel.requests[-1].config.items() for pin in pins}
    assert [name for name, pin in JACKS_OUT.items() if levels[pin]] == ["gate1", "gate3"]


def test_nothing_is_taken_again_after_closing():
    kernel = FakeGpiod(busy=[JACKS_OUT["gate2"]])
    jacks = GpiodJacks(WIRING, kernel)
    jacks.close()
    kernel.busy.clear()

    jacks.mend(resting=True)

    assert all(request.released for request in kernel.requests)


def test_the_header_is_found_by_its_label_whatever_its_number(monkeypatch):
    labels = {"/dev/gpiochip0": "gpio-brcmstb", "/dev/gpiochip4": "pinctrl-rp1"}
    monkeypatch.setattr(glob, "glob", lambda _: list(labels))
    kernel = FakeGpiod(labels)

    GpiodJacks(Wiring(), kernel)

    assert {request.chip for request in kernel.requests} == {"/dev/gpiochip4"}


def test_a_chip_of_another_s_that_does_not_open_keeps_nobody_from_the_header(monkeypatch):
    labels = {"/dev/gpiochip0": None, "/dev/gpiochip4": "pinctrl-rp1"}
    monkeypatch.setattr(glob, "glob", lambda _: list(labels))

    class Picky(FakeGpiod):
        @contextlib.contextmanager
        def Chip(self, path):  # noqa: N802
            if labels[path] is None:
                raise PermissionError(13, "Permission denied")
            with super().Chip(path) as chip:
                yield chip

    assert GpiodJacks(Wiring(), Picky(labels)).chip == "/dev/gpiochip4"


def test_an_unknown_board_is_told_what_was_found(monkeypatch, tmp_path):
    labels = {"/dev/gpiochip0": "INT33FC:00"}
    monkeypatch.setattr(glob, "glob", lambda _: list(labels))
    (tmp_path / "model").write_bytes(b"Banana Pi M5\0")
    monkeypatch.setattr(header, "MODELS", (str(tmp_path / "none"), str(tmp_path / "model")))

    jacks = GpiodJacks(Wiring(), FakeGpiod(labels))

    assert "Banana Pi M5 is not a board that is known: /dev/gpiochip0 is INT33FC:00" in jacks.complaint
    assert "expected pinctrl-rp1" in jacks.complaint
    assert jacks.complaint.count(". ") == 1, "what is found, and what to do"


def test_a_machine_without_a_chip_is_told_so():
    pytest.importorskip("gpiod", reason="gpiod is not installed")
    if glob.glob("/dev/gpiochip*"):
        pytest.skip("this machine has a gpiochip")

    jacks = GpiodJacks()

    assert jacks.complaint.startswith(
        "jacks: no /dev/gpiochip* on this machine; the header of a Raspberry Pi"
    )
    assert not jacks.present


def test_the_names_of_gpiod_that_the_jacks_use_are_there():
    gpiod = pytest.importorskip("gpiod", reason="gpiod is not installed")

    gpiod.LineSettings(
        direction=gpiod.line.Direction.INPUT,
        edge_detection=gpiod.line.Edge.RISING,
        bias=gpiod.line.Bias.PULL_UP,
        active_low=True,
        event_clock=gpiod.line.Clock.MONOTONIC,
    )
    gpiod.LineSettings(direction=gpiod.line.Direction.OUTPUT, output_value=gpiod.line.Value.INACTIVE)
    assert gpiod.line.Value.ACTIVE is not gpiod.line.Value.INACTIVE
    assert {"line_offset", "timestamp_ns", "line_seqno"} <= gpiod.EdgeEvent.__annotations__.keys()
    assert {"used", "consumer"} <= gpiod.LineInfo.__annotations__.keys()
    named = [(gpiod, "request_lines"), (gpiod, "Chip"), (gpiod.Chip, "get_info")]
    for owner, name in [*named, (gpiod.Chip, "get_line_info")]:
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
