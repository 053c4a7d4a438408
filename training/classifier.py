"""Says which places of a loop are hits, and how late each was proposed. Proposes none, trains nothing.

A small network over the features of `training.candidates`: one hidden layer of rectified linear units; three
networks, trained apart, side by side in it. It is data of the project, made by `python -m training.tuning`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FILE = Path(__file__).with_name("classifier.safetensors")
CLIP = 4.0  # standard deviations: no feature counts for more
OUTPUTS = ("hit", "late")
MS = 1000.0


@dataclass(frozen=True)
class Classifier:
    """mean, scale : (features,) of what it was trained on.
    hidden : weights (features, units) and biases (units,).
    out : weights (units, 2) and biases (2,): the logit of a hit, and milliseconds to add to its time.
    """

    mean: np.ndarray
    scale: np.ndarray
    hidden: tuple[np.ndarray, np.ndarray]
    out: tuple[np.ndarray, np.ndarray]

    def __call__(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits of a hit (k,), and seconds to add to the proposed times (k,), of places (k, features)."""
        scaled = np.clip((features - self.mean) / self.scale, -CLIP, CLIP)
        units = np.maximum(scaled @ self.hidden[0] + self.hidden[1], 0.0)
        found = units @ self.out[0] + self.out[1]
        return found[:, 0], found[:, 1] / MS

    @classmethod
    def read(cls, file: Path = FILE) -> Classifier:
        parts = load_file(file)
        return cls(
            parts["mean"],
            parts["scale"],
            (parts["hidden.weight"], parts["hidden.bias"]),
            (parts["out.weight"], parts["out.bias"]),
        )

    def write(self, file: Path) -> None:
        parts = {
            "mean": self.mean,
            "scale": self.scale,
            "hidden.weight": self.hidden[0],
            "hidden.bias": self.hidden[1],
            "out.weight": self.out[0],
            "out.bias": self.out[1],
        }
        save_file({name: np.ascontiguousarray(part, np.float32) for name, part in parts.items()}, file)


@cache
def shipped() -> Classifier:
    """The one that comes with the project."""
    return Classifier.read()
