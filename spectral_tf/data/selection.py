"""Some images of a split: read once, decoded only where they are wanted."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.data.images import TOLERATED, Images
from spectral_tf.data.pipeline import fitting_shape, shrunk
from spectral_tf.errors import UserError
from spectral_tf.streams import without_autotune


class Selection(NamedTuple):
    """Images by their indices in the split.

    Attributes:
      indices: of the images that could be read, rising, int64 [m].
      pixels: uint8 (or float32 of an npz file of floats), shape [m, h, w, c].
      unreadable: indices of those that could not.
    """

    indices: NDArray[np.int64]
    pixels: NDArray
    unreadable: NDArray[np.int64]


def labels_of(images: Images) -> NDArray[np.int64]:
    """The labels of a split, [n], without decoding images.

    In the order of `Images.arrays` if the split is resident, else in stored order.
    """
    if images.resident:
        return images.arrays()[1]
    return stored_labels(images)


def stored_labels(images: Images) -> NDArray[np.int64]:
    """The labels of a split, [n], in stored order, without decoding images."""
    with images.reading():
        labels = images.dataset(decode=False).map(lambda _, label: label).batch(10_000)
        return np.concatenate(list(without_autotune(labels).as_numpy_iterator())).astype(np.int64)


def select(
    images: Images, indices: ArrayLike, input_shape: Sequence[int] | None = None
) -> Selection:
    """Reads the images at these indices of the order of `labels_of`.

    One pass over the stored bytes; memory holds the wanted images alone, as bytes of the network's
    size.

    Args:
      images: the split.
      indices: of images, any order.
      input_shape: of the network, [h, w, c]; larger images are cut to their central part of its
        form and shrunk. Default: the images' own.

    Images that cannot be read (or are too small) are left out; see `refuse_unreadable`.

    Raises:
      UserError: images that do not fit.
    """
    shape = fitting_shape(images, input_shape)
    wanted = np.unique(np.asarray(indices, np.int64))
    if images.resident:
        pixels = images.arrays()[0][wanted]
        if pixels.shape[1:] != shape:
            pixels = _stored(shrunk(tf.constant(pixels), shape), pixels.dtype).numpy()
        return Selection(wanted, pixels, np.empty(0, np.int64))
    chosen = np.zeros(images.num_examples, bool)
    chosen[wanted] = True
    flags = tf.constant(chosen)

    def decoded(index: tf.Tensor, pair: tuple) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = images.decode(pair[0])
        if tuple(pixels.shape) != shape:
            pixels = _stored(shrunk(pixels, shape), pixels.dtype)
        return index, tf.ensure_shape(pixels, shape)

    found = np.empty((wanted.size, *shape), np.uint8)
    there = np.zeros(wanted.size, bool)
    with images.reading():
        stored = images.dataset(decode=False).enumerate()
        some = stored.filter(lambda index, _: flags[index]).map(decoded, tf.data.AUTOTUNE)
        for index, pixels in without_autotune(some.ignore_errors()).as_numpy_iterator():
            row = np.searchsorted(wanted, index)
            found[row], there[row] = pixels, True
    unreadable = wanted[~there]
    # Not a copy where all of them are there.
    return Selection(wanted[there], found if there.all() else found[there], unreadable)


def refuse_unreadable(images: Images, unreadable: int, wanted: int) -> None:
    """Raises a UserError if more than 1 % of all images that a run wants cannot be read."""
    if unreadable > TOLERATED * wanted:
        raise UserError(
            f"images of {images.name}",
            expected=f"at most {TOLERATED:.0%} that cannot be read or are too small",
            got=f"{unreadable:,} of {wanted:,}",
            hint="prepare the data set anew, or choose a smaller input",
        )


def _stored(unit: tf.Tensor, dtype: np.dtype) -> tf.Tensor:
    """Pixels in [0, 1] as they would be stored."""
    return tf.image.convert_image_dtype(unit, dtype, saturate=True)
