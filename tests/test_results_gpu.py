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


def of_ratios(of, over):
    rows = table("learning_times")

    def times(which):
        own = (rows["precision"] == which[0]) & (rows["contender"] == which[1])
        found = rows["step"][own].astype(float).reshape(20, 10)
        assert (rows["frequency"][own].astype(int).reshape(20, 10) == range(5, 51, 5)).all()
        return found

    ratios = np.exp(np.log(times(of) / times(over)).mean(axis=1))
    return spectra.paired_ratio(ratios, unit="runs").text(".3f")


@pytest.mark.parametrize("name", ["ours", "JAX vmap", "torch.func, compiled"])
def test_the_whole_figure_takes_as_long_and_learns_when_it_is_said(name):
    rows = table("full")
    seconds = {
        (p, c): float(s)
        for p, c, s in zip(rows["precision"], rows["contender"], rows["seconds"], strict=True)
    }
    assert set(rows["steps"].astype(int)) == {60_000}
    exact, rounded = (("float32", name), ("tf32", name))
    line = f"| {name} | {seconds[exact]:.1f} | {seconds[rounded]:.1f} "
    assert f"{line}| {of_ratios(rounded, exact)} |" in PAGE


@pytest.mark.parametrize(
    ("of", "over"),
    [
        ("JAX vmap", "ours"),
        ("torch.func, compiled", "ours"),
        ("torch.func, compiled", "JAX vmap"),
    ],
)
def test_the_null_of_other_last_bits_is_that_of_the_table(of, over):
    said = of_ratios(("float32", of), ("float32", over))
    short = {"torch.func, compiled": "torch.func", "JAX vmap": "JAX"}
    assert f"{short[of]} over {short.get(over, over)} {said}" in PAGE


def test_all_contenders_train_the_same_networks():
    rows = table("losses")
    exact = rows["precision"] == "float32"
    by_name = {
        name: rows["loss"][exact & (rows["contender"] == name)].astype(float)
        for name in set(rows["contender"])
    }
    for losses in by_name.values():
        # In twenty steps they fall by 0.001 to 0.008, from 5.
        np.testing.assert_allclose(losses, by_name["ours"], rtol=3e-5)
