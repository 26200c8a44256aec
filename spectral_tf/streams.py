"""How this package runs its `tf.data` pipelines."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def untuned(dataset: "tf.data.Dataset") -> "tf.data.Dataset":
    """The same data set without tf.data's autotuning.

    `AUTOTUNE` then means one call for each core, up to 16.

    An iterator of a tuned data set often does not go before its tuner wakes up, which sleeps for
    as long as the iterator has lived, up to a minute: of what was read in 6 seconds the iterator
    may take 4 more to end (TensorFlow 2.20 and 2.21, two of three iterators). With several
    replicas TensorFlow adds iterators of its own on the devices, tuned.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
