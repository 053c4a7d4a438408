"""What is refused is said, but not five thousand times."""

from training.complaints import Complaints
from training.hear import Heard


def said(loops, **more):
    lines = []
    with Complaints(lines.append, **more) as complaints:
        for heard in loops:
            complaints(heard)
    return lines


def test_a_few_are_said_one_by_one():
    assert said([Heard("d/a.wav", "it is silent"), Heard("d/b.wav"), Heard("d/c.wav", "it is silent")]) == [
        "d/a.wav: it is silent",
        "d/c.wav: it is silent",
    ]


def test_of_many_that_are_alike_in_a_folder_the_rest_is_counted():
    many = [Heard(f"d/{n}.wav", f"0.00{n} s is too short") for n in range(9)]
    other = [Heard("d/other.wav", "it is silent"), Heard("e/0.wav", "0.001 s is too short")]

    assert said(many + other) == [
        *(f"d/{n}.wav: 0.00{n} s is too short" for n in range(5)),
        "d/other.wav: it is silent",
        "e/0.wav: 0.001 s is too short",
        "d: 4 more are refused like these: 0.008 s is too short",
    ]


def test_a_note_on_many_loops_is_said_once():
    assert said([Heard(f"{n}.wav", notes=("fathom.toml: bpm is 1000.",)) for n in range(9)]) == [
        "fathom.toml: bpm is 1000."
    ]


def test_where_refusals_are_printed_elsewhere_only_notes_are_said():
    assert said([Heard("a.wav", "it is silent", notes=("a note",))], refusals=False) == ["a note"]


def test_what_was_counted_is_said_when_all_is_stopped():
    lines = []
    try:
        with Complaints(lines.append) as complaints:
            for n in range(9):
                complaints(Heard(f"{n}.wav", "it is silent"))
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass

    assert lines[-1] == ".: 4 more are refused like these: it is silent"
