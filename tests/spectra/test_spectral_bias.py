"""The Monte-Carlo split of the error on functions whose spectrum is known."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma
from scipy.stats import gaussian_kde, ncx2, norm

from spectral_tf import spectra


def bell(x, k, s=1.0):
    """exp(-|x|^2 / 4 s^2) cos(2 pi k x): times sqrt(rho) of normal points flat in the weights."""
    return np.exp(-(x**2).sum(axis=1) / (4 * s**2)) * np.cos(2 * np.pi * x @ k)


def share_below(cutoff, k, d, s=1.0):
    """Of `bell` on N(0, s^2): sqrt(rho) r is a wave in a Gaussian whose |F|^2 is normal about k."""
    width = 1 / (4 * np.pi * s / np.sqrt(2))
    return ncx2.cdf((cutoff / width) ** 2, d, (np.linalg.norm(k) / width) ** 2)


def normal_density(x):
    return norm.pdf(x).prod(axis=1)


@pytest.mark.parametrize(
    ("d", "n", "k", "cutoff"),
    [
        (1, 1500, 1.0, 1.05),
        (1, 1500, 2.0, 1.0),
        (2, 1500, 1.0, 0.98),
        (3, 1500, 0.8, 0.9),
        (5, 1500, 0.7, 1.0),
    ],
)
def test_the_split_of_a_wave_in_any_dimension(d, n, k, cutoff):
    rng = np.random.default_rng(d)
    x, direction = rng.normal(size=(n, d)), rng.normal(size=d)
    wave = bell(x, k * direction / np.linalg.norm(direction))
    found = spectra.spectral_bias(x, wave, 0 * wave, [cutoff], density=normal_density(x))
    share = share_below(cutoff, k, d)
    total = float(found.low[0] + found.high[0])
    variance = wave.var()
    assert total == pytest.approx((wave**2).mean() / variance)
    error = found.low_error[0]
    assert error < 0.3 * total
    assert abs(found.low[0] - share * total) < 3.5 * error
    assert abs(found.bias[0] - (1 - 2 * share)) < 3.5 * found.bias_error[0]


def test_errors_are_those_of_points_drawn_anew():
    k, cutoff, found = np.array([1.0, 0.0]), 1.0, []
    for seed in range(150):
        x = np.random.default_rng(seed).normal(size=(120, 2))
        wave = bell(x, k)
        found.append(
            spectra.spectral_bias(x, wave, 0.5 * wave, [cutoff], density=normal_density(x))
        )
    share = share_below(cutoff, k, 2)
    values, errors = (np.array([getattr(f, n)[0] for f in found]) for n in ("bias", "bias_error"))
    assert np.median(errors) == pytest.approx(values.std(), rel=0.25)
    # Without bias, though each draw is far off.
    assert values.std() > 0.05
    assert abs(values.mean() - (1 - 2 * share)) < 4 * values.std() / np.sqrt(150)


def test_on_an_interval_it_is_the_integral_of_the_transform():
    rng = np.random.default_rng(3)
    x, k, cutoff = rng.uniform(size=4000), 5, 5.2
    wave = np.sqrt(2) * np.cos(2 * np.pi * k * x)

    def energy(q):  # |F|^2 of the wave cut off at 0 and 1.
        sides = [np.exp(1j * np.pi * (s * k - q)) * np.sinc(s * k - q) for s in (1, -1)]
        return abs(sum(sides)) ** 2 / 2

    exact = 2 * quad(energy, 0, cutoff, limit=200)[0]
    found = spectra.spectral_bias(x, wave, np.zeros(4000), [cutoff], density=np.ones(4000))
    assert abs(found.low[0] - exact) < 3.5 * found.low_error[0]
    assert found.low_error[0] < 0.03
    assert 0.5 < exact < 0.9  # Neither all nor nothing: borders leak.


def brute(x, t, f, cutoff, rho):
    r, n, d = t - f, len(x), x.shape[1]
    low = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                h = spectra.ball_kernel(np.linalg.norm(x[i] - x[j]), cutoff, d)
                low += (r[i] @ r[j]) / np.sqrt(rho[i] * rho[j]) * h
    variance = ((t - t.mean(0)) ** 2).mean(0).sum()
    return low / (n * (n - 1)) / variance, (r**2).sum(1).mean() / variance


def test_blocks_classes_and_models_are_those_of_plain_loops():
    rng = np.random.default_rng(0)
    x, t, f, rho = (
        *rng.normal(size=(2, 30, 2)),
        rng.normal(size=(3, 2, 30, 2)),
        rng.random(30) + 0.1,
    )
    for block_bytes in (1, 8 * 30 * 7, 2**26):
        found = spectra.spectral_bias(x, t, f, [0.3, 1.0], density=rho, block_bytes=block_bytes)
        assert found.bias.shape == found.bias_error.shape == (2, 3, 2)
        for b, i, j in np.ndindex(2, 3, 2):
            low, total = brute(x, t, f[i, j], (0.3, 1.0)[b], rho)
            assert found.low[b, i, j] == pytest.approx(low, rel=1e-9)
            assert found.high[b, i, j] == pytest.approx(total - low, rel=1e-9)
            assert found.bias[b, i, j] == pytest.approx((total - 2 * low) / total, rel=1e-9)
    # The jackknife in closed form is that of leaving points out.
    at = [
        spectra.spectral_bias(
            np.delete(x, i, 0),
            np.delete(t, i, 0),
            np.delete(f[0, 0], i, 0),
            [0.3],
            density=np.delete(rho, i),
        ).bias[0]
        for i in range(30)
    ]
    expected = np.sqrt(29 / 30 * ((np.array(at) - np.mean(at)) ** 2).sum())
    assert found.bias_error[0, 0, 0] == pytest.approx(expected, rel=1e-9)


def test_one_single_output_and_nothing_left():
    x = np.random.default_rng(0).random(20)
    found = spectra.spectral_bias(x, x, x, [1.0], density=np.ones(20))
    assert found.low[0] == found.high[0] == 0
    assert np.isnan(found.bias[0])
    assert np.isnan(found.bias_error[0])


def test_half_the_energy_is_below_the_cutoff():
    rng = np.random.default_rng(1)
    x = rng.uniform(size=600)
    target = np.cos(2 * np.pi * 3 * x) + np.cos(2 * np.pi * 25 * x + 1)
    found = spectra.half_energy_cutoff(x, target, density=np.ones(600))
    assert 3 < found < 25
    split = spectra.spectral_bias(
        x, target, np.full(600, target.mean()), [found], density=np.ones(600)
    )
    assert abs(split.bias[0]) < 0.05
    with pytest.raises(ValueError, match="tell apart from noise"):
        spectra.half_energy_cutoff(x[:100], rng.normal(size=100), density=np.ones(100))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 10])
def test_the_ball_is_its_integral(d):
    k0, r = 1.3, np.array([0.0, 1e-9, 0.05, 0.4])
    # Integrated over slices of the ball: volumes of balls of one dimension less.
    slices = np.array(
        [
            quad(
                lambda q, u=u: (
                    np.cos(2 * np.pi * q * u)
                    * np.pi ** ((d - 1) / 2)
                    / gamma((d + 1) / 2)
                    * (k0**2 - q**2) ** ((d - 1) / 2)
                ),
                -k0,
                k0,
            )[0]
            for u in r
        ]
    )
    np.testing.assert_allclose(spectra.ball_kernel(r, k0, d), slices, rtol=1e-7)


@pytest.mark.parametrize("d", [1, 3])
def test_the_density_is_scipys_less_the_point_itself(d):
    x = np.random.default_rng(d).normal(size=(200, d)) @ np.diag([1, 5, 0.1][:d]) + 7
    kde = gaussian_kde(x.T)
    own = 1 / np.sqrt(np.linalg.det(2 * np.pi * kde.covariance)) / 200
    expected = (kde(x.T) - own) * 200 / 199
    found = spectra.kernel_density(x, block_bytes=8 * 200 * 33)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_an_unknown_density_does_about_as_well():
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(1000, 2)), np.array([1.0, 0.0])
    wave = bell(x, k)
    known, estimated = (
        spectra.spectral_bias(x, wave, 0 * wave, [0.5, 1.5], density=rho).bias
        for rho in (normal_density(x), None)
    )
    np.testing.assert_allclose(known, [1, -1], atol=0.15)
    np.testing.assert_allclose(estimated, [1, -1], atol=0.3)


def test_bad_input_is_refused():
    x, t = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20.0)
    with pytest.raises(ValueError, match="take .*0"):
        spectra.spectral_bias(x, t, t[:, None], [1])
    with pytest.raises(ValueError, match="targets that vary"):
        spectra.spectral_bias(x, np.ones(20), t, [1])
    with pytest.raises(ValueError, match="one for each point"):
        spectra.spectral_bias(x, t, t, [1], density=np.zeros(20))
    with pytest.raises(ValueError, match="fill 2 dimensions"):
        spectra.kernel_density(x * [1, 0])
    many = np.random.default_rng(0).normal(size=(1500, 2))
    with pytest.raises(ValueError, match="others near them"):
        spectra.kernel_density(np.concatenate([many, [[1e3, 0]]]))
    with pytest.raises(ValueError, match="not all 0"):
        spectra.projected_coefficients(x, t, [1], [0, 0])


def test_the_projection_is_the_transform_along_the_direction(assert_close):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)) * [1, 4, 1]
    y, k = rng.normal(size=(2, 40)), np.array([0, 0.3, -1.2])
    p = np.array([1.0, 2.0, 2.0])
    expected = (y[:, None] * np.exp(-2j * np.pi * k[:, None] * (x @ p / 3))).mean(-1)
    assert_close(spectra.projected_coefficients(x, y, k, p), expected)
    along = spectra.projected_coefficients(x, y, k)
    _, _, axes = np.linalg.svd(x - x.mean(0))
    both = [spectra.projected_coefficients(x, y, k, s * axes[0]) for s in (1, -1)]
    assert min(abs(along - side).max() for side in both) < 1e-9
