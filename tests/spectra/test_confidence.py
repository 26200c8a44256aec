"""One temperature for each model makes all of them equally confident."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from spectral_tf import spectra
from spectral_tf.errors import UserError

LOGITS = np.random.default_rng(0).normal(size=(500, 7), scale=3) + np.arange(7)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_one_margin_has_a_closed_form(classes):
    logits = np.zeros((120, classes))
    logits[np.arange(120), np.arange(120) % classes] = 5.0
    # c = 1 / (1 + (C - 1) exp(-5 / T))
    expected = 5 / np.log(0.9 * (classes - 1) / 0.1)
    assert_allclose(spectra.confidence_temperature(logits), expected, rtol=1e-12)
    assert_allclose(spectra.confidence_temperature(logits - 300), expected, rtol=1e-10)


@pytest.mark.parametrize("confidence", [0.2, 0.5, 0.9, 0.999])
def test_it_gives_the_confidence_that_was_asked_for(confidence):
    temperature = spectra.confidence_temperature(LOGITS, confidence)
    found = softmax(LOGITS / temperature, axis=1).max(axis=1).mean()
    assert_allclose(found, confidence, rtol=1e-11)
    assert_allclose(spectra.mean_confidence(LOGITS, temperature), found, rtol=1e-12)


def test_the_scale_of_the_logits_divides_out():
    temperature = spectra.confidence_temperature(LOGITS)
    for power in (-100, -3, 1, 7, 100):  # To the last bit.
        assert spectra.confidence_temperature(2.0**power * LOGITS) == 2.0**power * temperature
    for scale in (0.1, 10, 100, 1e-30, 1e30):
        found = spectra.confidence_temperature(scale * LOGITS)
        assert_allclose(found, scale * temperature, rtol=1e-11)


def test_measures_at_one_confidence_do_not_know_the_scale_of_the_logits():
    rng = np.random.default_rng(1)
    along = np.cumsum(rng.normal(size=(20, 65, 7)), axis=1)
    plain, matched = [], []
    for scale in (0.1, 1, 10, 100):
        temperature = spectra.confidence_temperature(scale * LOGITS)
        for found, divisor in ((plain, 1.0), (matched, temperature)):
            p = softmax(scale * along / divisor, axis=-1)
            found.append(spectra.path_measures(p, 0.5))
    for measures in matched:
        assert_allclose(measures, matched[0], rtol=1e-9)
    shares = [m.dct_share.mean() for m in plain]
    assert shares[-1] > 2 * shares[0]
    assert np.all(np.diff([m.centroid.mean() for m in plain]) > 0)


def test_logarithms_of_probabilities_are_logits():
    p = softmax(LOGITS, axis=1)
    assert_allclose(softmax(spectra.logits_of(p) / 3, axis=1), softmax(LOGITS / 3, axis=1))
    found = spectra.confidence_temperature(spectra.logits_of(p))
    assert_allclose(found, spectra.confidence_temperature(LOGITS), rtol=1e-9)
    assert_array_equal(spectra.logits_of([0.0, 1e-300]), np.log(2.0**-126))


def test_bad_input():
    with pytest.raises(UserError, match=r"at least 100, .* got shape \(99, 7\)"):
        spectra.confidence_temperature(LOGITS[:99])
    for confidence in (1 / 7, 0.1, 1.0, float("nan")):
        with pytest.raises(UserError, match="confidence: expected above 0.142857 and below 1"):
            spectra.confidence_temperature(LOGITS, confidence)
    for spoilt in (np.nan, np.inf, -np.inf):
        logits = LOGITS.copy()
        logits[3:8, 2] = spoilt  # 1 % of 500 images, which are left out,
        whole = np.delete(LOGITS, range(3, 8), axis=0)
        assert spectra.confidence_temperature(logits) == spectra.confidence_temperature(whole)
        logits[8, 2] = spoilt  # and one more.
        with pytest.raises(UserError, match="99% of 500 images or more, got 6 images with others"):
            spectra.confidence_temperature(logits)
    with pytest.raises(UserError, match="below 0.142857, as these logits allow"):
        spectra.confidence_temperature(np.zeros((100, 7)), 0.5)
    ties = LOGITS.copy()
    ties[:250, :2] = ties.max() + 1
    with pytest.raises(UserError, match="below 0.75, as"):
        spectra.confidence_temperature(ties, 0.8)
    with pytest.raises(UserError, match="none below 0"):
        spectra.logits_of([0.5, -0.1])
