import numpy as np
import tensorflow as tf

from spectral_tf.training.gradient_descent import GradientDescent


def test_one_step_by_hand_and_none_when_inactive(assert_close):
    weights, gradients = [tf.constant([1.0, 2.0])], [tf.constant([0.5, np.nan])]
    descent = GradientDescent(0.2)
    slots = descent.init([np.ones(2, np.float32)])
    assert slots == []
    moved, kept = descent.update(gradients, slots, weights, tf.constant(3), tf.constant(True))
    assert_close(moved[0].numpy()[0], np.float32(0.9))
    assert kept == []
    held, _ = descent.update(gradients, slots, weights, tf.constant(3), tf.constant(False))
    np.testing.assert_array_equal(held[0], weights[0])
