"""The machine by itself, before anything of Fathom is in it: what the other stories lean on holds."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .channel import MachineError
from .din_midi import Din
from .machine import Machine
from .panel import hardware, held
from .sticks import crowded_stick, lying_stick, make_stick
from .usb_midi import Computer, Synth

ROOT = Path(__file__).resolve().parents[2]

# Takes lines in one request, as the engine does, and changes them together.
GATES = """
import sys, time, gpiod
from gpiod.line import Direction, Value
lines = [int(word) for word in sys.argv[1].split(",")]
settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
request = gpiod.request_lines("/dev/gpiochip0", {tuple(lines): settings}, consumer="story")
for number in range(3):
    request.set_values(dict.fromkeys(lines, Value.ACTIVE))
    time.sleep(0.01)
    request.set_values(dict.fromkeys(lines, Value.INACTIVE))
    time.sleep(0.01)
print("played", flush=True)
for line in sys.stdin:
    request.set_values({int(number): Value(int(level)) for number, level in [line.split("=")]})
    print("set", line, flush=True)
"""
# Reads edges of inputs with the kernel's times.
LISTEN = """
import sys, gpiod
from gpiod.line import Bias, Clock, Direction, Edge
lines = [int(word) for word in sys.argv[1].split(",")]
settings = gpiod.LineSettings(
    direction=Direction.INPUT, edge_detection=Edge.BOTH, bias=Bias.PULL_UP, active_low=True,
    event_clock=Clock.MONOTONIC,
)
with gpiod.request_lines("/dev/gpiochip0", {tuple(lines): settings}, event_buffer_size=1000) as request:
    print("listening", flush=True)
    while request.wait_edge_events(3):
        for event in request.read_edge_events():
            print(event.line_offset, event.timestamp_ns, event.event_type.name, flush=True)
"""
BOOT = """
import sys
from pathlib import Path
from tests.vm.image import Image
from tests.vm.machine import Machine
with Machine(Image(Path(sys.argv[1]), sys.argv[2])):
    pass
"""
READ_CHANNELS = """
import ctypes, fcntl, os, struct
SPI_IOC_MESSAGE_1 = 0x40206B00
device = os.open("/dev/spidev0.0", os.O_RDWR)
for channel in range(8):
    sent = ctypes.create_string_buffer(bytes([1, 0x80 | channel << 4, 0]), 3)
    got = ctypes.create_string_buffer(3)
    buffers = ctypes.addressof(sent), ctypes.addressof(got)
    words = struct.pack("<QQIIHBBBBBB", *buffers, 3, 1000000, 0, 8, 0, 0, 0, 0, 0)
    fcntl.ioctl(device, SPI_IOC_MESSAGE_1, words)
    print((got.raw[1] & 7) << 8 | got.raw[2])
"""


@pytest.fixture(scope="module")
def gpiod(machine):
    """Starts a Python program that has gpiod, unpacked from its wheel."""
    machine.run("python3 -m zipfile -e /host/wheels/gpiod-*.whl /opt/story")

    def start(*words, stdin=b""):
        return machine.start(["python3", "-c", *words], env={"PYTHONPATH": "/opt/story"}, stdin=stdin)

    return start


def words_of(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def wait_until(found, seconds=30):
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return result


def mount(machine, device="/dev/sda"):
    """Read-only at /mnt/stick, once its file system is known."""
    machine.wait_for(f"udevadm settle; blkid {device}", 30)
    machine.run(f"mkdir -p /mnt/stick && mount -o ro {device} /mnt/stick")


def codes(machine):
    return [int(line) for line in machine.run(["python3", "-c", READ_CHANNELS]).lines]


def test_it_says_that_it_is_a_pi(machine):
    assert machine.read("/proc/device-tree/model").rstrip(b"\0").decode() == "Raspberry Pi 4 Model B Rev 1.4"
    assert re.search(r"^Revision\s*: c03114$", machine.run(["cat", "/proc/cpuinfo"]).stdout, re.MULTILINE)
    # Also where a unit has a /proc of its own.
    inside = machine.run(
        "systemd-run -q --pipe --wait -p ProtectProc=invisible -p DynamicUser=yes cat /proc/cpuinfo"
    )
    assert "Revision\t: c03114" in inside.stdout
    assert "pinctrl-bcm2711] (54 lines)" in machine.run(["gpiodetect"]).stdout


def test_commands_give_back_what_they_say_and_end_in_time(machine):
    done = machine.run("echo out; echo err >&2; exit 3", check=False)
    assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    with pytest.raises(MachineError, match="failed with status 3"):
        machine.run("exit 3")
    with pytest.raises(MachineError, match="did not end in 1 s"):
        machine.run("sleep 60", timeout=1)
    assert machine.run(["cat"], stdin=bytes(range(256)) * 8192).stdout[:3] == "\0\1\2"
    program = machine.start("read word; echo got $word; exec sleep 100", stdin=None)
    program.write(b"hello\n")
    program.until("got hello")
    program.kill(signal.SIGTERM)
    assert program.wait().status == -signal.SIGTERM


def test_files_go_in_and_out(machine, tmp_path):
    data = bytes(range(256)) * 4000
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "file").write_bytes(data)

    machine.copy_in(tmp_path / "folder", "/opt/there")
    machine.copy_out("/opt/there/deep/file", tmp_path / "back")

    assert (tmp_path / "back").read_bytes() == data
    assert machine.run("ls /host/wheels").stdout.count("gpiod-") == 1


def test_every_edge_of_an_output_is_kept_with_the_kernels_time(machine, panel, gpiod):
    lines = ",".join(str(panel.wiring.outputs[name]) for name in ("gate1", "gate2", "accent"))
    before = machine.now_ns()
    program = gpiod(GATES, lines, stdin=None)
    program.until("played")
    after = machine.now_ns()

    edges = panel.edges("gate1", "gate2", "accent", since_ns=before)

    for name in ("gate1", "gate2", "accent"):
        assert [edge.level for edge in edges if edge.name == name] == [1, 0] * 3
    assert all(before <= edge.ns <= after for edge in edges)
    assert edges == sorted(edges, key=lambda edge: edge.ns)
    # One call of the kernel: nothing comes between its lines.
    assert [edge.name for edge in edges] == ["gate1", "gate2", "accent"] * 6
    assert panel.edges("gate3", since_ns=before) == []

    gate2 = panel.wiring.outputs["gate2"]
    # As on a Pi, a gate that is open when its program dies stays open.
    program.write(f"{gate2}=1\n".encode())
    program.until(f"set {gate2}=1")
    program.kill()
    program.wait()
    assert panel.levels(["gate1", "gate2"]) == {"gate1": 0, "gate2": 1}
    machine.run(f"gpioset gpiochip0 {gate2}=0")
    assert panel.level("gate2") == 0


def test_pulses_and_presses_arrive_with_the_kernels_time(machine, panel, gpiod):
    clock, play = panel.wiring.inputs["clock"], panel.wiring.buttons["PLAY"]
    program = gpiod(LISTEN, f"{clock},{play}")
    program.until("listening")

    rises = panel.pulse_train(period_s=0.02, count=50)
    pressed = panel.press("PLAY")
    released = panel.release("PLAY")
    panel.tap("PLAY", seconds=0.05)
    program.wait(20)

    heard = [line.split() for line in program.stdout.splitlines()[1:]]
    rising = [int(ns) for line, ns, kind in heard if int(line) == clock and kind == "RISING_EDGE"]
    assert len(rising) == len(rises) == 50
    # Each was heard after the pulse before it was written, and before the next one.
    assert all(earlier < ns for earlier, ns in zip(rises, rising[1:], strict=False))
    assert all(ns < later for ns, later in zip(rising, rises[1:], strict=False))
    presses = [kind for line, ns, kind in heard if int(line) == play]
    assert presses == ["RISING_EDGE", "FALLING_EDGE"] * 2
    assert released > pressed


def test_a_jumper_carries_a_gate_to_the_clock_jack(machine, panel, gpiod):
    clock, gate = panel.wiring.inputs["clock"], panel.wiring.outputs["gate1"]
    with panel.jumper("gate1", "clock"):
        listening = gpiod(LISTEN, str(clock))
        listening.until("listening")
        before = machine.now_ns()
        gpiod(GATES, str(gate)).wait()
        listening.wait(20)

    heard = [line.split() for line in listening.stdout.splitlines()[1:]]
    assert [kind for _, _, kind in heard] == ["RISING_EDGE", "FALLING_EDGE"] * 3
    left = panel.edges("gate1", since_ns=before)
    assert all(edge.ns < int(ns) for edge, (_, ns, _) in zip(left, heard, strict=True))


def test_the_chip_reads_what_the_knobs_say_and_has_its_faults(machine, panel):
    wanted = [0, 1, 511, 512, 513, 1000, 1022, 1023]
    panel.codes(wanted)
    assert codes(machine) == wanted
    assert panel.turn("B", 0.25) == 256
    assert codes(machine)[1] == 256

    panel.chip(absent=True, floats=1)
    assert codes(machine) == [0x7FF] * 8  # the null bit is high: nobody drives the line
    panel.chip(absent=True, floats=0)
    assert codes(machine) == [0] * 8
    panel.chip(stuck=700)
    assert codes(machine) == [700] * 8
    panel.chip()
    assert codes(machine)[2:] == wanted[2:]
    counters = panel.chip_counters()
    assert counters["frames"] >= 40
    assert counters["malformed"] == 0
    assert counters["max_hz"] == 1_000_000


def test_the_alsa_sequencer_is_there(machine):
    assert "System" in machine.run("aconnect -l").stdout


def test_usb_midi_goes_both_ways_byte_for_byte(machine):
    synth = Synth(machine)
    synth.plug()
    machine.wait_for("amidi -l | grep -q 'Rig Synth' && aconnect -l | grep -q 'Rig Synth'", 15)
    assert "f_midi" not in machine.run("aconnect -l").stdout  # the far end is not the box's to see

    sysex = bytes([0xF0, 0x7D, *range(0x70), 0xF7])
    song = bytes([0xFA, 0x90, 36, 100, 0xF8, 0xF8, 0x80, 36, 0]) + sysex + bytes([0xB0, 16, 5, 0xFC])
    (device,) = re.findall(r"hw:\d+,0,0(?=\s+Rig Synth)", machine.run("amidi -l").stdout)

    machine.run(["amidi", "-p", device, "-S", song.hex()])
    assert synth.wait_for(song) == song

    listening = machine.start(f"timeout 20 amidi -p {device} -c -r /tmp/heard & sleep 1; echo on; wait")
    listening.until("on")
    synth.send(song)
    machine.wait_for(f"test $(stat -c %s /tmp/heard) -ge {len(song)}", 15)
    machine.run("pkill -x amidi", check=False)
    assert machine.read("/tmp/heard") == song

    synth.pull()
    machine.wait_for("! aconnect -l | grep -q 'Rig Synth'", 15)
    synth.plug()
    machine.wait_for("aconnect -l | grep -q 'Rig Synth'", 15)


def test_a_box_that_is_a_gadget_itself_meets_a_computer(machine):
    # As a box's own unit does it, on the first UDC there is.
    machine.call("midi", "make", "box", 0, "Box")
    machine.call("midi", "power", "box", 0, True)
    computer = Computer(machine)
    computer.listen()

    machine.run("amidi -p $(amidi -l | awk '/f_midi/ { print $2 }' | tail -1) -S '90 24 64 F8'")
    assert computer.wait_for(bytes.fromhex("90 24 64 F8")) == bytes.fromhex("90 24 64 F8")

    computer.pull()
    machine.wait_for("! grep -q Box /proc/asound/cards", 15)
    computer.plug()
    machine.run("amidi -p $(amidi -l | awk '/f_midi/ { print $2 }' | tail -1) -S 'F8 FC'")
    assert computer.wait_for(b"\xf8\xfc") == b"\xf8\xfc"
    machine.call("midi", "power", "box", 0, False)


def test_din_midi_goes_both_ways_byte_for_byte(machine):
    din, song = Din(machine), bytes([0x90, 36, 100, 0xF8, 0x80, 36, 0])
    machine.run("stty -F /dev/serial0 38400 raw -echo")

    machine.run(f"printf '{''.join(f'{chr(92)}{byte:03o}' for byte in song)}' >/dev/serial0")
    assert din.wait_for(song) == song

    reader = machine.start(f"exec 3</dev/serial0; echo on; head -c {len(song)} <&3 | od -An -tx1 -v")
    reader.until("on")
    din.send(song)
    assert bytes.fromhex(reader.wait().stdout.split("on")[1]) == song


@pytest.mark.parametrize(
    ("system", "table"), [("vfat", False), ("vfat", True), ("exfat", False), ("exfat", True)]
)
def test_a_stick_is_seen_and_read(machine, stick_folder, system, table):
    files = {"loops/a loop.wav": bytes(range(256)) * 400, "readme.txt": b"hello\n", "empty.wav": b""}
    stick = make_stick(stick_folder / f"{system}-{table}", files, system=system, table=table, size_mb=40)
    device = "/dev/sda1" if table else "/dev/sda"

    machine.plug(stick)
    mount(machine, device)
    assert machine.run(f"blkid -o value -s TYPE {device}").stdout == f"{system}\n"
    assert machine.run("cd /mnt/stick && find . -type f | sort").lines == [
        "./empty.wav",
        "./loops/a loop.wav",
        "./readme.txt",
    ]
    assert machine.read("/mnt/stick/loops/a loop.wav") == files["loops/a loop.wav"]
    assert machine.run("udevadm info -q property " + device).stdout.count("ID_BUS=usb") == 1
    machine.run("umount /mnt/stick")
    machine.pull()
    machine.wait_for("! test -e /dev/sda", 15)


def test_a_slow_stick_is_pulled_in_the_middle_of_a_copy(machine, stick_folder):
    stick = make_stick(stick_folder / "slow", {"loop.wav": bytes(8 << 20)})
    machine.plug(stick, bytes_per_s=1 << 20)
    mount(machine)
    copy = machine.start("dd if=/mnt/stick/loop.wav of=/tmp/copy bs=64k")
    machine.wait_for("test -s /tmp/copy", 15)
    assert copy.running
    machine.pull()
    assert copy.wait(30).status == 1
    assert "Input/output error" in copy.stderr
    machine.run("umount -l /mnt/stick")


def test_bad_sticks_can_be_had(machine, stick_folder):
    machine.plug(lying_stick(stick_folder / "lying", {"loops/far.wav": bytes(1 << 20)}))
    mount(machine)
    assert machine.run("stat -c %s /mnt/stick/loops/far.wav", check=False).stdout in ("1048576\n", "")
    assert machine.run("cat /mnt/stick/loops/far.wav", check=False).status == 1
    machine.run("umount /mnt/stick")
    machine.pull()

    machine.plug(crowded_stick(stick_folder / "crowded"))
    mount(machine)
    assert machine.run("ls -U /mnt/stick/loops | wc -l", timeout=120).stdout == "100000\n"
    machine.run("umount /mnt/stick")
    machine.pull()


def test_a_power_cut_keeps_what_was_flushed_and_the_panel_comes_back(machine, panel):
    machine.run("echo kept >/root/flushed; sync /root/flushed /root")
    machine.start("while :; do echo lost >>/root/busy; done")
    panel.codes([1023, 256])
    time.sleep(1)

    machine.power_cut()
    assert not machine.on
    with pytest.raises(MachineError, match="off"):
        machine.run("true")
    machine.power_on(words=held("SHIFT"))

    assert machine.read("/root/flushed") == b"kept\n"
    assert machine.run("touch /root/writable").status == 0
    shift, play = panel.wiring.buttons["SHIFT"], panel.wiring.buttons["PLAY"]
    assert machine.call("jacks", "levels", [shift, play]) == [0, 1]
    assert codes(machine)[:2] == [1023, 256]  # nobody has turned a knob


def test_another_machine_begins_where_one_was_switched_off(image, machine, tmp_path):
    machine.power_off()
    assert not machine.on

    with Machine(image, tmp_path, base=machine.disk, words=hardware("5")) as other:
        assert other.read("/root/flushed") == b"kept\n"
        assert "pinctrl-rp1] (54 lines)" in other.run(["gpiodetect"]).stdout
        assert other.run("ls /host/wheels").stdout == ""  # it was given no folder
    other.disk.unlink()


def test_qemu_ends_with_whoever_started_it(image):
    parent = subprocess.Popen([sys.executable, "-c", BOOT, str(image.folder), image.suite], cwd=ROOT)
    try:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        qemus = wait_until(lambda: [n for n in children.read_text().split() if "qemu-system" in words_of(n)])
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not any("qemu-system" in words_of(qemu) for qemu in qemus))
