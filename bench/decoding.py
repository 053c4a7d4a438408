"""Measures the decoder: one slot, four slots, and onnxruntime on the same network, in turn. Asserts nothing.

Ours runs in a process of its own, with one thread, as `fathom` does; onnxruntime in one with an environment
of its own, made once in build/bench. The two take turns, a round of calls each, so that what else the machine
does meets both. The slot is the one of the bass that was learned into `home`, of one voice; four slots are
that slot loaded four times, since weights that are shared would be read from a cache.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PEER = ROOT / "bench" / "peers" / "onnxruntime_decoder.py"
ENVIRONMENT = ROOT / "build" / "bench" / "onnxruntime"
NEEDS = ("onnxruntime", "onnx", "numpy")
SLOT = 2
ROUNDS, CALLS = 300, 50
POINTS = 200  # knob positions at which the codes of both are compared

Row = tuple[str, str, str]


def rows(home: Path) -> list[Row]:
    """What was measured, what was found and beside what."""
    words = [sys.executable, "-m", "bench.decoding", str(home)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    return [(what, found, beside) for what, found, beside in json.loads(done.stdout)]


def measure(home: Path) -> list[Row]:
    """The rows, measured in this process."""
    import numpy as np

    from device.abreast import Abreast
    from device.decoder import KNOBS, POSITIONS
    from device.ensemble import Ensemble
    from device.settings import Settings
    from device.slots import SlotFolder

    slots = [SlotFolder(home / "slots").load(SLOT) for _ in range(4)]
    decoder, settings = slots[0].decoder, Settings()
    positions = np.random.default_rng(1).integers(0, POSITIONS, (POINTS, KNOBS))
    points = decoder.knob_map.latents(positions)
    knobs = (positions[0] / (POSITIONS - 1)).tolist()
    ours: dict[str, Callable[[], object]] = {}
    for name, playing in (("one", slots[:1]), ("four", slots)):
        networks, ensemble = Abreast([slot.decoder.network for slot in playing]), Ensemble(playing)
        networks.points[...] = points[0][:, None]
        ours[f"{name} network"] = networks.run
        ours[f"{name} scores"] = partial(ensemble.decode, knobs)
        ours[f"{name} pattern"] = partial(_pattern, ensemble, knobs, settings)

    limit = decoder.network.layers[-1].high
    tensors: dict[str, Any] = {"points": points.astype(np.float32), "limit": np.array(limit)}
    for index, layer in enumerate(decoder.network.layers):
        tensors |= {
            f"weight_{index}": layer.weight,
            f"bias_{index}": layer.bias,
            f"scale_{index}": layer.scale,
        }
    file = home / "decoder.npz"
    np.savez(file, **tensors)
    with Peer(file) as peer:
        wanted = decoder.network.run(points)
        differ = {
            name: np.abs(np.clip(np.rint(found), -limit, limit) - wanted).max()
            for name, found in peer.codes.items()
        }
        took = in_turn(ours, peer)
    return [*beside_peer(took, differ, peer.version), *beside_one(took)]


def _pattern(ensemble: Any, knobs: list[float], settings: Any) -> object:
    return ensemble.pattern(ensemble.decode(knobs), settings)


def in_turn(ours: dict[str, Callable[[], object]], peer: Peer) -> dict[str, float]:
    """Microseconds a call, the median of all rounds, of ours and of the peer's."""
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, call in ours.items():
            call()
            started = time.perf_counter()
            for _ in range(CALLS):
                call()
            found.setdefault(name, []).append((time.perf_counter() - started) / CALLS * 1e6)
        for name, each in peer.round(CALLS).items():
            found.setdefault(name, []).append(each)
    return {name: statistics.median(each) for name, each in found.items()}


def beside_peer(took: dict[str, float], differ: dict[str, float], version: str) -> list[Row]:
    """One slot's network beside each session of the peer's, called in both ways; alone without a peer."""
    what, each = "one slot of one voice, latents to codes", took["one network"]
    if not differ:
        return [(what, f"{each:.1f} us", "onnxruntime could not be installed here")]
    sessions = {"int8": "int8", "exact": "int8 with a first layer in float32, rounding and clipping"}
    found = []
    for name, session in sessions.items():
        run, bound = took[name], took[f"{name} bound"]
        beside = (
            f"{each / run:.2f} times onnxruntime {version}, {session} ({run:.1f} us); "
            f"{each / bound:.2f} with its arrays bound ahead ({bound:.1f} us); "
            f"its codes are up to {differ[name]:.0f} off"
        )
        found.append((what, f"{each:.1f} us", beside))
    return found


def beside_one(took: dict[str, float]) -> list[Row]:
    """Four slots beside one, from the latents to the codes and from the knobs onwards."""
    steps = {"network": "latents to codes", "scores": "knobs to scores", "pattern": "knobs to pattern"}
    return [
        (
            f"four slots of one voice, {step}",
            f"{took[f'four {name}']:.1f} us",
            f"{took[f'four {name}'] / took[f'one {name}']:.2f} times one slot ({took[f'one {name}']:.1f} us)",
        )
        for name, step in steps.items()
    ]


class Peer:
    """onnxruntime in a process of its own; where it cannot be installed, one that answers with nothing."""

    def __init__(self, network: Path):
        self.codes: dict[str, list[list[float]]] = {}
        self.version = ""
        self._process: subprocess.Popen[str] | None = None
        python = installed()
        if python is None:
            return
        self._process = subprocess.Popen(
            [python, PEER, network], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        first = self._answer()
        self.version, self.codes = first["version"], first["codes"]

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.communicate()

    def round(self, calls: int) -> dict[str, float]:
        if self._process is None:
            return {}
        assert self._process.stdin
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        assert self._process
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


def installed() -> Path | None:
    """The Python that has onnxruntime, after installing it the first time; None where that fails."""
    python, done = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "installed"
    if not done.exists():
        try:
            subprocess.run(
                [sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True, stdout=sys.stderr
            )
            subprocess.run([python, "-m", "pip", "install", "-q", *NEEDS], check=True, stdout=sys.stderr)
        except subprocess.CalledProcessError:
            return None
        done.touch()
    return python


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
