"""What every test may use: patterns in drum notation, a small slot, an engine on a simulated panel."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from dataclasses import replace

import numpy as np
import pytest
from learner_helpers import learner_of_script

from device.box import Box
from device.ensemble import Ensemble
from device.pattern import STEPS, Pattern
from device.player import Player
from device.settings import Settings
from device.slot import Slot
from device.tape import Tape
from hw.panel import open_panel
from hw.timing import SimTime
from training.learn import Corpus, learn

GROOVES = (
    "x...x...x...x...x...x...x...x...",
    "x..x..x...x.x...x..x..x...x.x.x.",
    "..x...x...x...x...x...x...x...xx",
    "x.x.x.x.x.x.x.x.x.x.x.x.x.xxxxxx",
    "x.....x...x.....x.....x...x..x..",
    "....x.......x.......x.......x.x.",
)


def pattern(*voices, offsets=None):
    """A pattern from drum notation: `x` 0.6, `X` 1.0, `.` a rest; a line of 16 is played twice."""
    lines = [line if len(line) == STEPS else line * 2 for line in voices]
    level = {"x": 0.6, "X": 1.0, ".": 0.0}
    velocities = np.array([[level[sign] for sign in line] for line in lines])
    hits = velocities > 0
    lean = np.zeros(hits.shape) if offsets is None else np.where(hits, offsets, 0.0)
    return Pattern(hits, velocities, lean)


def play_pattern(engine, wanted):
    """Let an engine play a given pattern, whatever its knobs say."""
    scene = engine.player.planner.scene
    scene.pattern = wanted
    scene._decode = lambda: None
    scene._make_pattern = lambda: None
    engine.player.planner.read_grid()


@pytest.fixture(scope="session")
def corpus():
    rng = np.random.default_rng(1)
    named = []
    for number, line in enumerate(GROOVES):
        take = pattern(line)
        lean = np.where(take.hits, rng.uniform(-0.2, 0.2, take.hits.shape), 0.0)
        named.append((f"groove-{number}.wav", replace(take, offsets=lean)))
    return Corpus.of(named)


@pytest.fixture(scope="session")
def slot(corpus) -> Slot:
    """One voice, six takes, learned in a second."""
    return replace(learn(corpus, seed=1, epochs=300).slot, name="slot 1")


@pytest.fixture(scope="session")
def other_slot(corpus) -> Slot:
    return replace(learn(corpus.rows(np.array([1, 2, 3])), seed=2, epochs=100).slot, name="slot 2")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A box's own folder, empty."""
    monkeypatch.setenv("FATHOM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FATHOM_SOCKET", raising=False)
    return tmp_path / "home"


@pytest.fixture
def make_box(slot):
    """Makes boxes on the simulated panel, in time that stands still; their tape is in memory."""

    def make(wanted=None, settings=None, slots=None, bars=None, library=None, **more):
        time = SimTime()
        settings = settings or Settings()
        ports = {"outputs": len(settings.midi_out), "inputs": len(settings.midi_in)}
        panel = open_panel("sim", midi_port=None, time=time, remember=True, **ports)
        last = bars * 4.0 if bars else float("inf")
        ensemble = Ensemble(slots or [slot])
        player = Player(time, ensemble, settings, library, panel.knobs.values, last)
        box = Box(panel, time, player, Tape(), **more)
        if wanted is not None:
            play_pattern(box.engine, wanted)
        return box

    return make


@pytest.fixture
def box(make_box, slot, other_slot):
    """A box with two slots, of which the first plays."""
    return make_box(library={1: slot, 2: other_slot})


@pytest.fixture
def make_engine(make_box):
    """The engines of such boxes."""
    return lambda *words, **more: make_box(*words, **more).engine


@pytest.fixture
def make_learner(tmp_path):
    """Makes learners whose `fathom learn` is a few lines of Python; they are closed in the end."""
    made = []

    def make(code):
        made.append(learner_of_script(code, tmp_path))
        return made[-1]

    (tmp_path / "slots").mkdir()
    yield make
    for learner in made:
        learner.close()


def run_until(engine, beat):
    """Pass after pass until the music has reached a beat."""
    while engine.player.playing and engine.player.beat < beat:
        engine.step()


def beats(engine, jack, level=1):
    """The beats at which a jack went to a level."""
    return [
        entry["beat"]
        for entry in engine.output.tape.entries
        if entry.get("jack") == jack and entry["level"] == level
    ]


def notes(engine, status=0x90):
    """`(beat, note)` of the MIDI messages of one kind."""
    return [
        (entry["beat"], entry["midi"][1])
        for entry in engine.output.tape.entries
        if "midi" in entry and entry["midi"][0] & 0xF0 == status
    ]
