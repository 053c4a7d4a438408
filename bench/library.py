"""What one loop costs that is added to a library that was heard before, against hearing them all."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from bench import box

Row = tuple[str, str, str]
CORPORA = 14  # seeds of the demo, a dozen loops each: 168
ROUNDS = 5


def rows(home: Path) -> list[Row]:
    """Hearing all, all but one from memory, and one alone; in processes as a player starts them."""
    own = home / "library"
    folder = own / "loops"
    for seed in range(1, CORPORA + 1):
        box.run(own, "demo", folder / f"set-{seed}", "--seed", seed)
    loops = sorted(folder.rglob("*.wav"))
    added = own / "added.wav"
    loops.pop().rename(added)  # not known yet
    anew = min(_hear(own, folder, "--no-cache")[0] for _ in range(2))
    _hear(own, folder)
    home_again = folder / "added 120bpm.wav"
    added.rename(home_again)
    one_more, cached = _hear(own, folder)
    known = min(_hear(own, folder)[0] for _ in range(ROUNDS))
    alone = min(_hear(own, home_again, "--no-cache")[0] for _ in range(ROUNDS))
    numpy = min(_run("-c", "import numpy")[0] for _ in range(ROUNDS))
    count = len(loops) + 1
    return [
        (f"hear {count - 1} loops anew", f"{anew:.2f} s", f"{1000 * anew / (count - 1):.1f} ms a loop"),
        (
            f"hear one more, {cached} known",
            f"{one_more:.2f} s",
            f"{one_more / anew:.3f} of hearing all; {known:.2f} s where all are known",
        ),
        (
            "hear one loop, command to end",
            f"{alone:.2f} s",
            f"{alone / numpy:.1f} times `import numpy` ({numpy:.2f} s)",
        ),
    ]


def _hear(home: Path, *words: object) -> tuple[float, int]:
    """Seconds that a `fathom hear` takes, and how many loops it had heard before."""
    began = time.perf_counter()
    found = box.run(home, "hear", *words, "--json")
    took = time.perf_counter() - began
    return took, sum(json.loads(line)["cached"] for line in found.splitlines())


def _run(*words: str) -> tuple[float, int]:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *words], check=True)
    return time.perf_counter() - began, done.returncode
