"""Drum and bass sounds, made from sines and noise. Knows no rhythm, no files and no mixing.

Every sound is a float array of shape (n,) at RATE, starts at its first sample with its attack,
peaks near 1 and has faded to silence at its end. `tune` multiplies its pitch, `length` its decay.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RATE = 44100  # samples a second
FADE = 0.004  # seconds: long enough to end a sound without a click, too short to be heard as a fade
RELEASE = 0.04  # seconds in which a bass note ends: two waves of a low one, or its end sounds like a hit
RING = 6.0  # a decay is followed for six time constants, down to -52 dB
HIGHEST_HZ = 6000.0  # partials of a bass end here: its filter leaves nothing above

Sound = Callable[[np.random.Generator, float, float], np.ndarray]


def seconds_of(count: int) -> np.ndarray:
    """Time of each of `count` samples in seconds, shape (count,)."""
    return np.arange(count) / RATE


def decay(seconds: float) -> np.ndarray:
    """An envelope that falls from 1 by a factor e every `seconds`, shape (n,), RING times as long."""
    return np.exp(-seconds_of(round(RING * seconds * RATE)) / seconds)


def faded(sound: np.ndarray, seconds: float = FADE) -> np.ndarray:
    """The same sound with its last `seconds`, or all of it if it is shorter, brought down to 0 smoothly.

    >>> faded(np.ones(10000))[[0, -1]]
    array([1., 0.])
    """
    count = min(len(sound), round(seconds * RATE))
    out = sound.copy()
    out[len(out) - count :] *= 0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, count))
    return out


def noise(rng: np.random.Generator, count: int, low_hz: float, high_hz: float) -> np.ndarray:
    """White noise between two frequencies, 24 dB an octave outside them, shape (count,), peak 1."""
    spectrum = np.fft.rfft(rng.standard_normal(count))  # (count // 2 + 1,)
    hz = np.fft.rfftfreq(count, 1 / RATE)
    hz[0] = hz[1]  # the steady part: as weak as the lowest partial, and no division by zero
    spectrum *= 1 / np.sqrt((1 + (low_hz / hz) ** 8) * (1 + (hz / high_hz) ** 8))
    out = np.fft.irfft(spectrum, count)
    return out / np.max(np.abs(out))


def swept(from_hz: float, to_hz: float, fall: float, envelope: np.ndarray) -> np.ndarray:
    """A sine under an envelope, its pitch falling towards `to_hz` by a factor e every `fall` seconds."""
    hz = to_hz + (from_hz - to_hz) * np.exp(-seconds_of(len(envelope)) / fall)
    return np.sin(2 * np.pi * np.cumsum(hz) / RATE) * envelope


def layered(*layers: np.ndarray) -> np.ndarray:
    """The sum of sounds that start together, as long as the longest, faded, peak 1."""
    out = np.zeros(max(len(layer) for layer in layers))
    for layer in layers:
        out[: len(layer)] += layer
    out = faded(out)
    return out / np.max(np.abs(out))


def kick(rng: np.random.Generator, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    """A sine that drops on to the floor, with a click of the beater in front."""
    body = swept(240.0 * tune, 52.0 * tune, 0.016, decay(0.085 * length))
    click = decay(0.0025)
    return layered(body, 0.35 * click * noise(rng, len(click), 700.0, 4000.0))


def snare(rng: np.random.Generator, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    """Two modes of the skin, and the wires below it as noise."""
    skin = swept(290.0 * tune, 225.0 * tune, 0.01, decay(0.04 * length))
    rim_mode = swept(470.0 * tune, 390.0 * tune, 0.01, decay(0.025 * length))
    wires = decay(0.045 * length)
    return layered(0.7 * skin, 0.4 * rim_mode, wires * noise(rng, len(wires), 500.0 * tune, 3600.0 * tune))


def closed(rng: np.random.Generator, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    """A closed hi-hat: a short breath of high noise."""
    envelope = decay(0.013 * length)
    return layered(envelope * noise(rng, len(envelope), 7500.0 * tune, 14000.0))


def opened(rng: np.random.Generator, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    """An open hi-hat: the stick, and a longer hiss that the next hat chokes."""
    stick, hiss = decay(0.01), decay(0.075 * length)
    return layered(
        0.8 * stick * noise(rng, len(stick), 8000.0 * tune, 15000.0),
        hiss * noise(rng, len(hiss), 6500.0 * tune, 13000.0),
    )


def clap(rng: np.random.Generator, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    """Four hands that never quite meet: three short bursts 9 ms apart, and the room."""
    room = decay(0.05 * length)
    envelope = np.zeros(len(room) + round(0.027 * RATE))
    envelope[-len(room) :] = 0.8 * room
    for burst in range(3):
        start, hand = round(0.009 * burst * RATE), decay(0.003)
        envelope[start : start + len(hand)] += hand
    return layered(envelope * noise(rng, len(envelope), 800.0 * tune, 2600.0 * tune))


def rim(rng: np.random.Generator, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    """Wood on the rim, or a clave when tuned up: two high tones and a tick."""
    tick = decay(0.0015)
    return layered(
        swept(1750.0 * tune, 1680.0 * tune, 0.003, decay(0.014 * length)),
        0.6 * swept(830.0 * tune, 800.0 * tune, 0.003, decay(0.01 * length)),
        0.4 * tick * noise(rng, len(tick), 1500.0, 6000.0),
    )


def tom(rng: np.random.Generator, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    """A tuned skin with a little stick."""
    stick = decay(0.004)
    skin = swept(210.0 * tune, 130.0 * tune, 0.03, decay(0.075 * length))
    return layered(skin, 0.25 * stick * noise(rng, len(stick), 500.0, 3000.0))


def conga(rng: np.random.Generator, tune: float = 1.0, length: float = 1.0) -> np.ndarray:
    """A tom that is smaller and played by hand."""
    return tom(rng, 1.6 * tune, 0.8 * length)


DRUMS: dict[str, Sound] = {
    "kick": kick, "snare": snare, "clap": clap, "rim": rim, "tom": tom, "conga": conga,
    "closed": closed, "open": opened,
}  # fmt: skip


@dataclass(frozen=True)
class Bass:
    """One oscillator, one two-pole low-pass, one envelope that opens the filter and closes it again."""

    wave: str  # "saw" holds every partial, "square" the odd ones
    cutoff_hz: float  # where the filter rests
    sweep_octaves: float  # how far an accent opens it
    fall: float  # seconds in which the sweep falls by a factor e
    resonance: float  # gain at the cutoff: 0.7 is flat, above 2 it quacks
    sustain: float  # seconds in which a held note falls by a factor e

    def note(self, hz: float, seconds: float, accent: float) -> np.ndarray:
        """One note of fundamental `hz`, ending after `seconds`; `accent` 0..1 opens the filter.

        The filter is applied to each partial as its gain, so that nothing folds back below the rate's half.
        """
        time = seconds_of(round(seconds * RATE))
        cutoff = self.cutoff_hz * 2 ** (self.sweep_octaves * accent * np.exp(-time / self.fall))  # (n,)
        turn = np.exp(2j * np.pi * hz * time)  # (n,) the fundamental; its powers are the partials
        partial, step = turn.copy(), turn if self.wave == "saw" else turn * turn
        out = np.zeros(len(time))
        for number in range(1, int(HIGHEST_HZ / hz) + 1, 1 if self.wave == "saw" else 2):
            ratio = (number * hz / cutoff) ** 2
            out += partial.imag / (number * np.sqrt((1 - ratio) ** 2 + ratio / self.resonance**2))
            partial *= step
        attack = np.minimum(1.0, time / 0.0015)  # 1.5 ms: a pluck that does not click
        out = faded(out * attack * np.exp(-time / self.sustain), RELEASE)
        return out / np.max(np.abs(out))


BASSES = {
    "pluck": Bass("saw", 180.0, 3.5, 0.06, 1.0, 0.2),
    "roll": Bass("saw", 220.0, 3.0, 0.025, 0.9, 0.1),
    "sub": Bass("square", 110.0, 2.2, 0.03, 0.8, 0.5),
    "acid": Bass("saw", 260.0, 3.6, 0.07, 4.0, 0.2),
}
