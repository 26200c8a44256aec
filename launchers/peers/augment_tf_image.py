"""Augmented batches by tf.image in tf.data, one image after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

PADDING, CUTOUT = 4, 16
# More batches than tf.data makes ahead.
AHEAD = 64


def batches(pixels: np.ndarray, batch_size: int, policy: int, threads: int) -> Iterator[np.ndarray]:
    """The usual functions; TensorFlow has no AutoAugment."""
    import numpy as np
    import tensorflow as tf

    if policy:
        raise SystemExit("augment_tf_image.py: TensorFlow has no AutoAugment, leave --policy out")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    unit = pixels.reshape(-1, 3) / 255.0
    mean, deviation = (x.astype(np.float32) for x in (unit.mean(axis=0), unit.std(axis=0)))
    height, width = pixels.shape[1:3]

    def changed(image: tf.Tensor) -> tf.Tensor:
        image = (tf.image.convert_image_dtype(image, tf.float32) - mean) / deviation
        image = tf.image.random_flip_left_right(image)
        image = tf.pad(image, [[PADDING, PADDING], [PADDING, PADDING], [0, 0]])
        image = tf.image.random_crop(image, [height, width, 3])
        y, x = (tf.random.uniform([], 0, side, tf.int32) for side in (height, width))
        rows = (tf.range(height) - y + CUTOUT // 2) // CUTOUT == 0
        columns = (tf.range(width) - x + CUTOUT // 2) // CUTOUT == 0
        return tf.where((rows[:, None] & columns[None, :])[..., None], 0.0, image)

    images = tf.data.Dataset.from_tensor_slices(pixels).shuffle(len(pixels)).repeat()
    made = images.map(changed, tf.data.AUTOTUNE).batch(batch_size).prefetch(2)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    return made.with_options(options).as_numpy_iterator()


if __name__ == "__main__":
    peer.augment_images(batches, "tensorflow", ahead=AHEAD)
