from training.progress import Lines, Quiet


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


def test_quiet_says_nothing(capsys):
    with Quiet() as progress:
        progress("training", 1, 1, 0.5)

    assert capsys.readouterr() == ("", "")
