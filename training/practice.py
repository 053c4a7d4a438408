"""Renders loops at random, with the truth of their onsets, for the onset classifier to practise on.

Drums of `training.synth` and of noise, plucked and held notes, echoes, rooms, saturation, tails that are cut,
ring or go round: what makes onsets hard to hear. Seeded: the same number gives the same loop. Reads no files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synth import DRUMS, RATE, faded, noise, seconds_of

STEPS_PER_BAR = 16
TAIL_S = 2.0  # rendered past the end, to be cut, kept or folded back
WEIGHT = np.array([0, 4, 3, 4, 1.5, 4, 3, 4, 1, 4, 3, 4, 1.5, 4, 3, 4])  # metrical, of the steps of a bar
TOGETHER_S = 0.03  # nearer than this is one onset
FAINT_DB = -26.0  # under the loudest: nobody is blamed for not hearing it
COVERED_DB = -14.0  # the same, where what sounds already is much louder
COVERED_BY = 8.0  # times the power of the attack
HIGHEST_HZ = 12000.0  # of the partials of a note


@dataclass(frozen=True)
class PracticeLoop:
    """samples : float32 (n,) at RATE. onsets_s : float (k,), ascending. optional : bool (k,), faint."""

    samples: np.ndarray
    kind: str
    bpm: float
    bars: int
    onsets_s: np.ndarray
    optional: np.ndarray


def practice_loop(seed: int) -> PracticeLoop:
    """One loop, of drums, of a synth, of both, or of drums cut to clicks."""
    rng = np.random.default_rng(seed)
    bpm = float(rng.choice([120.0, float(rng.integers(60, 181)), float(rng.integers(80, 141))]))
    bars = int(rng.choice([1, 2, 2, 2, 2, 4]))
    kind = str(rng.choice(["drums", "synth", "mix", "gated"], p=[0.4, 0.42, 0.14, 0.04]))
    stage = _Stage(rng, bpm, bars)
    if kind != "synth":
        for _ in range(int(rng.integers(1, 6))):
            stage.drum(cut=kind == "gated")
    if kind in ("synth", "mix"):
        stage.notes(level=1.0 if kind == "synth" else _from_db(-rng.choice([0, 6, 12])))
    mixed = _treated(rng, stage.mix, stage.step_s)
    samples, lead_s = _ended(rng, mixed, stage.count)
    onsets, optional = _truth(stage, samples, lead_s, kind)
    return PracticeLoop(samples, kind, bpm, bars, onsets, optional)


class _Stage:
    """A mix, and when and how loud something was put into it."""

    def __init__(self, rng: np.random.Generator, bpm: float, bars: int) -> None:
        self.rng = rng
        self.step_s = 15.0 / bpm
        self.steps = STEPS_PER_BAR * bars
        self.count = round(self.steps * self.step_s * RATE)
        self.mix = np.zeros(self.count + round(TAIL_S * RATE))
        self.played: list[tuple[float, float]] = []  # seconds, level
        self.swing = float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0, 0.33)]))
        self.loose_s = float(rng.choice([0.0, 0.002, 0.008, 0.014]))

    def drum(self, cut: bool) -> None:
        """One drum through the whole loop; now and then a flam or a roll; `cut` to a click."""
        rng = self.rng
        sound = _drum(rng)
        if cut:
            sound = sound[: round(RATE * rng.uniform(0.004, 0.022))]
        density = float(rng.choice([0.1, 0.2, 0.4, 0.7, 0.9]))
        level, lean = _from_db(-rng.choice([0, 3, 6, 10, 16])), rng.normal(0, 0.03)
        dynamics_db = float(rng.choice([0, 4, 10]))
        for step in _rhythm(rng, self.steps, density):
            at, loud = self._when(step, lean), level * _from_db(-abs(rng.normal()) * dynamics_db)
            if rng.random() < 0.05 and density < 0.5:
                self._put(sound, max(0.0, at - 0.03), loud * 0.4)
            self._put(sound, at, loud)
        if rng.random() < 0.04:
            first = rng.integers(0, self.steps - 4)
            for half in range(int(rng.integers(4, 10))):
                self._put(sound, (first + half / 2) * self.step_s, level * rng.uniform(0.4, 1.0))

    def notes(self, level: float) -> None:
        """A line of one synth: notes or chords, plucked or held, closed up or apart."""
        rng = self.rng
        places = _rhythm(rng, self.steps, float(rng.choice([0.15, 0.3, 0.5, 0.8])))
        synth = _Synth(rng)
        dynamics_db = float(rng.choice([0, 3, 6]))
        share = float(rng.choice([0.3, 0.6, 0.95, 1.0, np.inf]))  # of a step that a note is held
        for step, following in zip(places, [*places[1:], self.steps], strict=True):
            held_s = min(share, float(following - step)) * self.step_s
            self._put(
                synth.note(held_s), self._when(step), level * _from_db(-abs(rng.normal()) * dynamics_db)
            )

    def _when(self, step: int, lean: float = 0.0) -> float:
        at = (step + lean + (step % 2) * self.swing) * self.step_s
        return max(0.0, at + self.rng.normal() * self.loose_s)

    def _put(self, sound: np.ndarray, at_s: float, level: float) -> None:
        start = round(at_s * RATE)
        room = self.mix[start : start + len(sound)]
        room += level * sound[: len(room)]
        self.played.append((at_s, level))


class _Synth:
    """One sound at random: a wave, a filter, an envelope, a root and a scale."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.wave = str(rng.choice(["sine", "saw", "square", "fm", "saw", "square"]))
        self.attack_s = float(rng.choice([0.0005, 0.002, 0.005, 0.015, 0.04, 0.08]))
        self.decay_s, self.release_s = _between(rng, 0.03, 1.0), _between(rng, 0.005, 0.4)
        self.sustain = float(rng.choice([0.0, 0.0, 0.2, 0.5, 0.9]))
        self.root_hz, self.cutoff_hz = _between(rng, 35, 600), _between(rng, 300, 12000)
        self.scale = rng.choice([0, 0, 2, 3, 5, 7, 7, 10, 12, -5, -12], size=rng.integers(1, 6))
        self.chord = [0] if rng.random() < 0.75 else [0, 3 + int(rng.integers(0, 2)), 7]
        self.sweeps = bool(rng.random() < 0.4)

    def note(self, held_s: float) -> np.ndarray:
        rng = self.rng
        time = seconds_of(round((held_s + min(5 * self.release_s, 1.5)) * RATE) + 10)
        hz = self.root_hz * 2 ** (rng.choice(self.scale) / 12)
        out = np.sum([self._wave(hz * 2 ** (above / 12), time) for above in self.chord], axis=0)
        if self.wave != "sine":
            bright = _filtered(out, high_hz=self.cutoff_hz)
            if self.sweeps:
                open_ = np.exp(-time / 0.08)
                bright = bright * open_ + _filtered(out, high_hz=max(self.cutoff_hz / 6, hz)) * (1 - open_)
            out = bright
        falling = np.exp(-np.maximum(0.0, time - self.attack_s) / self.decay_s)
        envelope = np.minimum(1.0, (time + 1e-4) / self.attack_s)
        envelope *= self.sustain + (1 - self.sustain) * falling
        envelope *= np.exp(-np.maximum(0.0, time - held_s) / self.release_s)
        out = faded(out * envelope)
        return out / (np.abs(out).max() + 1e-9)

    def _wave(self, hz: float, time: np.ndarray) -> np.ndarray:
        rng = self.rng
        turn = 2 * np.pi * hz * time + rng.uniform(0, 2 * np.pi)
        if self.wave == "sine":
            return np.sin(turn)
        if self.wave == "fm":
            depth = rng.uniform(1, 5) * np.exp(-time / rng.uniform(0.05, 0.5))
            return np.sin(turn + depth * np.sin(rng.choice([1, 2, 3, 1.41, 3.5]) * turn))
        out = np.zeros(len(time))
        for number in range(1, min(int(HIGHEST_HZ / hz), 60) + 1, 1 if self.wave == "saw" else 2):
            out += np.sin(number * turn) / number
        return out


def _drum(rng: np.random.Generator) -> np.ndarray:
    """A drum of the kit in another tuning and length, or a burst of noise with or without a falling tone."""
    if rng.random() < 0.55:
        name = str(rng.choice(list(DRUMS)))
        return DRUMS[name](rng, float(np.exp(rng.normal(0, 0.25))), float(np.exp(rng.normal(0.2, 0.6))))
    time = seconds_of(round(rng.uniform(0.02, 0.5) * RATE))
    low_hz = _between(rng, 60, 8000)
    out = noise(rng, len(time), low_hz, min(low_hz * rng.uniform(1.5, 8), 18000.0))
    out *= np.exp(-time / rng.uniform(0.004, 0.12))
    if rng.random() < 0.4:
        hz = _between(rng, 40, 900) * (1 + rng.uniform(0, 4) * np.exp(-time / 0.02))
        tone = np.sin(2 * np.pi * np.cumsum(hz) / RATE) * np.exp(-time / rng.uniform(0.02, 0.2))
        out = out / np.abs(out).max() + tone
    attack = round(rng.choice([0, 0, 0.001, 0.004]) * RATE)
    out[:attack] *= np.linspace(0, 1, attack)
    out = faded(out)
    return out / np.abs(out).max()


def _rhythm(rng: np.random.Generator, steps: int, density: float) -> np.ndarray:
    """Steps that play, at least one: likelier on the beat, mostly the same from bar to bar."""
    unit = min(int(rng.choice([4, 8, 16, 16, 32])), steps)
    first = int(rng.integers(0, 4)) if rng.random() < 0.25 else 0
    weight = np.tile(WEIGHT, 3)[first : first + unit]
    likely = np.clip(density * np.exp(-(weight - 2) * rng.uniform(0, 0.7)), 0, 1)
    plays = np.tile(rng.random(unit) < likely, steps // unit + 1)[:steps]
    places = np.flatnonzero(plays ^ (rng.random(steps) < rng.choice([0, 0.03, 0.1])))
    return places if len(places) else np.array([int(rng.integers(0, steps))])


def _treated(rng: np.random.Generator, mix: np.ndarray, step_s: float) -> np.ndarray:
    """An echo in time, a room, saturation, filters and hiss, each now and then."""
    if rng.random() < 0.2:
        late, kept = round(step_s * rng.choice([1, 1.5, 2, 3, 4]) * RATE), rng.uniform(0.15, 0.45)
        dry, level, at = mix, kept, late
        mix = mix.copy()
        while level > 0.05 and at < len(mix):
            mix[at:] += level * dry[:-at]
            level, at = level * kept, at + late
    if rng.random() < 0.45:
        mix = _room(rng, mix, rng.uniform(0.1, 1.5), float(rng.choice([0.1, 0.3, 0.6])))
    if rng.random() < 0.3:
        mix = np.tanh(mix / np.abs(mix).max() * rng.uniform(1, 4))
    if rng.random() < 0.15:
        mix = _filtered(mix, high_hz=rng.uniform(2500, 9000))
    if rng.random() < 0.1:
        mix = _filtered(mix, low_hz=rng.uniform(60, 400))
    if rng.random() < 0.15:
        mix = mix + rng.standard_normal(len(mix)) * np.abs(mix).max() * _from_db(-rng.uniform(35, 60))
    return mix


def _room(rng: np.random.Generator, mix: np.ndarray, seconds: float, wet: float) -> np.ndarray:
    """Noise that falls by a factor e every `seconds` / 2.2, after a little silence, folded with the mix."""
    count = round(3 * seconds * RATE)
    answer = rng.standard_normal(count) * np.exp(-seconds_of(count) / seconds * 2.2)
    answer = np.concatenate([np.zeros(round(rng.uniform(0, 0.03) * RATE)), answer])
    answer = _filtered(answer, high_hz=rng.uniform(2500, 12000), order=1)
    size = 1 << int(np.ceil(np.log2(len(mix) + len(answer))))
    echo = np.fft.irfft(np.fft.rfft(mix, size) * np.fft.rfft(answer, size), size)[: len(mix)]
    return mix + wet * echo * np.sqrt(np.square(mix).mean() / (np.square(echo).mean() + 1e-12))


def _ended(rng: np.random.Generator, mix: np.ndarray, count: int) -> tuple[np.ndarray, float]:
    """The loop cut at its end, ringing on, or its tail folded to its start; and seconds of air before it."""
    how = rng.choice(["cut", "folded", "ringing"], p=[0.5, 0.35, 0.15])
    out = mix[: count + round(rng.uniform(0.1, 1.5) * RATE)] if how == "ringing" else mix[:count].copy()
    if how == "folded":
        tail = mix[count : 2 * count]
        out[: len(tail)] += tail
    lead = round(float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.005, 0.06)])) * RATE)
    out = np.concatenate([np.zeros(lead), out])
    peak = np.abs(out).max() + 1e-9
    return (out / peak * _from_db(-rng.uniform(0, 12))).astype(np.float32), lead / RATE


def _truth(stage: _Stage, samples: np.ndarray, lead_s: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """When something begins, and whether it is too faint, or too much covered, to be asked for."""
    merged: list[tuple[float, float]] = []
    end_s = stage.count / RATE - 0.001
    for at, level in sorted(stage.played):
        if at >= end_s:
            continue
        if merged and at - merged[-1][0] < TOGETHER_S:
            merged[-1] = (merged[-1][0], max(level, merged[-1][1]))
        else:
            merged.append((at, level))
    onsets = np.array([at for at, _ in merged]) + lead_s
    levels = np.array([level for _, level in merged])
    under_db = 20 * np.log10(levels / levels.max(initial=1e-9) + 1e-9)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    at = np.minimum(np.round(onsets * RATE).astype(int), len(samples) - 1)
    later = np.minimum(at + round(0.03 * RATE), len(samples))
    earlier = np.maximum(at - round(0.02 * RATE), 0)
    after = (energy[later] - energy[at]) / np.maximum(later - at, 1)
    before = (energy[at] - energy[earlier]) / np.maximum(at - earlier, 1)
    covered = (before > COVERED_BY * after) & (kind != "synth")
    return onsets, (under_db < FAINT_DB) | (covered & (under_db < COVERED_DB))


def _filtered(sound: np.ndarray, low_hz: float = 0.0, high_hz: float = np.inf, order: int = 2) -> np.ndarray:
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    hz[0] = hz[1]
    gain = 1 / np.sqrt((1 + (low_hz / hz) ** (2 * order)) * (1 + (hz / high_hz) ** (2 * order)))
    return np.fft.irfft(np.fft.rfft(sound) * gain, len(sound))


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two, as likely in each octave."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _from_db(db: float) -> float:
    return float(10 ** (db / 20))
