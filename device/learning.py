"""A learning beside the music in messages: what is wanted, and how far it is. Runs and watches none.

They go between the engine (`device.learner`) and the process that runs it (`device.learning_run`); how far it
is stands in the published state as well.
"""

from __future__ import annotations

import msgspec

BUSY = ("hearing", "training", "measuring")


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall be learned. Slot 0 is the next that is free."""

    paths: list[str]
    slot: int
    voices: int
    seed: int
    trainings: int
    eager: bool = False  # it need not give way to all else that runs


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the engine tells: learn this; None: learn no longer."""

    learn: Wanted | None


class Learning(msgspec.Struct, frozen=True):
    """How far the learning is, as it is published. `says` is what came of the last one, in a sentence."""

    state: str = "idle"  # or hearing, training, measuring, done, failed
    slot: int | None = None  # that is learned, or was last; None until a free one is found
    progress: float = 0.0  # 0..1
    loss: float | None = None
    training: int = 0  # counted from 1
    trainings: int = 0
    says: str = ""
    offered: int | None = None  # a slot that was learned and does not play yet


def name_of(slot: int | None) -> str:
    """A slot in a sentence; None: it is not known yet which."""
    return "the next free slot" if slot is None else f"slot {slot}"
