"""What goes into a page of a training, on tables whose numbers are known."""

import base64

import numpy as np
from etils import epath

from spectral_tf import Grid, SpectrumProbe, records, web
from spectral_tf.records import Series
from spectral_tf.records.learning import function_arrays
from spectral_tf.web import tables, training

from .conftest import FREQUENCIES, POSITIONS, STEPS, magnitude
from .reading import faults


def unpacked(field):
    numbers = np.frombuffer(base64.b64decode(field["data"]), "<u2").astype(float)
    values = np.where(numbers == 65_535, np.nan, field["low"] + field["step"] * numbers)
    return values.reshape(field["shape"])


def test_numbers_come_back_as_exactly_as_sixteen_bits_are():
    values = np.array([[-3.0, np.nan, 1e3], [0.1, np.inf, 7.0]])
    field = training.packed(values)
    back = unpacked(field)
    assert np.isnan(back[0, 1])
    assert np.isnan(back[1, 1]), "what is infinite has no place in a picture"
    known = np.isfinite(values)
    np.testing.assert_allclose(back[known], values[known], atol=field["step"])
    assert back[0, 0] == -3.0
    np.testing.assert_array_equal(unpacked(training.packed([5.0, 5.0])), [5.0, 5.0])
    assert np.isnan(unpacked(training.packed([np.nan]))).all()


def test_spectra_and_functions_of_one_group(folder):
    contents = web.read_contents(folder)
    found = training.training_of(contents.tables, contents.path)
    assert found.groups == [""]
    assert found.steps.tolist() == STEPS
    assert found.frequencies.tolist() == FREQUENCIES
    expected = [[magnitude(step, k) for k in FREQUENCIES] for step in STEPS]
    np.testing.assert_allclose(found.magnitudes[0], expected)
    np.testing.assert_allclose(found.low, found.magnitudes)
    assert found.functions.steps.tolist() == [0, 200]
    np.testing.assert_allclose(found.functions.values[1, 0], 200 * POSITIONS)
    np.testing.assert_allclose(found.functions.target[0], np.sin(POSITIONS))
    kept = training.record(found, "cycles")
    np.testing.assert_allclose(unpacked(kept["magnitudes"])[0], expected, atol=1e-4)
    assert kept["functions"]["steps"] == [0, 200]


def test_groups_are_told_by_what_differs_between_them():
    table = {
        "sweep": np.array(["depth"] * 8),
        "depth": np.repeat([3.0, 4.0], 4),
        "step": np.tile([0.0, 0.0, 9.0, 9.0], 2),
        "frequency": np.tile([1.0, 2.0], 4),
        "magnitude": np.arange(8.0),
    }
    found = training.training_of({"spectra": table}, epath.Path("nowhere"))
    assert found.groups == ["depth 3", "depth 4"]
    table = {"width": np.repeat([16.0, 32.0], 4), **table}
    assert training.training_of({"spectra": table}, epath.Path("nowhere")).groups == found.groups
    del table["sweep"]
    of_both = training.training_of({"spectra": table}, epath.Path("nowhere")).groups
    assert sorted(of_both[0].split(", ")) == ["depth 3", "width 16"]
    assert found.magnitudes.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert found.low is None
    assert found.functions is None


def test_a_model_of_ones_own_that_was_followed(tmp_path):
    def wave(x):
        return np.sin(2 * np.pi * 3 * x)

    probe = SpectrumProbe(Grid(64), targets=wave)
    for step in (0, 50, 100):  # It learns the wave in 100 steps.
        probe.update(lambda x, share=step / 100: share * wave(x), step)
    contents = web.read_contents(probe.history.save(tmp_path / "mine", events=False))
    assert contents.headline.startswith("Learned to half at step, by cycles per unit: 3: 50; ")
    found = training.training_of(contents.tables, contents.path)
    assert found.frequencies.tolist() == [3]
    np.testing.assert_allclose(found.magnitudes[0, :, 0], [0, 0.5, 1], atol=1e-12)
    assert found.functions.steps.tolist() == [100], "the last one alone"
    np.testing.assert_allclose(found.functions.values[0], found.functions.target, atol=1e-12)
    text = (contents.path / "report.html").read_text()
    assert faults(text) == []
    assert "frequency <small>[cycles per unit]</small>" in text


def test_what_is_no_training_has_none(folder):
    paths = {"frequency": np.array([0.1]), "magnitude": np.array([1.0])}
    assert training.training_of({"spectra": paths}, folder) is None
    text = {"step": np.array(["a"]), **paths}
    assert training.training_of({"spectra": text}, folder) is None


def test_functions_that_an_experiment_keeps_are_taken_before_the_table(folder):
    steps = list(range(0, 301, 10))
    values = np.array([[step * POSITIONS, -step * POSITIONS] for step in steps])
    arrays = function_arrays(Series(steps, values), POSITIONS, np.sin(POSITIONS))
    records.Report({}, arrays=arrays).write(folder)
    found = training.functions_of({}, folder, 2)
    assert found.steps.tolist() == steps
    np.testing.assert_allclose(found.values, values, rtol=1e-3)
    assert training.functions_of({}, folder, 3) is None, "of other groups"
    (folder / "functions.npz").write_bytes(b"PK")
    assert training.functions_of({}, folder, 2) is None


def test_long_or_many_functions_are_kept_at_fewer_steps():
    series = Series(list(range(1000)), np.zeros((1000, 4, 1000)))
    kept = function_arrays(series, np.arange(1000), np.zeros(1000))["functions"]
    assert kept["step"][[0, -1]].tolist() == [0, 999]
    assert kept["function"].shape == (25, 4, 1000)
    assert np.diff(kept["step"]).tolist() == sorted(np.diff(kept["step"])), "denser at first"
    lost = Series([0, 1], np.array([[np.nan, 1e30]] * 2))  # A network that diverges.
    assert np.isfinite(function_arrays(lost, [0, 1], [0, 0])["functions"]["function"][0, 0, 1])


def test_a_long_table_is_cut_and_says_so():
    head = records.Head({"step": np.arange(250.0)}, 1000)
    shown = tables.shown("runs", head, "lf_first")
    assert shown.cut
    assert (len(shown.rows), shown.num_rows) == (tables.FIRST, 1000)
    assert shown.columns == [tables.Column("step", "training steps", numbers=True)]
    assert not tables.shown("runs", head._replace(num_rows=250), "lf_first").cut


def test_an_estimate_is_one_cell_and_what_differs_beside_it_another():
    table = {
        "x": np.array([1.0, 2.0]),
        "x_low": np.array([0.5, np.nan]),
        "x_high": np.array([np.inf, np.nan]),
        "x_n": np.array([3.0, 3.0]),
        "x_method": np.array(["Student, over runs", "none: one, over runs"]),
        "empty": np.array([np.nan, np.nan]),
    }
    shown = tables.shown("t", records.Head(table, 2), "lf_first")
    assert [column.name for column in shown.columns] == ["x", "x: how"]
    assert [[cell.text for cell in row] for row in shown.rows] == [
        ["1 (0.5 to never)", "a"],
        ["2", "b"],
    ]
    assert [row[0].key for row in shown.rows] == ["1.0", "2.0"]
    assert shown.notes == [
        "x: n = 3",
        "x, how: a = Student, over runs",
        "x, how: b = none: one, over runs",
        "without an entry, and left out: empty",
    ]
