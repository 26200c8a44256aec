"""How much of a wave on the labels a classifier follows on held-out images."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.probes.output_kinds import class_logits, refuse_other_outputs
from spectral_tf.probes.stream import at_inference
from spectral_tf.spectra.noise_fit import NoiseFit, noise_fit


def log_probabilities(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    batch_size: int = 256,
    outputs: str = "logits",
) -> NDArray[np.float32]:
    """Log-probabilities of a classifier at inference, shape [n, C].

    Args:
      model: images -> outputs [b, C]; one output is a classifier of two classes.
      images: as the model takes them, shape [n, ...].
      batch_size: images at once; the last batch is filled up, and what fills it dropped.
      outputs: what the model gives, `logits`, `probabilities`, or `sigmoids` of one output.

    Raises:
      UserError: outputs that are not what they are said to be, or independent sigmoids of several
        classes.
    """
    x = np.asarray(images, np.float32)
    infer = at_inference(model)

    def answers(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        given = tf.cast(infer(batch), tf.float32)
        return given, tf.nn.log_softmax(class_logits(given, outputs))

    apply = tf.function(answers, autograph=False)
    parts, looked_at = [], []
    for start in range(0, len(x), batch_size):
        part = x[start : start + batch_size]
        filled = part[np.arange(batch_size) % len(part)]
        given, logs = (tensor.numpy()[: len(part)] for tensor in apply(tf.constant(filled)))
        parts.append(logs)
        looked_at.append(given[np.isfinite(given).all(axis=1)])
    refuse_other_outputs(np.concatenate(looked_at), outputs)
    return np.concatenate(parts)


def label_noise(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    labels: ArrayLike,
    smoothing: ArrayLike,
    batch_size: int = 256,
    outputs: str = "logits",
) -> NoiseFit:
    """Noise fitting and regression slope of any classifier, in one evaluation pass.

    Clean and noisy loss are those of the same images.

    Args:
      model: images -> outputs [b, C]: a Keras model, or a function of tensors.
      images: held-out, normalised as in training, shape [n, ...].
      labels: the clean ones, whole numbers, shape [n].
      smoothing: of these images, in [0, 1], shape [n] (`SmoothingWave.smoothing`).
      batch_size: images at once.
      outputs: what the model gives, as for `log_probabilities`.

    Raises:
      UserError: as `log_probabilities` and `spectra.noise_fit`.
    """
    return noise_fit(log_probabilities(model, images, batch_size, outputs), labels, smoothing)
