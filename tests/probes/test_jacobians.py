"""Norms of Jacobians of functions whose Jacobians are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy.special import softmax

from spectral_tf import probes
from spectral_tf.errors import UserError
from spectral_tf.models.small import convnet
from spectral_tf.probes import jacobians

RNG = np.random.default_rng(5)
IMAGES = RNG.uniform(size=(9, 2, 3, 2)).astype(np.float32)
DEVIATION = np.array([0.5, 0.2])
MEAN = np.array([0.3, 0.6])
W = RNG.normal(size=(12, 5))


def prepare(pixels):
    return (tf.cast(pixels, tf.float32) - MEAN) / DEVIATION.astype(np.float32)


def linear(x):
    return tf.linalg.matmul(tf.reshape(x, (-1, 12)), tf.constant(W, tf.float32))


def softmax_rows(logits, rows, temperature):
    """(diag(p) - p p^T) J / T of each image, [n, C, d]."""
    p = softmax(logits / temperature, axis=-1)
    inner = p[..., None] * np.eye(p.shape[-1]) - p[..., None] * p[:, None]
    return inner @ rows / temperature


def assert_norms(found, logits, rows, temperatures):
    """That norms are those of Jacobians [n, C, d] of the logits by the inputs."""
    assert_allclose(found.logits, np.linalg.norm(rows, axis=(1, 2)), rtol=2e-5)
    per_pixel = rows / np.tile(DEVIATION, rows.shape[-1] // 2)
    for row, temperature in zip(found.probabilities, temperatures, strict=True):
        by_hand = softmax_rows(logits, per_pixel, temperature)
        assert_allclose(row, np.linalg.norm(by_hand, axis=(1, 2)), rtol=2e-4)


def test_of_a_linear_network_the_norm_is_that_of_its_weights():
    temperatures = (1.0, 3.0)
    found = probes.jacobian_norms(
        linear, IMAGES, prepare, temperatures=temperatures, deviation=DEVIATION, batch_size=4
    )
    assert_allclose(found.logits, np.linalg.norm(W), rtol=1e-6)  # Everywhere the same.
    logits = np.asarray(linear(prepare(IMAGES)), np.float64)
    assert_norms(found, logits, np.broadcast_to(W.T, (9, 5, 12)), temperatures)


def test_of_a_relu_network_the_norm_is_that_of_its_active_part():
    first, last = RNG.normal(size=(12, 7)), RNG.normal(size=(7, 5))
    bias = RNG.normal(size=7)
    hidden, out = keras.layers.Dense(7, "relu"), keras.layers.Dense(5)
    model = keras.Sequential([keras.Input((2, 3, 2)), keras.layers.Flatten(), hidden, out])
    model.set_weights([first, bias, last, np.zeros(5)])
    before = np.asarray(prepare(IMAGES), np.float64).reshape(9, 12) @ first + bias
    active = (before > 0).astype(float)
    assert 0.2 < active.mean() < 0.8
    rows = np.einsum("ij,nj,jk->nki", first, active, last)
    logits = np.maximum(before, 0) @ last
    temperatures = (0.5, 2.0)
    settings = {"temperatures": temperatures, "deviation": DEVIATION}
    found = probes.jacobian_norms(model, IMAGES, prepare, **settings)
    assert_norms(found, logits, rows, temperatures)
    # A model that ends in its probabilities has logits that differ by one number for all classes.
    whole = keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0]))
    theirs = probes.jacobian_norms(whole, IMAGES, prepare, kind="probabilities", **settings)
    assert_allclose(theirs.probabilities, found.probabilities, rtol=1e-3)


def test_along_paths_they_are_those_at_the_points():
    pairs = probes.Pairs(np.array([0, 1, 2]), np.array([5, 6, 7]))
    paths = probes.straight_paths(IMAGES, pairs, prepare, num_samples=50)

    def curved(x):
        return tf.sin(linear(x))

    settings = {"temperatures": (1.0, 2.0), "deviation": DEVIATION}
    found = probes.path_jacobians(curved, IMAGES, paths, prepare, points=4, **settings)
    assert found.logits.shape == (3, 4)
    assert found.probabilities.shape == (2, 3, 4)
    t = np.linspace(0, 1, 4)[:, None, None, None]
    points = [(1 - t) * IMAGES[i] + t * IMAGES[i + 5] for i in range(3)]
    there = probes.jacobian_norms(curved, np.concatenate(points), prepare, **settings)
    assert_allclose(found.logits, there.logits.reshape(3, 4), rtol=1e-4)
    assert_allclose(found.probabilities, there.probabilities.reshape(2, 3, 4), rtol=1e-4)


def test_no_step_along_a_path_is_larger_than_the_norm_says():
    """|dp|_2 <= |dp/dx|_F |dx|, to first order: along short paths."""
    paths = probes.straight_paths(
        IMAGES, probes.Pairs(np.array([0]), np.array([5])), prepare, num_samples=400
    )
    (logits,) = probes.path_logits(linear, IMAGES, paths, prepare)
    steps = np.linalg.norm(np.diff(softmax(logits.astype(float), axis=-1), axis=0), axis=-1)
    slopes = steps / (paths.pixel_distances[0] / 399)
    norms = probes.path_jacobians(
        linear, IMAGES, paths, prepare, points=400, deviation=DEVIATION
    ).probabilities[0, 0]
    assert np.all(slopes <= np.maximum(norms[1:], norms[:-1]) * (1 + 1e-3))
    assert slopes.max() > 0.1 * norms.max()


def test_of_a_convolutional_network_they_are_finite_differences():
    model = convnet(width=2, num_classes=3, input_shape=(8, 8, 1), seed=0)
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.3 * rng.normal(size=w.shape) ** 2 for w in model.get_weights()])
    images = rng.normal(size=(2, 8, 8, 1)).astype(np.float32)
    found = probes.jacobian_norms(model, images)
    h = 2e-3
    steps = h * np.concatenate([np.eye(64), -np.eye(64)]).reshape(128, 1, 8, 8, 1)
    moved = (images + steps).astype(np.float32).reshape(-1, 8, 8, 1)
    there, back = np.asarray(model(moved, training=False), np.float64).reshape(2, 64, 2, 3)
    rows = np.moveaxis(there - back, 0, -1) / (2 * h)
    assert_allclose(found.logits, np.linalg.norm(rows, axis=(1, 2)), rtol=0.02)
    assert np.ptp(found.logits) > 0  # Of each image its own.


def test_fewer_images_at_once_where_jacobians_are_large(monkeypatch):
    sizes = []

    def noting(x):
        sizes.append(x.shape[0])
        return linear(x)

    whole = probes.jacobian_norms(linear, IMAGES)
    monkeypatch.setattr(jacobians, "_NUMBERS_AT_ONCE", 3 * 5 * 12)
    few = probes.jacobian_norms(noting, IMAGES)
    assert max(size for size in sizes if size) == 3
    assert_allclose(few.logits, whole.logits, rtol=1e-6)


def test_mistakes_get_one_line():
    paths = probes.straight_paths(IMAGES, probes.Pairs(np.array([0]), np.array([1])))
    with pytest.raises(UserError, match="jacobian_points: expected 2 or more"):
        probes.path_jacobians(linear, IMAGES, paths, points=1)
    with pytest.raises(UserError, match="temperature: expected a number above 0"):
        probes.jacobian_norms(linear, IMAGES, temperatures=(0.0,))
    with pytest.raises(UserError, match="independent sigmoids"):
        probes.jacobian_norms(linear, IMAGES, kind="sigmoids")
