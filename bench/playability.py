"""How each architecture plays after learning each corpus: medians of five trainings.

Corpora: 168 beats drawn by chance, and the loops with ground truth where they lie beside the checkout, as
they are heard. The last column is the held-out figure of the same network as a plain autoencoder: without
attributes, and without all that is done for places between the takes. All figures are of the integer network.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import box
from bench.loops import takes

if TYPE_CHECKING:
    from training.learn import Corpus

LOOPS = box.ROOT.parent / "shared" / "loops"
KINDS = {
    "all shared loops": ("synth", "drums", "grids", "mix", "gated", "real"),
    "rendered drums": ("drums", "grids", "mix"),
    "rendered sequences": ("synth",),
}
BEATS = 168
SEEDS = 5
WANTED = (
    "to reach: reach 0.98, meaning A 0.95 B 0.90 C 0.85, travel 16 a knob, likeness 0.30, silence 0.005, "
    "held-out not below plain"
)

Row = tuple[str, str, str]


def rows(home: Path) -> list[Row]:
    """A row for each corpus and architecture."""
    from training.architectures import ARCHITECTURES

    table = [("", WANTED, "")]
    for name, corpus in corpora().items():
        table += [row(f"{name}, {len(corpus.takes)} takes", corpus, kind) for kind in ARCHITECTURES]
    return table


def corpora() -> dict[str, Corpus]:
    """What is learned, by name."""
    from training.learn import Corpus

    found = {"beats by chance": Corpus.of(takes(BEATS))}
    if (LOOPS / "truth.jsonl").exists():
        for name, kinds in KINDS.items():
            found[name] = heard(kinds, 1)
        found["rendered drums, 3 voices"] = heard(KINDS["rendered drums"], 3)
    return found


def heard(kinds: tuple[str, ...], voices: int) -> Corpus:
    from training.hear import hear
    from training.learn import Corpus

    named = []
    for line in (LOOPS / "truth.jsonl").read_text().splitlines():
        loop = json.loads(line)
        if loop["kind"] in kinds:
            path = LOOPS / loop["file"]
            named += [(path.name, take) for take in hear(path, voices).takes]
    return Corpus.of(named)


def row(what: str, corpus: Corpus, name: str) -> Row:
    """The figures of one architecture, each the median over the seeds."""
    from training.architectures import Recipe, architecture_of
    from training.learn import learn, rehearse

    reports = [learn(corpus, seed, architecture=name).slot.about.playability for seed in range(1, SEEDS + 1)]

    def median(figure: Callable) -> float:
        return statistics.median(figure(report) for report in reports)

    meaning = ", ".join(f"{knob} {median(lambda r, k=knob: r.meaning[k]):.2f}" for knob in "ABC")
    found = (
        f"reach {median(lambda r: r.reach):.3f}; meaning {meaning}; "
        f"travel {median(lambda r: min(r.travel)):.0f}; "
        f"likeness {median(lambda r: r.likeness):.2f}; silence {median(lambda r: r.silence):.4f}; "
        f"held-out {median(lambda r: r.heldout_f1):.3f}"
    )
    kind = architecture_of(name)
    if not kind.cube:
        return (f"{what}: {name}", found, "")
    plain = replace(kind, cube=False, recipe=Recipe())
    rehearsals = [rehearse(corpus, seed, plain, plain.recipe) for seed in range(1, SEEDS + 1)]
    f1 = statistics.median(rehearsal.step_f1 for rehearsal in rehearsals if rehearsal)
    return (f"{what}: {name}", found, f"plain: held-out {f1:.3f}")
