import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.tasks import SmoothingWave, SoftLabels

IMAGES = tf.constant(np.random.default_rng(0).normal(size=(4, 2, 2, 1)), tf.float32)
LABELS = tf.one_hot([0, 1, 2, 0], 3)
LOGITS = tf.constant([[2.0, 0, 1], [0, 0, 0], [5, 1, 1], [0, 1, 2]])
WAVE = SmoothingWave(0.3, 0.2, 3)


def teacher(images):
    assert images is IMAGES
    return LOGITS


def test_without_a_teacher_the_labels_are_those_of_the_wave(assert_close):
    assert_close(SoftLabels(WAVE)(IMAGES, LABELS), WAVE.smooth(IMAGES, LABELS))


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_the_wave_comes_last_and_keeps_its_amplitude(alpha, assert_close):
    mixed = alpha * LABELS.numpy() + (1 - alpha) * tf.nn.softmax(LOGITS).numpy()
    s = WAVE.smoothing(WAVE.coordinates(IMAGES.numpy()))[:, None].astype(np.float32)
    labels = SoftLabels(WAVE, teacher, alpha)(IMAGES, LABELS)
    assert_close(labels, (1 - s) * mixed + s / 3)
    # Not (the published order) the teacher mixed into labels that are smoothed already.
    published = alpha * ((1 - s) * LABELS.numpy() + s / 3) + (1 - alpha) * tf.nn.softmax(LOGITS)
    assert (alpha == 1) == np.allclose(labels, published, atol=1e-5)
    assert_close(tf.reduce_sum(labels, axis=1), np.ones(4, np.float32))


def test_alpha_is_a_share():
    with pytest.raises(UserError, match="distillation_alpha: expected 0 .* got 1.5"):
        SoftLabels(WAVE, teacher, 1.5)
