"""Closed forms of what outputs are: softmax, one output, independent sigmoids."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from spectral_tf import probes, spectra
from spectral_tf.errors import UserError
from spectral_tf.probes import output_kinds
from spectral_tf.probes.label_noise import label_noise
from spectral_tf.probes.pairs import Pairs

RNG = np.random.default_rng(0)
Z = RNG.normal(scale=2, size=(200, 4)).astype(np.float32)
ONE = Z[:, :1]
PAIR = np.concatenate([np.zeros_like(ONE), ONE], axis=1)


@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_one_output_is_two_classes(temperature):
    expected = softmax(PAIR.astype(np.float64) / temperature, axis=1)
    for found, kind in ((ONE, "logits"), (expit(ONE), "sigmoids")):
        p = probes.probabilities_of(found, kind, temperature)
        np.testing.assert_allclose(p, expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(probes.predictions_of(found, kind), PAIR.argmax(axis=1))
        np.testing.assert_allclose(
            probes.temperature_of(found, kind), spectra.confidence_temperature(PAIR), rtol=1e-4
        )
        np.testing.assert_allclose(
            output_kinds.class_probabilities(tf.constant(found), kind),
            softmax(PAIR, axis=1),
            rtol=1e-4,
            atol=1e-6,
        )
        logits = probes.class_logits(tf.constant(found), kind).numpy()
        np.testing.assert_allclose(logits[:, 1] - logits[:, 0], ONE[:, 0], rtol=1e-3, atol=1e-4)


def test_independent_sigmoids_are_each_a_classifier_of_its_own():
    p = expit(Z.astype(np.float64))
    assert probes.probabilities_of(p, "sigmoids") is p
    np.testing.assert_allclose(probes.probabilities_of(p, "sigmoids", 0.5), expit(2 * Z), rtol=1e-5)
    temperature = probes.temperature_of(p, "sigmoids")
    confidence = np.maximum(expit(Z / temperature), expit(-Z / temperature)).mean()
    np.testing.assert_allclose(confidence, 0.9, rtol=1e-6)
    # Logits three times as large have three times the temperature.
    threefold = probes.temperature_of(expit(3 * Z.astype(np.float64)), "sigmoids")
    np.testing.assert_allclose(threefold / temperature, 3, rtol=1e-6)
    with pytest.raises(UserError, match="expected a distribution over the classes"):
        probes.class_logits(tf.constant(p), "sigmoids")


def test_softmax_and_logits_are_what_they_were():
    p = softmax(Z, axis=1)
    exact = softmax(Z.astype(np.float64) / 0.7, axis=1)
    np.testing.assert_array_equal(probes.probabilities_of(Z, "logits", 0.7), exact)
    assert probes.probabilities_of(p, "probabilities") is p
    np.testing.assert_allclose(
        probes.probabilities_of(p, "probabilities", 0.7), softmax(Z / 0.7, axis=1), rtol=1e-4
    )
    assert probes.temperature_of(Z, "logits") == spectra.confidence_temperature(Z)


def test_a_sigmoid_that_was_rounded_to_1_has_a_finite_logit():
    p = np.array([[0.0], [1.0]], np.float32)
    assert np.isfinite(probes.probabilities_of(p, "sigmoids", 0.5)).all()
    assert np.isfinite(output_kinds._single_logits(p, "sigmoids")).all()


SOFTMAX, SIGMOIDS = softmax(Z, axis=1), expit(Z)


@pytest.mark.parametrize(
    ("found", "said", "hint"),
    [
        (SOFTMAX, "logits", "probabilities"),
        (SOFTMAX, "sigmoids", "probabilities"),
        (Z, "probabilities", "logits"),
        (Z, "sigmoids", "logits"),
        (SIGMOIDS, "logits", "sigmoids"),
        (SIGMOIDS, "probabilities", "sigmoids"),
        (ONE, "sigmoids", "logits"),
        (ONE, "probabilities", "logits"),
        (expit(ONE), "logits", "sigmoids"),
        (expit(ONE), "probabilities", "sigmoids"),
    ],
)
def test_a_wrong_statement_is_found_by_looking(found, said, hint):
    with pytest.raises(UserError, match=rf"outputs: expected {said} .*say --outputs={hint}"):
        probes.refuse_other_outputs(found, said)


def test_a_true_statement_passes_and_so_does_what_tells_nothing():
    for found, said in (
        *((Z, "logits"), (SOFTMAX, "probabilities"), (SIGMOIDS, "sigmoids")),
        *((ONE, "logits"), (expit(ONE), "sigmoids")),
        (np.zeros((9, 4)), "logits"),  # A network before its training.
        (SOFTMAX.astype(np.float16), "probabilities"),
        # Sure of itself: sums are next to 1, but not a softmax's.
        (expit(30 * np.eye(4)[RNG.integers(0, 4, 50)] - 9 - RNG.uniform(size=(50, 4))), "sigmoids"),
    ):
        probes.refuse_other_outputs(found, said)
    with pytest.raises(UserError, match="expected logits or probabilities or sigmoids, got mine"):
        probes.refuse_other_outputs(Z, "mine")


def along(function, outputs):
    """Measures of two straight paths between images on a line."""
    images = np.array([[0.0], [4.0], [1.0], [3.0]], np.float32)[:, :, None, None]
    pairs = Pairs(np.array([0, 2]), np.array([1, 3]))
    paths = probes.straight_paths(images, pairs, num_samples=33)
    return probes.measure_paths(
        function, images, np.array([0, 1, 0, 1]), paths, outputs=outputs, temperature=0.5
    )


def test_paths_of_one_output_are_those_of_its_two_classes():
    def logit(x):
        return 3 * tf.sin(x[:, :, 0, 0]) - 1

    def pair(x):
        return tf.concat([tf.zeros_like(logit(x)), logit(x)], axis=1)

    expected = along(pair, "logits")
    for function, kind in (
        (logit, "logits"),
        (lambda x: tf.sigmoid(logit(x)), "sigmoids"),
        (lambda x: tf.nn.softmax(pair(x)), "probabilities"),
    ):
        found = along(function, kind)
        np.testing.assert_array_equal(found.endpoints_correct, expected.endpoints_correct)
        for ours, theirs in zip(found.measures, expected.measures, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=1e-5)
    # The vector (p, p) of two equal sigmoids goes as far as (1 - p, p).
    twice = along(lambda x: tf.sigmoid(tf.concat([logit(x)] * 2, axis=1)), "sigmoids")
    variation = expected.measures.total_variation
    np.testing.assert_allclose(twice.measures.total_variation, variation, rtol=2e-3)


def test_sigmoids_said_to_be_logits_are_found_at_the_end_of_the_paths(caplog):
    def pixel(x):
        return 2 * x[:, :, 0, 0] - 1

    with pytest.raises(UserError, match="say --outputs=sigmoids"):
        along(lambda x: tf.sigmoid(9 * tf.concat([pixel(x), 1 - pixel(x)], 1)), "logits")
    # Logits of a small network may lie between 0 and 1: that is a warning.
    with caplog.at_level("WARNING"):
        along(lambda x: tf.sigmoid(0.2 * tf.concat([pixel(x), 1 - pixel(x)], 1)), "logits")
    assert "all logits lie in [0, 1]" in caplog.text


def follower(s):
    """Probabilities of a classifier that follows the smoothing s of labels of class 0 of 10."""
    s = s[:, None]
    return np.concatenate([1 - s + s / 10, np.tile(s / 10, (1, 9))], axis=1).astype(np.float32)


def test_a_perfect_follower_has_slope_1_however_it_says_so():
    s = RNG.uniform(0.1, 0.7, size=200)
    p = tf.constant(follower(s))
    rows = np.arange(200, dtype=np.float32)[:, None]

    def pick(batch):
        return tf.gather(p, tf.cast(batch[:, 0], tf.int32))

    def slope(function, outputs, label=0):
        labels = np.full(200, label)
        return label_noise(function, rows, labels, s, outputs=outputs).regression_slope

    np.testing.assert_allclose(slope(pick, "probabilities"), 1, atol=1e-4)
    np.testing.assert_allclose(slope(lambda b: tf.math.log(pick(b)), "logits"), 1, atol=1e-4)
    for function, said, hint in (
        (pick, "logits", "probabilities"),
        (lambda b: tf.math.log(pick(b)), "probabilities", "logits"),
    ):
        with pytest.raises(UserError, match=f"say --outputs={hint}"):
            slope(function, said)
    with pytest.raises(UserError, match="independent sigmoids"):
        slope(lambda b: pick(b) / 2, "sigmoids")

    def yes(batch):  # Of two classes, labels 1.
        t = tf.gather(tf.constant(s, tf.float32), tf.cast(batch[:, :1], tf.int32))
        return 1 - t / 2

    np.testing.assert_allclose(slope(yes, "sigmoids", 1), 1, atol=1e-4)
    logit = slope(lambda b: tf.math.log(yes(b) / (1 - yes(b))), "logits", 1)
    np.testing.assert_allclose(logit, 1, atol=1e-3)
