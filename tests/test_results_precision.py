"""What the committed study of 20 runs in lower precision shows."""

import numpy as np
from conftest import ROOT

from spectral_tf.records import read_table

RESULTS = ROOT / "results" / "precision" / "runs_20"


def columns(name):
    return {k: np.array(v) for k, v in read_table(RESULTS / f"{name}.csv").items()}


def test_no_precision_shifts_learning_times_more_than_the_page_says():
    """Its ratios follow from the learning times of both trainings of each run."""
    times, told = columns("learning_times"), columns("precision")
    page = (ROOT / "results" / "README.md").read_text()
    steps = {
        group: times["step"][times["precision"] == group].reshape(20, 10)
        for group in dict.fromkeys(times["precision"].tolist())
    }
    assert list(steps) == ["float32", *told["precision"].tolist()]
    learned = np.isfinite(np.stack(list(steps.values()))).all(axis=(0, 1))
    assert learned.tolist() == 2 * [True] + 8 * [False]  # 5 and 10 cycles.
    assert sum(np.isfinite(own[:, 2]).sum() for own in steps.values()) == 78
    for i, group in enumerate(told["precision"]):
        ratios = steps[group][:, learned] / steps["float32"][:, learned]
        over_all = np.exp(np.log(ratios).mean(axis=1))
        assert over_all.std() > 0
        value, low, high = (told[f"learning_time_ratio{end}"][i] for end in ("", "_low", "_high"))
        np.testing.assert_allclose(value, np.exp(np.log(over_all).mean()), rtol=1e-9)
        assert low < 1 < high
        assert f"{value:.3f} ({low:.3f} to {high:.3f})" in page
