"""Differences to published means, from the mean and the deviation that tables hold of ours."""

import numpy as np
import pytest

from spectral_tf import spectra


def test_by_hand(assert_close):
    # s = 0.2, n = 16, n' = 4: error of both 0.2 sqrt(1 / 16 + 1 / 4); reading 0.3: 0.3 / sqrt(3).
    error = (0.04 * (1 / 16 + 1 / 4) + 0.03) ** 0.5
    found = spectra.difference_to_published_from_stats(1.5, 0.2, 16, 1.0, 4, 0.3)
    assert_close(found.value, 0.5)
    # t of 15 degrees is 2.13145 (table).
    assert found.high - found.value == pytest.approx(2.13145 * error, rel=1e-5)
    assert found.value - found.low == pytest.approx(2.13145 * error, rel=1e-5)
    assert (found.n, found.unit) == (16, "runs against 4")


def test_runs_give_what_their_mean_and_deviation_give(assert_close):
    rng = np.random.default_rng(0)
    runs, published = rng.normal(size=(7, 2, 3)), rng.normal(size=(2, 3))
    reading = np.full((2, 3), 0.01)
    one = spectra.difference_to_published(runs, published, 20, reading)
    two = spectra.difference_to_published_from_stats(
        runs.mean(axis=0), runs.std(axis=0, ddof=1), 7, published, 20, reading
    )
    for end in ("value", "low", "high", "p_value"):
        assert_close(getattr(one, end), getattr(two, end))


@pytest.mark.parametrize(("reading", "least"), [(0.05, 0.02), (0.3, 0.0)])
def test_of_twenty_true_nulls_one_is_rejected_in_a_twentieth_of_the_cases(reading, least):
    # Samples of one distribution, of 10 and 20 runs. A reading as wide as their scatter is uniform
    # and has no tails: fewer are rejected.
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(600):
        runs = rng.normal(size=(10, 20))
        published = rng.normal(size=(20, 20)).mean(axis=0) + rng.uniform(-reading, reading, 20)
        found = spectra.difference_to_published(runs, published, 20, np.full(20, reading))
        rejected += found.p_value < 0.05
    assert least <= rejected / 600 < 0.08


def test_a_single_run_has_a_difference_and_no_interval():
    found = spectra.difference_to_published_from_stats(3.0, 0.0, 1, 1.0, 20, 0.0)
    assert found.text() == "2.00 (no interval: 1 run, 2 needed)"
    assert found.p_value is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", [1.0, np.nan]),
        ("std", [0.1, -0.1]),
        ("std", [0.1]),
        ("n", 0),
        ("published", [1.0]),
        ("published_n", 0),
        ("reading", 0.0),
    ],
)
def test_what_does_not_fit_is_refused(name, value):
    good = {"mean": [1.0, 2.0], "std": [0.1, 0.1], "n": 5}
    good |= {"published": [1.0, 2.0], "published_n": 20, "reading": [0.0, 0.0]}
    with pytest.raises(
        ValueError, match=r"published: expected finite means of shape \(2,\) over 1"
    ):
        spectra.difference_to_published_from_stats(**{**good, name: value})
