"""Augmented batches of spectral_tf's pipeline."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import numpy as np

# More batches than tf.data makes ahead.
AHEAD = 64


def batches(pixels: np.ndarray, batch_size: int, policy: int, threads: int) -> Iterator[tuple]:
    """Whole batches at a time, in tf.data, with their labels."""
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    from spectral_tf import data
    from spectral_tf.data import pipeline, recipes

    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "pixels.npz"
        np.savez(file, x=pixels, y=np.arange(len(pixels)) % peer.CLASSES)
        images = data.find_images(f"npz:{file}")
        normalisation = data.standard(images)
        names = ["autoaugment"] * policy + ["flip", "pad_and_crop", "cutout"]
        made = pipeline.training_batches(
            *(images, normalisation),
            batch_size=batch_size,
            seed=0,
            **recipes.recipe(names, mean=normalisation.mean)._asdict(),
        )
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    return made.with_options(options).as_numpy_iterator()


if __name__ == "__main__":
    peer.augment_images(batches, "tensorflow", ahead=AHEAD)
