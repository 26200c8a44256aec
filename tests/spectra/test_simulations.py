"""What is called a 95 % interval covers 95 % of samples whose truth is known, and the like.

Seeds are fixed, and repeats many enough that what these methods replace fails: the numbers of the
old ways are in results/inference/simulations.csv, two of them here.
"""

import numpy as np
import pytest
from conftest import ROOT
from simulate_intervals import SIZES, studies
from spectra import simulations
from spectra.simulations import lognormal, normal

from spectral_tf.records import read_table


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, 20])
def test_means_over_runs_are_covered(n):
    assert 0.945 <= simulations.coverage_of_mean(n, normal, 40_000) <= 0.975
    assert simulations.coverage_of_mean(n, lognormal, 40_000) >= 0.88


def test_percentiles_of_three_runs_do_not_cover():
    assert simulations.coverage_of_percentiles(3, normal, 2_000) < 0.8


@pytest.mark.parametrize("n", [6, 8, 20])
def test_expanded_percentiles_cover(n):
    assert simulations.coverage_of_bootstrap(n, normal, 6_000) >= 0.93


# Of the variance of the mean: of runs, of images, of both at once.
SHARES = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.8, 0.1, 0.1), (0.5, 0, 0.5), (0.3, 0.3, 0.4)]


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize(("runs", "sizes"), [(2, None), (3, None), (3, (5,)), (3, SIZES)])
def test_runs_and_images_are_covered_at_once(runs, sizes, shares):
    covered = simulations.coverage_of_crossed_mean(
        runs, 200, shares, 4_000, cluster_sizes=sizes, seed=1
    )
    assert covered >= 0.93


@pytest.mark.parametrize("sizes", [(10,) * 6, (64, 32, 16, 8, 4, 2), (60, *(5,) * 11)])
@pytest.mark.parametrize("icc", [0, 1])
def test_clusters_are_covered(sizes, icc):
    assert simulations.coverage_of_clusters(sizes, icc, 3_000) >= 0.93


@pytest.mark.parametrize("n", [2, 3, 5, 20])
@pytest.mark.parametrize(("pace", "noise", "memory"), [(0.3, 0, 0), (0, 0.05, 0), (0.3, 0.05, 0.8)])
def test_learning_times_are_covered(n, pace, noise, memory):
    covered = simulations.coverage_of_learning_times(
        n, 3_000, pace=pace, noise=noise, memory=memory
    )
    assert covered >= 0.93


@pytest.mark.parametrize("n", [3, 5, 10])
def test_exponents_of_learning_times_are_covered(n):
    assert simulations.coverage_of_exponent(n, 2_000, pace=0.3, noise=0.02) >= 0.93


@pytest.mark.parametrize("reading", [0.0, 0.5])
def test_differences_to_published_means_are_covered(reading):
    covered = simulations.coverage_of_difference(5, 20, reading, 20_000)
    assert 0.945 <= covered <= 0.99


@pytest.mark.parametrize(
    "others", [{}, {"paths": 20}, {"control": True}], ids=["alone", "paths", "control"]
)
def test_seeds_nested_in_settings_do_not_make_correlations(others):
    rates = simulations.false_positives_of_correlation(8, 3, 0.9, 700, **others)
    assert max(rates) <= 0.07


def test_seeds_as_settings_make_correlations():
    rates = simulations.false_positives_of_correlation(8, 3, 0.9, 100, rows_as_models=True)
    assert min(rates) >= 0.15


@pytest.mark.parametrize("rho", [0.5, 0.95])
def test_correlations_that_are_there_are_covered(rho):
    assert simulations.coverage_of_correlation(8, rho, 500) >= 0.93


@pytest.mark.parametrize("pearson", [0.0, 0.98])
def test_concordances_of_settings_are_covered(pearson):
    covered, there = simulations.concordance(6, pearson, 150)
    assert covered >= 0.93
    assert pearson or there <= 0.055


@pytest.mark.parametrize("draw", [normal, lognormal])
def test_exact_p_values_are_uniform(draw):
    # Of 6 pairs they are 1, 2, ... 32 of 32.
    for hits in (1, 4, 16):
        rate = simulations.small_p_values_of_pairs(6, hits / 32, 1_500, draw)
        assert rate == pytest.approx(hits / 32, abs=3 * (hits / 32 / 1_500) ** 0.5)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_holm_keeps_the_family_and_single_tests_do_not(shared):
    family, single = simulations.family_wise_rate(10, 3, shared, 8_000)
    assert family <= 0.055
    assert single > 0.15


def test_the_long_table_is_that_of_the_script_and_keeps_its_bounds():
    table = read_table(ROOT / "results" / "inference" / "simulations.csv")
    rows = list(zip(table["function"], table["sample"], map(str, table["n"]), strict=True))
    asked = list(studies())
    assert [row[:2] for row in rows] == [(study.function, study.sample) for study in asked]
    for study, measured, bound in zip(asked, table["measured"], table["bound"], strict=True):
        assert study.kept(measured), f"{study.function}, {study.sample}, n = {study.n}: {measured}"
        assert bound == ("none" if study.bound is None else study.bound)
    nested = np.array([name == "correlation_over_settings" for name in table["function"]])
    assert min(table["repeats"]) >= 4_000
    old = np.array([name == "none: rows as models" for name in table["function"]])
    measured = np.array(table["measured"])
    rejections = np.array([rate == "rejections" for rate in table["rate"]])
    assert measured[old].min() > 2 * measured[nested & rejections].max()
