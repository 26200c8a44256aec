import json

import numpy as np
import pytest
from conftest import launch

from spectral_tf.records import read_table


@pytest.mark.long
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


def test_saves_do_not_grow_along_a_run(tmp_path):
    flags = ("--num_rounds=1", "--divide_by=8", f"--workdir={tmp_path / 'run'}")
    result = launch("benchmark_saves", *flags)
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "run" / "saves.csv")
    assert len(table["page"]) == 60
    sizes, inside = (np.array(table[name]) for name in ("bytes", "bytes_with_history_inside"))
    for page in set(table["page"]):
        own = np.array(table["page"]) == page
        grown = inside[own][-1] - inside[own][0]
        # Within what a state holds itself, and what a closed part is large by then.
        assert np.ptp(sizes[own]) < 2 * 2**18 + 5_000 + grown / 20
        assert sizes[own][0] < inside[own][0] + 5_000
    few = np.array(table["page"]) == "noise_fitting, 200 epochs of CIFAR-10"
    assert inside[few][-1] > 1.5 * sizes[few].max()
