"""Quadrature and least squares on functions whose coefficients are known."""

import numpy as np
import pytest

from spectral_tf import spectra

RNG = np.random.default_rng(0)
CLUSTERED = np.sort(RNG.random(200) ** 3)


def estimators(positions, frequencies):
    return {
        "average": lambda f: spectra.coefficients_at(f, positions, frequencies),
        "quadrature": lambda f: spectra.coefficients_at(
            f, positions, frequencies, weights="quadrature"
        ),
        "least squares": lambda f: spectra.fit_coefficients(f, positions, frequencies).coefficients,
    }


def test_a_constant_on_clustered_positions_has_no_frequency():
    found = {
        name: 2 * abs(estimate(np.ones(200)))[0]
        for name, estimate in estimators(CLUSTERED, [2]).items()
    }
    assert found["average"] == pytest.approx(0.60, abs=0.05)  # What makes the others needed.
    assert found["quadrature"] < 0.01
    assert found["least squares"] < 1e-12


def test_a_sine_on_clustered_positions_is_whole():
    sine = np.sin(2 * np.pi * 5 * CLUSTERED)
    found = {
        name: 2 * abs(estimate(sine))[0] for name, estimate in estimators(CLUSTERED, [5]).items()
    }
    assert abs(found["average"] - 1) > 0.05
    assert found["quadrature"] == pytest.approx(1, abs=0.02)
    assert found["least squares"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("estimator", ["average", "quadrature", "least squares"])
def test_on_the_grid_all_are_the_dft(estimator, assert_close):
    grid, k = np.arange(12) / 12, np.arange(6)
    f = RNG.normal(size=(2, 3, 12))
    assert_close(estimators(grid, k)[estimator](f), spectra.coefficients(f)[..., :6])


def test_with_its_right_end_only_the_plain_average_is_wrong(assert_close):
    closed = np.linspace(0, 1, 33)
    f = 0.7 + np.cos(2 * np.pi * 3 * closed)
    found = {
        name: estimate(f).real.round(12).tolist()
        for name, estimate in estimators(closed, [0, 1, 3]).items()
    }
    assert found["quadrature"] == found["least squares"] == [0.7, 0.0, 0.5]
    assert_close(found["average"], (np.array([32 * 0.7, 0, 16]) + 1.7) / 33)


def test_the_order_of_positions_does_not_matter(assert_close):
    shuffled = RNG.permutation(200)
    f = np.sin(2 * np.pi * 5 * CLUSTERED)
    for name in ("quadrature", "least squares"):
        assert_close(
            estimators(CLUSTERED[shuffled], [2, 5])[name](f[shuffled]),
            estimators(CLUSTERED, [2, 5])[name](f),
        )


def test_weights_are_lengths_and_sum_to_one(assert_close):
    assert_close(spectra.quadrature_weights(np.arange(7) / 7), np.full(7, 1 / 7))
    assert_close(spectra.quadrature_weights([0.9, 0.1, 0.2]), [0.45, 0.15, 0.4])
    # Of a period of 4, 5 is 1; the two there share its cell.
    assert_close(spectra.quadrature_weights([0, 1, 5, 2], period=4), [0.375, 0.125, 0.125, 0.375])
    assert_close(spectra.quadrature_weights([0.3]), [1.0])
    assert_close(
        spectra.quadrature_weights([2.0, 3.0, 7.0], interval=(1, 8)), [1.5 / 7, 2.5 / 7, 3 / 7]
    )
    for x in (CLUSTERED, CLUSTERED * 9 - 4):
        w = spectra.quadrature_weights(x, period=9)
        assert w.min() >= 0
        assert w.sum() == pytest.approx(1, abs=1e-12)


def test_own_weights_are_taken(assert_close):
    f, x = RNG.normal(size=(2, 9)), RNG.random(9)
    w = RNG.random(9)
    w /= w.sum()
    expected = [[(w * row * np.exp(-2j * np.pi * k * x)).sum() for k in (0, 1.5)] for row in f]
    assert_close(spectra.coefficients_at(f, x, [0, 1.5], weights=w), expected)


def test_least_squares_separates_close_and_fractional_frequencies(assert_close):
    x = np.sort(RNG.random(60)) * 3 + 10  # Three units: 0.5 apart is more than one over that.
    k, amplitudes, phases = np.array([1.3, 1.8, 4.05]), np.array([1, 0.2, 3]), np.array([0, 1, 2])
    f = 5 + np.sin(2 * np.pi * np.outer(x, k) + phases) @ amplitudes
    fit = spectra.fit_coefficients(np.stack([f, 2 * f - 1]), x, [0, *k])
    expected = amplitudes / 2 * np.exp(1j * (phases - np.pi / 2))
    assert_close(fit.coefficients, [[5, *expected], [9, *2 * expected]])
    assert fit.condition < 5
    assert np.all(fit.unexplained < 1e-20)
    average = spectra.coefficients_at(f, x, k)
    assert abs(abs(average[1]) / 0.1 - 1) > 1  # The small one drowns.


def test_what_no_frequency_holds_is_told():
    x = np.arange(64) / 64
    f = 3 + 2 * np.cos(2 * np.pi * 3 * x) + np.sin(2 * np.pi * 9 * x)
    assert spectra.fit_coefficients(f, x, [3]).unexplained == pytest.approx(0.2)
    assert np.isnan(spectra.fit_coefficients(np.full(64, 0.1), x, [3]).unexplained)


def test_ill_posed_fits_are_refused():
    x = np.arange(32) / 32
    for k in ([1, 1.000001], [16], [3, 29]):  # One apart, Nyquist's, an alias of 3.
        with pytest.raises(ValueError, match="condition of their fit at most 10000"):
            spectra.fit_coefficients(np.ones(32), x, k)
    with pytest.raises(ValueError, match="at most 15, as 32 samples"):
        spectra.fit_coefficients(np.ones(32), x, np.arange(1, 17))
    with pytest.raises(ValueError, match="each once"):
        spectra.fit_coefficients(np.ones(32), x, [1, -1])
    with pytest.raises(ValueError, match="real samples"):
        spectra.fit_coefficients(np.ones(32) * 1j, x, [1])
    assert spectra.fit_coefficients(np.ones(32), x, [1, 1.01], largest_condition=1e9).condition > 50


def test_mixing_is_what_waves_of_every_phase_leave(assert_close):
    k = [2.0, 3.25, 6.5]
    for name, estimate in estimators(CLUSTERED, k).items():
        phases = np.linspace(0, 2 * np.pi, 721)
        waves = np.cos(2 * np.pi * np.outer(k, CLUSTERED)[:, None] + phases[:, None])
        brute = 2 * np.abs(estimate(waves)).max(axis=1).T
        found = spectra.mixing(estimate, CLUSTERED, k)
        np.testing.assert_allclose(found, brute, rtol=1e-4, atol=1e-9)
        if name == "least squares":
            assert_close(found, np.eye(3))


def test_bad_weights_are_refused():
    with pytest.raises(ValueError, match="average, quadrature or an array"):
        spectra.coefficients_at([1.0], [0.0], [1], weights="mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"positions in \[0, 1\]"):
        spectra.coefficients_at([1.0, 2.0], [0.0, 3.0], [1], weights="quadrature")
    with pytest.raises(ValueError, match="of sum 1"):
        spectra.coefficients_at([1.0, 2.0], [0.0, 0.5], [1], weights=[1.0, 1.0])
    with pytest.raises(ValueError, match="of sum 1"):
        spectra.coefficients_at([1.0, 2.0], [0.0, 0.5], [1], weights=[np.nan, 1.0])
    with pytest.raises(ValueError, match="finite length above 0"):
        spectra.quadrature_weights([0.0], period=0)
    with pytest.raises(ValueError, match="within 0 to 1"):
        spectra.quadrature_weights([0.0, 2.0], interval=(0, 1))
    with pytest.raises(ValueError, match="finite numbers"):
        spectra.quadrature_weights([np.nan])
