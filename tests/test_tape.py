import json
from pathlib import Path

from device.tape import Tape


def test_a_tape_with_a_file_writes_one_object_a_line(tmp_path):
    tape = Tape(tmp_path / "tape.jsonl")
    for n in range(3000):
        tape.jack(n / 4, n, n + 1, "gate1", n % 2)
    tape.midi(9.0, 1, 2, "Fathom", bytes([144, 36, 100]))

    assert tape.close()

    lines = [json.loads(line) for line in (tmp_path / "tape.jsonl").read_text().splitlines()]
    assert len(lines) == 3001
    assert lines[1] == {"beat": 0.25, "due_ns": 1, "at_ns": 2, "jack": "gate1", "level": 1}
    assert lines[-1] == {"beat": 9.0, "due_ns": 1, "at_ns": 2, "port": "Fathom", "midi": [144, 36, 100]}


def test_one_hand_over_is_a_bounded_piece_and_never_waits(tmp_path):
    tape = Tape(tmp_path / "tape.jsonl")
    for n in range(20_000):
        tape.jack(0.0, n, n, "gate1", 1)

    for _ in range(100):
        tape.hand_over()  # faster than any disk: the pipe fills, and this must come back

    assert tape.close()
    assert len((tmp_path / "tape.jsonl").read_text().splitlines()) == 20_000


def test_a_full_disk_ends_the_tape_and_not_the_music():
    tape = Tape(Path("/dev/full"))
    for n in range(20_000):
        tape.jack(0.0, n, n, "gate1", 1)
        tape.hand_over()

    assert not tape.close()
