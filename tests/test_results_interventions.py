"""What the committed tables of interventions show, by the protocol's claims; nothing more."""

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT

from spectral_tf.records import read_table

RESULTS = ROOT / "results" / "interventions"
both = pytest.mark.parametrize("name", ["fashion_mnist", "photo_patches"])


def columns(name, table):
    read = read_table(RESULTS / name / f"{table}.csv")
    return {column: np.array(values) for column, values in read.items()}


def correlation(name, sweep, share, quality="accuracy"):
    t = columns(name, "correlations")
    row = (t["sweep"] == sweep) & (t["share"] == share) & (t["quality"] == quality)
    (rho,), (low,), (high,) = (t[column][row] for column in ("rho", "rho_low", "rho_high"))
    return rho, low, high


def ends(name):
    """The classifiers at the end of their training."""
    t = columns(name, "models")
    last = (t["sweep"] != "baseline") | (t["epoch"] == t["epoch"][t["sweep"] == "baseline"].max())
    return {column: values[last] for column, values in t.items()}


@both
def test_the_correlations_are_those_of_the_models(name):
    t = ends(name)
    assert len(t["seed"]) == 63
    for share in ("within_plain", "between_mirrored_correct"):
        rho = scipy.stats.spearmanr(t["accuracy"], t[share]).statistic
        assert correlation(name, "all", share)[0] == pytest.approx(rho, abs=1e-9)
    counts = columns(name, "correlations")
    claims = {"time", "architecture_and_width", "weight_decay", "distillation", "augmentation"}
    claims |= {"examples_equal_epochs", "examples_equal_steps", "all"}
    assert all(counts["num_models"][np.isin(counts["sweep"], list(claims))] >= 12)


@both
def test_c0_between_is_above_within(name):
    t = ends(name)
    ratio = t["between_plain"] / t["within_plain"]
    assert ratio.min() > 1.5
    # The networks below the protocol's 2 had a sixteenth of the images.
    few = np.char.startswith(t["sweep"].astype(str), "examples")
    assert set(t["value"][(ratio < 2) & few].astype(float)) <= {0.0625}
    assert not ((ratio < 2) & ~few).any()


@both
def test_c5_within_as_published_and_corrected(name):
    rho, _, high = correlation(name, "all", "within_plain")
    assert rho < -0.6
    assert high < 0
    # With correct ends and without leakage nothing is left of it.
    assert correlation(name, "all", "within_mirrored_correct")[2] > 0


@both
def test_c5_between_as_published(name):
    rho, low, _ = correlation(name, "all", "between_plain")
    assert rho >= 0.3
    assert low > 0


@both
def test_c6_over_time(name):
    assert correlation(name, "time", "within_plain", "epoch")[2] < 0
    for share in ("between_plain", "between_mirrored", "between_mirrored_correct"):
        assert correlation(name, "time", share, "epoch")[1] > 0


@both
def test_c8_over_the_number_of_images(name):
    for equal in ("examples_equal_epochs", "examples_equal_steps"):
        assert correlation(name, equal, "within_plain")[2] < 0
        assert correlation(name, equal, "between_plain")[1] > 0


@both
def test_weight_decay_slows_the_function_between_classes(name):
    t = columns(name, "differences")
    row = (t["sweep"] == "weight_decay") & (t["measure"] == "between_mirrored")
    decays = t["value"][row].astype(float)
    assert t["difference_low"][row][decays == 0] > 0
    assert (t["difference_high"][row][decays > 0] < 0).all()


def test_all_tables_are_of_a_size_for_a_repository():
    assert sum(file.stat().st_size for file in RESULTS.rglob("*")) < 5e6


def table(*names):
    return {k: np.array(v) for k, v in read_table((ROOT / "results").joinpath(*names)).items()}


@both
def test_interpolation_between_is_above_within_in_every_reading(name):
    paths = table("interpolation", name, "paths.csv")
    within = paths["first_class"] == paths["last_class"]
    for share in ("plain_share", "mirrored_share"):
        assert paths[share][~within].mean() > 2 * paths[share][within].mean()


def test_augmentation_halves_the_sensitivity_to_fourier_vectors():
    plain, augmented = (
        table("fourier_sensitivity", f"photo_patches{case}", "sensitivity.csv")
        for case in ("", "_augmented")
    )
    assert len(plain["change"]) == 1024
    assert augmented["change"].mean() < 0.6 * plain["change"].mean()
