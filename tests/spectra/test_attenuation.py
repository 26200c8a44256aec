import numpy as np
import pytest

from spectral_tf import spectra

Z = np.arange(20) / 20


def wave(k, phase=0.0):
    return np.cos(2 * np.pi * k * Z + phase)


def test_both_readings_by_hand(assert_close):
    whole = 2 * wave(1) + wave(3)
    # k = 1 halved in both; k = 3 turned by +-90 degrees: whole in magnitude, gone in the mean.
    moved = np.stack([wave(1) + wave(3, np.pi / 2), wave(1) + wave(3, -np.pi / 2)])
    magnitude, function = spectra.attenuation(moved, whole, [1, 3])
    assert_close(magnitude, [0.5, 1.0])
    assert_close(function, [0.5, 0.0])


def test_the_mean_function_never_has_more_than_the_mean_magnitude():
    rng = np.random.default_rng(0)
    whole = wave(2) + wave(5)
    magnitude, function = spectra.attenuation(whole + rng.normal(size=(4, 7, 20)), whole, [2, 5])
    assert magnitude.shape == function.shape == (4, 2)
    assert np.all(function < magnitude)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((np.ones((3, 10)), wave(1), [1]), r"disturbed: expected shape \[..., d, 20\]"),
        ((np.ones((3, 20)), wave(1), [10]), "above 0 and below 10"),
        ((np.ones((3, 20)), wave(1), []), "frequencies: expected whole numbers"),
        ((np.ones((3, 20)), np.zeros(20), [4]), r"none of \[4\] in it"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, line):
    with pytest.raises(ValueError, match=line):
        spectra.attenuation(*arguments)


def test_half_attenuation_norms_are_interpolated_and_may_be_never(assert_close):
    ratios = np.array([[1.0, 1.0], [0.8, 1.1], [0.3, 0.9]])
    assert_close(spectra.half_attenuation_norms([0.0, 1.0, 2.0], ratios), [1.6, np.inf])
