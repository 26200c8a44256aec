import keras
import numpy as np

from spectral_tf.models.mlp import mlp
from spectral_tf.probes.kernels import kernel_matrices, kernel_names


def test_the_dense_kernels_by_layer_in_order():
    model = mlp(width=4, depth=3, input_dim=2)
    kernels = kernel_matrices(model, model.get_weights())
    assert list(kernels) == kernel_names(model) == ["layer_1", "layer_2", "layer_3"]
    assert [k.shape for k in kernels.values()] == [(2, 4), (4, 4), (4, 1)]
    np.testing.assert_array_equal(kernels["layer_2"], model.get_weights()[2])


def test_only_dense_kernels_count():
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Conv2D(2, 3)(inputs)
    hidden = keras.layers.Flatten()(keras.layers.BatchNormalization()(hidden))
    model = keras.Model(inputs, keras.layers.Dense(3, name="head")(hidden))
    stacked = [np.stack([v, v]) for v in (w.numpy() for w in model.trainable_variables)]
    kernels = kernel_matrices(model, stacked)
    assert list(kernels) == ["head"]
    assert kernels["head"].shape == (2, 72, 3)
