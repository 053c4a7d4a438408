import json
import threading

from training.progress import Bar, Json, Lines, Quiet


def test_lines_are_a_tenth_apart(capsys):
    with Lines() as progress:
        for epoch in range(1, 1001):
            progress("training", epoch, 1000, 0.5)
        for loop in range(1, 4):
            progress("hearing", loop, 3, None)

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 11 + 3
    assert said[-4] == "training: epoch 1000 of 1000, loss 0.5000"
    assert said[-1] == "hearing: loop 3 of 3"


def test_the_bar_draws_the_end_of_what_is_done_without_a_thread(capsys):
    with Bar() as progress:
        for loop in range(1, 8):
            progress("hearing", loop, 7, None)
        assert threading.active_count() == 1

    assert "7/7" in capsys.readouterr().err


def test_quiet_says_nothing(capsys):
    with Quiet() as progress:
        progress("training", 1, 1, 0.5)

    assert capsys.readouterr() == ("", "")


def test_for_another_program_every_line_is_an_object_and_the_last_of_each_thing_is_said(capsys):
    with Json("3") as progress:
        for loop in range(1, 4):
            progress("hearing", loop, 3, None)
        for epoch in range(1, 1001):
            progress("training", epoch, 1000, 1 / epoch)
        progress("held-out", 1, 2, float("nan"))

    rows = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert rows[0] == {"slot": "3", "what": "hearing", "done": 0, "total": 0, "loss": None}
    assert {"slot": "3", "what": "hearing", "done": 3, "total": 3, "loss": None} in rows
    assert {"slot": "3", "what": "training", "done": 1, "total": 1000, "loss": 1.0} in rows
    assert {"slot": "3", "what": "training", "done": 1000, "total": 1000, "loss": 0.001} in rows
    assert rows[-1] == {"slot": "3", "what": "held-out", "done": 1, "total": 2, "loss": None}
    assert len(rows) < 100
