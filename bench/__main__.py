"""`make bench`: measures the whole path and writes the table of docs/figures.md. Asserts nothing.

Every process is started as a player would start it. Each figure stands beside the one it is to be read
against, taken in the same run: the times of one machine say little on another.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures.md"
STARTS = 5
PLAYED_S = 20.0
DECODES = 2000

Row = tuple[str, str, str]


def main() -> None:
    """Take all figures and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FATHOM_HOME"] = folder
        home = Path(folder)
        run("demo", home / "loops")
        rows = [
            *learning(home),
            *starting(home),
            *playing(home),
            *playing(home, training=True),
            *decoding(home),
        ]
    lines = [f"| {what} | {found} | {beside} |" for what, found, beside in rows]
    FIGURES.write_text(PAGE.format(machine=machine(), rows="\n".join(lines)))
    print(FIGURES.read_text())


def command(*words: object) -> list[str]:
    return [sys.executable, str(ROOT / "fathom.py"), *map(str, words)]


def run(*words: object) -> str:
    return subprocess.run(command(*words), check=True, capture_output=True, text=True).stdout


def learning(home: Path) -> list[Row]:
    """Loops to slots: the drums with three voices, the bass lines with one."""
    rows = []
    for number, folder, voices in ((1, "drums", 3), (2, "bass", 1)):
        words = (
            "learn",
            home / "loops" / folder,
            "--slot",
            number,
            "--voices",
            voices,
            "--seed",
            1,
            "--json",
        )
        report = json.loads(run(*words))
        spent, play = report["seconds"], report["playability"]
        rows.append(
            (
                f"learn the {folder} of the demo loops, {report['takes']} takes, {voices} voice(s)",
                f"{spent['total']:.1f} s",
                f"hear {spent['hear']:.1f} s, train {spent['train']:.1f} s, measure {spent['measure']:.1f} s",
            )
        )
        meaning = ", ".join(f"{knob} {value:.2f}" for knob, value in play["meaning"].items())
        rows.append(
            (
                f"playability of the {folder}",
                f"reach {play['reach']:.2f}, likeness {play['likeness']:.2f}, silence {play['silence']:.3f}",
                f"meaning {meaning}; travel {', '.join(f'{t:.0f}' for t in play['travel'])}",
            )
        )
    return rows


def starting(home: Path) -> list[Row]:
    """From the command to the first gate, beside what `import numpy` costs, in turn."""
    gates, imports = [], []
    for number in range(STARTS):
        started = time.monotonic_ns()
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
        imports.append((time.monotonic_ns() - started) / 1e6)
        tape = home / f"start-{number}"
        started = time.monotonic_ns()
        run("play", "--slot", 1, "--slot", 2, "--bars", 1, "--bpm", 300, "--tape", tape)
        first = next(e for e in read(tape) if str(e.get("jack", "")).startswith("gate"))
        gates.append((first["at_ns"] - started) / 1e6)
    gate, beside = statistics.median(gates), statistics.median(imports)
    return [
        (
            "command to first gate",
            f"{gate:.0f} ms",
            f"{gate / beside:.1f} times `import numpy` ({beside:.0f} ms)",
        )
    ]


def playing(home: Path, training: bool = False) -> list[Row]:
    """Four voices at 120 BPM: share of a core, memory, lateness; alone or beside a training."""
    tape = home / "tape"
    words = ("play", "--slot", 1, "--slot", 2, "--tape", tape)
    player = subprocess.Popen(command(*words), stderr=subprocess.DEVNULL)
    trainer = None
    if training:
        learn = command("learn", home / "loops", "--slot", home / "other.safetensors", "--trainings", 50)
        trainer = subprocess.Popen(learn, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(2.0)
    before = cpu_seconds(player.pid)
    time.sleep(PLAYED_S)
    share = (cpu_seconds(player.pid) - before) / PLAYED_S
    status = Path(f"/proc/{player.pid}/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    for process in filter(None, (player, trainer)):
        process.terminate()
        process.wait()
    late = sorted((e["at_ns"] - e["due_ns"]) / 1000 for e in read(tape) if "jack" in e)
    beside = "a training on the other core" if training else "nothing else"
    at = [late[min(len(late) - 1, int(len(late) * share_))] for share_ in (0.5, 0.99)]
    return [
        (
            f"play four voices at 120 BPM, beside {beside}",
            f"{share * 100:.1f} % of a core, {memory:.0f} MB",
            f"lateness p50 {at[0]:.0f} us, p99 {at[1]:.0f} us, worst {late[-1]:.0f} us of {len(late)} edges",
        )
    ]


def decoding(home: Path) -> list[Row]:
    """One position of the knobs to a pattern, in this process."""
    sys.path.insert(0, str(ROOT))
    from device.slots import SlotFolder

    decoder = SlotFolder(home / "slots").load(1).decoder
    knobs = [[n / DECODES, 0.5, 0.5, 0.5] for n in range(DECODES)]
    started = time.perf_counter()
    for position in knobs:
        decoder.decode(position).pattern()
    each = (time.perf_counter() - started) / DECODES * 1e6
    return [("knobs to pattern, one slot of three voices", f"{each:.0f} us", "")]


def read(tape: Path) -> list[dict]:
    return [json.loads(line) for line in tape.read_text().splitlines()]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    model = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


PAGE = """# Figures

Taken by `make bench` on {machine}; not measured on a Pi yet. Absolute times are this machine's; read the
ratios. Lateness is from an edge's place in the music to the end of the call that wrote it.

| what | found | beside |
| --- | --- | --- |
{rows}
"""

if __name__ == "__main__":
    main()
