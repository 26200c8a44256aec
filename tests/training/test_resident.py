import numpy as np
import tensorflow as tf

from spectral_tf.training.resident import resident


def pairs(inputs):
    inputs = np.asarray(inputs, np.float32)
    return tf.data.Dataset.from_tensor_slices((inputs, inputs + 1))


def test_inputs_that_all_share_are_kept_once():
    inputs, targets = resident([pairs([[1], [2]]), pairs([[1], [2]])])
    assert inputs.shape == (1, 2, 1)
    assert targets.tolist() == [[[2], [3]]] * 2
    inputs, _ = resident([pairs([[1], [2]]), pairs([[1], [3]])])
    assert inputs.tolist() == [[[1], [2]], [[1], [3]]]
