import pytest
from absl import logging

from spectral_tf import progress


@pytest.fixture
def clock(monkeypatch):
    """The seconds that progress sees, in a list of one; lines are shown, there is no terminal."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)
    monkeypatch.setattr(progress._Screen, "shown", True)
    logging.set_verbosity(logging.INFO)
    return now


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


def test_lines_with_an_estimate_where_there_is_no_terminal(clock, caplog):
    shown = progress.Progress(total=1_000, done=200, members=4)
    for clock[0], step in ((5.0, 300), (20.0, 600), (22.0, 640)):
        shown.update(step)
    shown.close()
    # 300 steps in 15 s after the first call, by 4 members: 80 a second; 400 more take 20 s.
    assert lines(caplog) == [
        "step 600 of 1,000 (60 %), 80 member-steps per second, about 20 s left"
    ]


def test_there_is_no_estimate_of_a_first_call_alone(clock, caplog):
    shown = progress.Progress(total=1_000, members=1)
    clock[0] = 60.0
    shown.update(10)
    assert shown.seconds_left() is None
    assert lines(caplog) == ["step 10 of 1,000 (1 %)"]


@pytest.mark.parametrize("compiling", [0.0, 43.0, 300.0])
def test_the_estimate_is_within_a_factor_of_two_after_a_tenth(clock, compiling):
    """Seven ensembles compiled in the first call, pieces that double, a probe at every sixth."""
    total, of_a_step, of_a_probe = 3_000, 0.018, 0.8
    shown, left_then = progress.Progress(total, members=38), None
    step, piece = 0, 10
    for until in range(500, total + 1, 500):
        while step < until:
            piece = min(2 * piece, 100)
            taken = min(piece, until - step)
            clock[0] += taken * of_a_step + compiling * (step == 0)
            step += taken
            shown.update(step)
            if step >= total / 10 and left_then is None:
                told, left_then = shown.seconds_left(), clock[0]
        clock[0] += of_a_probe
    truth = clock[0] - left_then
    assert truth / 2 < told < 2 * truth


def test_what_was_there_already_says_nothing_about_the_rest(clock):
    """Of a run that goes on: 6 of 10 trainings are read, the other 4 take 30 s each."""
    told = []
    with progress.Progress(10, unit="training", warms_up=False) as shown:
        for number in range(10):
            there = number < 6
            clock[0] += 0.01 if there else 30.0
            shown.update(number + 1, at_once=there)
            told.append(shown.seconds_left())
    assert told[:6] == [None] * 6
    assert told[6:] == pytest.approx([90.0, 60.0, 30.0, 0.0], rel=0.01)


def test_items_are_tracked_with_their_number(clock, caplog):
    for item in progress.track(range(4), "network"):
        clock[0] += 20.0
        assert item == int(clock[0] / 20) - 1
    assert lines(caplog)[0] == "network 1 of 4 (25 %), about 1 min 0 s left"
    assert lines(caplog)[-1] == "network 4 of 4 (100 %), about 0 s left"


def test_nothing_is_shown_unless_it_is_asked_for(clock, caplog, monkeypatch, capsys):
    progress.show(False)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    for _ in progress.track(range(4), "network"):
        clock[0] += 20.0
    assert lines(caplog) == []
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal_which_is_closed_after_an_error(monkeypatch, capsys):
    monkeypatch.setattr(progress._Screen, "shown", True)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.Progress(total=10, members=1) as shown:
        shown.update(10)
    assert "10/10" in capsys.readouterr().err

    def breaks():
        with progress.Progress(total=10, members=1):
            assert progress._Screen.bars == 1
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        breaks()
    assert progress._Screen.bars == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (3600, "1 h 0 min"), (7325, "2 h 2 min")],
)
def test_durations(seconds, words):
    assert progress.duration(seconds) == words
