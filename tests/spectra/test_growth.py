"""Exponents and offsets that are known, with and without noise."""

import numpy as np
import pytest

from spectral_tf import spectra
from spectral_tf.errors import UserError

SIZES = 2.0 ** np.arange(4, 13)


def noisy(values, seed, share=0.03):
    return values * np.exp(share * np.random.default_rng(seed).normal(size=values.shape))


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.0])
def test_a_power_law_is_found_within_its_interval(power):
    """A line in logarithms: within 95 % intervals at least 88 of 100 times (binomial, p < 0.01)."""
    inside = 0
    for seed in range(100):
        fit = spectra.fit_growth(SIZES, noisy(7e-6 * SIZES**power, seed))
        assert fit.exponent.value == pytest.approx(power, abs=0.15)
        inside += bool(fit.exponent.low <= power <= fit.exponent.high)
    assert inside >= 88


def test_small_sizes_do_not_count():
    """What a call costs at least, up to the middle, leaves no trace in the exponent."""
    values = np.where(SIZES < 200, 1e-3, 1e-3 * (SIZES / 200) ** 3)
    fit = spectra.fit_growth(SIZES, values)
    assert fit.exponent.value == pytest.approx(3.0)
    assert (fit.smallest, fit.largest) == (256, 4096)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_an_offset_is_told_from_what_grows(power):
    growing = 40.0 * SIZES**power
    fit = spectra.fit_growth_with_offset(SIZES, 6e4 + growing)
    assert fit.exponent.value == pytest.approx(power, abs=1e-3)
    assert fit.offset == pytest.approx(6e4, rel=1e-2)
    assert fit.size_at(24e9) == pytest.approx(((24e9 - 6e4) / 40) ** (1 / power), rel=0.02)
    assert np.allclose(fit(SIZES), 6e4 + growing, rtol=1e-3)


def test_the_interval_of_a_fit_with_an_offset_holds_the_exponent():
    inside = 0
    for seed in range(50):
        fit = spectra.fit_growth_with_offset(SIZES, noisy(6e4 + 40.0 * SIZES**2, seed))
        inside += bool(fit.exponent.low <= 2 <= fit.exponent.high)
    assert inside >= 42  # Of 50 at 95 %; fewer with p < 0.01.


def test_without_an_offset_none_is_found():
    fit = spectra.fit_growth_with_offset(SIZES, 24.0 * SIZES**2)
    assert fit.exponent.value == pytest.approx(2.0, abs=1e-4)
    assert fit.offset < 1e-2 * 24.0 * SIZES[0] ** 2


def test_what_does_not_grow_has_no_exponent_and_no_largest_size():
    fit = spectra.fit_growth_with_offset(SIZES, noisy(np.full(SIZES.size, 5e7), 0))
    assert np.isnan(fit.exponent.value)
    assert fit.exponent.missing == "does not grow"
    assert np.isnan(fit.size_at(24e9))


def test_few_points_tell_nothing():
    assert np.isnan(spectra.fit_growth([1, 2], [1, 4]).exponent.value)
    assert np.isnan(spectra.fit_growth_with_offset([1, 2, 4], [2, 5, 17]).exponent.value)
    assert np.isnan(spectra.fit_growth([], []).exponent.value)


def test_wrong_sizes_are_refused():
    with pytest.raises(UserError, match="as many as values"):
        spectra.fit_growth_with_offset([1, 2, 4, 8], [1, 2])
    with pytest.raises(UserError, match="above 0"):
        spectra.fit_growth_with_offset([1, 2, 4, 8], [1, 2, 0, 3])
