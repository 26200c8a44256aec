"""An ensemble in spectral_tf."""

from __future__ import annotations

from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import keras

    from spectral_tf.training import Ensemble


def trainer(networks: peer.Networks, threads: int) -> peer.Work:
    """All members in `training.Ensemble`."""
    from spectral_tf.runtime.cores import use_cores

    use_cores(threads)
    members = ensemble(networks)
    return peer.Work(members.train, lambda: members.evaluate()[1].tolist())


def ensemble(networks: peer.Networks, block_size: int | None = None) -> Ensemble:
    """The networks as an ensemble; `block_size` as there."""
    from spectral_tf import training
    from spectral_tf.models.mlp import mlp

    *hidden, _ = [bias.size for _, bias in networks.weights[0]]

    def build(member: int) -> keras.Model:
        depth, inputs = len(hidden) + 1, networks.inputs.shape[1]
        model = mlp(width=hidden[0], depth=depth, input_dim=inputs)
        model.set_weights([part for pair in networks.weights[member] for part in pair])
        return model

    return training.Ensemble(
        build,
        range(len(networks.weights)),
        (networks.inputs, networks.targets),
        optimizer=training.Adam(peer.LEARNING_RATE, epsilon=peer.EPSILON),
        block_size=block_size,
    )


if __name__ == "__main__":
    peer.train_networks(trainer, "keras", "tensorflow")
