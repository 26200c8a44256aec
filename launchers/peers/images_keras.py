"""The small convolutional network in Keras `fit` on TensorFlow, or its bare forward pass."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import keras


def convnet(kernels: list, side: int, num_classes: int) -> keras.Model:
    """Three convolutions with normalisation and ReLU, and logits that start at zero."""
    import keras

    inputs = x = keras.Input((side, side, kernels[0].shape[2]))
    for stage, kernel in enumerate(kernels):
        convolution = keras.layers.Conv2D(
            kernel.shape[3], 3, strides=2 if stage else 1, padding="same", use_bias=False
        )
        x = convolution(x)
        convolution.set_weights([kernel])
        x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Flatten()(x)
    outputs = keras.layers.Dense(num_classes, kernel_initializer="zeros")(x)
    return keras.Model(inputs, outputs)


def trainer(batches: peer.Batches, threads: int, forward: int = 0) -> peer.Work:
    """SGD with Nesterov momentum by `fit`; or outputs alone, by a function that XLA compiles."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # As ours: it is not TensorFlow's choice.
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    network = convnet(batches.kernels, batches.images.shape[2], batches.num_classes)
    if forward:
        following = peer.endless([tf.constant(images) for images in batches.images])
        apply = tf.function(lambda x: network(x, training=False), jit_compile=True)

        def answer(number: int) -> None:
            for images in following(number):
                apply(images).numpy()

        return peer.Work(answer)

    network.compile(
        keras.optimizers.SGD(peer.SGD_RATE, momentum=peer.MOMENTUM, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    data = tf.data.Dataset.from_tensor_slices((batches.images, batches.labels))
    endless = data.repeat().prefetch(tf.data.AUTOTUNE)
    last = 0

    def train(number: int) -> None:  # Every call begins with the first batch.
        nonlocal last
        network.fit(endless, steps_per_epoch=number, verbose=0)
        last = number % len(batches.images)

    def losses() -> list[float]:
        # As in training, with the statistics of the batch.
        logits = network(batches.images[last], training=True)
        return [float(network.loss(batches.labels[last], logits))]

    return peer.Work(train, losses)


if __name__ == "__main__":
    peer.train_classifier(trainer, "keras", "tensorflow", forward=0)
