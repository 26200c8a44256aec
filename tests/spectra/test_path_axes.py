"""Spectra of paths of different lengths on one axis that says how far it holds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spectral_tf import spectra
from spectral_tf.errors import UserError


def test_common_axis():
    """A wave of 0.1 cycles per unit stands there whatever the length and spacing of the path."""
    axis = np.linspace(0, 0.5, 11)
    for n, d in ((50, 1.0), (100, 0.5), (30, 2.0)):
        wave = 0.4 * np.sin(2 * np.pi * 0.1 * d * np.arange(n))
        m = spectra.dft_magnitudes(np.stack([0.5 + wave, 0.5 - wave], axis=1))
        there = spectra.interpolate_spectrum(m, 1 / (n * d), axis)
        assert_allclose(there[2], 0.2, rtol=1e-12)
        reached = axis <= 0.5 / d + 1e-12
        assert_allclose(np.delete(there[reached], [0, 2]), 0, atol=1e-12)
        assert np.isnan(there[~reached]).all()
    # The mean is no wave: it does not reach beyond 0, whatever the length of the path.
    for n in (4, 8, 75):
        constant = spectra.dft_magnitudes(np.full((n, 2), 0.5))
        there = spectra.interpolate_spectrum(constant, 1 / n, np.linspace(0, 0.5, 101))
        assert there[0] == 0.5
        assert_allclose(there[1:][np.isfinite(there[1:])], 0, atol=1e-15)
        assert np.isnan(there[1:-1][np.linspace(0, 0.5, 101)[1:-1] < 0.999 / n]).all()


def test_the_axis_reaches_the_highest_frequency_that_was_sampled():
    # 64 samples on 20 units: directions from single images.
    axis = spectra.spectrum_axis([64] * 3, [20 / 63] * 3)
    assert axis[0] == 0
    assert_allclose(axis[-1], 1.575, rtol=1e-12)
    assert_allclose(np.diff(axis), axis[1], rtol=1e-9)
    # 100 samples on distances of 33,000: networks that see bytes.
    spacing = np.array([30e3, 33e3, 36e3]) / 99
    axis = spectra.spectrum_axis([100] * 3, spacing)
    assert_allclose(axis[-1], 99 / 60e3, rtol=1e-12)
    there = spectra.axis_support(axis, [100] * 3, spacing, transform="dft")
    assert np.all(there.sum(axis=1) > 45)
    # A very short path among others does not make it endless.
    assert len(spectra.spectrum_axis([4, 75, 75], [1e-6, 1.0, 1.0])) == 401
    assert len(spectra.spectrum_axis([4, 75, 75], [1e-6, 1.0, 1.0], at_most=11)) == 11
    assert_allclose(spectra.nyquist([0.5, 2.0]), [1.0, 0.25])


def test_a_path_supports_its_own_bins_and_nothing_else():
    rng = np.random.default_rng(0)
    counts, spacing = np.array([4, 9, 75, 100]), np.array([0.1, 1.0, 1.0, 0.3])
    axis = np.linspace(0, 5, 401)
    for transform in ("dft", "dct"):
        there = spectra.axis_support(axis, counts, spacing, transform=transform)
        for i, (n, d) in enumerate(zip(counts, spacing, strict=True)):
            p = rng.dirichlet(np.ones(3), size=n)
            measure = spectra.dct_magnitudes if transform == "dct" else spectra.dft_magnitudes
            bins = (spectra.dct_frequencies if transform == "dct" else spectra.dft_frequencies)(
                n, d
            )
            found = spectra.interpolate_spectrum(measure(p), bins[1], axis)
            assert_array_equal(np.isfinite(found), there[i])
            assert bins[-1] <= spectra.nyquist(d) * (1 + 1e-12)
            near = axis[there[i]]
            assert near[0] == 0
            assert near[1] >= bins[1] * (1 - 1e-9)
            assert near[-1] <= bins[-1] * (1 + 1e-9)


@pytest.mark.parametrize("n", [4, 7, 75, 100, 513])
def test_bins_of_a_fixed_number_of_samples_in_cycles_per_path(n):
    """At the bins themselves nothing is interpolated."""
    p = np.random.default_rng(n).dirichlet(np.ones(3), size=n)
    for measure, frequencies in (
        (spectra.dft_magnitudes, spectra.dft_frequencies),
        (spectra.dct_magnitudes, spectra.dct_frequencies),
    ):
        bins = frequencies(n, 1 / (n - 1))
        assert_allclose(
            spectra.interpolate_spectrum(measure(p), bins[1], bins), measure(p), atol=1e-12
        )


def test_no_bin_is_lost_to_rounding():
    for n in range(4, 400):
        for transform in ("dft", "dct"):
            bins = (spectra.dct_frequencies if transform == "dct" else spectra.dft_frequencies)(
                *(n, 1 / (n - 1))
            )
            assert spectra.axis_support(bins, [n], [1 / (n - 1)], transform=transform).all(), n


def test_means_are_of_the_paths_that_count():
    rng = np.random.default_rng(0)
    axis, m = np.linspace(0, 1, 6), rng.random((5, 6))
    where = np.ones((5, 6), bool)
    where[1:, 5] = where[:2, 4] = where[4] = False
    m[~where] = np.nan
    found = spectra.mean_spectrum(axis, m, where=where)  # Half of the 4 that count at all.
    assert_array_equal(found.kept, [True] * 5 + [False])
    assert_array_equal(found.frequencies, axis[:5])
    assert_array_equal(found.num_paths, [4, 4, 4, 4, 2])
    assert_allclose(found.magnitudes[:4], m[:4, :4].mean(axis=0), rtol=1e-12)
    assert_allclose(found.magnitudes[4], m[2:4, 4].mean(), rtol=1e-12)
    found = spectra.mean_spectrum(axis, m, where=where, at_least=0.51)
    assert_array_equal(found.num_paths, 4)
    found = spectra.mean_spectrum(axis, m, where=where, at_least=1)
    assert_array_equal(found.num_paths, [4, 4, 4, 4, 2, 1])
    assert_allclose(found.magnitudes[5], m[0, 5], rtol=1e-12)
    chosen = where & (np.arange(5) < 2)[:, None]
    found = spectra.mean_spectrum(axis, m, where=chosen, at_least=2)
    assert_allclose(found.magnitudes, m[:2, :4].mean(axis=0), rtol=1e-12)


def test_long_paths_alone_do_not_make_a_mean():
    """Where short paths tell nothing yet, the mean would be of others than further up."""
    counts, spacing = np.array([11] * 9 + [201]), np.ones(10)
    axis = np.linspace(0, 0.5, 101)
    there = spectra.axis_support(axis, counts, spacing, transform="dct")
    found = spectra.mean_spectrum(axis, np.ones((10, 101)), where=there)
    assert found.frequencies[1] >= 1 / 22
    assert_array_equal(found.num_paths, 10)


def test_bad_axes():
    with pytest.raises(UserError, match="at least 1, got none"):
        spectra.spectrum_axis([], [])
    with pytest.raises(UserError, match="spacing: expected distances above 0"):
        spectra.nyquist([1.0, 0.0])
    m = np.ones((2, 3))
    with pytest.raises(UserError, match="at least 3 at one frequency, got 2"):
        spectra.mean_spectrum(range(3), m, where=m > 0, at_least=3)
    with pytest.raises(UserError, match="at least 1 at one frequency, got 0"):
        spectra.mean_spectrum(range(3), m, where=m < 0)
    with pytest.raises(UserError, match="true or false for every magnitude"):
        spectra.mean_spectrum(range(3), m, where=m)
    with pytest.raises(UserError, match="finite ones where they count, got 1"):
        spectra.mean_spectrum(range(3), [[1, 1, np.nan]] * 1, where=np.ones((1, 3), bool))
