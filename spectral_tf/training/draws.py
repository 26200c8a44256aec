"""Random layers under several replicas."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

# Between the seeds of two replicas: far from the small steps that people leave between seeds.
_APART = 0x1E3779B9


@contextlib.contextmanager
def draws_of_each_replica(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Within it random layers draw on every replica numbers of its own; on the first as alone.

    Every replica has a copy of the state of Keras' seed generators, all of them equal, so that all
    would drop the same units of different images. Here what a generator gives is moved by the
    number of the replica. The states stay as they were, equal on all replicas: they are saved and
    restored as those of one. Dropout is meant, and every layer that draws by `keras.random`; a
    program has these draws if it is traced within.

    Args:
      strategy: that runs the layers; with one replica nothing changes.
    """
    if strategy.num_replicas_in_sync == 1:
        yield
        return
    generator = keras.random.SeedGenerator
    shared = generator.next

    def of_this_replica(self: keras.random.SeedGenerator, ordered: bool = True) -> tf.Tensor:
        seed = shared(self, ordered)
        context = tf.distribute.get_replica_context()
        if context is None:  # Outside of any replica.
            return seed
        replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
        return seed + tf.stack([replica * _APART, tf.zeros_like(replica)])

    # Replicas are traced in threads of their own: in each the context tells which it is.
    generator.next = of_this_replica
    try:
        yield
    finally:
        generator.next = shared
