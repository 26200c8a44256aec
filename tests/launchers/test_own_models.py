"""A small version of the page on networks and optimisers of one's own."""

import json

import numpy as np
import pytest
from boards import assert_board
from conftest import launch

from spectral_tf.records import read_table

TINY = (
    *("--networks=relu,siren,kan", "--optimizers=adam,lion", "--learning_rates=0.001,0.01"),
    *("--num_runs=2", "--num_steps=60", "--probe_every=10", "--width=16", "--depth=3"),
    *("--frequencies=1,2,5", "--num_samples=32", "--omega_0=8"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("own_models") / "run"
    result = launch("own_models", *TINY, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result.stdout


@pytest.mark.long
def test_every_setting_has_its_learning_times(finished):
    path, told = finished
    assert_board(path, "own_models")
    table = read_table(path / "learning_times.csv")
    settings = dict.fromkeys(
        zip(table["network"], table["optimizer"], table["learning_rate"], strict=True)
    )
    assert len(settings) == 12
    assert len(table["step"]) == 12 * 2 * 3
    times = np.array(table["step"])
    assert np.isinf(times).any()
    assert np.isfinite(times).any(), "something is learned"
    assert "siren, adam, 0.01" in told
    laws = read_table(path / "laws.csv")
    assert laws["network"][::4] == ["relu", "siren", "kan"]
    assert json.loads((path / "summary.json").read_text())["num_runs"] == 2
    assert {f.name for f in (path / "figures").glob("*.png")} >= {"learning_times.png"}


@pytest.mark.long
def test_each_setting_is_what_it_is_alone(finished, tmp_path):
    path, _ = finished
    result = launch(
        "own_models",
        *TINY,
        "--networks=siren",
        "--optimizers=lion",
        "--learning_rates=0.01",
        f"--workdir={tmp_path / 'run'}",
    )
    assert result.returncode == 0, result.stderr
    whole, alone = (read_table(p / "runs.csv") for p in (path, tmp_path / "run"))
    kept = [
        i
        for i, setting in enumerate(
            zip(whole["network"], whole["optimizer"], whole["learning_rate"], strict=True)
        )
        if setting[:2] == ("siren", "lion") and np.isclose(setting[2], 0.01 / 3)
    ]
    np.testing.assert_allclose([whole["loss"][i] for i in kept], alone["loss"], rtol=1e-3)


@pytest.mark.long
@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--networks=relu,mlp", "--networks: expected some of relu, siren, kan"),
        ("--optimizers=lion,lion", "--optimizers: expected some of"),
        ("--learning_rates=0", "--learning_rates: expected"),
        ("--learning_rates=0.1,0.1", "each once"),
        ("--omega_0=0", "--omega_0"),
        ("--frequencies=20", "frequencies: expected"),
    ],
)
def test_mistakes_are_told_in_a_line(flag, says, tmp_path):
    result = launch("own_models", *TINY, flag, f"--workdir={tmp_path / 'run'}")
    assert result.returncode != 0
    assert says in result.stderr + result.stdout
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()
