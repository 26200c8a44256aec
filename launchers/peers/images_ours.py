"""The small convolutional network in spectral_tf, or its bare forward pass."""

from __future__ import annotations

import math

import peer


def trainer(batches: peer.Batches, threads: int, forward: int = 0) -> peer.Work:
    """`training.classifier.Classifier` on the same batches; or outputs as a probe asks for them."""
    from spectral_tf.runtime.cores import use_cores, use_onednn

    use_onednn()
    import keras
    import tensorflow as tf

    from spectral_tf.models.small import convnet
    from spectral_tf.training.classifier import Classifier, CosineSgd

    use_cores(threads)

    def build() -> keras.Model:
        model = convnet(
            width=batches.kernels[0].shape[3],
            num_classes=batches.num_classes,
            input_shape=batches.images.shape[2:],
        )
        layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        for layer, kernel in zip(layers, batches.kernels, strict=True):
            layer.set_weights([kernel])
        return model

    if forward:
        model = build()
        following = peer.endless([tf.constant(images) for images in batches.images])
        apply = tf.function(lambda x: model(x, training=False))

        def answer(number: int) -> None:
            for images in following(number):
                apply(images).numpy()

        return peer.Work(answer)

    data = tf.data.Dataset.from_tensor_slices((batches.images, batches.labels)).repeat()
    strategy = tf.distribute.get_strategy()
    # The rate of the others: no decay, and so long a schedule that nothing of it is seen.
    plain = CosineSgd(peer.SGD_RATE, 10**9, 0, peer.MOMENTUM, 0.0, clip_norm=math.inf)
    trained = Classifier(
        build,
        lambda first: strategy.experimental_distribute_dataset(
            data.skip(first % len(batches.images)).prefetch(tf.data.AUTOTUNE)
        ),
        None,
        plain,
        strategy=strategy,
    )

    def losses() -> list[float]:
        following = trained.step % len(batches.images)
        logits = trained.model(batches.images[following], training=True)
        labels = batches.labels[following]
        return [
            float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))
        ]

    return peer.Work(trained.train, losses)


if __name__ == "__main__":
    peer.train_classifier(trainer, "keras", "tensorflow", forward=0)
