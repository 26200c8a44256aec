"""Spectra along paths against closed forms, a plain NumPy computation and published figures."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spectral_tf import spectra
from spectral_tf.errors import UserError


def edge(width, n=75):
    """One logistic change from class 0 to class 1 in the middle of n samples."""
    share = 1 / (1 + np.exp(-(np.arange(n) - n / 2) / width))
    return np.stack([1 - share, share, *np.zeros((8, n))], axis=1)


def test_leakage_of_a_class_change():
    """The plain share does not see how sharp a change is; the mirrored one falls with its width."""
    measured = [spectra.path_measures(edge(width), 1.0) for width in (0.5, 1, 2, 4, 8)]
    plain = [m.plain_share for m in measured]
    assert_allclose(plain, [0.303, 0.297, 0.301, 0.309, 0.316], atol=0.0006)
    mirrored = [m.mirrored_share for m in measured]
    assert_allclose(mirrored, [0.210, 0.124, 0.046, 0.006, 0.001], atol=0.0006)


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
    assert_allclose(spectra.path_measures(p, np.ones(3)).plain_share, shares, rtol=1e-12)


@pytest.mark.parametrize("n", [64, 75])
def test_sinusoid_has_its_bin(n):
    j = np.arange(n)
    wave = 0.4 * np.sin(2 * np.pi * 5 * j / n)
    m = spectra.plain_magnitudes(np.stack([0.5 + wave, 0.5 - wave], axis=1))
    assert_allclose(m[[0, 5]], [0.5, 0.2], rtol=1e-12)
    assert_allclose(np.delete(m, [0, 5]), 0, atol=1e-15)
    wave = 0.4 * np.cos(np.pi * 9 * (j + 0.5) / n)
    m = spectra.mirrored_magnitudes(np.stack([0.5 + wave, 0.5 - wave], axis=1))
    assert_allclose(m[[0, 9]], [0.5, 0.2], rtol=1e-12)
    assert_allclose(np.delete(m, [0, 9]), 0, atol=1e-15)


@pytest.mark.parametrize("n", [4, 5, 64, 75])
def test_mirrored_is_the_plain_spectrum_of_there_and_back(n):
    p = np.random.default_rng(n).dirichlet(np.ones(3), size=n)
    there_and_back = spectra.plain_magnitudes(np.concatenate([p, p[::-1]]))
    assert_allclose(spectra.mirrored_magnitudes(p), there_and_back[:n], atol=1e-15)
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
    assert_allclose(measured.peak_difference, 0.6 * np.sqrt(2) / 0.5)
    assert_allclose(measured.total_variation, 0.6 + 0.4 + 0.2)


def test_common_axis():
    """A wave of 0.1 cycles per unit stands there whatever the length and spacing of the path."""
    axis = np.linspace(0, 0.5, 11)
    for n, d in ((50, 1.0), (100, 0.5), (30, 2.0)):
        wave = 0.4 * np.sin(2 * np.pi * 0.1 * d * np.arange(n))
        m = spectra.plain_magnitudes(np.stack([0.5 + wave, 0.5 - wave], axis=1))
        there = spectra.on_axis(m, 1 / (n * d), axis)
        assert_allclose(there[2], 0.2, rtol=1e-12)
        reached = axis <= 0.5 / d + 1e-12
        assert_allclose(np.delete(there[reached], [0, 2]), 0, atol=1e-12)
        assert np.isnan(there[~reached]).all()
    # The mean is no wave: it does not reach beyond 0, whatever the length of the path.
    for n in (4, 8, 75):
        constant = spectra.plain_magnitudes(np.full((n, 2), 0.5))
        there = spectra.on_axis(constant, 1 / n, np.linspace(0, 0.5, 101))
        assert there[0] == 0.5
        assert_allclose(there[1:][np.isfinite(there[1:])], 0, atol=1e-15)
        assert np.isnan(there[1:-1][np.linspace(0, 0.5, 101)[1:-1] < 0.999 / n]).all()


def test_bad_paths():
    with pytest.raises(UserError, match="at least 4 samples"):
        spectra.path_measures(np.ones((3, 2)), 1.0)
    with pytest.raises(UserError, match="must differ"):
        spectra.path_measures(np.ones((5, 2)), 0.0)
