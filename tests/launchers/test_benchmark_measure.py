import json

import numpy as np
from conftest import launch

from spectral_tf.records import read_table


def test_it_tells_what_measuring_costs(tmp_path, embedded_dir):
    result = launch(
        "benchmark_measure",
        *("--num_rounds=1", "--num_paths=4", "--num_samples=8", "--fit_steps=100"),
        f"--data_dir={embedded_dir}",
        f"--workdir={tmp_path / 'run'}",
    )
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "run" / "costs.csv")
    assert len(table["what"]) == 5
    ratios = np.array(table["ratio_median"])
    np.testing.assert_allclose(
        ratios, np.array(table["seconds_median"]) / table["bare_seconds_median"], rtol=1e-6
    )
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["times_the_bare"].keys() == set(table["what"])
