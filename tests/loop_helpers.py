"""Loops made for the tests: hits of a known place and loudness, at any tempo."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 44100
SHARED = Path(__file__).parents[2] / "shared" / "loops"
# Two bars with 16 hits; the first step plays, so that nothing is lead-in.
BEAT = "X..x..x.X.x...x.X..x..x.X...x.xx"
GRAINS = {
    "click": (4000.0, 0.003),  # Hz, seconds to fall by 60 % or so
    "kick": (60.0, 0.06),
    "snare": (0.0, 0.04),  # 0: noise
    "hat": (9000.0, 0.015),
}


def grain(kind="snare", length_s=0.4, seed=0):
    """One hit that starts at once and dies away."""
    hz, decay_s = GRAINS[kind]
    seconds = np.arange(int(length_s * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(seconds))
    if not hz:  # a snare: its skin, and wires that are not all hiss
        noise = np.convolve(noise, np.ones(8) / 4, mode="same") + np.cos(2 * np.pi * 190 * seconds)
    hit = (np.cos(2 * np.pi * hz * seconds) if hz else noise) * np.exp(-seconds / decay_s)
    return (hit / np.abs(hit).max()).astype(np.float32)


def beats(steps=BEAT, bpm=120.0, kind="snare", tail_s=0.0, late_steps=0.0, length_s=0.4):
    """A loop from drum notation: `X` full, `x` 8 dB below, `.` a rest; it goes round at its end."""
    step_s = 15.0 / bpm
    count = round(len(steps) * step_s * RATE)
    sound = np.zeros(count + int(tail_s * RATE), np.float32)
    hit = grain(kind, length_s)
    for step, sign in enumerate(steps):
        if sign in "xX":
            at = round((step + late_steps) * step_s * RATE)
            part = hit[: max(0, len(sound) - at)]
            sound[at : at + len(part)] += part * (0.8 if sign == "X" else 0.32)
    return sound


def hits(steps=BEAT):
    return [sign in "xX" for sign in steps]


def write(path, sound, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **options)
    return path


def shared_loops():
    """The loops with ground truth, or a skip with a sentence."""
    truth = SHARED / "truth.jsonl"
    if not truth.exists():
        pytest.skip("the loops with ground truth are not beside the checkout")
    loops = [json.loads(line) for line in truth.read_text().splitlines()]
    return [dict(loop, path=SHARED / loop["file"]) for loop in loops if loop["kind"] != "real"]
