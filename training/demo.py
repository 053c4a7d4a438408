"""A dozen loops to learn from where there are none: their scores, and writing them. Learns nothing.

A score is a drum tab: a line for each voice, its lean in steps, its bars of sixteen steps. `X` is an
accent, `x` a hit, `m` a soft one, `g` a ghost, `.` a rest, `-` a bass note held on. The line `pitch` under
a bass gives semitones above the root, 0-9 and then a-z. Change a score, write again, learn again.
"""

import os
import string
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from training.synth import BASSES, DRUMS, RATE, faded

BAR = 16  # steps
PITCHES = string.digits + string.ascii_lowercase + "."  # semitones above the root; a dot is the root
VELOCITIES = {"X": 1.0, "x": 0.8, "m": 0.6, "g": 0.4}
PEAK = 10 ** (-2.0 / 20)  # of every file: 2 dB below full scale
FURTHEST = 0.2  # steps: no hit leans further
DYNAMICS = 0.03  # standard deviation of a velocity
STACCATO = 0.75  # of its last step a bass note sounds, its release included
VARIANTS = 4  # recordings of each drum: noise that repeats exactly sounds like a machine gun
LEVELS = {  # in the mix; a bass has it to itself, at 1
    "kick": 1.0, "snare": 0.8, "clap": 0.7, "rim": 0.6, "tom": 0.8, "conga": 0.6, "closed": 0.5, "open": 0.45,
}  # fmt: skip
CHOKES = {"closed": "hats", "open": "hats"}  # voices that silence each other; the rest only themselves


@dataclass(frozen=True)
class DemoLoop:
    """One loop on paper. `kit` gives a voice another tuning and length; `loose` is in steps."""

    name: str
    folder: str
    bpm: int
    score: str
    swing: float = 0.5  # the share of a step pair given to its first step
    loose: float = 0.01  # standard deviation of the timing
    root_hz: float = 55.0
    kit: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where the loop goes, below the folder of all loops."""
        return Path(self.folder) / f"{self.name}-{self.bpm}bpm.wav"


LOOPS = (
    DemoLoop("house", "drums", 124, swing=0.54, kit={"open": (0.9, 0.8)}, score="""
        kick         X...x...x...x...|X...x...x...x..m|X...x...x...x...|X...x...x..mx.m.
        clap         ....x.......x...|....x.......x...|....x.......x...|....x.......x.mx
        open         ..x...x...x...x.|..x...x...x...x.|..x...x...x...x.|..x...x...x.....
        closed       .......g........|.......g..g....m|.......g........|.......g..g.m...
        """),
    DemoLoop("techno", "drums", 132, loose=0.004, kit={"kick": (0.9, 1.3), "tom": (0.8, 0.7)}, score="""
        kick         X...X...X...X...|X...X...X...X...|X...X...X...X...|X...X...X.......
        closed -.03  ..m...m...m...m.|..m...m...m...m.|..m...m...m.m.m.|..m...m...m.....
        rim          ...x..x..x......|...x..x..x...x..|...x..x..x......|...x..x..x......
        tom          ................|..............x.|................|..........x.xXxX
        """),
    DemoLoop("breakbeat", "drums", 112, loose=0.02, kit={"snare": (1.15, 1.1)}, score="""
        kick         X.x.......xx....|X.x.......x.....|X.x.......xx....|X.x.......x.x...
        snare +.06   ....X..g.g..X..m|....X..g.g....X.|....X..g.g..X..m|....X..m.x....Xx
        closed -.04  x.m.x.m.x.m.x.m.|x.m.x.m.x.m.m...|x.m.x.m.x.m.x.m.|x.m.x.m.........
        """),
    DemoLoop("electro", "drums", 118, loose=0.004, kit={"snare": (1.2, 0.7), "kick": (1.0, 1.6)}, score="""
        kick         X.....x...x.....|X.....x...x..x..|X.....x...x.....|X..x..x...x.x...
        snare        ....X.......X...|....X.......X...|....X.......X...|....X.......X.xX
        closed       m.mmm.m.m.mmm.m.|m.mmm.m.m.m.m.m.|m.mmm.m.m.mmm.m.|m.mmm.m.m.......
        conga        ................|.........x.x..x.|................|.......x.x......
        """),
    DemoLoop("onedrop", "drums", 140, swing=0.56, loose=0.02, kit={"rim": (0.8, 1.2)}, score="""
        kick         ........X.......|........X.......|........X.......|........X...x...
        rim    +.08  ........x.......|........x.......|........x.......|........x.......
        closed +.03  x...x...m...x.m.|x...x...m...x...|x...x...m...x.m.|x...x...m.......
        tom          ................|..........m.x..m|................|.............xxX
        """),
    DemoLoop("hiphop", "drums", 88, swing=0.58, loose=0.02, kit={"snare": (0.9, 1.3)}, score="""
        kick         X......x..x.....|X..m...x..x.....|X......x..x.....|X..m...x..x..x..
        snare  +.12  ....X.......X...|....X.......X..g|....X.......X...|....X.......X.gx
        closed       x.m.x.m.x.m.x.mg|x.m.x.m.x.m.x...|x.m.x.m.x.m.x.mg|x.m.x.m.x.m.....
        open         ................|..............m.|................|................
        """),
    DemoLoop("dnb", "drums", 174, loose=0.015, kit={"kick": (1.2, 0.6), "snare": (1.2, 0.8)}, score="""
        kick         X.........x.....|X.........x..x..|X.........x.....|X..x......x.....
        snare        ....X.......X...|....X..g....X...|....X.......X...|....X..m..m.X.xX
        closed -.05  x.m.x.m.x.m.x.m.|x.m.x.m.x.m.x.m.|x.m.x.m.x.m.x.m.|x.m...m.x.......
        """),
    DemoLoop("clave", "drums", 104, loose=0.025, kit={"rim": (1.4, 1.3)}, score="""
        rim    -.03  x..x..x...x.x...|x..x..x...x.x...|x..x..x...x.x...|x..x..x...x.x...
        conga        ......g.......xx|......g..mm.x..X|......g.......xx|......g..mm.xxxX
        kick         ......x.....x...|......x.....x...|......x.....x...|......x.........
        closed +.03  m...m...m...m...|m...m...m.......|m...m...m...m...|m...m...........
        """),
    DemoLoop("offbeat", "bass", 126, root_hz=55.0, score="""
        pluck        ..X...x...x...x.|..X...x...x..xX.|..X...x...x...x.|..X...x..xX.x.X.
        pitch        ..0...0...0...0.|..3...3...3..55.|..0...0...0...0.|..8...8..77.a.c.
        """),
    DemoLoop("rolling", "bass", 138, root_hz=46.25, loose=0.003, score="""
        roll         .xmX.xmX.xmX.xmX|.xmX.xmX.xmX.x.X|.xmX.xmX.xmX.xmX|.xmX.xmX.x.X.XXX
        pitch        .000.000.000.000|.000.000.000.0.7|.000.000.000.000|.000.000.0.c.37a
        """),
    DemoLoop("dub", "bass", 96, root_hz=43.65, swing=0.55, loose=0.03, score="""
        sub    +.05  X--...x.x--.....|..x.x--...x.x-..|X--...x.x--.....|..x.x.x.m.x.X--.
        pitch        0.....0.3.......|..5.3.....0.a...|0.....0.3.......|..5.7.5.3.0.0...
        """),
    DemoLoop("acid", "bass", 130, root_hz=65.4, swing=0.52, loose=0.006, score="""
        acid         X..x.mX..x..X.x.|X..x.mX..x.xX.xx|X..x.mX..x..X.x.|X.xX.xX-.xmX.mXX
        pitch        0..0.c3..0..f.0.|0..0.c3..0.7a.c0|0..0.c3..0..f.0.|0.c0.3f..07a.0cf
        """),
)  # fmt: skip


@dataclass(frozen=True)
class Hit:
    """One played sound."""

    voice: str
    step: int  # from the loop's start
    velocity: float  # 0..1
    offset: float  # steps, early is negative
    held: int = 0  # further steps, a bass note
    semitones: int = 0  # above the root, a bass note


def read_score(loop: DemoLoop) -> list[tuple[str, float, str]]:
    """Name, lean and steps of each line. ValueError where lines disagree or hold what is not notation."""
    lines = []
    for text in loop.score.strip().splitlines():
        name, *lean, steps = text.split()
        steps = steps.replace("|", "")
        known = set(PITCHES) if name == "pitch" else {*VELOCITIES, ".", "-"}
        if name not in {*DRUMS, *BASSES, "pitch"} or set(steps) - known:
            raise ValueError(f"{loop.name}: no line of a score: {text.strip()!r}; see the top of demo.py.")
        lines.append((name, float(lean[0]) if lean else 0.0, steps))
    lengths = {len(steps) for _, _, steps in lines}
    if len(lengths) != 1 or min(lengths) % BAR:
        raise ValueError(f"{loop.name}: lines of {sorted(lengths)} steps, expected whole bars of {BAR}.")
    return lines


def bars(loop: DemoLoop) -> int:
    """How many bars the score holds."""
    return len(read_score(loop)[0][2]) // BAR


def perform(loop: DemoLoop, seed: int = 1) -> list[Hit]:
    """The hits as a player would play them: leaning, swung, a little loose. The same for the same seed."""
    rng = np.random.default_rng([seed, zlib.crc32(loop.name.encode())])
    lines = read_score(loop)
    pitch = next((steps for name, _, steps in lines if name == "pitch"), None)
    hits = []
    for name, lean, steps in lines:
        for step, mark in enumerate(steps):
            if name == "pitch" or mark not in VELOCITIES:
                continue
            offset = lean + (step % 2) * (2 * loop.swing - 1) + loop.loose * rng.standard_normal()
            # The first step is never early: a loop is cut where it begins.
            offset = float(np.clip(offset, -FURTHEST if step else 0.0, FURTHEST))
            velocity = float(np.clip(VELOCITIES[mark] + DYNAMICS * rng.standard_normal(), 0.0, 1.0))
            following = steps[step + 1 :]
            held = len(following) - len(following.lstrip("-"))
            semitones = PITCHES.index(pitch[step]) if pitch and pitch[step] != "." else 0
            hits.append(Hit(name, step, velocity, offset, held, semitones))
    return hits


def truth(loop: DemoLoop, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """What an ear should find in the rendered loop, over all voices.

    Returns
    -------
    hits : bool array, shape (bars * 16,)
    offsets : float array, shape (bars * 16,)
        Of the first voice of each step, in steps, early is negative; 0 where there is no hit.
    """
    hits, offsets = np.zeros(bars(loop) * BAR, bool), np.zeros(bars(loop) * BAR)
    for hit in perform(loop, seed):
        offsets[hit.step] = min(hit.offset, offsets[hit.step]) if hits[hit.step] else hit.offset
        hits[hit.step] = True
    return hits, offsets


def render(loop: DemoLoop, seed: int = 1) -> np.ndarray:
    """The loop as sound: float array, shape (round(bars * 240 / bpm * RATE),), peak PEAK.

    What rings past the end goes on at the start, so that the loop repeats without a seam.
    """
    rng = np.random.default_rng([seed, zlib.crc32(loop.name.encode()), 1])
    count, step_s = round(bars(loop) * 240 / loop.bpm * RATE), 15 / loop.bpm
    played = [(round((hit.step + hit.offset) * step_s * RATE), hit) for hit in perform(loop, seed)]
    played.sort(key=lambda pair: pair[0], reverse=True)  # backwards: each hit knows what follows it
    taken = {CHOKES.get(hit.voice, hit.voice): start + count for start, hit in played}
    recordings: dict[tuple[str, int], np.ndarray] = {}
    mix = np.zeros(count)
    for start, hit in played:
        if hit.voice in BASSES:
            hz, seconds = loop.root_hz * 2 ** (hit.semitones / 12), (hit.held + STACCATO) * step_s
            sound = BASSES[hit.voice].note(hz, seconds, hit.velocity)
        else:
            key = (hit.voice, int(rng.integers(VARIANTS)))
            if key not in recordings:
                recordings[key] = DRUMS[hit.voice](rng, *loop.kit.get(hit.voice, (1.0, 1.0)))
            sound = recordings[key]
        group = CHOKES.get(hit.voice, hit.voice)
        room, taken[group] = taken[group] - start, start
        if len(sound) > room:
            sound = faded(sound[:room])
        mix[(start + np.arange(len(sound))) % count] += LEVELS.get(hit.voice, 1.0) * hit.velocity * sound
    return mix * (PEAK / (np.max(np.abs(mix)) or 1.0))  # a score of rests is silence


def write_demo_loops(folder: Path, seed: int = 1) -> list[Path]:
    """Write every loop below `folder` as 16-bit WAV, and say where they are. No file is ever half written."""
    paths = []
    for loop in LOOPS:
        path = folder / loop.path
        path.parent.mkdir(parents=True, exist_ok=True)
        wav = BytesIO()
        soundfile.write(wav, render(loop, seed), RATE, format="WAV", subtype="PCM_16")
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(wav.getvalue())
        os.replace(unfinished, path)
        paths.append(path)
    return paths
