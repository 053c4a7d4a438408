"""The demo loops: whole bars, the same bytes again, and hits that an ear finds where the score has them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training import demo
from training.demo import BAR, LOOPS, DemoLoop, bars, perform, render, truth, write_demo_loops
from training.synth import RATE

ONE_BAR = DemoLoop("one", "drums", 120, "kick  x...x...x...x...", loose=0.0)
each_loop = pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.name)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_demo_loops(tmp_path_factory.mktemp("loops"))


def heard_steps(loop: DemoLoop) -> np.ndarray:
    """The steps on which aubio hears something in the second of two rounds, bool, shape (bars * 16,)."""
    aubio = pytest.importorskip("aubio")
    detector = aubio.onset("hfc", 512, 256, RATE)
    detector.set_threshold(0.1)
    detector.set_minioi_ms(25)
    detector.set_silence(-60)
    sound = render(loop)
    rounds = np.tile(sound, 3)[: 2 * len(sound) + RATE // 10].astype(np.float32)
    blocks = rounds[: len(rounds) // 256 * 256].reshape(-1, 256)
    onsets = np.array([detector.get_last() for block in blocks if detector(block)[0]])
    places = onsets / len(sound) - 1  # in loops; the second round is 0..1
    steps = bars(loop) * BAR
    places = np.rint(places[(places > -0.5 / steps) & (places < 1 - 0.5 / steps)] * steps)
    return np.isin(np.arange(steps), places)


def test_there_are_eight_drum_loops_and_four_bass_loops_with_their_tempo_in_the_name(written: list[Path]):
    folders = [path.parent.name for path in written]

    assert (folders.count("drums"), folders.count("bass")) == (8, 4)
    assert [path.name for path in written] == [f"{loop.name}-{loop.bpm}bpm.wav" for loop in LOOPS]
    assert len({loop.bpm for loop in LOOPS}) == 12
    assert (min(loop.bpm for loop in LOOPS), max(loop.bpm for loop in LOOPS)) == (88, 174)


def test_a_written_loop_is_four_bars_of_mono_pcm_and_leaves_room_below_full_scale(written: list[Path]):
    for loop, path in zip(LOOPS, written, strict=True):
        info = soundfile.info(path)
        samples, _ = soundfile.read(path)

        assert (info.samplerate, info.channels, info.subtype) == (44100, 1, "PCM_16")
        assert info.frames == round(4 * 240 / loop.bpm * 44100)
        assert -3 < 20 * np.log10(np.abs(samples).max()) < -1


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(written: list[Path], tmp_path: Path):
    before = [path.read_bytes() for path in written]
    again = [path.read_bytes() for path in write_demo_loops(tmp_path / "again")]
    other = [path.read_bytes() for path in write_demo_loops(tmp_path / "other", seed=2)]

    assert again == before
    assert len({*before, *other}) == 24


def test_writing_twice_replaces_the_files_and_leaves_nothing_else(tmp_path: Path):
    write_demo_loops(tmp_path)
    paths = write_demo_loops(tmp_path)

    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)


@each_loop
def test_an_ear_finds_the_hits_where_the_score_has_them(loop: DemoLoop):
    hits, _ = truth(loop)
    heard = heard_steps(loop)

    assert 2 * (heard & hits).sum() / (heard.sum() + hits.sum()) > 0.97


@each_loop
def test_the_second_bar_of_each_two_differs_from_the_first(loop: DemoLoop):
    takes = truth(loop)[0].reshape(-1, 2, BAR)

    assert len(takes) == 2
    assert all((first != second).any() for first, second in takes)
    assert (takes[0] != takes[1]).any()


@each_loop
def test_hits_lean_and_vary_within_bounds_and_the_first_is_never_early(loop: DemoLoop):
    hits = perform(loop)

    assert len({round(hit.velocity, 2) for hit in hits}) > 4
    assert 0 < max(abs(hit.offset) for hit in hits) <= demo.FURTHEST
    assert all(hit.offset >= 0 for hit in hits if hit.step == 0)


def test_no_two_loops_share_a_rhythm():
    assert len({truth(loop)[0].tobytes() for loop in LOOPS}) == len(LOOPS)


def test_marks_are_velocities_and_a_lean_moves_its_voice():
    loop = replace(ONE_BAR, score="snare +.10  ....X..g....m...")

    hits = perform(loop)

    assert [hit.step for hit in hits] == [4, 7, 12]
    assert [hit.velocity for hit in hits] == pytest.approx([1.0, 0.4, 0.6], abs=0.12)
    assert [hit.offset for hit in hits] == pytest.approx([0.1] * 3)


def test_swing_delays_every_second_step():
    loop = replace(ONE_BAR, score="closed xxxx............", swing=0.56)

    assert truth(loop)[1][:4] == pytest.approx([0.0, 0.12, 0.0, 0.12])


def test_voices_on_one_step_count_once_with_the_first_of_them():
    loop = replace(ONE_BAR, score="snare +.10 ....x...........\n closed -.05 ....x...x.......")

    hits, offsets = truth(loop)

    assert np.flatnonzero(hits).tolist() == [4, 8]
    assert offsets[4] == pytest.approx(-0.05)


def test_a_bass_note_has_the_pitch_below_it_and_is_held_over_dashes():
    loop = replace(ONE_BAR, score="sub X--.x...........\npitch c...............")

    assert [(hit.step, hit.held, hit.semitones) for hit in perform(loop)] == [(0, 2, 12), (4, 0, 0)]


def test_what_rings_past_the_end_goes_on_at_the_start():
    sound = render(replace(ONE_BAR, score="open  ...............x"))
    quarter = len(sound) // 64  # of a step

    assert np.abs(sound[: 2 * quarter]).max() > 0.1
    assert np.abs(sound[16 * quarter : 32 * quarter]).max() < 0.001
    assert abs(sound[0] - sound[-1]) < 2 * np.abs(np.diff(sound[: 2 * quarter])).max()


def test_a_score_of_rests_is_silence():
    assert not render(replace(ONE_BAR, score="kick ................")).any()


def test_a_closed_hat_chokes_the_open_one():
    scores = (f"open x...............\nclosed .{mark}.............." for mark in ".g")
    ringing, choked = (render(replace(ONE_BAR, score=score)) for score in scores)
    after = slice(round(0.21 * RATE), round(0.3 * RATE))  # the closed hat on 0.125 s has rung out

    assert np.abs(ringing[after]).max() > 0.01
    assert np.abs(choked[after]).max() < 0.0001


@pytest.mark.parametrize(
    ("score", "complaint"),
    [
        ("kick x..y............", "one: no line of a score: 'kick x..y............'"),
        ("gong x...............", "one: no line of a score"),
        ("kick x...............\nsnare x...", r"one: lines of \[4, 16\] steps, expected whole bars of 16"),
        ("kick x..............", r"one: lines of \[15\] steps"),
    ],
)
def test_a_score_that_cannot_be_read_says_which_line(score: str, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        render(replace(ONE_BAR, score=score))
