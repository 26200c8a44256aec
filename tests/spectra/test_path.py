"""Spectra along paths against closed forms, a plain NumPy computation and published figures."""

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from spectral_tf import spectra
from spectral_tf.errors import UserError


def edge(width, n=75):
    """One logistic change from class 0 to class 1 in the middle of n samples."""
    share = 1 / (1 + np.exp(-(np.arange(n) - n / 2) / width))
    return np.stack([1 - share, share, *np.zeros((8, n))], axis=1)


def test_leakage_of_a_class_change():
    """The DFT share does not see how sharp a change is; the DCT share falls with its width."""
    measured = [spectra.path_measures(edge(width), 1.0) for width in (0.5, 1, 2, 4, 8)]
    plain = [m.dft_share for m in measured]
    assert_allclose(plain, [0.303, 0.297, 0.301, 0.309, 0.316], atol=0.0006)
    dct = [m.dct_share for m in measured]
    assert_allclose(dct, [0.210, 0.124, 0.046, 0.006, 0.001], atol=0.0006)


def test_leakage_of_a_ramp_and_of_two_changes():
    ramp = np.arange(75) / 75
    measured = spectra.path_measures(np.stack([1 - ramp, ramp], axis=1), 1.0)
    assert_allclose(measured[:2], [0.338, 0.014], atol=0.0006)
    a, b = (1 / (1 + np.exp(-(np.arange(75) - 75 * i / 3) / 2)) for i in (1, 2))
    measured = spectra.path_measures(np.stack([1 - a, a - b, b], axis=1), 1.0)
    assert_allclose(measured[:2], [0.293, 0.074], atol=0.0006)
    assert_allclose(measured.total_variation, 2, atol=0.005)


def test_published_share_against_a_plain_loop():
    """The definition written out: for each class a sum over samples, for each path by itself."""
    logits = np.random.default_rng(0).normal(size=(3, 40, 7), scale=2)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    shares = []
    for path in p:
        n = len(path)
        bins = n // 2 + 1
        m = np.zeros(bins)
        for c in range(7):
            for k in range(bins):
                m[k] += abs(sum(path[j, c] * np.exp(-2j * np.pi * j * k / n) for j in range(n))) / 7
        shares.append(sum(m[int(np.ceil(0.1 * bins)) : bins - 1]) / sum(m))
    assert_allclose(spectra.path_measures(p, np.ones(3)).dft_share, shares, rtol=1e-12)


@pytest.mark.parametrize("n", [64, 75])
def test_sinusoid_has_its_bin(n):
    j = np.arange(n)
    wave = 0.4 * np.sin(2 * np.pi * 5 * j / n)
    m = spectra.dft_magnitudes(np.stack([0.5 + wave, 0.5 - wave], axis=1))
    assert_allclose(m[[0, 5]], [0.5, 0.2], rtol=1e-12)
    assert_allclose(np.delete(m, [0, 5]), 0, atol=1e-15)
    wave = 0.4 * np.cos(np.pi * 9 * (j + 0.5) / n)
    m = spectra.dct_magnitudes(np.stack([0.5 + wave, 0.5 - wave], axis=1))
    assert_allclose(m[[0, 9]], [0.5, 0.2], rtol=1e-12)
    assert_allclose(np.delete(m, [0, 9]), 0, atol=1e-15)


@pytest.mark.parametrize("n", [4, 5, 64, 75])
def test_the_dct_is_the_dft_of_there_and_back(n):
    p = np.random.default_rng(n).dirichlet(np.ones(3), size=n)
    there_and_back = spectra.dft_magnitudes(np.concatenate([p, p[::-1]]))
    assert_allclose(spectra.dct_magnitudes(p), there_and_back[:n], atol=1e-15)
    assert_allclose(there_and_back[n], 0, atol=1e-15)


@pytest.mark.parametrize("n", [4, 75])
def test_constant_path(n):
    measured = spectra.path_measures(np.full((n, 10), 0.1), 2.0)
    assert_allclose(measured, 0, atol=1e-15)


def test_batch_equals_loop():
    p = np.random.default_rng(1).dirichlet(np.ones(5), size=(4, 31))
    d = np.array([0.5, 1, 2, 4])
    each = [spectra.path_measures(path, spacing) for path, spacing in zip(p, d, strict=True)]
    assert_allclose(spectra.path_measures(p, d), np.transpose(each), rtol=1e-12)


def test_differences_by_hand():
    p = np.array([[1, 0], [1, 0], [0.4, 0.6], [0, 1], [0.2, 0.8]])
    measured = spectra.path_measures(p, 0.5)
    assert_allclose(measured.maximum_slope, 0.6 * np.sqrt(2) / 0.5)
    assert_allclose(measured.total_variation, 0.6 + 0.4 + 0.2)


def two_classes(wave):
    return np.stack([0.5 + wave, 0.5 - wave], axis=-1)


@pytest.mark.parametrize("n", [12, 33, 64])
def test_whole_half_waves_are_one_bin_whatever_the_sampling(n):
    t = np.linspace(0, 1, n)
    for m in (1, 2, 7, 11):
        path = two_classes(0.3 * np.cos(np.pi * m * t))
        assert_allclose(spectra.spectral_centroid(path, 5.0), m / 10, rtol=1e-12)
    # Of several, by their power: amplitudes 1 and 2, so 1 : 4.
    both = np.stack([np.cos(np.pi * 2 * t), 2 * np.cos(np.pi * 6 * t)], axis=1)
    assert_allclose(spectra.spectral_centroid(both, 1.0), (2 + 4 * 6) / 5 / 2, rtol=1e-12)


@pytest.mark.parametrize("n", [4, 5, 64, 75])
def test_centroid_is_that_of_there_and_back(n):
    """The way back turns on the end itself; both signs of every frequency count, the mean not."""
    p = np.random.default_rng(n).dirichlet(np.ones(3), size=n)
    around = np.concatenate([p, p[-2:0:-1]])
    power = np.sum(np.abs(np.fft.fft(around, axis=0)) ** 2, axis=1)
    cycles = np.abs(np.fft.fftfreq(len(around), d=7.0 / (n - 1)))
    expected = np.sum(cycles * power) / np.sum(power[1:])
    assert_allclose(spectra.spectral_centroid(p, 7.0), expected, rtol=1e-12)


def test_centroid_of_a_straight_change():
    """Its coefficients fall as 1 / k^2 over odd k: sums of k^-3 and k^-4."""
    share = np.linspace(0, 1, 1025)
    expected = (7 / 8 * scipy.special.zeta(3)) / (np.pi**4 / 96) / 2
    found = spectra.spectral_centroid(np.stack([share, 1 - share], axis=1), 1.0)
    assert_allclose(found, expected, rtol=1e-5)
    assert_allclose(expected, 0.518, atol=0.0005)


def test_one_wavelength_is_the_same_on_paths_of_four_lengths():
    """12 units long: exactly where ends meet the crests, else but for the waves cut off there."""

    def measured(length, phase, n=1025):
        wave = 0.4 * np.cos(2 * np.pi * np.linspace(0, length, n) / 12 + phase)
        return spectra.path_measures(two_classes(wave), length / (n - 1))

    for length in (6.0, 36.0, 48.0, 84.0):
        found = measured(length, 0.0)
        assert_allclose(found.centroid, 1 / 12, rtol=1e-12)
        assert_allclose(found.total_variation / length, 1.6 / 12, rtol=1e-4)
    lengths = np.array([13.0, 35.0, 50.0, 80.0])
    for phase in (0.0, 0.8, 1.6, 2.4):
        found = [measured(length, phase) for length in lengths]
        assert_allclose([m.centroid for m in found], 1 / 12, rtol=0.1)
        assert_allclose([m.total_variation for m in found] / lengths, 1.6 / 12, rtol=0.06)
    # The share of high frequencies counts from so many cycles per path.
    shares = [measured(length, 0.8, n=100).dct_share for length in lengths]
    assert max(shares) > 10 * min(shares)


def test_twice_the_samples_tell_the_same():
    for width, position in ((0.1, 0.5), (0.03, 0.4), (0.02, 0.77)):
        found = []
        for n in (129, 257):
            change = 1 / (1 + np.exp(-(np.linspace(0, 1, n) - position) / width))
            found.append(spectra.path_measures(np.stack([change, 1 - change], axis=1), 1 / (n - 1)))
        few, many = found
        assert_allclose(few.centroid, many.centroid, rtol=2e-4)
        assert_allclose(few.total_variation, many.total_variation, rtol=1e-9)
        assert few.dct_share > 1.5 * many.dct_share


def test_the_unit_of_distance_divides_out():
    p = np.random.default_rng(2).dirichlet(np.ones(4), size=50)
    metres, feet = (spectra.path_measures(p, d) for d in (1.0, 1 / 0.3048))
    assert_allclose(metres.centroid, feet.centroid / 0.3048, rtol=1e-12)
    assert metres.total_variation == feet.total_variation


def test_what_does_not_vary_has_no_centroid():
    rng = np.random.default_rng(0)
    still = np.full((3, 40, 5), 0.2)
    still[1] += 1e-9 * rng.normal(size=(40, 5))
    still[2] += 1e-3 * rng.normal(size=(40, 5))
    for measure in (lambda p: spectra.spectral_centroid(p, 2.0), spectra.released_share):
        found = measure(still)
        assert_array_equal(found[:2], 0)
        assert found[2] > 0


@pytest.mark.parametrize("n", [20, 41, 70])
def test_released_share_against_a_plain_loop(n):
    p = np.random.default_rng(n).dirichlet(np.ones(3), size=n)
    q = [np.sqrt(sum((p[j, c] - p[0, c]) ** 2 for c in range(3))) for j in range(n)]
    power = [
        abs(sum(q[j] * np.exp(-2j * np.pi * j * k / n) for j in range(n))) ** 2 for k in range(n)
    ]
    # Bin k holds k or n - k cycles per path, of at most n / 2.
    high = sum(power[k] for k in range(n) if 20 * min(k, n - k) >= n)
    assert_allclose(spectra.released_share(p), high / sum(power), rtol=1e-10)
    assert_allclose(spectra.path_measures(p, 1.0).released_share, high / sum(power), rtol=1e-10)


def test_bad_paths():
    with pytest.raises(UserError, match="at least 4 samples"):
        spectra.path_measures(np.ones((3, 2)), 1.0)
    with pytest.raises(UserError, match="must differ"):
        spectra.path_measures(np.ones((5, 2)), 0.0)
    with pytest.raises(UserError, match="length: expected distances above 0, got -1"):
        spectra.spectral_centroid(np.ones((5, 2)), [1.0, -1.0])


def test_released_power_against_a_plain_loop():
    p = np.random.default_rng(2).dirichlet(np.ones(4), size=11)
    q = np.sqrt(((p - p[0]) ** 2).sum(axis=1))
    by_hand = [
        abs(sum(q[j] * np.exp(-2j * np.pi * j * k / 11) for j in range(11)) / 11) ** 2
        for k in range(6)
    ]
    found = spectra.released_power(p)
    assert_allclose(found, by_hand, atol=1e-15)
    # Parseval: both signs of every frequency together are the mean of q^2.
    assert_allclose(found[0] + 2 * found[1:].sum(), np.mean(q**2))
    even = spectra.released_power(p[:10])
    assert_allclose(
        even[0] + 2 * even[1:-1].sum() + even[-1], np.mean(((p[:10] - p[0]) ** 2).sum(axis=1))
    )
    assert_allclose(spectra.released_power(np.tile(p[0], (9, 1))), 0)
    # Its part above a tenth of the highest frequency is the released share.
    assert_allclose(2 * found[1:].sum() / np.mean(q**2), spectra.released_share(p))


def test_a_class_is_consistent_until_its_first_change():
    p = np.array([[0.6, 0.4], [0.7, 0.3], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]])
    assert spectra.consistent_share(p) == 0.4
    assert_allclose(spectra.consistent_share(np.stack([p, np.tile(p[0], (5, 1))])), [0.4, 1])
