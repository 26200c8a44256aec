"""How a classifier answers to every Fourier vector of the image plane, added to its images."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.paths import Prepare, refuse_other_outputs

_SIGNS = {"plus": (1.0,), "both": (1.0, -1.0)}


class FourierSensitivity(NamedTuple):
    """How answers to n images move, for every frequency (i, j), the zero in the middle, [h, w].

    Row h // 2 + i holds i cycles per image downwards, column w // 2 + j holds j to the right. Of
    single images, which a mean over images rests on, only means over rings of one frequency are
    kept: r rings, as `rings` numbers them.

    Attributes:
      error: share of the images that are answered wrongly, over images and signs, in [0, 1].
      change: sum_c |p_c(x + e u) - p_c(x)| / 2 of the probabilities, likewise, in [0, 1].
      ring_error, ring_change: of every image, means over the vectors of a ring (and signs), [n, r].
      clean_wrong: whether an image as it is is answered wrongly, bool [n].
    """

    error: NDArray[np.float64]
    change: NDArray[np.float64]
    ring_error: NDArray[np.float64]
    ring_change: NDArray[np.float64]
    clean_wrong: NDArray[np.bool_]


def frequencies(height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(i, j) of all vectors, cycles down and to the right, [h, w] each, the zero in the middle."""
    i, j = np.meshgrid(
        np.arange(height) - height // 2, np.arange(width) - width // 2, indexing="ij"
    )
    return i, j


def rings(height: int, width: int) -> NDArray[np.int64]:
    """The ring of every vector: its frequency sqrt(i^2 + j^2), to the nearest whole one, [h, w].

    >>> rings(4, 2)
    array([[2, 2],
           [1, 1],
           [1, 0],
           [1, 1]])
    """
    return np.round(np.hypot(*frequencies(height, width))).astype(np.int64)


def fourier_vector(height: int, width: int, i: ArrayLike, j: ArrayLike) -> NDArray[np.float64]:
    """u_{i,j}[y, x] = (cos t + sin t) / sqrt(h w), t = 2 pi (i y / h + j x / w): norm 1.

    All (i, j), -h/2 <= i < h/2 and -w/2 <= j < w/2, together are an orthonormal basis of the plane
    (Hartley's): (i, j) and (-i, -j) are waves of one frequency a quarter of a cycle apart.

    Args:
      height, width: of the image.
      i, j: whole cycles per image, of one shape [...].

    Returns:
      float64, shape [..., h, w].
    """
    rows, columns = np.arange(height) / height, np.arange(width) / width
    i, j = np.asarray(i)[..., None, None], np.asarray(j)[..., None, None]
    turn = 2 * np.pi * (i * rows[:, None] + j * columns)
    return (np.cos(turn) + np.sin(turn)) / np.sqrt(height * width)


def fourier_sensitivity(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    labels: ArrayLike,
    prepare: Prepare = lambda pixels: pixels,
    *,
    norm: float,
    signs: str = "both",
    outputs: str = "logits",
    batch_size: int = 256,
    block_size: int = 16,
    progress: Callable[[int], None] = lambda done: None,
) -> FourierSensitivity:
    """Error and change of the answers when each Fourier vector of a stated norm is added.

    x + norm u / sqrt(c) in every one of the c channels, before `prepare`: the norm is one of pixels
    in [0, 1], which are not cut off there. A block of vectors goes through the device in one call.

    Args:
      model: images -> outputs [b, C], taken at inference.
      images: pixels in [0, 1], float, shape [n, h, w, c].
      labels: whole numbers, shape [n].
      prepare: pixels -> images as the model sees them.
      norm: e, L2, above 0.
      signs: `plus` adds u alone; `both` also subtracts it, and gives the mean of the two.
      outputs: what the model gives, `logits` or `probabilities`.
      batch_size: images at once.
      block_size: vectors in a call.
      progress: told after every block how many vectors are done.

    Raises:
      UserError: a norm that is not above 0, images that are not [n, h, w, c], outputs that are not
        what they are said to be.

    Source: after Yin et al. (2019), "A Fourier perspective on model robustness", figure 4, which
      draws a random sign for each image and channel and gives errors only. Other implementations
      give every channel the whole norm, which makes theirs sqrt(c) larger, and cut pixels off.
    """
    x, y = np.asarray(images, np.float32), np.asarray(labels, np.int64)
    if x.ndim != 4 or not norm > 0:
        raise UserError(
            "--norm",
            expected="a norm above 0, for images [n, h, w, c]",
            got=f"{norm:g} for {x.shape}",
            hint="4 is usual for 32 x 32 pixels",
        )
    height, width, channels = x.shape[1:]
    i, j = (cycles.ravel() for cycles in frequencies(height, width))
    ring = rings(height, width).ravel()
    block_size = min(block_size, i.size)
    factors = tf.constant(_SIGNS[signs], tf.float32) * (norm / np.sqrt(channels))
    inference = {"training": False} if isinstance(model, keras.Model) else {}

    def given(pixels: tf.Tensor) -> tf.Tensor:
        return tf.cast(model(prepare(pixels), **inference), tf.float32)

    def answer(pixels: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(given(pixels)) if outputs == "logits" else given(pixels)

    plain = tf.function(answer)

    @tf.function
    def perturbed(
        pixels: tf.Tensor, classes: tf.Tensor, before: tf.Tensor, u: tf.Tensor
    ) -> tf.Tensor:
        """Error and change of every image under every vector, [vectors, 2, images]."""

        def of_vector(vector: tf.Tensor) -> tf.Tensor:
            total = tf.zeros((2, len(pixels)))
            for factor in tf.unstack(factors):
                p = answer(pixels + factor * vector[..., tf.newaxis])
                wrong = tf.cast(tf.argmax(p, axis=1) != classes, tf.float32)
                total += tf.stack([wrong, tf.reduce_sum(tf.abs(p - before), axis=1) / 2])
            return total / len(factors)

        return tf.map_fn(of_vector, u)

    batches = [(*batch, plain(batch[0])) for batch in _batches(x, y, min(batch_size, len(x)))]
    refuse_other_outputs(given(batches[0][0]).numpy(), outputs)
    clean = [(tf.argmax(p, axis=1) != classes).numpy() for _, classes, p in batches]
    means = np.empty((i.size, 2))
    sums = np.zeros((ring.max() + 1, 2, len(x)))
    for start in range(0, i.size, block_size):
        block = slice(start, start + block_size)
        # Of one shape always, so that one program serves all.
        vectors = np.zeros((block_size, height, width), np.float32)
        there = fourier_vector(height, width, i[block], j[block])
        vectors[: len(there)] = there
        u = tf.constant(vectors)
        parts = [perturbed(*batch, u).numpy().astype(np.float64) for batch in batches]
        # The last batch is filled up with copies.
        found = np.concatenate(parts, axis=-1)[: len(there), :, : len(x)]
        means[block] = found.mean(axis=-1)
        np.add.at(sums, ring[block], found)
        progress(min(start + block_size, i.size))
    error, change = means.T.reshape(2, height, width)
    ring_error, ring_change = np.moveaxis(sums, 0, -1) / np.bincount(ring)
    return FourierSensitivity(
        error, change, ring_error, ring_change, np.concatenate(clean)[: len(x)]
    )


def _batches(x: NDArray, y: NDArray, size: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Images and labels; the last batch is filled up with copies of the first ones."""
    for start in range(0, len(x), size):
        rows = np.arange(start, start + size) % len(x)
        yield tf.constant(x[rows]), tf.constant(y[rows])
