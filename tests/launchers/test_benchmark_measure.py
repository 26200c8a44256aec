import json

import numpy as np
import pytest
from boards import assert_tags
from conftest import assert_refused, launch

from spectral_tf.records import read_table


@pytest.mark.matrix
def test_it_tells_what_measuring_costs(tmp_path, embedded_dir):
    result = launch(
        "benchmark_measure",
        *("--num_rounds=1", "--num_paths=4", "--num_samples=8", "--fit_steps=100"),
        f"--data_dir={embedded_dir}",
        f"--workdir={tmp_path / 'run'}",
    )
    assert result.returncode == 0, result.stderr
    assert_tags(tmp_path / "run", "benchmark_measure")
    table = read_table(tmp_path / "run" / "costs.csv")
    assert len(table["what"]) == 5
    ratios = np.array(table["ratio_median"])
    np.testing.assert_allclose(
        ratios, np.array(table["seconds_median"]) / table["bare_seconds_median"], rtol=1e-6
    )
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["times_the_bare"].keys() == set(table["what"])


def test_saves_do_not_grow_along_a_run(tmp_path):
    flags = ("--num_rounds=1", "--divide_by=8", "--pages=", f"--workdir={tmp_path / 'run'}")
    result = launch("benchmark_saves", *flags)
    assert result.returncode == 0, result.stderr
    assert_tags(tmp_path / "run", "benchmark_saves")
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


@pytest.mark.matrix
def test_saves_of_pages_are_those_of_their_networks(tmp_path, embedded_dir):
    flags = ("--num_rounds=1", "--divide_by=8", "--pages=lf_first,noise_fitting")
    where = (f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}")
    result = launch("benchmark_saves", *flags, *where)
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "run" / "pages.csv")
    assert table["page"] == ["lf_first"] * 2 + ["noise_fitting"] * 2
    assert table["when"] == ["early", "last"] * 2
    assert table["step"] == [1_000, 2_000, 22, 220]
    # Weights and two moments of 6 layers of 256, in float32, and less history than is kept inside.
    weights = 256 + 4 * 256**2 + 256 + 5 * 256 + 1
    beside = np.array(table["bytes"][:2]) - 3 * 4 * weights
    assert np.all((beside > 0) & (beside < 2**18 + 50_000))
    assert all(seconds > 0 for seconds in table["seconds"])
    assert min(table["num_saves"]) > 10


def test_a_page_that_does_not_train_has_no_saves_to_measure(tmp_path):
    path = tmp_path / "run"
    result = launch("benchmark_saves", "--pages=untrained", f"--workdir={path}")
    assert_refused(result, "--pages: expected some of lf_first, robustness, ")
    assert not path.exists()
