import pytest
from absl import logging

from spectral_tf.runtime import progress


def test_lines_with_an_estimate_where_there_is_no_terminal(monkeypatch, caplog):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)
    logging.set_verbosity(logging.INFO)
    shown = progress.Progress(total=1_000, done=200, members=4)
    for now[0], step in ((5.0, 300), (20.0, 600), (22.0, 640)):
        shown.update(step)
    shown.close()
    # 400 steps in 20 s by 4 members: 80 a second; the other 400 take 20 s again.
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == "step 600 of 1,000 (60 %), 80 member-steps per second, about 20 s left"


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    shown = progress.Progress(total=10, done=0, members=1)
    shown.update(10)
    shown.close()
    assert "10/10" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (3600, "1 h 0 min"), (7325, "2 h 2 min")],
)
def test_durations(seconds, words):
    assert progress.duration(seconds) == words
