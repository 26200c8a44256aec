"""Every experiment that trains classifiers ends them at a loss, or says that they never came there.

Interventions at equal loss are in test_interventions.py.
"""

import json

import numpy as np
import pytest
from conftest import launch
from launchers.test_hosts import PAGES

from spectral_tf.records import read_table

CLASSIFIERS = (
    *("interpolation", "class_diversity", "class_diversity_merged", "fourier_sensitivity"),
    "noise_fitting",
    "elastic_bands",
)


@pytest.mark.sampled
@pytest.mark.parametrize("page", CLASSIFIERS)
def test_a_goal_that_is_never_reached_is_told(page, embedded_dir, tmp_path):
    flags = [*PAGES[page], "--stop_at_loss=1e-9", f"--data_dir={embedded_dir}"]
    result = launch(page, *flags, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    (line,) = (line for line in result.stdout.splitlines() if "reached a training loss" in line)
    assert line.startswith("0 of ")
    assert "; these never did and ended at their last epoch: " in line


@pytest.mark.long
def test_a_network_that_has_reached_it_fits_no_more_noise(embedded_dir, tmp_path):
    flags = [*PAGES["noise_fitting"], "--num_epochs=8", f"--data_dir={embedded_dir}"]
    flags = [flag for flag in flags if not flag.startswith("--checkpoint_epochs")]
    flags += ["--stop_at_accuracy=0.5", "--looks_per_epoch=2", f"--workdir={tmp_path}"]
    result = launch("noise_fitting", *flags)
    assert result.returncode == 0, result.stderr
    assert "3 of 3 trainings reached an accuracy of 0.5" in result.stdout
    epochs = {k: np.asarray(v) for k, v in read_table(tmp_path / "epochs.csv").items()}
    for wave in set(epochs["wave"]):
        accuracy = epochs["accuracy"][epochs["wave"] == wave]
        assert len(accuracy) == 9
        (first, *_) = np.flatnonzero(accuracy >= 0.5)
        assert first < 8
        assert (accuracy[first:] == accuracy[first]).all()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["goal"] == ["3 of 3 trainings reached an accuracy of 0.5"]
    assert summary["num_epochs"] == 8
