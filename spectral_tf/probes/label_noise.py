"""How much of a wave on the labels a classifier follows on held-out images."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.spectra.noise_fit import NoiseFit, noise_fit


def log_probabilities(
    model: keras.Model, images: ArrayLike, batch_size: int = 256
) -> NDArray[np.float32]:
    """Log softmax of a classifier's logits at inference, shape [n, C].

    Args:
      model: images -> logits [b, C].
      images: as the model takes them, shape [n, ...].
      batch_size: images at once; the last batch is filled up, and what fills it dropped.
    """
    x = np.asarray(images, np.float32)
    apply = tf.function(
        lambda batch: tf.nn.log_softmax(tf.cast(model(batch, training=False), tf.float32)),
        autograph=False,
    )
    parts = []
    for start in range(0, len(x), batch_size):
        part = x[start : start + batch_size]
        filled = part[np.arange(batch_size) % len(part)]
        parts.append(apply(tf.constant(filled)).numpy()[: len(part)])
    return np.concatenate(parts)


def label_noise(
    model: keras.Model,
    images: ArrayLike,
    labels: ArrayLike,
    smoothing: ArrayLike,
    batch_size: int = 256,
) -> NoiseFit:
    """Noise fitting and regression slope of any Keras classifier, in one evaluation pass.

    Clean and noisy loss are those of the same images.

    Args:
      model: images -> logits [b, C].
      images: held-out, normalised as in training, shape [n, ...].
      labels: the clean ones, whole numbers, shape [n].
      smoothing: of these images, in [0, 1], shape [n] (`SmoothingWave.smoothing`).
      batch_size: images at once.

    Raises:
      UserError: as `spectra.noise_fit`.
    """
    return noise_fit(log_probabilities(model, images, batch_size), labels, smoothing)
