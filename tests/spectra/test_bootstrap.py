import numpy as np
import pytest

from spectral_tf import spectra


def test_resampled_means_have_the_spread_of_a_mean():
    values = np.random.default_rng(0).normal(size=(30, 2))
    means = spectra.resampled_means(values, 4000)
    assert means.shape == (4000, 2)
    # Variance of a bootstrap mean: the (biased) variance of the sample over n.
    np.testing.assert_allclose(means.var(0), values.var(0) / 30, rtol=0.1)
    np.testing.assert_allclose(means.mean(0), values.mean(0), atol=0.02)


def test_whole_runs_are_drawn():
    base = np.random.default_rng(0).normal(size=(6, 1))
    means = spectra.resampled_means(np.concatenate([base, 2 * base], axis=1))
    np.testing.assert_allclose(means[:, 1], 2 * means[:, 0])


def test_equal_seeds_draw_alike_and_others_do_not():
    values = np.arange(5.0)
    same = spectra.resampled_means(values, seed=1)
    np.testing.assert_array_equal(same, spectra.resampled_means(values, seed=1))
    assert np.any(same != spectra.resampled_means(values, seed=2))


def test_a_run_that_stopped_is_left_out(assert_close):
    mean, low, high = spectra.mean_interval([[1.0, 1.0], [3.0, np.nan], [3.0, np.nan]])
    assert_close(mean, [7 / 3, 1.0])
    assert_close([low[1], high[1]], [1.0, 1.0])
    assert low[0] < 7 / 3 < high[0]


def test_one_run_has_no_interval(assert_close):
    mean, low, high = spectra.mean_interval([[2.0]])
    assert_close(mean, [2.0])
    assert np.isnan([low, high]).all()


def test_percentiles_go_outward_and_may_be_never(assert_close):
    resamples = np.array([*np.arange(10.0), np.nan])
    assert_close(spectra.percentile_interval(resamples, 0.8), [0, 9])  # 0.9 -> 0 and 8.1 -> 9.
    assert_close(spectra.percentile_interval(np.arange(11.0), 0.8), [1, 9])
    low, high = spectra.percentile_interval([1.0, np.inf, np.inf, np.inf])
    assert (low, high) == (1.0, np.inf)


def test_coverage_of_the_documented_case():
    values = np.random.default_rng(5).normal(size=(5, 5000))
    _, low, high = spectra.mean_interval(values, 400)
    assert 0.81 < np.mean((low <= 0) & (high >= 0)) < 0.88


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        spectra.resampled_means(np.ones((0, 3)))
    with pytest.raises(ValueError, match=r"in \(0, 1\)"):
        spectra.percentile_interval([1.0], 1.0)
