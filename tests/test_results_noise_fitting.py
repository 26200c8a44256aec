"""What the committed tables of noise_fitting must show, by the protocol's claims."""

import csv
import json

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf import spectra
from spectral_tf.records import read_table

RESULTS = ROOT / "results" / "noise_fitting"
SETS = ("fashion_mnist", "photo_patches")
# Waves that the narrow network has room to follow further: the "mid f" of claim C3.
MIDDLE = {"fashion_mnist": (2.5, 3), "photo_patches": (2, 3, 4)}
both = pytest.mark.parametrize("name", SETS)


def columns(name, case, table):
    path = RESULTS / name / case / f"{table}.csv"
    return {column: np.array(values) for column, values in read_table(path).items()}


def betas(name, case):
    """{wave: final fit coefficient of each seed}."""
    t = columns(name, case, "epochs")
    last = t["epoch"] == t["epoch"].max()
    return {
        wave: t["fit_coefficient"][last & (t["wave"] == wave)]
        for wave in dict.fromkeys(t["wave"].tolist())
    }


@both
def test_the_records_say_which_data_and_how_many_runs(name):
    summary = json.loads((RESULTS / name / "waves" / "summary.json").read_text())
    environment = json.loads((RESULTS / name / "waves" / "environment.json").read_text())
    assert summary["num_seeds"] == 3
    assert environment["data"]["normalisation"]["mean"]
    if name == "fashion_mnist":
        assert summary["num_training_images"] == 10_000
        assert environment["data"]["version"] == "fashion_mnist/3.0.1"
    else:
        assert "embedded" in summary["dataset"]


@both
def test_the_identity_and_the_control_hold_in_every_row(name):
    for folder in (RESULTS / name).iterdir():
        if not (folder / "epochs.csv").exists():
            continue
        t = columns(name, folder.name, "epochs")
        np.testing.assert_allclose(
            t["noise_fitting"], t["mean_part"] + t["covariance_part"], atol=1e-6
        )
        np.testing.assert_allclose(t["noise_fitting"], t["clean_loss"] - t["noisy_loss"], atol=1e-9)
        np.testing.assert_allclose(t["covariance_part"][t["wave"] == "uniform"], 0, atol=1e-9)


@both
def test_c1_networks_prefer_low_frequencies(name):
    t = columns(name, "waves", "waves")
    waves = t["kind"] == "cycles"
    assert np.sum(t["cycles"][waves] >= 0.999) >= 6
    beta = betas(name, "waves")
    runs = np.stack([beta[wave] for wave in t["wave"][waves]], axis=1)
    rho, _, high = spectra.rank_correlation(t["cycles"][waves], runs)
    assert rho <= -0.8
    assert high <= -0.8
    summary = json.loads((RESULTS / name / "waves" / "summary.json").read_text())
    assert summary["correlation_of_cycles_and_final_fit"][0] == pytest.approx(rho)
    low_minus_high = spectra.mean_interval(runs[:, 0] - runs[:, -1])
    assert low_minus_high[1] > 0.3  # The lower end of the interval.


@both
def test_c2_low_frequencies_come_first(name):
    t = columns(name, "waves", "waves")
    epochs = t["learning_epoch"][t["kind"] == "cycles"]
    assert np.isfinite(epochs[:3]).all()
    learned = np.isfinite(epochs)
    assert (np.diff(epochs[learned]) >= 0).all()
    assert (np.diff(learned.astype(int)) <= 0).all()  # What is never learned are the fastest.


@both
def test_c3_wider_networks_follow_fast_waves_further(name):
    narrow, middle, wide = (betas(name, case) for case in ("width_8", "waves", "width_32"))
    for cycles in MIDDLE[name]:
        wave = f"radial_cycles_{cycles:g}"
        assert narrow[wave].mean() < middle[wave].mean() < wide[wave].mean()
        assert (wide[wave] > narrow[wave]).all()  # Seed by seed.


@pytest.mark.parametrize(
    ("name", "learned"), [("fashion_mnist", (2, 2.5)), ("photo_patches", (3, 4))]
)
def test_c4_mixup_delays_the_fastest_waves_that_are_learned(name, learned):
    plain, mixed = (betas(name, case) for case in ("waves", "mixup"))
    waves = [f"radial_cycles_{cycles:g}" for cycles in learned]
    assert spectra.sign_test([plain[wave] - mixed[wave] for wave in waves]) == 1 / 64
    assert all(plain[wave].mean() - mixed[wave].mean() > 0.1 for wave in waves)


def test_all_tables_are_of_a_size_for_a_repository():
    assert sum(file.stat().st_size for file in RESULTS.rglob("*")) < 8e6
    for file in RESULTS.rglob("*.csv"):
        with open(file, newline="") as stream:
            assert len(next(csv.reader(stream))) > 4


@both
def test_c11_low_image_frequencies_are_followed_further_at_equal_cycles_and_not_at_equal_f(name):
    beta = betas(name, "image_frequency")
    for cycles in (1, 2):
        slow, fast = (beta[f"fourier_{place}_cycles_{cycles}"] for place in ("1.41", "9.9"))
        assert spectra.mean_interval(slow - fast)[1] > 0  # The lower end of the interval.
    slow, fast = (beta[f"fourier_{place}_frequency_0.3"] for place in ("1.41", "9.9"))
    assert spectra.mean_interval(slow - fast)[2] < 0


@both
def test_the_committed_comparison_is_that_of_the_runs(name):
    t = {
        k: np.asarray(v)
        for k, v in read_table(RESULTS / name / "comparison" / "comparison.csv").items()
    }
    assert set(t["case"]) == {
        *("waves", "width_8", "width_32", "weight_decay", "mixup", "distillation")
    }
    base = betas(name, "waves")
    for case, wave, difference in zip(t["case"], t["wave"], t["difference"], strict=True):
        expected = (betas(name, str(case))[wave] - base[wave]).mean()
        assert difference == pytest.approx(expected, abs=1e-12)
