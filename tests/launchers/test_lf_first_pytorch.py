import importlib.util
import json

import pytest
from boards import assert_tags
from conftest import estimated

from spectral_tf.records import read_table

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the extra `torch` is not installed"
)
TINY = ("--num_runs=2", "--num_steps=40", "--probe_every=20", "--width=8", "--depth=3")


@needs_torch
def test_the_tables_are_those_of_lf_first(run_launcher, tmp_path):
    result = run_launcher("lf_first_pytorch", *TINY, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert_tags(tmp_path, "lf_first_pytorch")
    table = read_table(tmp_path / "spectra.csv")
    assert list(table) == ["step", "frequency", *estimated("magnitude")]
    assert sorted(set(table["step"])) == [0, 20, 40]
    assert max(map(float, table["magnitude"])) < 1  # Hardly trained.
    assert "learning times [steps], mean of 2 runs, 95 % intervals" in result.stdout
    assert "no power law of the learning times" in result.stdout
    exponent = json.loads((tmp_path / "summary.json").read_text())["learning_time_exponent"]
    assert exponent["missing"].startswith("not enough: 0 points")


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is not None, reason="the extra `torch` is installed"
)
def test_without_torch_one_line_says_what_to_install(run_launcher, tmp_path):
    result = run_launcher("lf_first_pytorch", *TINY, f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 2
    assert "pip install -e '.[torch]'" in result.stderr
    assert not (tmp_path / "run").exists()
