"""Many loops are heard: with the player's word, what was heard before, and whatever else lies on a stick."""

import os
import random
import re
import struct
from dataclasses import replace

import numpy as np
import pytest
from loop_helpers import BEAT, RATE, beats, hits, write

import training.listen
from training.cache import Cache
from training.files import read_bytes
from training.library import Library, content_of
from training.listen import Ears, hear_all


@pytest.fixture
def ears(tmp_path):
    return Ears(cache=Cache(tmp_path / "home" / "heard"))


@pytest.fixture
def stick(tmp_path):
    return tmp_path / "stick"


def by_name(heard):
    return {os.path.basename(h.file): h for h in heard}


def one(stick, ears=None):
    (heard,) = hear_all([stick], ears)
    return heard


# --- whatever lies on a stick -----------------------------------------------------------------------------


def test_one_bad_file_does_not_stop_the_others(stick):
    write(stick / "good 120bpm.wav", beats())
    write(stick / "short 120bpm.wav", beats("X...x..."))
    write(stick / "silent.wav", np.zeros(RATE * 4))
    (stick / "text.wav").write_text("hello")
    (stick / "nothing").mkdir()
    os.mkfifo(stick / "pipe.wav")

    heard = list(hear_all([stick, stick / "nothing", stick / "missing.wav"]))

    assert {os.path.basename(h.file): h.ok for h in heard} == {
        "nothing": False,
        "missing.wav": False,
        "good 120bpm.wav": True,
        "short 120bpm.wav": False,
        "silent.wav": False,
        "text.wav": False,
    }
    assert all(h.error for h in heard if not h.ok)
    assert not any("\n" in h.error for h in heard if not h.ok)


def test_names_that_are_no_text_are_heard_and_shown(stick):
    for name in (b"\xff\xfe.wav", b"-rf.wav", b"$(x) 120bpm.wav", b"esc\x1b[31m.wav", b"x" * 251 + b".wav"):
        path = stick / os.fsdecode(name)
        stick.mkdir(exist_ok=True)
        path.write_bytes(write(stick.parent / "loop.wav", beats()).read_bytes())

    names = {os.path.basename(h.file) for h in hear_all([stick]) if h.ok}

    assert names == {"??.wav", "-rf.wav", "$(x) 120bpm.wav", "esc?[31m.wav", "x" * 251 + ".wav"}


def wav(sound=None, rate=RATE, channels=1, bits=16, tag=1, size=None, extra=b""):
    """The bytes of a WAV file whose header says what it likes."""
    data = (beats() * 32767).astype("<i2").tobytes() if sound is None else sound
    align = min(channels * bits // 8 or 2, 65535)
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    size = len(data) if size is None else size
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + extra + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(body) & 0xFFFFFFFF) + body


STREAM_INFO = (
    struct.pack(">HH", 4096, 4096) + b"\0" * 6 + (44100 << 44 | 15 << 36 | 2**36 - 1).to_bytes(8, "big")
)
NOISE = np.random.default_rng(1).bytes(50_000)
DAMAGED = {
    "cut.wav": wav()[:100_000],
    "header.wav": wav()[:44],
    "half a header.wav": wav()[:20],
    "no rate.wav": wav(rate=0),
    "49 hours.wav": wav(rate=1),
    "4 GHz.wav": wav(rate=0xFFFFFFF0),
    "no channels.wav": wav(channels=0),
    "65535 channels.wav": wav(channels=65535),
    "no bits.wav": wav(bits=0),
    "unknown.wav": wav(tag=0xFFF0),
    "4 GB of text.wav": wav(extra=b"LIST" + struct.pack("<I", 0xFFFFFFF0) + b"INFO"),
    "18 days.flac": b"fLaC\x80\x00\x00\x22" + STREAM_INFO + b"\0" * 216,
    "noise.flac": b"fLaC" + NOISE,
    "noise.ogg": b"OggS" + NOISE,
    "noise.wav": NOISE,
    "all ones.wav": b"\xff" * 50_000,
    "page.wav": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "nothing.wav": b"",
}


def test_damaged_files_are_refused_in_a_sentence_each_and_the_rest_is_heard(stick):
    stick.mkdir()
    for name, data in DAMAGED.items():
        (stick / name).write_bytes(data)
    (stick / "recorder.wav").write_bytes(wav(size=0xFFFFFFFF))
    (stick / "tail.wav").write_bytes(wav() + NOISE)

    heard = by_name(hear_all([stick]))

    assert {name for name, h in heard.items() if h.ok} == {"recorder.wav", "tail.wav"}
    assert set(heard) == {*DAMAGED, "recorder.wav", "tail.wav"}
    for name in DAMAGED:
        assert heard[name].error.count("\n") == 0
        assert "mistake" not in heard[name].error, heard[name].error


def test_files_with_damaged_bytes_are_heard_or_refused_and_never_our_mistake(stick):
    rng = random.Random(1)
    for ending in ("wav", "aiff", "flac", "ogg", "mp3"):
        whole = write(stick / f"whole.{ending}", beats("X.x.x..x" * 2)).read_bytes()
        for number in range(24):
            data = bytearray(whole)
            for _ in range(rng.choice((1, 5, 50))):
                at = rng.randrange(64 if rng.random() < 0.5 else len(data))
                data[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
            (stick / f"{number:02d}.{ending}").write_bytes(data)

    heard = by_name(hear_all([stick]))

    assert len(heard) == 5 * 25
    assert all(heard[f"whole.{ending}"].ok for ending in ("wav", "aiff", "flac", "ogg", "mp3"))
    for h in heard.values():
        assert h.ok or not re.search("mistake|\n", h.error), h.error


def test_a_loop_that_is_unplugged_meanwhile_is_a_sentence_and_the_rest_is_heard(stick):
    for name in "abc":
        write(stick / f"{name} 120bpm.wav", beats())

    found = hear_all([stick], Ears(processes=1))
    heard = [next(found)]
    (stick / "c 120bpm.wav").unlink()
    heard += found

    assert [h.ok for h in heard[:2]] == [True, True]
    assert heard[2].ok or "is the stick still in?" in heard[2].error


def test_a_loop_that_becomes_a_link_is_not_followed(stick, monkeypatch):
    secret = write(stick.parent / "secret.wav", beats())
    write(stick / "a.wav", beats())
    find = training.listen.find_loops

    def swapped(paths):
        found = find(paths)
        (stick / "a.wav").unlink()
        (stick / "a.wav").symlink_to(secret)
        return found

    monkeypatch.setattr(training.listen, "find_loops", swapped)

    assert "a link that is not followed" in one(stick).error


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda: os.abort(), "it breaks what reads it (aborted)"),
        (lambda: {}["x"], "a mistake of Fathom's (KeyError"),
    ],
)
def test_a_loop_that_breaks_its_process_is_a_sentence_and_the_rest_is_heard(stick, monkeypatch, deed, says):
    for name in ("a", "bad", "c"):
        write(stick / f"{name} 120bpm.wav", beats())
    usual = training.listen.hear_bytes

    def breaks(data, path, *more):
        if path.name.startswith("bad"):
            deed()
        return usual(data, path, *more)

    monkeypatch.setattr(training.listen, "hear_bytes", breaks)
    heard = list(hear_all([stick]))

    assert [h.ok for h in heard] == [True, False, True]
    assert heard[1].error.startswith(f"{stick}/bad 120bpm.wav: {says}")


def test_the_order_is_that_of_the_names_however_many_hear(stick):
    for number in range(12):
        write(stick / f"{number:02d} 120bpm.wav", beats("X...x..." * 4))

    assert [os.path.basename(h.file)[:2] for h in hear_all([stick], Ears(processes=3))] == [
        f"{number:02d}" for number in range(12)
    ]


# --- what was heard before --------------------------------------------------------------------------------


def test_a_loop_is_heard_once(stick, ears, monkeypatch):
    write(stick / "a 120bpm.wav", beats())
    (stick / "text.wav").write_text("hello")
    first = list(hear_all([stick], ears))
    monkeypatch.setattr(training.listen, "hear_bytes", None)  # who calls it now makes a mistake

    again = list(hear_all([stick], ears))

    assert [h.cached for h in first + again] == [False, False, True, True]
    assert [{**h.as_json(), "cached": None} for h in again] == [
        {**h.as_json(), "cached": None} for h in first
    ]


def test_one_loop_added_is_one_loop_heard(stick, ears):
    for name in "abc":
        write(stick / f"{name} 120bpm.wav", beats())
    list(hear_all([stick], ears))
    write(stick / "d 120bpm.wav", beats(kind="hat"))

    assert [h.cached for h in hear_all([stick], ears)] == [True, True, True, False]


def test_a_loop_under_another_name_is_heard_anew_since_a_name_may_say_a_tempo(stick, ears):
    loop = write(stick / "a 120bpm.wav", beats("X...x...X...x..." * 2))
    assert one(stick, ears).bpm == 120
    loop.rename(stick / "a 60bpm.wav")

    heard = one(stick, ears)

    assert (heard.cached, heard.bpm, heard.bars) == (False, 60, 1)


def test_a_damaged_analysis_is_heard_anew_without_a_word(stick, ears):
    write(stick / "a 120bpm.wav", beats())
    first = one(stick, ears)
    (kept,) = ears.cache.folder.iterdir()
    for damaged in (b"", b"nonsense", kept.read_bytes()[:-5]):
        kept.write_bytes(damaged)
        heard = one(stick, ears)
        assert (heard.ok, heard.cached, heard.notes) == (True, False, ())
        assert heard.as_json() == first.as_json()
    assert one(stick, ears).cached


def test_what_the_stick_or_the_machine_is_to_blame_for_is_not_kept(stick, ears, monkeypatch):
    write(stick / "a 120bpm.wav", beats())

    def unplugged(path, follow):
        return read_bytes(stick / "gone.wav")

    with monkeypatch.context() as broken:
        broken.setattr(training.listen, "read_bytes", unplugged)
        assert not one(stick, ears).ok
    with monkeypatch.context() as broken:
        broken.setattr(training.listen, "hear_bytes", None)
        assert not one(stick, ears).ok

    assert one(stick, ears).ok


# --- the player's word ------------------------------------------------------------------------------------


def test_the_player_is_believed_in_bars_and_tempo(stick):
    write(stick / "loop.wav", beats())
    for text, bpm, bars in (
        ("bars = 1", 60, 1),
        ("bars = 4", 240, 4),
        ("bpm = 60", 60, 1),
        ("bpm = 120\nbars = 1", 120, 1),
    ):
        (stick / "loop.wav.toml").write_text(text)
        heard = one(stick)
        assert (heard.bpm, heard.bars, heard.beats) == (bpm, bars, 4 * bars), text
        assert heard.overrides == {k: float(v) if k == "bpm" else int(v) for k, v in
                                   (line.split(" = ") for line in text.splitlines())}  # fmt: skip
        assert heard.evidence[0].startswith("loop.wav.toml says ")
        assert heard.confidence > 0.8


def test_what_is_heard_is_moved_by_so_many_steps_round_the_end(stick):
    write(stick / "loop 120bpm.wav", beats())
    (stick / "fathom.toml").write_text("shift = -3")

    assert one(stick).takes[0].hits[0].tolist() == hits(BEAT[3:] + BEAT[:3])


def test_the_library_wins_over_the_note_and_the_note_over_the_folder(stick):
    loop = write(stick / "loop.wav", beats())
    (stick / "fathom.toml").write_text("bpm = 60\nshift = 1\nsensitivity = 0.4")
    (stick / "loop.toml").write_text("bpm = 120\nshift = 2")
    library = Library().decided(content_of(loop.read_bytes()), "loop.wav", {"shift": 3})

    heard = one(stick, Ears(library=library))

    assert heard.overrides == {"bpm": 120.0, "shift": 3, "sensitivity": 0.4}
    assert heard.evidence[:3] == (
        "loop.toml says bpm 120",
        "the library says shift 3",
        "fathom.toml says sensitivity 0.4",
    )


def test_what_the_player_says_is_evident_once(stick):
    write(stick / "loop.wav", beats())
    (stick / "loop.toml").write_text("bpm = 120\nbars = 2")

    evidence = one(stick).evidence

    assert evidence[:2] == ("loop.toml says bpm 120", "loop.toml says bars 2")
    assert not any(line.startswith("you say") for line in evidence)


def test_a_decision_holds_under_another_name_in_another_place(stick, tmp_path):
    loop = write(stick / "loop 120bpm.wav", beats())
    library = Library().decided(content_of(loop.read_bytes()), "loop 120bpm.wav", {"reject": True})
    (tmp_path / "other").mkdir()
    loop.rename(tmp_path / "other" / "renamed.wav")

    heard = one(tmp_path / "other", Ears(library=library))

    assert heard.reason.startswith("rejected, the library says so: ")
    assert heard.overrides == {"reject": True}


def test_what_is_accepted_on_the_box_is_heard_though_the_note_rejects_it(stick):
    loop = write(stick / "loop 120bpm.wav", beats())
    (stick / "fathom.toml").write_text("reject = true")
    library = Library().decided(content_of(loop.read_bytes()), "loop.wav", {"reject": False})

    assert not one(stick).ok
    assert one(stick, Ears(library=library)).ok


def test_a_flag_wins_over_what_is_said_of_a_loop(stick, ears):
    loud, soft = beats("X...X...X...X..."), beats("..x...x...x...x.", kind="hat") * 0.05
    write(stick / "loop 120bpm.wav", loud + soft)
    (stick / "fathom.toml").write_text("sensitivity = 0.0")

    heard = [one(stick, replace(ears, sensitivity=how)) for how in (None, 0.0, 1.0)]

    assert heard[0].hits == heard[1].hits < heard[2].hits
    assert [h.evidence[0] for h in heard] == [
        "fathom.toml says sensitivity 0",
        "the command says sensitivity 0",
        "the command says sensitivity 1",
    ]


def test_where_no_hit_lies_in_the_bars_that_the_player_says_the_loop_is_refused(stick):
    write(stick / "loop.wav", beats("." * 24 + "X...X..."))
    (stick / "loop.toml").write_text("bpm = 120\nbars = 1")

    assert one(stick).reason.startswith("no hit lies in its 1 bar at 120 BPM")


def test_a_changed_note_is_heard_at_once(stick, ears):
    write(stick / "loop 120bpm.wav", beats())
    first = one(stick, ears)
    (stick / "fathom.toml").write_text("shift = 4")

    heard = one(stick, ears)

    assert not heard.cached
    assert heard.takes[0].hits[0].tolist() == np.roll(first.takes[0].hits[0], 4).tolist()


def test_a_note_that_cannot_be_used_is_said_and_the_loop_is_heard(stick, ears):
    write(stick / "loop 120bpm.wav", beats())
    (stick / "fathom.toml").write_text("bpm = 1000")

    for _ in range(2):  # heard, and heard before
        heard = one(stick, ears)
        assert heard.ok
        assert heard.notes == (f"{stick}/fathom.toml: bpm is 1000, expected 30 to 300.",)


@pytest.mark.parametrize("text", ["bars = 32", "bpm = 30", "bpm = 300\nbars = 32"])
def test_a_word_that_the_file_cannot_bear_is_a_sentence_or_believed(stick, text):
    write(stick / "loop.wav", beats())
    (stick / "fathom.toml").write_text(text)

    heard = one(stick)

    assert heard.ok or re.search("expected|: say ", heard.error)
    assert heard.ok or "mistake" not in heard.error


def test_a_wrong_number_of_voices_is_refused():
    with pytest.raises(ValueError, match="voices is 2"):
        Ears(voices=2)
