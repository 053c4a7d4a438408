"""The networks that can be learned, by name: their shapes, losses and how each is trained. Holds no weights.

    fathom              ours: four latents that fill a cube, knobs with a meaning
    deep-steps          32-16-8-4 of the application Deep Steps: squared error, hidden layers normalised
    paper, paper-1 to   32-16-2, 32-20-8-2, the same with weights held small and units at rest, and
    paper-3             32-20-10-5-2, of the paper on stacked autoencoders

All but ours see the hits alone. Those of the paper give velocities too, Deep Steps gives offsets; what a
network does not give, each step has from the takes: the mean velocity and offset of their hits there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from device.pattern import STEPS
from training.errors import LoopError
from training.losses import Weights

HITS, VELOCITIES, OFFSETS = 0, 1, 2  # heads, as in device.decoder

FEWEST_UPDATES = 1000  # a few takes make a short epoch: then there are more of them
MOST_UPDATES = 10_000  # thousands of takes make a long one: then there are fewer


@dataclass(frozen=True)
class Recipe:
    """How an autoencoder is trained.

    epochs : None for the usual, or more for a few takes and fewer for thousands
    hidden, added : shares of hits not shown to the encoder, and of rests shown as hits, in half of the takes
    noise : of the latents of the takes
    places : places between takes in each batch, as a share of its takes
    mixed : how far from a place both takes beside it count, in latents
    shrink : share of every weight that goes with each update, times the rate
    decay : what the sum of all squared weights counts
    """

    epochs: int | None = None
    batch: int = 32
    rate: float = 3e-3
    b1: float = 0.9
    hidden: float = 0.0
    added: float = 0.0
    noise: float = 0.0
    places: float = 0.0
    mixed: float = 0.15
    shrink: float = 0.0
    decay: float = 0.0
    dropout: float = 0.0
    weights: Weights = field(default_factory=Weights)
    usual_epochs: int = 400

    def epochs_for(self, takes: int) -> int:
        if self.epochs is not None:
            return self.epochs
        batches = -(-takes // self.batch)
        return max(1, min(max(self.usual_epochs * batches, FEWEST_UPDATES), MOST_UPDATES) // batches)


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    hidden : widths from the takes towards the latents, and mirrored from there
    sees, gives : heads of its input and of its output
    cube : latents fill -1..1 and have attributes
    """

    name: str
    hidden: tuple[int, ...]
    latents: int
    sees: tuple[int, ...] = (HITS,)
    gives: tuple[int, ...] = (HITS, VELOCITIES)
    widened: int = 1  # times as many hidden units for takes of several voices
    cube: bool = False
    squared: bool = False  # squared error of hits, not cross-entropy
    norm: bool = False
    start: str = "glorot"
    recipe: Recipe = field(default_factory=Recipe)

    def sizes(self, width: int) -> tuple[int, ...]:
        """Widths of all layers, where a head has `width` outputs."""
        hidden = [units * (self.widened if width > STEPS else 1) for units in self.hidden]
        return (len(self.sees) * width, *hidden, self.latents, *reversed(hidden), len(self.gives) * width)


ALL = (HITS, VELOCITIES, OFFSETS)
ARCHITECTURES = {
    each.name: each
    for each in (
        Architecture(
            "fathom",
            (128, 64),
            4,
            sees=ALL,
            gives=ALL,
            widened=2,
            cube=True,
            start="he",
            recipe=Recipe(hidden=0.07, added=0.02, noise=0.05, places=1.0, shrink=0.02, usual_epochs=500),
        ),
        Architecture(
            "deep-steps",
            (16, 8),
            4,
            gives=(HITS, OFFSETS),
            squared=True,
            norm=True,
            start="fan_in",
            recipe=Recipe(batch=16, rate=0.01, b1=0.5),
        ),
        Architecture("paper", (16,), 2),
        Architecture("paper-1", (20, 8), 2),
        Architecture("paper-2", (20, 8), 2, recipe=Recipe(decay=0.01, dropout=0.2)),
        Architecture("paper-3", (20, 10, 5), 2),
    )
}
DEFAULT = "fathom"


def architecture_of(name: str) -> Architecture:
    """The architecture of this name. Raises LoopError for one that is not known."""
    if name not in ARCHITECTURES:
        raise LoopError(f"architecture {name!r}: expected one of {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name]
