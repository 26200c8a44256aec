"""Fourier vectors, and models whose answers to them are known by hand."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from spectral_tf.errors import UserError
from spectral_tf.probes.fourier import (
    fourier_sensitivity,
    fourier_vector,
)
from spectral_tf.spectra import plane_frequencies, rings

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(10, 6, 5, 3)).astype(np.float32)
LABELS = np.arange(10) % 2


@pytest.mark.parametrize("shape", [(6, 5), (4, 8)])
def test_the_vectors_are_an_orthonormal_basis(shape):
    basis = fourier_vector(*shape, *plane_frequencies(*shape)).reshape(np.prod(shape), -1)
    assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-12)


def test_the_vectors_have_their_frequency():
    spectrum = np.abs(np.fft.fft2(fourier_vector(8, 8, 2, -3)))
    assert_allclose(spectrum[2, -3], spectrum[-2, 3])
    spectrum[2, -3] = spectrum[-2, 3] = 0
    assert_allclose(spectrum, 0, atol=1e-12)


def watcher(i, j):
    """Logits (0, 2 <x, u>) of the sum over the channels: it sees one vector of the basis only."""
    u = tf.constant(fourier_vector(6, 5, i, j), tf.float32)

    def model(x):
        seen = 2 * tf.einsum("bhwc,hw->b", x, u)
        return tf.stack([tf.zeros_like(seen), seen], axis=1)

    return model


@pytest.mark.parametrize("signs", ["plus", "both"])
@pytest.mark.parametrize("batch_size", [3, 100])
def test_a_model_that_sees_one_vector_answers_to_that_alone(signs, batch_size):
    i, j, norm = 2, -1, 0.7
    model = watcher(i, j)
    found = fourier_sensitivity(
        *(model, IMAGES, LABELS), norm=norm, signs=signs, batch_size=batch_size, block_size=7
    )
    logits = model(IMAGES).numpy()[:, 1]
    before = 1 / (1 + np.exp(-logits))
    # norm / sqrt(3) in each of 3 channels.
    moves = [2 * norm * np.sqrt(3) * sign for sign in ((1,) if signs == "plus" else (1, -1))]
    after = [1 / (1 + np.exp(-(logits + move))) for move in moves]
    change = np.mean([np.abs(p - before).mean() for p in after])
    error = np.mean([((p > 0.5) != LABELS).mean() for p in after])
    clean = ((before > 0.5) != LABELS).mean()
    at = (3 + i, 2 + j)
    assert_allclose(found.change[at], change, rtol=1e-5)
    assert_allclose(found.error[at], error, rtol=1e-6)
    assert_allclose(found.clean_wrong.mean(), clean, rtol=1e-6)
    elsewhere = np.ones((6, 5), bool)
    elsewhere[at] = False
    assert_allclose(found.change[elsewhere], 0, atol=1e-5)
    assert_allclose(found.error[elsewhere], clean, rtol=1e-6)


def test_rings_are_means_over_their_vectors_for_every_image():
    """By hand, image by image and vector by vector, of a model that looks at two vectors."""
    first, second = watcher(2, -1), watcher(0, 1)

    def model(x):
        return first(x) + 3 * second(x)

    norm, signs = 0.9, (1.0, -1.0)
    found = fourier_sensitivity(model, IMAGES, LABELS, norm=norm, batch_size=4, block_size=7)
    i, j = plane_frequencies(6, 5)
    ring = rings(6, 5)
    assert ring[3, 2] == 0
    assert ring[3 + 2, 2 - 1] == 2  # sqrt(5) = 2.2
    np.testing.assert_array_equal(ring, np.round(np.hypot(i, j)))

    def answers(x):
        logits = model(x.astype(np.float32)).numpy().astype(float)
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    before = answers(IMAGES)
    error, change = np.zeros((2, 10, ring.max() + 1))
    for row, column in np.ndindex(6, 5):
        u = fourier_vector(6, 5, i[row, column], j[row, column])[..., None] * norm / np.sqrt(3)
        for sign in signs:
            after = answers(IMAGES + sign * u)
            error[:, ring[row, column]] += (after.argmax(axis=1) != LABELS) / 2
            change[:, ring[row, column]] += np.abs(after - before).sum(axis=1) / 4
    counts = np.bincount(ring.ravel())
    assert_allclose(found.ring_error, error / counts, atol=1e-6)
    assert_allclose(found.ring_change, change / counts, atol=1e-5)
    np.testing.assert_array_equal(found.clean_wrong, before.argmax(axis=1) != LABELS)
    for of_images, plane in ((found.ring_error, found.error), (found.ring_change, found.change)):
        assert_allclose(of_images.mean(axis=0) @ counts / ring.size, plane.mean())


def test_the_norm_is_one_of_pixels_before_they_are_prepared():
    """A normalisation by 1/10 makes ten times the change of logits."""
    kwargs = {"signs": "plus", "outputs": "logits"}
    ours = fourier_sensitivity(
        watcher(0, 0), IMAGES, LABELS, lambda x: (x - 0.5) / 0.1, norm=0.02, **kwargs
    )
    theirs = fourier_sensitivity(watcher(0, 0), (IMAGES - 0.5) / 0.1, LABELS, norm=0.2, **kwargs)
    assert_allclose(ours.change, theirs.change, atol=1e-5)
    assert ours.change[3, 2] > 0.001


def test_bad_input():
    with pytest.raises(UserError, match="norm: expected a norm above 0"):
        fourier_sensitivity(watcher(0, 0), IMAGES, LABELS, norm=0)

    def probabilities(x):
        return tf.nn.softmax(watcher(1, 1)(x))

    for model, said in ((probabilities, "logits"), (watcher(1, 1), "probabilities")):
        with pytest.raises(UserError, match=f"outputs: expected {said}"):
            fourier_sensitivity(model, IMAGES, LABELS, norm=1, outputs=said)
    one = fourier_sensitivity(probabilities, IMAGES, LABELS, norm=1, outputs="probabilities")
    other = fourier_sensitivity(watcher(1, 1), IMAGES, LABELS, norm=1)
    assert_allclose(one.change, other.change, atol=1e-6)
