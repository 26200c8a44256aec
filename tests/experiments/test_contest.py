import textwrap

import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.experiments import contest
from spectral_tf.experiments.contest import Contender, Setting
from spectral_tf.records import read_table

# A step takes a thousandth of a second on its own clock, divided by its threads and its members;
# it ends where a member asks too much of it.
SCRIPT = """
import argparse, sys
parser = argparse.ArgumentParser()
for name in ("threads", "members", "seed"):
    parser.add_argument(f"--{name}", type=int, default=1)
parser.add_argument("--serve", action="store_true")
parser.add_argument("--slow", type=float, default=1)
parser.add_argument("--lines", type=int, default=1000)
asked = parser.parse_args()
if asked.members > 4:
    sys.exit("no memory")
print("ready", '{"each": %d, "versions": "own 1"}' % asked.members, flush=True)
for number, line in enumerate(sys.stdin):
    if number == asked.lines:
        sys.exit("worn out")
    print("done", int(line) * asked.slow * 1e-3 / asked.threads**0.5, flush=True)
"""


@pytest.fixture
def script(tmp_path):
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(SCRIPT))
    return file


def test_settings_are_a_process_with_all_cores_and_one_for_each():
    several = Contender("x", members=(1, 8))
    assert several.settings(2) == [(1, 2, 1), (1, 2, 8), (2, 1, 1), (2, 1, 8)]
    assert several.settings(1) == [(1, 1, 1), (1, 1, 8)]
    assert Contender("x").settings(4) == [(1, 4, 1), (4, 1, 1)]
    assert Contender("x", together=False).settings(4) == [(1, 4, 1)]


def test_the_best_setting_is_found_and_all_are_measured_in_every_round(script, tmp_path):
    contenders = {
        "several": Contender(script, members=(1, 4, 8)),
        "slow": Contender(script, ("--slow=2",)),
        "missing": Contender(script, needs=("no_such_package",)),
        "broken": Contender(script, ("--unknown",)),
    }
    found = contest.contest(contenders, cores=2, num_rounds=3, seconds=0.01, busy_cores=1)
    # Two processes of one thread make 2,000 steps a second, one of two threads 1,414.
    assert found.chosen == {
        "several": (Setting(2, 1, 4), "own 1"),
        "slow": (Setting(2, 1, 1), "own 1"),
    }
    for rates in (found.rates, found.busy):
        np.testing.assert_allclose(rates["several"], [8_000] * 3)
        np.testing.assert_allclose(rates["slow"], [1_000] * 3)
    tried = {(name, setting): (rate, why) for name, setting, rate, why in found.tried}
    assert len(tried) == 6 + 2 + 2
    assert tried["several", Setting(1, 2, 4)][0] == pytest.approx(4 * 2**0.5 * 1e3)
    assert tried["several", Setting(1, 2, 8)][1] == "no memory"
    assert "unrecognized arguments: --unknown" in tried["broken", Setting(1, 2, 1)][1]
    rows = contest.compared(found, {"several": "several", "slow": "several"})
    assert [row.contender for row in rows] == ["several", "slow"]
    assert [row.ours_over_it for row in rows] == [1.0, pytest.approx(8.0)]
    contest.write_tables(tmp_path, "x", found, rows, {"several": 1.0, "slow": 0.125})
    assert read_table(tmp_path / "x.csv")["share_of_matrix_product"] == [1.0, 0.125]
    settings = read_table(tmp_path / "x_settings.csv")
    assert sum(settings["chosen"]) == 2
    assert read_table(tmp_path / "x_rounds.csv")["contender"] == ["several"] * 3 + ["slow"] * 3 + [
        *["several"] * 3,
        *["slow"] * 3,
    ]
    with pytest.raises(UserError, match="broken: expected a program that runs"):
        contest.refuse_without(found, ("several", "broken"))


def test_a_program_is_asked_for_a_number_of_steps(script):
    running = contest.Running(Contender(script, members=(4,)), Setting(2, 1, 4))
    try:
        assert running.rate_of(7) == pytest.approx(8_000)
        assert running.told == {"each": 4, "versions": "own 1"}
    finally:
        running.close()


def test_no_process_is_left(script):
    running = contest.Running(Contender(script), Setting(2, 1))
    processes = running._processes
    assert all(process.poll() is None for process in processes)
    running.close()
    assert all(process.poll() is not None for process in processes)


def test_a_contender_that_ends_says_its_last_line(script):
    with pytest.raises(contest.Failed, match="no memory"):
        contest.Running(Contender(script, members=(8,)), Setting(1, 1, 8))


def test_one_that_ends_in_a_round_is_left_out_and_the_others_go_on(script):
    contenders = {
        "lasts": Contender(script, together=False),
        "ends": Contender(script, ("--lines=5",), together=False),
    }
    found = contest.contest(contenders, cores=1, num_rounds=3, seconds=0.01)
    assert list(found.chosen) == list(found.rates) == ["lasts"]
    np.testing.assert_allclose(found.rates["lasts"], [1_000] * 3)


def test_cores_are_kept_busy_by_processes_that_end(monkeypatch):
    started, start = [], contest.children.start
    monkeypatch.setattr(
        contest.children, "start", lambda *a, **k: started.append(start(*a, **k)) or started[-1]
    )
    with contest.spinning(2):
        assert [process.poll() for process in started] == [None, None]
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)
