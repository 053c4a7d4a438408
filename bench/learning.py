"""How long learning takes: the demo loops, 168 loops beside librosa and Keras, and 8 to 2,000 takes.

Keras and librosa run in a process and an environment of their own, made once in build/bench; they and we
take turns. The networks are the same, with the same batches, epochs and rate, on the same takes. Of Keras
only `fit` counts, not the model, its compilation and the epoch in which its graph is traced.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import box
from bench.environment import AbsentError, Peer
from bench.loops import takes, write_loops

NEEDS = ("tensorflow-cpu==2.21.0", "keras==3.15.1", "librosa==0.11.0")
PEER = box.ROOT / "bench" / "peers" / "keras_training.py"
LOOPS = 168
EPOCHS = 200
ROUNDS = 3
NETWORKS = ("paper", "paper-1", "fathom")
WHOLE = "paper"  # from files to a slot
SIZES = (8, 32, 128, 500, 2000)

Row = tuple[str, str, str]


def rows(home: Path) -> list[Row]:
    """Demo loops, training beside Keras, files to a slot beside librosa and Keras, growth."""
    table = demo_rows(home)
    folder = home / "beats"
    write_loops(folder, LOOPS)
    try:
        with Keras(home, folder) as peer:
            table += [training_row(name, peer) for name in NETWORKS]
            table.append(whole_row(home, folder, peer))
    except AbsentError as error:
        table.append((f"training with {LOOPS} takes beside Keras", "", str(error)))
    return table + [growth_row(count) for count in SIZES]


def demo_rows(home: Path) -> list[Row]:
    """Two rows a slot: the drums with three voices, the bass lines with one."""
    table = []
    for number, folder, voices in box.LEARNED:
        report = json.loads((home / f"learned-{number}.json").read_text())
        spent, play = report["seconds"], report["playability"]
        table.append(
            (
                f"learn the {folder} of the demo loops, {report['takes']} takes, {voices} voice(s)",
                f"{spent['total']:.1f} s",
                f"hear {spent['hear']:.1f} s, train {spent['train']:.1f} s, measure {spent['measure']:.1f} s",
            )
        )
        meaning = ", ".join(f"{knob} {value:.2f}" for knob, value in play["meaning"].items())
        table.append(
            (
                f"playability of the {folder}",
                f"reach {play['reach']:.2f}, likeness {play['likeness']:.2f}, silence {play['silence']:.3f}",
                f"meaning {meaning}; travel {', '.join(f'{t:.0f}' for t in play['travel'])}",
            )
        )
    return table


def job(name: str) -> dict[str, Any]:
    """What Keras is asked for: the same network, trained as the architecture has it."""
    from device.pattern import STEPS
    from training.architectures import architecture_of

    kind = architecture_of(name)
    return {
        "sizes": kind.sizes(STEPS),
        "latent": len(kind.hidden) + 1,
        "sees": kind.sees,
        "gives": kind.gives,
        "batch": kind.recipe.batch,
        "rate": kind.recipe.rate,
        "epochs": EPOCHS,
    }


def training_row(name: str, peer: Keras) -> Row:
    """One architecture, ours and Keras in turn."""
    from training.architectures import architecture_of
    from training.model import fit

    kind = architecture_of(name)
    learned = [take for _, take in takes(LOOPS)]
    ours, theirs = [], []
    for seed in range(ROUNDS):
        started = time.perf_counter()
        fit(learned, seed, kind, replace(kind.recipe, epochs=EPOCHS))
        ours.append(time.perf_counter() - started)
        theirs.append(peer.ask(job(name))["fit"])
    mine, other = statistics.median(ours), statistics.median(theirs)
    shape = "-".join(map(str, kind.sizes(32)))
    return (
        f"train {name}, {shape}, with {LOOPS} takes, {EPOCHS} epochs, calibrated and in integers",
        f"{mine:.2f} s",
        f"{other / mine:.0f} times faster than {peer.versions} ({other:.1f} s)",
    )


def whole_row(home: Path, folder: Path, peer: Keras) -> Row:
    """Files to a slot: a command of ours, begun anew, beside librosa and Keras without their imports."""
    slot = home / "beats.safetensors"
    words = ("learn", folder, "--slot", slot, "--architecture", WHOLE, "--epochs", EPOCHS, "--json")
    ours, theirs, parts = [], [], {}
    for _ in range(ROUNDS):
        started = time.perf_counter()
        parts = json.loads(box.run(home, *words))["seconds"]
        ours.append(time.perf_counter() - started)
        answer = peer.ask({**job(WHOLE), "hear": True})
        theirs.append(answer["hear"] + answer["before"] + answer["fit"])
    mine, other = statistics.median(ours), statistics.median(theirs)
    spent = ", ".join(f"{part} {parts[part]:.1f} s" for part in ("hear", "train", "measure"))
    return (
        f"{LOOPS} files to a slot, {WHOLE}, {EPOCHS} epochs ({spent})",
        f"{mine:.1f} s",
        f"{other / mine:.1f} times faster than librosa and Keras ({other:.1f} s)",
    )


def growth_row(count: int) -> Row:
    """Our own network with so many takes."""
    from training.learn import Corpus, learn

    corpus = Corpus.of(takes(count))
    started = time.perf_counter()
    learned = learn(corpus)
    took = time.perf_counter() - started
    spent, play = learned.seconds, learned.slot.about.playability
    held = "" if play.heldout_f1 is None else f", held-out {play.heldout_f1:.2f}"
    return (
        f"learn {count} takes",
        f"{took:.1f} s",
        f"train {spent['train']:.1f} s, measure {spent['measure']:.1f} s; reach {play.reach:.2f}, "
        f"likeness {play.likeness:.2f}{held}",
    )


class Keras(Peer):
    """Keras and librosa, given the loops of a folder and their takes."""

    def __init__(self, home: Path, folder: Path):
        import numpy as np

        from device.decoder import HEADS
        from device.encoder import FULL, take_codes

        seen = (take_codes([take for _, take in takes(LOOPS)]) / FULL).reshape(LOOPS, HEADS, -1)
        given = seen.copy()
        given[:, 2] = given[:, 2] / 2 + 0.5
        file = home / "beats.npz"
        np.savez(file, seen=seen, given=given)
        super().__init__("keras", "Keras or librosa", NEEDS, PEER, file, folder)
        self.versions = self.hello["versions"]
