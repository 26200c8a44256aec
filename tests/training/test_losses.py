import numpy as np
import tensorflow as tf

from spectral_tf.training.losses import LOSSES


def test_values_by_hand(assert_close):
    outputs, targets = tf.constant([[2.0], [0.0]]), tf.constant([[1.0], [0.0]])
    assert_close(LOSSES["mean_squared_error"](outputs, targets).numpy(), np.float32(0.5))
    # -log s(2) = log(1 + e^-2) for the label 1, and log 2 for the logit 0.
    expected = (np.log1p(np.exp(-2)) + np.log(2)) / 2
    cross_entropy = LOSSES["sigmoid_cross_entropy"](outputs, targets).numpy()
    assert_close(cross_entropy, np.float32(expected))
