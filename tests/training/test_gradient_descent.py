import numpy as np
import tensorflow as tf

from spectral_tf.training.gradient_descent import GradientDescent


def test_one_step_by_hand_and_none_when_inactive(assert_close):
    weights, gradients, zeros = (
        [tf.constant([1.0, 2.0])],
        [tf.constant([0.5, np.nan])],
        [tf.zeros(2)],
    )
    moved, first, second = GradientDescent(0.2).update(
        weights, gradients, zeros, zeros, tf.constant(3), tf.constant(True)
    )
    assert_close(moved[0].numpy()[0], np.float32(0.9))
    assert first[0] is second[0] is zeros[0]
    held, _, _ = GradientDescent(0.2).update(
        weights, gradients, zeros, zeros, tf.constant(3), tf.constant(False)
    )
    np.testing.assert_array_equal(held[0], weights[0])
