"""Models that are compared answer the same paths."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spectral_tf import spectra
from spectral_tf.errors import UserError

CORRECT = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 0, 0]])


def test_by_hand():
    assert_array_equal(spectra.common_paths(CORRECT), [True, False, False, False])
    assert_array_equal(spectra.shared_paths(*CORRECT[:2]), [True, False, False, True])
    assert_array_equal(spectra.difficulty(CORRECT), [3, 2, 0, 2])
    assert_array_equal(spectra.difficulty(CORRECT.astype(bool)), [3, 2, 0, 2])
    assert_array_equal(spectra.difficulty(CORRECT) == 3, spectra.common_paths(CORRECT))


def test_own_correct_paths_turn_the_sign_and_common_ones_do_not():
    """Harder paths are faster, better models slower on every path, and correct on harder ones."""
    rng = np.random.default_rng(0)
    skill, hardness = np.linspace(0.3, 0.9, 8), rng.random(2000)
    correct = hardness < skill[:, None]
    speed = hardness - 0.2 * skill[:, None]
    own = [of_model[right].mean() for of_model, right in zip(speed, correct, strict=True)]
    assert np.all(np.diff(own) > 0)
    assert np.all(np.diff(speed[:, spectra.common_paths(correct)].mean(axis=1)) < 0)
    for i in range(7):
        both = spectra.shared_paths(correct[i], correct[i + 1])
        assert np.mean(speed[i + 1, both] - speed[i, both]) < 0
    groups = spectra.difficulty(correct)
    for level in range(9):
        assert np.all(np.diff(speed[:, groups == level].mean(axis=1)) < 0)


def test_bad_input():
    with pytest.raises(UserError, match="for every model and path, .* got nan"):
        spectra.common_paths([[1.0, np.nan]])  # True as a bool.
    with pytest.raises(UserError, match=r"got shape \(3,\)"):
        spectra.difficulty([True, False, True])
    with pytest.raises(UserError, match="the same paths for both models"):
        spectra.shared_paths([True], [True, False])
