"""Trains an autoencoder with Keras and hears loops with librosa. Knows nothing of Fathom.

    python keras_training.py CORPUS.npz [FOLDER]

The file holds `seen` and `given`, each (takes, 3, 32): hits, velocities, offsets as a network sees them and
as its sigmoids are to give them. A line of JSON on stdin asks for a training:

    {"sizes": [32, 16, 2, 16, 64], "latent": 2, "sees": [0], "gives": [0, 1], "batch": 32, "epochs": 400,
     "rate": 0.003, "hear": false}

It is answered by a line: seconds of `fit`, and of what comes before it (the model, its compilation and one
epoch, in which the graph is traced). Rectified linear units, a linear latent, sigmoids at the end; binary
cross-entropy of the hits, half the squared error of the other heads where there is a hit. With `hear`, the
takes come from the loops of FOLDER, two bars at 120 BPM each: librosa's onsets with its defaults, to the
nearest of 32 steps. All of that counts; the imports do not.
The first line of all has the versions.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import librosa
import numpy as np
from keras import layers, ops

STEPS = 32
STEP_S = 0.125  # a sixteenth at 120 BPM


def loss(true: object, found: object) -> object:
    """Cross-entropy of the hits, and half the squared error of the other heads where there is a hit."""
    hits = true[:, :STEPS]
    total = ops.mean(keras.losses.binary_crossentropy(hits, found[:, :STEPS]))
    for start in range(STEPS, true.shape[1], STEPS):
        error = ops.square(true[:, start : start + STEPS] - found[:, start : start + STEPS]) * hits
        total = total + 0.5 * ops.sum(error) / ops.maximum(ops.sum(hits), 1.0)
    return total


def model(sizes: list[int], latent: int, rate: float) -> keras.Model:
    made = keras.Sequential([keras.Input((sizes[0],))])
    for index, width in enumerate(sizes[1:], 1):
        last = index == len(sizes) - 1
        activation = "sigmoid" if last else "linear" if index == latent else "relu"
        made.add(layers.Dense(width, activation=activation))
    made.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)
    return made


def heard(folder: Path) -> np.ndarray:
    """What librosa hears in each loop, (loops, 3, 32); it says nothing of offsets."""
    rows = []
    for path in sorted(folder.glob("*.wav")):
        sound, rate = librosa.load(path)
        strength = librosa.onset.onset_strength(y=sound, sr=rate)
        frames = librosa.onset.onset_detect(onset_envelope=strength, sr=rate)
        steps = np.rint(librosa.frames_to_time(frames, sr=rate) / STEP_S).astype(int) % STEPS
        velocities = np.zeros(STEPS)
        np.maximum.at(velocities, steps, strength[frames] / (strength.max() or 1.0))
        rows.append([velocities > 0, velocities, np.zeros(STEPS)])
    return np.array(rows, "float32")


def train(job: dict, seen: np.ndarray, given: np.ndarray) -> tuple[float, float, float]:
    """Seconds of `fit`, of what comes before it, and the last loss."""
    x = seen[:, job["sees"]].reshape(len(seen), -1)
    y = given[:, job["gives"]].reshape(len(given), -1)
    started = time.perf_counter()
    network = model(job["sizes"], job["latent"], job["rate"])
    network.fit(x, y, batch_size=job["batch"], epochs=1, verbose=0)
    ready = time.perf_counter()
    history = network.fit(x, y, batch_size=job["batch"], epochs=job["epochs"], verbose=0)
    return time.perf_counter() - ready, ready - started, history.history["loss"][-1]


def main() -> None:
    corpus = np.load(sys.argv[1])
    versions = f"Keras {keras.__version__} on {keras.backend.backend()}, librosa {librosa.__version__}"
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        seen, given = corpus["seen"].astype("float32"), corpus["given"].astype("float32")
        keras.utils.set_random_seed(1)
        started = time.perf_counter()
        if job.get("hear"):
            seen = heard(Path(sys.argv[2]))
            given = seen + np.array([0.0, 0.0, 0.5], "float32")[:, None]
        hearing = time.perf_counter() - started
        fit, before, last = train(job, seen, given)
        print(json.dumps({"hear": hearing, "before": before, "fit": fit, "loss": last}), flush=True)


if __name__ == "__main__":
    main()
