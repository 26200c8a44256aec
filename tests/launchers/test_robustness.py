import json
import shutil

import numpy as np
import pytest
from boards import assert_board
from conftest import estimated, launch

from spectral_tf.records import read_table

SMALL = ("--frequencies=1,3", "--num_samples=16", "--width=16", "--depth=3")
FEW = ("--num_norms=4", "--num_directions=6")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of lf_first with three networks."""
    path = tmp_path_factory.mktemp("lf_first") / "run"
    flags = (*SMALL, "--num_runs=3", "--num_steps=300", "--learning_rate=0.01")
    result = launch("lf_first", *flags, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture(scope="module")
def measured(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("robustness") / "run"
    result = launch("robustness", f"--from_run={trained}", *FEW, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result.stdout


def test_the_table_starts_at_the_trained_network_and_spectra_fall(measured):
    path, out = measured
    table = read_table(path / "robustness.csv")
    assert list(table) == [
        *("perturbation_norm", "frequency"),
        *(*estimated("ratio_mean_magnitude"), *estimated("ratio_mean_function")),
    ]
    assert set(table["ratio_mean_magnitude_n"]) == {3}
    norms = np.reshape(table["perturbation_norm"], (4, 2))[:, 0]
    np.testing.assert_allclose(norms, np.linspace(0, 5, 4))
    magnitude = np.reshape(table["ratio_mean_magnitude"], (4, 2))
    function = np.reshape(table["ratio_mean_function"], (4, 2))
    np.testing.assert_allclose(magnitude[0], 1, atol=1e-4)
    np.testing.assert_allclose(function[0], 1, atol=1e-4)
    assert np.all(function <= magnitude + 1e-9)
    assert np.all(function[-1] < 0.9)
    low, high = (np.array(table[f"ratio_mean_magnitude_{end}"]) for end in ("low", "high"))
    assert np.all((low >= 0) & (low <= high))
    half = read_table(path / "half_attenuation_norms.csv")
    assert list(half) == ["frequency", *estimated("half_attenuation_norm")]
    assert half["half_attenuation_norm_method"][0].startswith("crossings of the band: Student")
    assert np.all(np.array(half["half_attenuation_norm_low"]) <= half["half_attenuation_norm_high"])
    summary = json.loads((path / "summary.json").read_text())
    assert summary["num_runs"] == 3
    assert summary["half_attenuation_exponent"]["missing"].startswith("not enough: ")
    # Where the mean ratio falls through 1/2, for those that do.
    for j, k in enumerate((1, 3)):
        told, at = summary["half_attenuation_norm"][str(k)], half["half_attenuation_norm"][j]
        assert told["value"] == ("never" if np.isinf(at) else at)
        if np.isfinite(at):
            assert np.interp(at, norms, magnitude[:, j]) == pytest.approx(0.5)
    assert "frequencies halved, 3 needed" in out
    assert {f.name for f in (path / "figures").iterdir()} == {
        "heat_map.png",
        "curves.png",
        "half_attenuation_norms.png",
    }
    assert_board(path, "robustness")
    assert out.splitlines()[-3] == f"run folder: {path}"


def test_a_state_file_does_as_well_and_a_killed_run_goes_on(trained, measured, tmp_path):
    path = tmp_path / "again"
    shutil.copytree(measured[0], path)
    (path / "summary.json").unlink()
    (path / "robustness.csv").unlink()
    (path / "checkpoints" / "network_002" / "measured.npz").unlink()
    (path / "tensorboard").rename(tmp_path / "old")
    result = launch("robustness", f"--flagfile={path / 'run.flags'}", f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    assert "network_002 is measured" in result.stderr
    assert "network_001" not in result.stderr
    table = (path / "robustness.csv").read_text()
    assert table == (measured[0] / "robustness.csv").read_text()
    state = trained / "checkpoints" / "state.npz"
    shared = ("--shared_directions", "--num_runs=1", f"--workdir={tmp_path / 'file'}")
    result = launch("robustness", f"--from_run={state}", *FEW, *shared)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "file" / "robustness.csv").read_text() != table


def test_it_can_train_its_own(tmp_path):
    flags = (*SMALL, *FEW, "--num_runs=2", "--num_steps=20", f"--workdir={tmp_path / 'own'}")
    result = launch("robustness", *flags)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "own" / "summary.json").read_text())["num_runs"] == 2


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--from_run=RUN", "--width=8"), "--width: expected no flags of training"),
        (("--from_run=RUN", "--num_runs=4"), "--num_runs: expected at most 3"),
        (("--from_run=RUN", "--frequencies=2"), "--frequencies: expected some of the run's 1,3"),
        (("--from_run=nowhere",), "--from_run: expected a finished run of lf_first"),
        (("--from_run=FOLDER",), "without run.flags"),
        (("--max_norm=nan",), "--max_norm"),
        (("--num_norms=1",), "--num_norms"),
        (("--block_size=0",), "--block_size"),
        (("--frequencies=100",), "below 100, half of the 200 samples"),
    ],
)
def test_mistakes_get_one_line_and_nothing_is_written(flags, line, trained, tmp_path):
    names = {"RUN": str(trained), "FOLDER": str(tmp_path)}
    flags = [f.replace("RUN", names["RUN"]).replace("FOLDER", names["FOLDER"]) for f in flags]
    result = launch("robustness", *flags, f"--workdir={tmp_path / 'new'}")
    assert result.returncode == 2
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()
