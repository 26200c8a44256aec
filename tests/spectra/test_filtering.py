"""The Gaussian filter on functions whose low part is known."""

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy.integrate import quad

from spectral_tf import spectra

RNG = np.random.default_rng(0)


def torus_grid(side, d):
    return np.array(list(itertools.product(np.arange(side) / side, repeat=d)))


def waves(x, *ks, phase=0.3):
    return sum(np.cos(2 * np.pi * x @ np.asarray(k) + phase) for k in ks)


@pytest.mark.parametrize(
    ("side", "k"), [(64, [3]), (20, [2, -1]), (9, [1, 0, 2]), (5, [1, 0, 2, 1, 0])]
)
def test_on_the_grid_of_a_torus_a_wave_is_multiplied_by_the_filters_transform(side, k):
    d = len(k)
    x, sigma = torus_grid(side, d), 0.09
    f = waves(x, k)
    found = spectra.gaussian_low_pass(x, f, [sigma], period=1)
    u = np.arange(side) / side - (np.arange(side) / side > 0.5)
    kernel = np.exp(-(u**2) / (2 * sigma**2))
    exact = np.prod([(kernel * np.cos(2 * np.pi * a * u)).sum() / kernel.sum() for a in k])
    np.testing.assert_allclose(found[0], exact * f, rtol=1e-9, atol=1e-12)
    if side >= 20:  # Fine enough for the sum to be the integral.
        transform = np.exp(-2 * np.pi**2 * sigma**2 * np.dot(k, k))
        np.testing.assert_allclose(found[0], transform * f, atol=1e-6)


def test_in_ten_dimensions_the_grid_is_still_a_product(assert_close):
    x, k = torus_grid(2, 10), np.array([1, *[0] * 9])
    kernel = np.exp(-np.array([0, 0.25]) / (2 * 0.3**2))
    factor = (kernel[0] - kernel[1]) / kernel.sum()
    f = np.cos(2 * np.pi * x @ k)
    assert_close(spectra.gaussian_low_pass(x, f, [0.3], period=1)[0], factor * f)


@pytest.mark.parametrize(
    ("d", "n", "sigma"), [(1, 2000, 0.1), (2, 3000, 0.2), (5, 3000, 0.7), (10, 3000, 1.2)]
)
def test_among_normal_points_of_any_dimension_the_low_part_is_known(d, n, sigma):
    # x_j weighted about x_i is normal about x_i s^2 / (s^2 + sigma^2), variance tau^2.
    x = RNG.normal(size=(n, d))
    k = RNG.normal(size=d)
    k *= 0.12 / sigma / np.linalg.norm(k)
    shrink, tau2 = 1 / (1 + sigma**2), sigma**2 / (1 + sigma**2)
    exact = np.exp(-2 * np.pi**2 * tau2 * k @ k) * np.cos(2 * np.pi * shrink * x @ k)
    found = spectra.gaussian_low_pass(x, np.cos(2 * np.pi * x @ k), [sigma])[0]
    near = (x**2).sum(axis=1) < d  # In the midst of the points, half of them.
    error = found[near] - exact[near]
    assert np.sqrt((error**2).mean()) < 0.1 * np.sqrt((exact[near] ** 2).mean())
    assert abs(error.mean()) < 0.02


def test_a_constant_is_low_whatever_the_points(assert_close):
    x = RNG.normal(size=(50, 10)) ** 3
    y = np.stack([np.full(50, 2.0), np.full(50, -7.0)], axis=1)
    low = spectra.gaussian_low_pass(x, y, [0.01, 1, 100])
    assert_close(low, np.broadcast_to(y, (3, 50, 2)))
    found = spectra.filter_errors(x, y, 0.5 * y, [0.01, 1, 100])
    assert_close(found.low, [0.5] * 3)
    assert np.isnan(found.high).all()
    assert_close(found.low_share, [1.0] * 3)


def test_a_filter_far_below_rounding_keeps_every_value(assert_close):
    x, y = RNG.normal(size=(30, 5)) + 1e3, RNG.normal(size=30)
    assert_close(spectra.gaussian_low_pass(x, y, [1e-9])[0], y)


def brute_errors(x, t, f, sigma):
    def low(y):
        result = np.zeros_like(y)
        for i in range(len(x)):
            g = np.array([np.exp(-((x[i] - other) ** 2).sum() / (2 * sigma**2)) for other in x])
            result[i] = g @ y / g.sum()
        return result

    t_low, f_low = low(t), low(f)
    norm = np.linalg.norm
    high = norm(t - t_low - f + f_low) / norm(t - t_low)
    return norm(t_low - f_low) / norm(t_low), high, norm(t_low) ** 2 / norm(t) ** 2


@pytest.mark.parametrize("block_bytes", [1, 8 * 40 * 7, 2**26])
def test_errors_are_those_of_plain_loops_in_blocks_of_any_size(block_bytes, assert_close):
    x, t, f = RNG.normal(size=(40, 3)), RNG.normal(size=(40, 2)), RNG.normal(size=(2, 5, 40, 2))
    sigmas = [0.3, 1.0]
    found = spectra.filter_errors(x + 1e6, t, f, sigmas, block_bytes=block_bytes)
    assert found.low.shape == found.high.shape == (2, 2, 5)
    for b, i, j in np.ndindex(2, 2, 5):
        low, high, share = brute_errors(x, t, f[i, j], sigmas[b])
        assert found.low[b, i, j] == pytest.approx(low, rel=1e-8)
        assert found.high[b, i, j] == pytest.approx(high, rel=1e-8)
        assert found.low_share[b] == pytest.approx(share, rel=1e-8)
    low = spectra.gaussian_low_pass(x, t, sigmas, block_bytes=block_bytes)
    assert_close(low, spectra.gaussian_low_pass(x, t, sigmas))


@pytest.mark.parametrize("d", [1, 2])
def test_errors_that_are_low_or_high_are_seen_so(d):
    side, sigma = {1: (256, 0.03), 2: (32, 0.06)}[d]
    x = torus_grid(side, d)
    high = {1: 18, 2: 9}[d]
    slow, fast = waves(x, [1] * d), waves(x, [high] * d, phase=1)
    g = [np.exp(-2 * np.pi**2 * sigma**2 * d * k**2) for k in (1, high)]
    target = slow + fast
    # All is learned but half of the fast wave, or but half of the slow one; both at once in front.
    f = np.stack([slow + 0.5 * fast, 0.5 * slow + fast, target, 0 * target])
    found = spectra.filter_errors(x, target, f, [sigma], period=1)
    whole = [np.hypot(*g), np.hypot(1 - g[0], 1 - g[1])]
    expected_low = [0.5 * g[1] / whole[0], 0.5 * g[0] / whole[0], 0, 1]
    expected_high = [0.5 * (1 - g[1]) / whole[1], 0.5 * (1 - g[0]) / whole[1], 0, 1]
    np.testing.assert_allclose(found.low[0], expected_low, atol=1e-4)
    np.testing.assert_allclose(found.high[0], expected_high, atol=1e-4)
    assert found.low[0, 0] < 0.1 * found.high[0, 0]
    assert found.high[0, 1] < 0.2 * found.low[0, 1]


def test_half_of_the_amplitude_is_left_at_the_half_frequency():
    x = torus_grid(400, 1)
    wave = waves(x, [7])
    found = spectra.filter_errors(x, wave, wave, [spectra.HALF_AMPLITUDE / 7], period=1)
    assert found.half_frequencies == pytest.approx([7])
    assert found.low_share == pytest.approx([0.25], rel=1e-4)


def test_effective_points_count_those_in_the_mean():
    x = np.arange(101.0)
    sigma = 5.0
    found = spectra.filter_errors(x, x, x, [1e-3, sigma, 1e6])
    # (sum G)^2 / sum G^2 of a Gaussian on unit spacing: 2 sqrt(pi) sigma.
    expected = [1, 2 * np.sqrt(np.pi) * sigma, 101]
    np.testing.assert_allclose(found.effective_points, expected, rtol=0.01)


@pytest.mark.parametrize("d", [1, 2, 10, 1000])
def test_bandwidths_go_from_two_points_to_half_of_all(d):
    x = RNG.normal(size=(400, d))
    sigmas = spectra.filter_bandwidths(x, 5)
    found = spectra.filter_errors(x, x[:, 0], x[:, 0], sigmas)
    assert found.effective_points[[0, -1]] == pytest.approx([2, 200], rel=0.25)
    np.testing.assert_allclose(np.diff(np.log(sigmas), 2), 0, atol=1e-9)
    assert len(sigmas) == 5
    copies = spectra.filter_bandwidths(np.repeat(x, 3, axis=0), 5)
    np.testing.assert_allclose(copies, sigmas, rtol=0.15)


def test_bandwidths_of_nothing_are_refused():
    for wrong in (np.ones((5, 3)), np.zeros((1, 2))):
        with pytest.raises(ValueError, match="at least 3 that are not at one place"):
            spectra.filter_bandwidths(wrong)


def test_no_matrix_of_all_points_by_all_is_held():
    n, block = 3000, 2**20
    x, y = RNG.normal(size=(n, 4)), RNG.normal(size=n)
    tracemalloc.start()
    spectra.filter_errors(x, y, 0 * y, [0.5, 1.0], block_bytes=block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * block + 40 * 8 * n < 8 * n * n / 10


def test_bad_input_is_refused():
    x, y = np.zeros((4, 2)), np.zeros(4)
    with pytest.raises(ValueError, match=r"values \[n\] or \[n, c\]"):
        spectra.gaussian_low_pass(x, np.zeros(5), [1])
    with pytest.raises(ValueError, match="above 0"):
        spectra.gaussian_low_pass(x, y, [0])
    with pytest.raises(ValueError, match="above 0"):
        spectra.gaussian_low_pass(x, y, [1], period=-1)
    with pytest.raises(ValueError, match="finite real"):
        spectra.gaussian_low_pass(x, y * np.nan, [1])
    with pytest.raises(ValueError, match="take .*0"):
        spectra.filter_errors(x, y, np.zeros((4, 1)), [1])
    with pytest.raises(ValueError, match="finite numbers"):
        spectra.filter_errors(x, y, y * np.nan, [1])


def test_the_wrapped_filter_is_the_integral_over_one_period():
    # A filter that is wide on a torus: of the nearest image alone, uniformly random points.
    sigma, d, n = 0.35, 10, 3000
    x, k = RNG.random((n, d)), np.array([1, *[0] * (d - 1)])

    def g(u):
        return np.exp(-(u**2) / (2 * sigma**2))

    mean = quad(g, -0.5, 0.5)[0]
    factor = quad(lambda u: g(u) * np.cos(2 * np.pi * u), -0.5, 0.5)[0] / mean
    found = spectra.gaussian_low_pass(x, np.cos(2 * np.pi * x @ k), [sigma], period=1)[0]
    slope = np.polyfit(factor * np.cos(2 * np.pi * x @ k), found, 1)[0]
    assert slope == pytest.approx(1, abs=0.05)
