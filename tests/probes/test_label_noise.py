import keras
import numpy as np

from spectral_tf.models.small import convnet
from spectral_tf.probes.label_noise import label_noise, log_probabilities
from spectral_tf.spectra import smoothed_log_ratio

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(50, 4, 4, 1)).astype(np.float32)


def test_every_example_is_taken_once_whatever_the_batch(assert_close):
    model = convnet(width=2, num_classes=3, input_shape=(4, 4, 1))
    model.layers[-1].kernel.assign(RNG.normal(size=model.layers[-1].kernel.shape))
    before = [v.numpy() for v in model.variables]
    logits = model(IMAGES, training=False).numpy().astype(np.float64)
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    for size in (7, 50, 64):
        assert_close(log_probabilities(model, IMAGES, size), expected)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


@keras.saving.register_keras_serializable("test")
class Answers(keras.layers.Layer):
    """Logits of class 0 that have learned a smoothing: the input's first pixel."""

    def call(self, images):
        t = images[:, 0, 0]
        gap = keras.ops.log((1 - t + t / 10) / (t / 10))
        return keras.ops.concatenate([gap, keras.ops.zeros((keras.ops.shape(t)[0], 9))], axis=1)


def test_a_model_that_has_learned_the_wave_has_coefficient_1():
    s = RNG.uniform(0.1, 0.7, size=200)
    images = np.zeros((200, 2, 2, 1), np.float32)
    images[:, 0, 0, 0] = s
    inputs = keras.Input((2, 2, 1))
    model = keras.Model(inputs, Answers()(inputs))
    fit = label_noise(model, images, np.zeros(200, int), s)
    np.testing.assert_allclose(fit.regression_slope, 1, atol=1e-4)
    np.testing.assert_allclose(
        fit.noise_fitting, -np.mean(s * smoothed_log_ratio(s, 10)), rtol=1e-4
    )
    images[:] = 0.4  # The mean alone.
    assert abs(label_noise(model, images, np.zeros(200, int), s).regression_slope) < 1e-6
