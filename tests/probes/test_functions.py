import numpy as np
import tensorflow as tf

from spectral_tf.models.mlp import mlp
from spectral_tf.probes.functions import stacked_outputs


def test_copies_at_once_equal_each_model_alone_and_are_left_as_they_were(assert_close):
    models = [mlp(width=8, depth=3, input_dim=2, seed=seed) for seed in range(3)]
    before = [model.get_weights() for model in models]
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    weights = [
        tf.stack([w.value for w in row])
        for row in zip(*(m.trainable_variables for m in models), strict=True)
    ]
    outputs = stacked_outputs(models[0], weights, [], tf.constant(x))
    assert_close(outputs.numpy(), np.stack([model(x).numpy() for model in models]))
    for model, old in zip(models, before, strict=True):
        for now, then in zip(model.get_weights(), old, strict=True):
            np.testing.assert_array_equal(now, then)
