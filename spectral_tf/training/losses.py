"""The losses of the papers, by name."""

from collections.abc import Callable, Mapping

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def mean_squared_error(outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Mean (f - y)^2 over samples and output units; scalar, in squared target units."""
    return tf.reduce_mean(tf.square(outputs - targets))


def sigmoid_cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean of -y log s(f) - (1 - y) log(1 - s(f)), s the sigmoid; scalar, in nats."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


LOSSES: Mapping[str, Loss] = {
    "mean_squared_error": mean_squared_error,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
}
