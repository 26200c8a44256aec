"""Random changes of image batches: flip, pad and crop, cutout; mixtures that change labels too.

Each is a function of a batch [b, h, w, c] and a seed and nothing else: the same seed gives the same
draws, and a part of a batch gets the draws that it would get within the whole. A batch is changed
by a few tensor operations, without a step of Python for each image, and nothing that was given is
changed in place.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from spectral_tf.errors import UserError


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
# The same with the weights of the classes, [b, C]: it may change both.
Mixing = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, Part], tuple[tf.Tensor, tf.Tensor]]


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
    mirrored = integers(images, seed, part, 2)[:, tf.newaxis] == 1
    height, width = images.shape[1:3]
    columns = tf.where(mirrored, tf.range(width)[::-1], tf.range(width))
    return _picked(images, tf.range(height)[tf.newaxis], columns)


def pad_and_crop(pixels: int | None = None) -> Augmentation:
    """Adds a border of zeros of so many pixels and cuts the old size out again, anywhere.

    All (2 pixels + 1)^2 offsets are equally likely. Zero is the data's mean if images are
    standardised before. Default: an eighth of each side.
    """

    def apply(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
        positions, inside = [], []
        for axis in (1, 2):
            length = images.shape[axis]
            border = round(length / 8) if pixels is None else pixels
            own = tf.random.experimental.stateless_fold_in(seed, axis)
            offset = integers(images, own, part, 2 * border + 1)
            positions.append(tf.range(length) + (offset - border)[:, tf.newaxis])
            inside.append((positions[-1] >= 0) & (positions[-1] < length))
        rows, columns = positions
        return _picked(images, rows, columns, _both(*inside))

    return apply


def cutout(size: int | None = None) -> Augmentation:
    """Sets a square of size x size pixels to zero, its centre anywhere in the image.

    Parts beyond the border are lost, as in DeVries and Taylor (2017). The square covers `size`
    rows from size // 2 before its centre on. Default: half of each side.
    """

    def apply(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
        sides = [images.shape[axis] // 2 if size is None else size for axis in (1, 2)]
        return without(images, square(images, sides, seed, part))

    return apply


def square(
    images: tf.Tensor, sides: Sequence[int | tf.Tensor], seed: tf.Tensor, part: Part
) -> tf.Tensor:
    """Which pixels `cutout` of so many rows and columns covers, bool [b, h, w].

    Each of the sides is a number or one for each image, int32 [b, 1].
    """
    inside = []
    for axis, covered in zip((1, 2), sides, strict=True):
        length = images.shape[axis]
        own = tf.random.experimental.stateless_fold_in(seed, axis)
        first = integers(images, own, part, length)[:, tf.newaxis] - covered // 2
        positions = tf.range(length)
        inside.append((positions >= first) & (positions < first + covered))
    return _both(*inside)


def without(images: tf.Tensor, covered: tf.Tensor) -> tf.Tensor:
    """Zero where they are covered, bool [b, h, w]."""
    rows, columns = (tf.range(length)[tf.newaxis] for length in images.shape[1:3])
    return _picked(images, rows, columns, ~covered)


def mixup(alpha: float, *, per_example: bool = False) -> Mixing:
    """Convex mixtures of two images and of their labels.

    lambda x_i + (1 - lambda) x_j with lambda ~ Beta(alpha, alpha), one for the whole batch as in
    the published code, or one for each example. Examples 2 k and 2 k + 1 of a batch, which are in
    random order, are each other's partners, so that parts of a batch are mixed as the whole is.

    Args:
      alpha: above 0; 0.1 is the paper's.
      per_example: draw a lambda for each example.

    Raises:
      UserError: an alpha that is not above 0, a batch (or a replica's part of it) of odd size.

    Source: Zhang et al. (2018).
    """
    if not alpha > 0:
        raise UserError("mixup_alpha", expected="above 0", got=alpha, hint="0.1 is the paper's")

    def mix(
        images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, part: Part
    ) -> tuple[tf.Tensor, tf.Tensor]:
        size = images.shape[0]
        if size is None or size % 2:
            raise UserError(
                "batch_size",
                expected="an even number of images for each replica, to mix them in pairs",
                got=size,
                hint="choose another, or no mixup",
            )
        # Beta(a, a) as the share of one of two Gamma(a).
        draws = tf.random.stateless_gamma([part.size if per_example else 1, 2], seed, alpha)
        share = tf.math.divide_no_nan(draws[:, 0], tf.reduce_sum(draws, axis=1))
        # Very small alphas let both draws vanish; one image alone is their limit.
        share = tf.where(tf.reduce_sum(draws, axis=1) > 0, share, 1.0)
        if per_example:
            share = share[part.start : part.start + size]
        partner = tf.range(size) + tf.tile([1, -1], [size // 2])

        def mixture(x: tf.Tensor) -> tf.Tensor:
            weight = tf.reshape(share, [-1] + [1] * (len(x.shape) - 1))
            return weight * x + (1 - weight) * tf.gather(x, partner)

        return mixture(images), mixture(labels)

    return mix


def image_frequency(
    directions: Sequence[np.ndarray], *, norm: float = 4.0, smoothing: float = 0.5, share: float = 1
) -> Mixing:
    """Adds a fixed image, one of several, and smooths the labels of the images it is added to.

    x + norm u with u drawn evenly from the directions, and (1 - smoothing) y + smoothing / C.

    Args:
      directions: images [h, w, c] of norm 1, e.g. of high and of low spatial frequency.
      norm: of what is added, in the normalised pixel space.
      smoothing: in [0, 1].
      share: of the images that are changed, in [0, 1].

    Raises:
      UserError: no direction.

    Source: Fridovich-Keil et al. (2022), by their code, which adds to the stored images and labels
    in place, again in every epoch.
    """
    if not len(directions):
        raise UserError(
            "image_frequency", expected="at least one direction", got="none", hint="give directions"
        )
    choices = tf.constant(np.stack(directions), tf.float32)

    def mix(
        images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, part: Part
    ) -> tuple[tf.Tensor, tf.Tensor]:
        chosen = integers(images, seed, part, len(directions))
        own = tf.random.experimental.stateless_fold_in(seed, 1)
        weight = tf.cast(uniform(images, own, part) < share, images.dtype)
        added = norm * weight[:, tf.newaxis, tf.newaxis, tf.newaxis] * tf.gather(choices, chosen)
        level = smoothing * weight[:, tf.newaxis]
        return images + added, (1 - level) * labels + level / labels.shape[1]

    return mix


def uniform(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
    """One number in [0, 1) for each image, float32 [b]."""
    draws = tf.random.stateless_uniform([part.size], seed)
    return draws[part.start : part.start + tf.shape(images)[0]]


def integers(images: tf.Tensor, seed: tf.Tensor, part: Part, below: int) -> tf.Tensor:
    """One whole number in [0, below) for each image, int32 [b]."""
    draws = tf.random.stateless_uniform([part.size], seed, 0, below, tf.int32)
    return draws[part.start : part.start + tf.shape(images)[0]]


def _both(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """[b, h] and [b, w] -> [b, h, w]."""
    return rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :]


def _picked(
    images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, inside: tf.Tensor | None = None
) -> tf.Tensor:
    """image[rows, columns] where that is inside, else zero.

    Whole pixels by their places in the batch, the zero behind its last one: on a CPU three times
    as fast as to reverse or to shift an axis and to choose between two batches.

    Args:
      images: [b, h, w, c].
      rows: [b or 1, h].
      columns: [b or 1, w].
      inside: bool [b, h, w]; default: all are.
    """
    height, width, channels = images.shape[1:]
    pixels = tf.reshape(images, [-1, channels])
    first = height * width * tf.range(tf.shape(images)[0])[:, tf.newaxis, tf.newaxis]
    places = first + width * rows[:, :, tf.newaxis] + columns[:, tf.newaxis, :]
    if inside is not None:
        places = tf.where(inside, places, tf.shape(pixels)[0])
        pixels = tf.concat([pixels, tf.zeros([1, channels], images.dtype)], axis=0)
    return tf.gather(pixels, places)
