"""Random changes of image batches: flip, pad and crop, cutout.

Each is a function of a batch [b, h, w, c] and a seed and nothing else: the same seed gives the same
draws, and a part of a batch gets the draws that it would get within the whole. A batch is changed
by a few tensor operations, without a step of Python for each image.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf


class Part(NamedTuple):
    """Which images of a global batch a batch holds, so that its draws are those of the whole.

    Attributes:
      size: of the global batch.
      start: where this part begins in it.
    """

    size: int
    start: tf.Tensor


# images [b, h, w, c], seed [2], part -> images of the same shape.
Augmentation = Callable[[tf.Tensor, tf.Tensor, Part], tf.Tensor]


def chain(augmentations: Sequence[Augmentation]) -> Augmentation:
    """One after the other, each with draws of its own, none discarding another."""

    def apply(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
        for i, augmentation in enumerate(augmentations):
            own = tf.random.experimental.stateless_fold_in(seed, i)
            images = augmentation(images, own, part)
        return images

    return apply


def flip(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
    """Mirrors each image left to right with probability 1/2."""
    mirrored = _integers(images, seed, part, 2)[:, tf.newaxis, tf.newaxis, tf.newaxis] == 1
    return tf.where(mirrored, images[:, :, ::-1], images)


def pad_and_crop(pixels: int) -> Augmentation:
    """Adds a border of zeros of so many pixels and cuts the old size out again, anywhere.

    All (2 pixels + 1)^2 offsets are equally likely. Zero is the data's mean if images are
    standardised before.
    """

    def apply(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
        for axis in (1, 2):
            own = tf.random.experimental.stateless_fold_in(seed, axis)
            offset = _integers(images, own, part, 2 * pixels + 1)
            images = _shift(images, offset - pixels, axis)
        return images

    return apply


def cutout(size: int) -> Augmentation:
    """Sets a square of size x size pixels to zero, its centre anywhere in the image.

    Parts beyond the border are lost, as in DeVries and Taylor (2017). The square covers `size`
    rows from size // 2 before its centre on.
    """

    def apply(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
        inside = []
        for axis in (1, 2):
            length = images.shape[axis]
            own = tf.random.experimental.stateless_fold_in(seed, axis)
            first = _integers(images, own, part, length)[:, tf.newaxis] - size // 2
            places = tf.range(length)
            inside.append((places >= first) & (places < first + size))
        square = inside[0][:, :, tf.newaxis] & inside[1][:, tf.newaxis, :]
        return tf.where(square[..., tf.newaxis], tf.zeros((), images.dtype), images)

    return apply


def _integers(images: tf.Tensor, seed: tf.Tensor, part: Part, below: int) -> tf.Tensor:
    """One whole number in [0, below) for each image, int32 [b]."""
    draws = tf.random.stateless_uniform([part.size], seed, 0, below, tf.int32)
    return draws[part.start : part.start + tf.shape(images)[0]]


def _shift(images: tf.Tensor, by: tf.Tensor, axis: int) -> tf.Tensor:
    """image[i + by], zero where that lies outside."""
    length = images.shape[axis]
    places = tf.range(length) + by[:, tf.newaxis]
    shifted = tf.gather(images, tf.clip_by_value(places, 0, length - 1), axis=axis, batch_dims=1)
    inside = (places >= 0) & (places < length)
    inside = inside[:, :, tf.newaxis] if axis == 1 else inside[:, tf.newaxis, :]
    return tf.where(inside[..., tf.newaxis], shifted, tf.zeros((), images.dtype))
