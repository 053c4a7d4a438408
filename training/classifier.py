"""Small networks that judge what is heard: which places are hits, which bands they sound in. Trains none.

One hidden layer of rectified linear units; three networks, trained apart, stand side by side in it. They are
data of the project, made by `make classifiers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

CLIP = 4.0  # standard deviations: no feature counts for more


@dataclass(frozen=True)
class Classifier:
    """mean, scale : (features,) of what it was trained on.
    hidden : weights (features, units) and biases (units,).
    out : weights (units, outputs) and biases (outputs,)
    """

    mean: np.ndarray
    scale: np.ndarray
    hidden: tuple[np.ndarray, np.ndarray]
    out: tuple[np.ndarray, np.ndarray]

    def run(self, features: np.ndarray) -> np.ndarray:
        """What it says, (k, outputs), of features (k, features)."""
        scaled = np.clip((features - self.mean) / self.scale, -CLIP, CLIP)
        units = np.maximum(scaled @ self.hidden[0] + self.hidden[1], 0.0)
        return units @ self.out[0] + self.out[1]

    def beside(self, other: Classifier) -> Classifier:
        """Both as one: this one's outputs, then the other's. ValueError where their features differ."""
        if not (np.array_equal(self.mean, other.mean) and np.array_equal(self.scale, other.scale)):
            raise ValueError("two networks side by side must have been trained on the same features")
        units = len(self.hidden[1]), len(other.hidden[1])
        apart = np.zeros((sum(units), len(self.out[1]) + len(other.out[1])), np.float32)
        apart[: units[0], : len(self.out[1])] = self.out[0]
        apart[units[0] :, len(self.out[1]) :] = other.out[0]
        weight = np.concatenate([self.hidden[0], other.hidden[0]], axis=1)
        hidden = weight, np.concatenate([self.hidden[1], other.hidden[1]])
        return Classifier(self.mean, self.scale, hidden, (apart, np.concatenate([self.out[1], other.out[1]])))

    @classmethod
    def read(cls, file: Path) -> Classifier:
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
