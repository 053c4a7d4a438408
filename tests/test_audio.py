"""Loops are read whatever their format; all else is refused in a sentence."""

import os
import struct
import time

import numpy as np
import pytest
import soundfile
from loop_helpers import RATE, beats, write

from training.audio import read_loop
from training.errors import LoopError
from training.files import clean

FORMATS = [
    ("a.wav", {"subtype": "PCM_16"}),
    ("a.wav", {"subtype": "PCM_24"}),
    ("a.wav", {"subtype": "PCM_U8"}),
    ("a.wav", {"subtype": "FLOAT"}),
    ("a.wav", {"subtype": "PCM_24", "format": "WAVEX"}),
    ("a.aiff", {"subtype": "PCM_16"}),
    ("a.flac", {}),
    ("a.ogg", {}),
    ("a.mp3", {}),
]


def acid_wav(path, tempo, beats_said, flags=0, body=None):
    """A WAV file with an ACID chunk behind its sound."""
    write(path, beats(), subtype="PCM_16")
    body = struct.pack("<IHHfIHHf", flags, 60, 0, 0.0, beats_said, 4, 4, tempo) if body is None else body
    data = path.read_bytes() + b"acid" + struct.pack("<I", len(body)) + body
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    return path


@pytest.mark.parametrize(("name", "options"), FORMATS)
def test_every_format_is_read_as_mono_at_one_rate(tmp_path, name, options):
    sound = beats(bpm=120)

    loop = read_loop(write(tmp_path / name, np.stack([sound, sound], axis=1), **options))

    assert loop.samples.dtype == np.float32
    assert loop.samples.ndim == 1
    assert loop.rate == RATE
    assert loop.duration_s == pytest.approx(4.0, abs=0.001)
    assert np.abs(loop.samples).max() == pytest.approx(np.abs(sound).max(), rel=0.25)


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000])
def test_another_rate_is_resampled_and_keeps_its_duration(tmp_path, rate):
    sound = np.sin(2 * np.pi * 440 * np.arange(rate * 2) / rate) * 0.5

    loop = read_loop(write(tmp_path / "a.wav", sound, rate))

    assert loop.duration_s == pytest.approx(2.0)
    assert len(loop.samples) == pytest.approx(2 * RATE, abs=2)


def test_channels_in_antiphase_are_still_heard(tmp_path):
    sound = beats()

    loop = read_loop(write(tmp_path / "a.wav", np.stack([sound, -sound], axis=1)))

    assert np.abs(loop.samples).max() > 0.7


def test_an_offset_from_zero_is_taken_out(tmp_path):
    loop = read_loop(write(tmp_path / "a.wav", beats() * 0.4 + 0.5, subtype="FLOAT"))

    assert abs(loop.samples.mean()) < 1e-4


def test_the_acid_chunk_is_read(tmp_path):
    acid = read_loop(acid_wav(tmp_path / "a.wav", 120.0, 8)).acid

    assert acid == {"one_shot": False, "beats": 8, "tempo": 120.0}


@pytest.mark.parametrize("body", [b"", b"\xff" * 10, b"\xff" * 24])
def test_a_broken_acid_chunk_does_no_harm(tmp_path, body):
    loop = read_loop(acid_wav(tmp_path / "a.wav", 0, 0, body=body))

    assert loop.acid is None or loop.acid["tempo"] == 0.0


def test_a_chunk_that_claims_more_than_the_file_does_no_harm(tmp_path):
    path = write(tmp_path / "a.wav", beats())
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 0xFFFFFFFE) + b"INFO")

    assert read_loop(path).acid is None


def refused(path):
    with pytest.raises(LoopError) as error:
        read_loop(path)
    return str(error.value)


def test_text_named_wav_is_refused(tmp_path):
    path = tmp_path / "text.wav"
    path.write_text("this is not a sound\n" * 50)

    assert "cannot be read as audio" in refused(path)


@pytest.mark.parametrize(("name", "options"), [("a.wav", {}), ("a.aiff", {}), ("a.flac", {})])
def test_a_file_that_is_cut_short_is_refused(tmp_path, name, options):
    path = write(tmp_path / name, beats(), **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert refused(path)


def test_the_refusal_of_a_cut_wav_says_what_is_there(tmp_path):
    path = write(tmp_path / "a.wav", beats(), subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:100_044])

    assert "352800 bytes of sound announced and 100000 there" in refused(path)


def test_silence_is_refused_with_its_level(tmp_path):
    assert "silent (peak -200 dBFS)" in refused(write(tmp_path / "a.wav", np.zeros(RATE)))


def test_a_quiet_loop_is_read(tmp_path):
    loop = read_loop(write(tmp_path / "a.wav", beats() * 0.004, subtype="PCM_24"))

    assert np.abs(loop.samples).max() == pytest.approx(0.0032, rel=0.05)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path, bad):
    sound = beats()
    sound[1000] = bad

    assert "NaN" in refused(write(tmp_path / "a.wav", sound, subtype="FLOAT"))


def test_samples_beyond_reason_are_refused(tmp_path):
    assert "full scale is 1" in refused(write(tmp_path / "a.wav", beats() * 1e30, subtype="FLOAT"))


@pytest.mark.parametrize("rate", [1, 4000, 400_000])
def test_a_strange_sample_rate_is_refused(tmp_path, rate):
    assert "rate" in refused(write(tmp_path / "a.wav", np.ones(100) * 0.5, rate))


def test_an_empty_file_and_one_without_samples_are_refused(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")

    assert "0 bytes" in refused(tmp_path / "empty.wav")
    assert "no samples" in refused(write(tmp_path / "none.wav", np.zeros(0)))


def test_an_hour_is_refused_from_its_header_at_once(tmp_path):
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8000, 1) as sound:
        for _ in range(61):
            sound.write(np.zeros(8000))
    started = time.perf_counter()

    assert "61 s is too long for a loop" in refused(path)
    assert time.perf_counter() - started < 0.5


def test_a_huge_file_is_refused_by_its_size_at_once(tmp_path):
    path = write(tmp_path / "a.wav", beats())
    os.truncate(path, 3_000_000_000)  # a hole: it takes no room on the disk
    started = time.perf_counter()

    assert "3000 MB is too much" in refused(path)
    assert time.perf_counter() - started < 0.5


def test_a_missing_file_is_refused(tmp_path):
    assert "cannot be opened" in refused(tmp_path / "nowhere.wav")


def test_a_name_that_is_no_text_is_read_and_shown(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\xfe \x1b[31m.wav")
    with open(path, "wb") as file:
        soundfile.write(file, beats(), RATE, format="WAV")

    assert read_loop(path).name == "?? ?[31m.wav"
    assert clean("tab\there") == "tab?here"


def test_the_meter_of_an_acid_chunk_is_read_where_it_is_not_four(tmp_path):
    def acid(numerator, denominator):
        body = struct.pack("<IHHfIHHf", 0, 60, 0, 0.0, 6, denominator, numerator, 120.0)
        return read_loop(acid_wav(tmp_path / "a.wav", 0, 0, body=body)).acid

    assert acid(3, 4)["meter"] == (3, 4)
    assert acid(6, 8)["meter"] == (6, 8)
    for nothing in ((4, 4), (0, 0), (3, 0), (1000, 4)):
        assert "meter" not in acid(*nothing)
