"""What the results page says of a GPU is in the tables of its rounds and learning times."""

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf import spectra
from spectral_tf.records import read_table

FOLDER = ROOT / "results" / "benchmark" / "gpu"
PAGE = (ROOT / "results" / "README.md").read_text()


def table(name):
    return {k: np.array(v) for k, v in read_table(FOLDER / f"{name}.csv").items()}


@pytest.mark.parametrize("precision", ["float32", "tf32"])
@pytest.mark.parametrize("members", [20, 100])
def test_the_rates_of_the_page_are_medians_of_the_rounds(precision, members):
    rows = table("rates")
    own = (rows["precision"] == precision) & (rows["members"].astype(int) == members)

    def of(contender, column):
        return rows[column][own & (rows["contender"] == contender)].astype(float)

    product = of("matrix product", "tflop_per_second")
    for name in ("ours", "JAX vmap", "torch.func, compiled"):
        rate = of(name, "per_second")
        over = np.median(of("ours", "per_second") / rate)
        flops = of(name, "tflop_per_second")
        share = np.median(flops / product)
        assert (
            f"| {precision}: {name} | {members} | {np.median(rate):,.0f} | {over:.2f} "
            f"| {np.median(flops):.1f} | {share:.0%} |".replace("%", " %")
        ) in PAGE


def test_the_seconds_of_the_whole_figure_are_those_of_the_table():
    rows = table("full")
    seconds = {
        (p, c): float(s)
        for p, c, s in zip(rows["precision"], rows["contender"], rows["seconds"], strict=True)
    }
    assert set(rows["steps"].astype(int)) == {60_000}
    ours = [seconds[p, "ours"] for p in ("float32", "tf32")]
    jax = [seconds[p, "JAX vmap"] for p in ("float32", "tf32")]
    said = "took {:.1f} seconds in float32 and {:.1f} in TF32 (JAX {:.1f} and {:.1f})".format(
        *ours, *jax
    )
    assert said in PAGE


@pytest.mark.parametrize(
    ("of", "over"),
    [
        (("tf32", "ours"), ("float32", "ours")),
        (("float32", "JAX vmap"), ("float32", "ours")),
        (("tf32", "ours"), ("float32", "JAX vmap")),
    ],
)
def test_ratios_of_learning_times_are_those_of_the_table(of, over):
    rows = table("learning_times")

    def times(which):
        own = (rows["precision"] == which[0]) & (rows["contender"] == which[1])
        found = rows["step"][own].astype(float).reshape(20, 10)
        assert (rows["frequency"][own].astype(int).reshape(20, 10) == range(5, 51, 5)).all()
        return found

    ratios = np.exp(np.log(times(of) / times(over)).mean(axis=1))
    assert spectra.paired_ratio(ratios, unit="runs").text(".3f") in PAGE


def test_all_contenders_train_the_same_networks():
    rows = table("losses")
    exact = rows["precision"] == "float32"
    by_name = {
        name: rows["loss"][exact & (rows["contender"] == name)].astype(float)
        for name in set(rows["contender"])
    }
    for losses in by_name.values():
        np.testing.assert_allclose(losses, by_name["ours"], rtol=5e-5)
