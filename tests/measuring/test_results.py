import html
import json

import numpy as np
import pytest

from spectral_tf import Curve, Grid, Scatter, StraightPaths, compare, load, measure
from spectral_tf.errors import UserError
from spectral_tf.measuring.comparison import difference_of
from spectral_tf.records import read_table
from spectral_tf.spectra import mean_over_runs

RNG = np.random.default_rng(0)
ENDS = RNG.normal(size=(2, 6, 3))
PATHS = StraightPaths(*ENDS, 32, kinds=["within", "between"] * 3, clusters=[0, 0, 1, 1, 2, 2])


def classes(sharpness):
    def model(x):
        p = 1 / (1 + np.exp(-sharpness * x.sum(axis=1)))
        return np.stack([p, 1 - p], axis=1)

    return model


def of_kinds():
    wave = lambda x: np.sin(2 * np.pi * 3 * x[:, 0])  # noqa: E731
    yield "grid", measure(wave, Grid(32), targets=wave)
    yield "plane", measure(wave, Grid(16, dimensions=2))
    yield "curve", measure(wave, Curve(np.linspace(0, 1, 40)[:, None]))
    yield "paths", measure(classes(3), PATHS, outputs="probabilities")
    yield "scatter", measure(wave, Scatter(RNG.uniform(size=(50, 2))))


@pytest.mark.parametrize(("name", "found"), of_kinds(), ids=lambda value: str(value)[:8])
def test_what_is_saved_is_read_again(name, found, tmp_path):
    folder = found.save(tmp_path / name)
    again = load(folder)
    assert again.where == found.where
    assert again.notes == found.notes
    assert dict(again.record) == dict(found.record)
    assert again.quantities.keys() == found.quantities.keys()
    for key, quantity in found.quantities.items():
        assert again.quantities[key].axes == quantity.axes
        np.testing.assert_array_equal(again[key], quantity.values)
    assert again.summary() == found.summary()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["where"] == found.where
    assert summary["headline"].lower()[:-1] in found.summary().lower().replace("\n", "; ")
    assert html.escape(summary["headline"]) in (folder / "report.html").read_text()
    assert (folder / "figures" / "measurement.png").stat().st_size > 5000
    assert list((folder / "tensorboard" / name).glob("*tfevents*"))
    with pytest.raises(UserError, match="overwrite=True"):
        found.save(folder)
    mine = folder / "tensorboard" / "mine" / "events.out.tfevents.1.somebody"
    mine.parent.mkdir()
    mine.write_text("mine")
    folder = folder.rename(tmp_path / "renamed")
    found.save(folder, overwrite=True)
    # Of one measurement there is one run of TensorBoard, however the folder was called before.
    events = [f.parent.name for f in (folder / "tensorboard").rglob("*tfevents*")]
    assert sorted(events) == ["mine", "renamed"]


def test_what_replaces_leaves_nothing_of_before(tmp_path):
    dict(of_kinds())["plane"].save(tmp_path)
    dict(of_kinds())["curve"].save(tmp_path, overwrite=True)
    assert not (tmp_path / "by_angle.csv").exists()


def test_a_summary_names_the_strongest_frequencies():
    found = measure(lambda x: 2 * np.sin(2 * np.pi * 3 * x) + np.sin(2 * np.pi * 9 * x), Grid(64))
    assert "strongest, by cycles per unit: 3: 80%, 9: 20% of what varies" in found.summary()


def test_tables_have_the_numbers(tmp_path):
    found = dict(of_kinds())["grid"]
    table = read_table(found.save(tmp_path) / "by_frequency.csv")
    assert table["frequency"] == list(range(17))
    assert table["power"][3] == pytest.approx(0.5)


def test_folders_that_cannot_be_taken(tmp_path):
    found = dict(of_kinds())["curve"]
    (tmp_path / "thesis.tex").write_text("")
    for folder, says in (
        (tmp_path, r"thesis\.tex"),
        ("gopher://bucket/run", "or one of gs://"),
        (tmp_path / "thesis.tex", "the file"),
    ):
        with pytest.raises(UserError, match=says):
            found.save(folder)
    with pytest.raises(UserError, match=r"measurement\.npz"):
        load(tmp_path)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "measurement.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match="folder: expected a whole measurement"):
        load(tmp_path / "cut")
    with pytest.raises(UserError, match="power"):
        _ = found["energy"]


def test_estimates_are_over_paths_of_a_kind_and_clusters_count_once():
    found = measure(classes(3), PATHS, outputs="probabilities")
    assert found.estimate("centroid").n == 3
    within = found.estimate("centroid", "within")
    assert within.value == pytest.approx(found["centroid"][::2].mean())
    assert found.estimate("power_by_path").value.shape == found["power"].shape
    np.testing.assert_allclose(found.estimate("power_by_path").value, found["power"])
    with pytest.raises(UserError, match="within"):
        found.estimate("centroid", "among")
    with pytest.raises(UserError, match="compare"):
        found.estimate("power")


def test_differences_of_independent_runs_cover_what_they_say():
    # 95 % of intervals of few runs hold the true difference: MOVER of Student's intervals.
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        more, less = (
            mean_over_runs(rng.normal(m, s, size=n)) for m, s, n in ((3, 1, 3), (1, 2, 5))
        )
        away = difference_of(more, less)
        held += bool(away.low <= 2 <= away.high)
    assert held > 940


def test_runs_are_paired_only_if_said():
    def runs(k, noise):
        return [
            measure(lambda x, a=a: a * np.sin(2 * np.pi * k * x), Grid(32))
            for a in 1 + noise * np.arange(4)
        ]

    groups = {"slow": runs(2, 1.0), "fast": runs(2, 1.01)}
    loose, paired = compare(groups), compare(groups, paired=True)
    place = ("fast", "power")
    widths = [
        float((c.differences[place[0]][place[1]].high - c.differences[place[0]][place[1]].low)[2])
        for c in (loose, paired)
    ]
    assert widths[1] < 0.1 * widths[0]
    assert loose.estimates["slow"]["power"].n == 4
    with pytest.raises(UserError, match="as many runs"):
        compare({"a": runs(2, 1)[:2], "b": runs(2, 1)}, paired=True)


def test_the_same_paths_are_compared_path_by_path_and_confidence_is_told(tmp_path):
    slow, fast = (measure(classes(s), PATHS, outputs="probabilities") for s in (1, 4))
    found = compare({"slow": slow, "fast": fast})
    away = found.differences["fast"]["maximum_slope"]
    assert away.value == pytest.approx(np.mean(fast["maximum_slope"] - slow["maximum_slope"]))
    assert away.n == 3
    assert "temperature=" in found.summary()
    folder = found.save(tmp_path)
    table = read_table(folder / "comparison.csv")
    assert "maximum_slope" in table["quantity"]
    assert (folder / "figures" / "power.png").is_file()
    several = compare({"slow": [slow, slow], "fast": [fast, fast]})
    assert several.unit == "runs x paths"
    # Divided by its sharpness, a logistic function is the other one.
    cooler = measure(classes(4), PATHS, outputs="probabilities", temperature=4.0)
    np.testing.assert_allclose(cooler["centroid"], slow["centroid"], rtol=1e-5)
    assert "temperature=" not in compare({"slow": slow, "cooler": cooler}).summary()


def test_one_run_has_no_interval_and_says_so():
    one = measure(np.sin, Grid(32))
    found = compare({"a": one, "b": one})
    assert np.isnan(found.estimates["a"]["centroid"].low)
    assert "no interval: 1 run, 2 needed" in found.summary()


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ({}, "two or more"),
        ({"a": measure(np.sin, Grid(32))}, "two or more"),
        ({"a": measure(np.sin, Grid(32)), "b": []}, "b with 0"),
        ({"a": measure(np.sin, Grid(32)), "b": measure(np.sin, Grid(64))}, "one place"),
        ([measure(np.sin, Grid(32))] * 2, "name"),
        (
            {"a": measure(np.sin, Grid(8)), "b": measure(np.sin, Grid(8), outputs="logits")},
            "one place",
        ),
        (
            {
                name: measure(lambda x: x[:, 0], Scatter(points))
                for name, points in zip("ab", RNG.uniform(size=(2, 20, 2)), strict=True)
            },
            "one place",
        ),
        (
            {
                name: measure(classes(1), StraightPaths(*ends, 8), outputs="probabilities")
                for name, ends in (("a", ENDS), ("b", ENDS[::-1]))
            },
            "one place.*on the paths that spectra.common_paths gives for all",
        ),
        (
            {
                "a": [measure(classes(1), PATHS, outputs="probabilities")] * 3,
                "b": [measure(classes(1), PATHS, outputs="probabilities")] * 2,
            },
            "as many runs",
        ),
    ],
)
def test_what_cannot_be_compared(groups, says):
    with pytest.raises(UserError, match=says):
        compare(groups)


def test_temperatures_are_of_classifiers():
    with pytest.raises(UserError, match="temperature"):
        measure(np.sin, Grid(8), temperature=2)
    with pytest.raises(UserError, match="temperature"):
        measure(classes(1), PATHS, outputs="probabilities", temperature=0)


def test_what_others_keep_below_a_folder_stays(tmp_path):
    found = dict(of_kinds())["curve"]
    found.save(tmp_path)
    mine = [tmp_path / name for name in ("notes/mine.csv", "notes/photo.png", "logs/a.tfevents.1")]
    for file in mine:
        file.parent.mkdir(exist_ok=True)
        file.write_text("mine")
    (tmp_path / "old.csv").write_text("of the one before")
    found.save(tmp_path, overwrite=True)
    assert [file.read_text() for file in mine] == ["mine"] * 3
    assert not (tmp_path / "old.csv").exists()
