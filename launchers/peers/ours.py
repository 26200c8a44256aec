"""An ensemble in spectral_tf."""

from __future__ import annotations

import peer


def trainer(networks: peer.Networks, threads: int) -> peer.Work:
    """All members in `training.Ensemble`."""
    import keras

    from spectral_tf.models.mlp import mlp
    from spectral_tf.runtime.cores import use_cores
    from spectral_tf.training import Adam
    from spectral_tf.training.ensemble import Ensemble

    use_cores(threads)
    *hidden, _ = [bias.size for _, bias in networks.weights[0]]

    def build(member: int) -> keras.Model:
        depth, inputs = len(hidden) + 1, networks.inputs.shape[1]
        model = mlp(width=hidden[0], depth=depth, input_dim=inputs)
        model.set_weights([part for pair in networks.weights[member] for part in pair])
        return model

    ensemble = Ensemble(
        build,
        range(len(networks.weights)),
        (networks.inputs, networks.targets),
        optimizer=Adam(peer.LEARNING_RATE, epsilon=peer.EPSILON),
    )
    return peer.Work(ensemble.train, lambda: ensemble.evaluate()[1].tolist())


if __name__ == "__main__":
    peer.train_networks(trainer, "keras", "tensorflow")
