"""The table of all that a player can set: name, kind, range, unit, meaning. Holds no values."""

from __future__ import annotations

from dataclasses import dataclass

from device.clock import BPM_HIGH, BPM_LOW
from device.pitch import LANE, SCALES
from device.steps import STEPS

VOICES = 16  # that can play at once; those past the fourth have no gate and play MIDI alone
GATES = 4  # jacks for voices on the panel
SLOTS = 16  # on the panel
TRAININGS = 16  # at the most, of which the best is kept
PORTS = 4  # MIDI outputs, and inputs
KNOB_NAMES = ("A", "B", "C", "D")
CONTROLLERS = 120  # MIDI control changes; those from 120 on are mode messages

# Sources of the clock, in the order in which `auto` prefers them.
SOURCES = ("jack", "midi", "link", "internal")


@dataclass(frozen=True)
class Spec:
    """One setting: its kind (int, float, bool or str), range, unit and meaning.

    `choices` are the words that a str may be; `most` above 0 makes it a list of `least` to `most` values.
    `by_ratio`: even turns of a knob multiply it evenly, as ears hear it.
    """

    kind: type
    low: float
    high: float
    unit: str
    says: str
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 0
    by_ratio: bool = False


def _word(says: str, *choices: str) -> Spec:
    return Spec(str, 0, 0, "", says, choices)


BOX_SPECS = {
    "bpm": Spec(float, BPM_LOW, BPM_HIGH, "beats a minute", "tempo of the internal clock"),
    "clock": _word("what leads: auto takes a clock that arrives, else the internal one", "auto", *SOURCES),
    "clock_in": _word(
        "pulses a beat at the clock jack, or one for each step", "1", "2", "4", "8", "24", "48", "step"
    ),
    "clock_lost": _word(
        "when the clock that leads is lost: stop, or go on alone; auto: only the jack stops the box",
        "auto",
        "stop",
        "go",
    ),
    "sync_ms": Spec(float, -50, 50, "ms", "how much later than a clock that leads the box plays"),
    "clock_out": Spec(int, 1, 48, "pulses a beat", "pulses on the clock jack"),
    "clock_divide": Spec(int, 1, 64, "", "only every so manieth of them"),
    "reset_out": Spec(int, 0, 64, "bars", "bars between pulses on the reset jack; 0: only at the top"),
    "midi_clock": _word("MIDI clock out: off, while playing, or always", "off", "playing", "always"),
    "trigger_ms": Spec(float, 1, 20, "ms", "length of a pulse on the clock and reset jacks"),
    "settle_ms": Spec(float, 0, 20, "ms", "how long before its gate a note is sent"),
    "change": _word(
        "when a changed setting is heard: now, on the next step, on the bar", "now", "step", "bar"
    ),
    "seed": Spec(int, 0, 2**32 - 1, "", "seed of everything random while playing"),
    "control_channel": Spec(int, 0, 16, "", "MIDI channel of control and program changes in; 0: any"),
    "program_in": Spec(bool, 0, 1, "", "a program change in chooses a slot"),
    "program_out": Spec(int, 0, 16, "", "MIDI channel on which a slot's number goes out; 0: none"),
    "program_early_ms": Spec(float, 0, 2000, "ms", "how long before the bar line it goes out"),
    "takeover": _word("how a knob takes over a value elsewhere", "catch-up", "pick-up", "jump"),
    "shift": Spec(str, 0, 0, "", "settings that A B C D turn while SHIFT is held", least=4, most=4),
    "play_layer": Spec(str, 0, 0, "", "settings that A B C D turn while PLAY is held", least=4, most=4),
    "slot_layer": Spec(str, 0, 0, "", "settings that A B C D turn while SLOT is held", least=4, most=4),
    "learn_layer": Spec(str, 0, 0, "", "settings that A B C D turn while LEARN is held", least=4, most=4),
    "learn_slot": Spec(int, 0, SLOTS, "", "slot that LEARN learns into; 0: the next that is free"),
    "learn_trainings": Spec(int, 1, TRAININGS, "", "trainings, of which the best is kept"),
    "learn_voices": _word("voices that are learned: all hits as one, or low, mid and high", "1", "3"),
    "learn_from": _word("what LEARN learns: the stick that came last, or all loops", "stick", "all"),
    "learn_plays": Spec(bool, 0, 1, "", "what was learned comes in on the bar by itself"),
    "stick_learns": _word(
        "when a stick is learned: by itself if it brought new loops, or with LEARN", "auto", "button"
    ),
    "home": Spec(float, 0, 1, "", "where `home` puts the four knobs", least=4, most=4),
    "cv": Spec(
        str,
        0,
        0,
        "",
        "how each CV is added to its knob: 0 to 5 V, or -5 to 5 V",
        ("off", "unipolar", "bipolar"),
        least=4,
        most=4,
    ),
    "cv_amount": Spec(float, -1, 1, "", "how much of each CV is added", least=4, most=4),
    "midi_out": Spec(
        str, 0, 0, "", "what each MIDI output is connected to; empty: by hand", least=1, most=PORTS
    ),
    "midi_in": Spec(
        str, 0, 0, "", "what each MIDI input is connected to; empty: by hand", least=1, most=PORTS
    ),
}

VOICE_SPECS = {
    "density": Spec(float, 0, 1, "", "how readily steps become hits; 0 none, 1 all"),
    "length": Spec(int, 1, STEPS, "steps", "steps before the voice begins again"),
    "rotate": Spec(int, 0, STEPS - 1, "steps", "how many steps later the voice begins"),
    "divide": Spec(int, 1, 16, "", "the voice runs so many times slower"),
    "multiply": Spec(int, 1, 8, "", "the voice runs so many times faster"),
    "swing": Spec(float, 0.5, 0.75, "", "share of a step pair given to its first step; 0.5 straight"),
    "groove": Spec(float, 0, 1, "", "how much of the learned offsets is played"),
    "gate": Spec(float, 0.02, STEPS, "steps", "length of a gate and of a note", by_ratio=True),
    "gate_ms": Spec(float, 0, 2000, "ms", "their length in milliseconds; 0: as `gate` says"),
    "tie": Spec(bool, 0, 1, "", "a gate that lasts to the next hit is held over"),
    "probability": Spec(float, 0, 1, "", "chance that a hit plays"),
    "ratchet": Spec(int, 1, 8, "", "strokes that a hit is divided into"),
    "ratchet_chance": Spec(float, 0, 1, "", "chance that a hit is divided"),
    "ratchet_decay": Spec(float, 0, 1, "", "how much softer each stroke is than the one before"),
    "accent": Spec(float, 0, 1, "", "velocity from which a hit raises the accent jack"),
    "delay_ms": Spec(float, -50, 50, "ms", "how much later the voice is played; below 0 earlier"),
    "output": Spec(int, 0, PORTS, "", "MIDI output; 0: all"),
    "channel": Spec(int, 1, 16, "", "MIDI channel"),
    "note": Spec(int, 0, 127, "", "MIDI note"),
    "velocity_low": Spec(int, 1, 127, "", "MIDI velocity of the softest hit"),
    "velocity_high": Spec(int, 1, 127, "", "MIDI velocity of the loudest hit"),
    "velocity_curve": Spec(
        float, 0.25, 4, "", "exponent between them: below 1 louder, above 1 softer", by_ratio=True
    ),
    "cc": Spec(
        int, -1, CONTROLLERS - 1, "", "control change that tells a hit's velocity before it; -1: none"
    ),
    "mute": Spec(bool, 0, 1, "", "the voice is silent"),
    "solo": Spec(bool, 0, 1, "", "voices that are not solo are silent"),
    "pitch": Spec(int, -48, 48, "semitones", "the pitch lane, above the key; empty: `note`", most=LANE),
    "pitch_length": Spec(int, 1, LANE, "steps", "steps of the pitch lane before it begins again"),
    "pitch_by": _word("what moves the pitch lane on", "step", "hit"),
    "scale": _word("to which the pitch lane is held", *SCALES),
    "key": Spec(int, 0, 11, "semitones", "root of the scale, above C"),
    "octave": Spec(int, -5, 4, "octaves", "of the pitch lane; 0 begins at middle C"),
}
