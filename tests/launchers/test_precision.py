import json

import numpy as np
import pytest
from boards import assert_board
from conftest import assert_estimates, assert_refused, launch
from PIL import Image

from spectral_tf.records import read_table

TINY = ("--width=64", "--depth=3", "--frequencies=1,2", "--num_samples=40", "--num_runs=3")
TINY += ("--precisions=bfloat16", "--num_steps=400", "--probe_every=20", "--learning_rate=0.003")


@pytest.mark.long
def test_a_short_run(tmp_path):
    path = tmp_path / "run"
    result = launch("precision", *TINY, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    assert "on 2 of 2 frequencies" in result.stdout
    assert_board(path, "precision")
    table = read_table(path / "learning_times.csv")
    times = {
        group: np.array(
            [t for t, g in zip(table["step"], table["precision"], strict=True) if g == group]
        )
        for group in ("float32", "float32, other last bits", "bfloat16")
    }
    assert all(t.size == 6 for t in times.values())
    for other in ("float32, other last bits", "bfloat16"):  # In every run, of an odd number.
        differs = times["float32"].reshape(3, 2) != times[other].reshape(3, 2)
        assert differs.any(axis=1).all()
    assert "says nothing" not in result.stdout
    ratio = np.exp(np.log(times["bfloat16"] / times["float32"]).mean())
    whole = read_table(path / "precision.csv")
    assert whole["learning_time_ratio"][1] == pytest.approx(ratio, rel=1e-4)
    told = json.loads((path / "summary.json").read_text())["member_steps_per_second"]
    assert whole["member_steps_per_second"] == [told[group] for group in whole["precision"]]
    exact = told["float32"]
    assert whole["times_as_fast"] == [told[group] / exact for group in whole["precision"]]
    assert_estimates(path)
    Image.open(path / "figures" / "learning_time_ratios.png").verify()


def test_mistakes_get_one_line(tmp_path):
    for flag, line in {
        "--precisions=float32": "--precisions: expected others than float32",
        "--precisions=half": "--precisions: expected some of float32",
        "--num_runs=1": "--num_runs",
        "--width=32": "--width",
    }.items():
        assert_refused(launch("precision", flag, f"--workdir={tmp_path / 'run'}"), line)
    assert not (tmp_path / "run").exists()
