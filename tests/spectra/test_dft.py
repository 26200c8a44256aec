import numpy as np
import pytest

from spectral_tf import spectra


def grid(n):
    return np.arange(n) / n


@pytest.mark.parametrize("n", [9, 12])
def test_a_sine_has_half_its_amplitude_at_its_bin_and_nothing_elsewhere(n, assert_close):
    amplitude, phase = 3.0, 0.7
    samples = amplitude * np.sin(2 * np.pi * 2 * grid(n) + phase)
    expected = np.zeros(n, complex)
    expected[2] = amplitude / 2 * np.exp(1j * (phase - np.pi / 2))  # sin = Im exp, by hand.
    expected[n - 2] = expected[2].conj()
    assert_close(spectra.coefficients(samples), expected)
    assert_close(spectra.magnitudes(samples), np.abs(expected)[: n // 2 + 1])


def test_constant_and_nyquist_have_no_mirror_image(assert_close):
    alternating = np.array([1.0, -1.0] * 4)
    assert_close(spectra.magnitudes(5.0 + alternating), [5, 0, 0, 0, 1])


@pytest.mark.parametrize("n", [7, 10])
def test_parseval_mean_squared_error_is_the_sum_over_all_bins(n, assert_close):
    f, g = np.random.default_rng(n).normal(size=(2, n))
    errors = np.abs(spectra.coefficients(f) - spectra.coefficients(g)) ** 2
    assert_close(np.mean((f - g) ** 2), np.sum(errors))


def test_a_shift_changes_the_phase_only(assert_close):
    f = np.random.default_rng(0).normal(size=11)
    turn = np.exp(-2j * np.pi * np.arange(11) * 3 / 11)
    assert_close(spectra.coefficients(np.roll(f, 3)), turn * spectra.coefficients(f))
    assert_close(spectra.magnitudes(np.roll(f, 3)), spectra.magnitudes(f))


def test_linearity_and_batches(assert_close):
    f, g = np.random.default_rng(0).normal(size=(2, 8))
    assert_close(
        spectra.coefficients(2 * f - 3 * g),
        2 * spectra.coefficients(f) - 3 * spectra.coefficients(g),
    )
    assert_close(spectra.coefficients([f, g])[1], spectra.coefficients(g))


@pytest.mark.parametrize("n", [8, 9])
def test_real_samples_have_conjugate_halves(n, assert_close):
    spectrum = spectra.coefficients(np.random.default_rng(1).normal(size=n))
    assert_close(spectrum[1:], spectrum[1:][::-1].conj())


def test_normalised_magnitudes_tell_how_much_of_each_sine_is_there(assert_close):
    z = grid(50)
    samples = 0.5 * np.sin(2 * np.pi * 3 * z) + 4.0 * np.cos(2 * np.pi * 10 * z)
    assert_close(
        spectra.normalised_magnitudes(samples, [3, 10, 11], [2.0, 4.0, 1.0]), [0.25, 1.0, 0.0]
    )


def test_overshoot_is_not_clipped(assert_close):
    samples = 3 * np.sin(2 * np.pi * grid(10))
    assert_close(spectra.normalised_magnitudes([samples, samples], [1], [1.0]), [[3.0], [3.0]])


@pytest.mark.parametrize("k", [0, -1, 5, 2.5])
def test_frequencies_without_a_mirrored_bin_are_refused(k):
    with pytest.raises(ValueError, match="whole numbers of cycles between 0 and 5"):
        spectra.normalised_magnitudes(np.ones(10), [k], [1.0])


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="at least 2 samples"):
        spectra.coefficients([])
    with pytest.raises(ValueError, match="real samples"):
        spectra.magnitudes([1j, 2])
    with pytest.raises(ValueError, match="one for each of the 2 frequencies"):
        spectra.normalised_magnitudes(np.ones(10), [1, 2], [1.0])
    with pytest.raises(ValueError, match="positive numbers"):
        spectra.normalised_magnitudes(np.ones(10), [1, 2], [1.0, 0.0])


def test_the_mean_frequency_is_that_of_the_power(assert_close):
    x = np.arange(64) / 64
    waves = np.sin(2 * np.pi * 2 * x + 0.3) + 3 * np.cos(2 * np.pi * 10 * x) - 7
    # Powers 1 and 9 at 2 and 10 cycles, whatever the phase, the scale and the constant.
    assert_close(spectra.mean_frequency([waves, -20 * waves]), [(2 + 90) / 10] * 2)
    assert np.isnan(spectra.mean_frequency(np.full(64, 0.1)))
    rng = np.random.default_rng(0)
    noise = spectra.mean_frequency(rng.normal(size=(400, 64)))
    # White: all frequencies alike.
    assert abs(noise.mean() - (1 + 32) / 2) < 0.3
