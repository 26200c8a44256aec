import numpy as np

from spectral_tf import spectra
from spectral_tf.records import learning, read_table

STEPS = [0, 10, 20]
SLOW = np.array([[0.0, 0.0], [0.2, 0.0], [0.4, 0.1]])
FAST = np.array([[0.0, 0.0], [0.8, 0.4], [1.0, 0.9]])


def test_tables_of_learning_curves(tmp_path):
    curves = spectra.learning_curves(STEPS, [5, 10], [SLOW, FAST])
    learning.write_learning_curves(tmp_path, {(): curves})
    table = read_table(tmp_path / "spectra.csv")
    assert list(table) == ["step", "frequency", "magnitude", "magnitude_low", "magnitude_high"]
    assert table["step"] == [0, 0, 10, 10, 20, 20]
    assert table["frequency"] == [5, 10] * 3
    assert table["magnitude"] == ((SLOW + FAST) / 2).ravel().tolist()
    times = read_table(tmp_path / "learning_times.csv")
    assert list(times) == ["level", "frequency", "step", "step_low", "step_high"]
    assert times["level"] == [0.5, 0.5, 0.9, 0.9]
    assert times["step"] == [10, 20, np.inf, np.inf]
    text = learning.learning_table(curves)
    assert "10 (6 to > 20)" in text
    assert "> 20 (15 to > 20)" in text  # Level 0.9, k = 5: half-way from 0.8 at 10 to 1 at 20.
    assert "grows as frequency^1.00" in text


def test_one_run_is_tabled_without_intervals(tmp_path):
    curves = spectra.learning_curves(STEPS, [5, 10], [SLOW])
    text = learning.learning_table(curves)
    assert "no power law: 0 of 2 frequencies reached level 0.5" in text
    assert "nan" not in text
    learning.write_learning_curves(tmp_path, {(): curves})
    assert read_table(tmp_path / "spectra.csv")["magnitude"] == SLOW.ravel().tolist()


def test_losses_by_run_and_their_mean(tmp_path):
    losses = np.array([[4.0, 2.0], [1.0, np.nan]])  # Steps by runs; the second run diverged.
    mean, _, _ = learning.write_losses(tmp_path, [0, 10], {(): losses})[()]
    runs = read_table(tmp_path / "runs.csv")
    assert (runs["run"], runs["step"]) == ([0, 0, 1, 1], [0, 10, 0, 10])
    np.testing.assert_array_equal(runs["loss"], [4, 1, 2, np.nan])
    assert mean.tolist() == [3.0, 1.0]
    assert read_table(tmp_path / "losses.csv")["loss"] == [3.0, 1.0]


def test_norms_by_layer(tmp_path):
    norms = np.arange(12.0).reshape(2, 3, 2)  # Steps, runs, layers.
    bands = learning.write_norms(tmp_path, [0, 10], ["a", "b"], norms)
    assert bands["b"][0].tolist() == [3.0, 9.0]
    table = read_table(tmp_path / "norms.csv")
    assert table["layer"] == ["a", "b", "a", "b"]
    assert table["spectral_norm"] == [2.0, 3.0, 8.0, 9.0]


def test_the_settings_of_groups_come_first(tmp_path):
    groups = {(4, "a"): [SLOW], (10, "b"): [SLOW, FAST]}
    columns = ("manifold_lobes", "case")
    learning.write_learning_curves(
        tmp_path,
        {key: spectra.learning_curves(STEPS, [5, 10], runs) for key, runs in groups.items()},
        columns,
    )
    for name in ("spectra", "learning_times"):
        table = read_table(tmp_path / f"{name}.csv")
        assert list(table)[:2] == list(columns)
        half = len(table["case"]) // 2
        assert table["manifold_lobes"] == [4] * half + [10] * half
        assert table["case"] == ["a"] * half + ["b"] * half
    losses = {(4, "a"): np.ones((2, 1)), (10, "b"): np.full((2, 1), 3.0)}
    bands = learning.write_losses(tmp_path, [0, 7], losses, columns)
    assert bands[10, "b"][0].tolist() == [3, 3]
    assert read_table(tmp_path / "losses.csv")["loss"] == [1, 1, 3, 3]
    runs = read_table(tmp_path / "runs.csv")
    assert list(runs) == ["manifold_lobes", "case", "run", "step", "loss"]
    assert runs["step"] == [0, 7, 0, 7]
