"""How this package runs its `tf.data` pipelines, and where it keeps what belongs to this host."""

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

_HOST = "/job:localhost/replica:0/task:0/device:CPU:0"


def without_autotune(dataset: "tf.data.Dataset") -> "tf.data.Dataset":
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


def this_host() -> contextlib.AbstractContextManager:
    """Within it operations run on this process's own CPU.

    Connecting to a TPU of another machine makes that machine the default device: files would be
    read and written there.
    """
    import tensorflow as tf

    names = [device.name for device in tf.config.list_logical_devices("CPU")]
    # Before anything is connected, names may tell no job. One of several hosts is no localhost.
    own = any("/job:" not in name or "/job:localhost/" in name for name in names)
    return tf.device(_HOST) if own else contextlib.nullcontext()
