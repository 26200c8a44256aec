"""Keras `fit` on TensorFlow, one network after the other.

It makes whole executions only, so a step is one: as many updates as `--steps_per_execution` says.
"""

from __future__ import annotations

import peer


def trainer(
    networks: peer.Networks, threads: int, steps_per_execution: int = 1, jit_compile: int = 0
) -> peer.Work:
    """Full batches from a cached data set without end."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    data = tf.data.Dataset.from_tensors((networks.inputs, networks.targets)).cache().repeat()

    def model_of(weights: list) -> keras.Model:
        *hidden, last = [bias.size for _, bias in weights]
        layers = [keras.layers.Dense(size, "relu") for size in hidden]
        model = keras.Sequential(
            [keras.Input(networks.inputs.shape[1:]), *layers, keras.layers.Dense(last)]
        )
        model.set_weights([part for pair in weights for part in pair])
        optimizer = keras.optimizers.Adam(peer.LEARNING_RATE, epsilon=peer.EPSILON)
        model.compile(
            optimizer,
            "mse",
            steps_per_execution=steps_per_execution,
            jit_compile=bool(jit_compile),
        )
        return model

    members = [model_of(weights) for weights in networks.weights]

    def run(number: int) -> None:
        for member in members:
            updates = number * steps_per_execution
            member.fit(data, steps_per_epoch=updates, epochs=1, verbose=0)

    def losses() -> list[float]:
        return [m.evaluate(data.take(1), verbose=0) for m in members]

    return peer.Work(run, losses, updates=steps_per_execution)


if __name__ == "__main__":
    peer.train_networks(trainer, "keras", "tensorflow", steps_per_execution=1, jit_compile=0)
