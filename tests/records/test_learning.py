import numpy as np

from spectral_tf import spectra
from spectral_tf.records import Report, learning, read_table

STEPS = [0, 10, 20]
SLOW = np.array([[0.0, 0.0], [0.2, 0.0], [0.4, 0.1]])
FAST = np.array([[0.0, 0.0], [0.8, 0.4], [1.0, 0.9]])


def estimated(name):
    return [name, *(f"{name}_{end}" for end in ("low", "high", "n", "method"))]


def write(folder, tables):
    Report({}, tables=tables).write(folder)


def test_tables_of_learning_curves(tmp_path):
    curves = spectra.learning_curves(STEPS, [5, 10], [SLOW, FAST])
    write(tmp_path, learning.curve_tables({(): curves}))
    table = read_table(tmp_path / "spectra.csv")
    assert list(table) == ["step", "frequency", *estimated("magnitude")]
    assert table["step"] == [0, 0, 10, 10, 20, 20]
    assert table["frequency"] == [5, 10] * 3
    assert table["magnitude"] == ((SLOW + FAST) / 2).ravel().tolist()
    assert set(table["magnitude_n"]) == {2}
    assert set(table["magnitude_method"]) == {"Student, stretched for skewness, over runs"}
    times = read_table(tmp_path / "learning_times.csv")
    assert list(times) == ["level", "frequency", *estimated("step")]
    assert times["level"] == [0.5, 0.5, 0.9, 0.9]
    assert times["step"] == [10, 20, np.inf, np.inf]
    assert times["step_high"] == [np.inf] * 4
    text = learning.learning_table(curves)
    first, *_, last = text.splitlines()
    assert first == (
        "learning times [steps], mean of 2 runs, 95 % intervals (crossings of the band: Student, "
        "stretched for skewness)"
    )
    # 0.5 + 12.7062 * 0.3 at step 10: the upper end gets to 0.5 at 10 * 0.5 / 4.31.
    assert "10 (1 to > 20)" in text
    assert last == (
        "no power law of the learning times at level 0.5: 2 of 2 frequencies learned, 3 needed"
    )


def test_a_power_law_is_told_with_its_interval_and_its_points():
    steps, k = [0, 10, 20, 40, 60], [1, 2, 4]
    rising = np.minimum(np.array(steps)[:, np.newaxis] / (20.0 * np.array(k)), 1.0)
    runs = [rising, 1.1 * rising, 0.9 * rising]
    curves = spectra.learning_curves(steps, k, runs)
    told = learning.learning_table(curves).splitlines()[-1]
    assert told.startswith("learning time at level 0.5 grows as frequency^1.00 (1.00 to 1.00; n = ")
    assert told.endswith("n = 3 runs), from 3 of 3 frequencies")


def test_the_title_says_how_many_runs_stopped():
    runs = np.array([SLOW, FAST, FAST], float)
    runs[2, -1] = np.nan
    curves = spectra.learning_curves(STEPS, [5, 10], runs, where=learning.going(runs))
    title = learning.learning_table(curves).splitlines()[0]
    assert title.startswith("learning times [steps], mean of 3 runs (1 stopped), 95 % intervals")


def test_one_run_is_tabled_without_intervals(tmp_path):
    curves = spectra.learning_curves(STEPS, [5, 10], [SLOW])
    text = learning.learning_table(curves)
    assert text.splitlines()[0] == ("learning times [steps], one run, no interval: 1 run, 2 needed")
    assert "no power law of the learning times at level 0.5: 0 of" in text
    assert text.splitlines()[2].split() == ["5", ">", "20", ">", "20"]
    assert "nan" not in text
    write(tmp_path, learning.curve_tables({(): curves}))
    table = read_table(tmp_path / "spectra.csv")
    assert table["magnitude"] == SLOW.ravel().tolist()
    assert np.all(np.isnan(table["magnitude_low"]))
    assert set(table["magnitude_method"]) == {"none: 1 run, 2 needed, over runs"}
    assert "nan" not in (tmp_path / "spectra.csv").read_text()


def test_losses_by_run_and_their_mean(tmp_path):
    losses = np.array([[4.0, 2.0], [1.0, np.nan]])  # Steps by runs; the second run diverged.
    write(tmp_path, learning.loss_tables([0, 10], {(): losses}))
    runs = read_table(tmp_path / "runs.csv")
    assert (runs["run"], runs["step"]) == ([0, 0, 1, 1], [0, 10, 0, 10])
    np.testing.assert_array_equal(runs["loss"], [4, 1, 2, np.nan])
    table = read_table(tmp_path / "losses.csv")
    assert list(table) == ["step", *estimated("loss")]
    assert (table["loss"], table["loss_n"]) == ([3.0, 1.0], [2, 1])
    assert table["loss_low"][0] == 0  # 3 - 12.7: no loss is below 0.
    assert table["loss_method"][0] == "Student, stretched for skewness, over runs"
    assert table["loss_method"][1] == "none: fewer than 2 runs, over runs"


def test_the_settings_of_groups_come_first(tmp_path):
    groups = {(4, "a"): [SLOW], (10, "b"): [SLOW, FAST]}
    columns = ("manifold_petals", "case")
    curves = {key: spectra.learning_curves(STEPS, [5, 10], runs) for key, runs in groups.items()}
    write(tmp_path, learning.curve_tables(curves, columns))
    for name in ("spectra", "learning_times"):
        table = read_table(tmp_path / f"{name}.csv")
        assert list(table)[:2] == list(columns)
        half = len(table["case"]) // 2
        assert table["manifold_petals"] == [4] * half + [10] * half
        assert table["case"] == ["a"] * half + ["b"] * half
    losses = {(4, "a"): np.ones((2, 1)), (10, "b"): np.full((2, 1), 3.0)}
    write(tmp_path, learning.loss_tables([0, 7], losses, columns))
    assert read_table(tmp_path / "losses.csv")["loss"] == [1, 1, 3, 3]
    runs = read_table(tmp_path / "runs.csv")
    assert list(runs) == ["manifold_petals", "case", "run", "step", "loss"]
    assert runs["step"] == [0, 7, 0, 7]
