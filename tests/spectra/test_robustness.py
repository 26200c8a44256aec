import numpy as np
import pytest
from numpy.testing import assert_allclose

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.spectra.robustness import LINES, AccuracyLine

LINE = LINES["cifar10", "cifar10_1"]


def test_the_line_is_straight_in_logits():
    a = np.array([0.3, 0.6, 0.9, 0.99])
    expected = spectra.expected_accuracy(a, LINE)
    x, y = (np.log(p / (1 - p)) for p in (a, expected))
    assert_allclose(y, 0.8318 * x - 0.4736, rtol=1e-12)
    assert_allclose(spectra.expected_accuracy([0.0, 1.0], LINE), [0, 1])
    same = AccuracyLine(1.0, 0.0, "no shift")
    assert_allclose(spectra.expected_accuracy(a, same), a)


def test_on_the_line_nobody_is_robust():
    a = np.array([[0.4, 0.8], [0.95, 1.0]])
    on = spectra.expected_accuracy(a, LINE)
    assert_allclose(spectra.effective_robustness(a, on, LINE), 0, atol=1e-15)
    assert_allclose(spectra.effective_robustness(a, on - 0.05, LINE), -0.05)
    for mistake in (1.2, -0.1, np.nan):
        with pytest.raises(UserError, match="accuracy: expected shares of images, from 0 to 1"):
            spectra.effective_robustness(0.9, mistake, LINE)


def test_only_known_shifts_have_a_line():
    assert spectra.line_of("cifar10", "cifar10_1/v4") == LINE
    assert spectra.line_of("cifar10_1", "cifar10") is None
    assert spectra.line_of("npz:cifar10", "cifar10_1") is None
