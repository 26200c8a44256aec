"""What Fourier vectors of the image plane change in a classifier's predictions."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.output_kinds import class_probabilities, refuse_other_outputs
from spectral_tf.probes.stream import Prepare, at_inference, over_rows, replicas_share, stream
from spectral_tf.spectra.plane import plane_frequencies, rings

_SIGNS = {"plus": (1.0,), "both": (1.0, -1.0)}
_MAPS = ("error", "change")


class Responses(NamedTuple):
    """How predictions of n images move under some rows of Fourier vectors.

    Attributes:
      error, change: of each vector, means over images and signs, [rows, w].
      ring_error, ring_change: of every image, sums over the vectors of a ring, [n, r].
      clean_wrong: whether an image as it is is misclassified, bool [n].
    """

    error: NDArray[np.float64]
    change: NDArray[np.float64]
    ring_error: NDArray[np.float64]
    ring_change: NDArray[np.float64]
    clean_wrong: NDArray[np.bool_]


class FourierSensitivity(NamedTuple):
    """How predictions of n images move, for every frequency (i, j), the zero in the middle, [h, w].

    Row h // 2 + i holds i cycles per image downwards, column w // 2 + j holds j to the right. Of
    single images, which a mean over images rests on, only means over rings of one frequency are
    kept: r rings, as `rings` numbers them.

    Attributes:
      error: share of the images that are misclassified, over images and signs, in [0, 1].
      change: sum_c |p_c(x + e u) - p_c(x)| / 2 of the probabilities, likewise, in [0, 1].
      ring_error, ring_change: of every image, means over the vectors of a ring (and signs), [n, r].
      clean_wrong: whether an image as it is is misclassified, bool [n].
    """

    error: NDArray[np.float64]
    change: NDArray[np.float64]
    ring_error: NDArray[np.float64]
    ring_change: NDArray[np.float64]
    clean_wrong: NDArray[np.bool_]


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


def fourier_responses(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    labels: ArrayLike,
    prepare: Prepare = lambda pixels: pixels,
    *,
    norm: float,
    rows: range | None = None,
    signs: str = "both",
    outputs: str = "logits",
    batch_size: int = 256,
    block_size: int = 16,
    strategy: tf.distribute.Strategy | None = None,
) -> Responses:
    """Error and change of the predictions when Fourier vectors of a stated norm are added.

    x + norm u / sqrt(c) in every one of the c channels, before `prepare`: the norm is one of pixels
    in [0, 1], which are not cut off there.

    Args:
      model: images -> outputs [b, C], taken at inference.
      images: pixels in [0, 1], float, shape [n, h, w, c].
      labels: whole numbers, shape [n].
      prepare: pixels -> images as the model sees them.
      norm: e, L2, above 0.
      rows: of the plane, 0 to h - 1; default: all.
      signs: `plus` adds u alone; `both` also subtracts it, and gives the mean of the two.
      outputs: what the model gives, one of `probes.OUTPUTS`; of C independent sigmoids the change
        may reach C / 2.
      batch_size: images at once, over all replicas.
      block_size: vectors in a call.
      strategy: default: the current one.

    Raises:
      UserError: a norm that is not above 0, images that are not [n, h, w, c], outputs that are not
        what they are said to be; as `probes.stream.replicas_share`.

    Source: after Yin et al. (2019), "A Fourier perspective on model robustness", figure 4, which
      draws a random sign for each image and channel and gives errors only. Other implementations
      give every channel the whole norm, which makes theirs sqrt(c) larger, and cut pixels off.
    """
    x, y = np.asarray(images, np.float32), np.asarray(labels, np.int64)
    if x.ndim != 4 or not norm > 0:
        raise UserError(
            "norm",
            expected="a norm above 0, for images [n, h, w, c]",
            got=f"{norm:g} for {x.shape}",
            hint="4 is usual for 32 x 32 pixels",
        )
    height, width, channels = x.shape[1:]
    rows = range(height) if rows is None else rows
    i, j = (cycles[rows.start : rows.stop].ravel() for cycles in plane_frequencies(height, width))
    every = rings(height, width)
    strategy = strategy or tf.distribute.get_strategy()
    ring = every[rows.start : rows.stop].ravel()
    block_size = min(block_size, i.size)
    factors = tf.constant(_SIGNS[signs], tf.float32) * (norm / np.sqrt(channels))
    infer = at_inference(model)

    def given(pixels: tf.Tensor) -> tf.Tensor:
        return tf.cast(infer(prepare(pixels)), tf.float32)

    def probabilities(pixels: tf.Tensor) -> tf.Tensor:
        return class_probabilities(given(pixels), outputs)

    def perturbed(
        pixels: tf.Tensor, classes: tf.Tensor, before: tf.Tensor, u: tf.Tensor
    ) -> tf.Tensor:
        """Error and change of every image under every vector, [images, vectors, 2]."""

        def of_vector(vector: tf.Tensor) -> tf.Tensor:
            total = tf.zeros((2, len(pixels)))
            for factor in tf.unstack(factors):
                p = probabilities(pixels + factor * vector[..., tf.newaxis])
                wrong = tf.cast(tf.argmax(p, axis=1) != classes, tf.float32)
                total += tf.stack([wrong, tf.reduce_sum(tf.abs(p - before), axis=1) / 2])
            return total / len(factors)

        return tf.transpose(tf.map_fn(of_vector, u), (2, 0, 1))

    refuse_other_outputs(given(tf.constant(x[: min(batch_size, len(x))])).numpy(), outputs)
    (before,) = over_rows(probabilities, [x], batch_size, strategy)
    replicas = strategy.num_replicas_in_sync
    share = min(replicas_share(batch_size, strategy), math.ceil(len(x) / replicas))
    batches = math.ceil(len(x) / (share * replicas))

    def part(number: int) -> list[NDArray]:
        """Some images (the last batch is filled up with the first ones) and a block of vectors."""
        block, index = divmod(number, batches * replicas)
        some = (index * share + np.arange(share)) % len(x)
        chosen = slice(block * block_size, (block + 1) * block_size)
        # Of one shape always: the last block is filled up with zeros.
        u = np.zeros((block_size, height, width), np.float32)
        there = fourier_vector(height, width, i[chosen], j[chosen])
        u[: len(there)] = there
        return [x[some], y[some], before[some], u]

    means = np.empty((i.size, 2))
    sums = np.zeros((every.max() + 1, 2, len(x)))
    blocks = math.ceil(i.size / block_size)
    moved = stream(perturbed, part, blocks * batches, strategy, "batch of patterns")
    for block in range(blocks):
        pieces = [found for (found,) in itertools.islice(moved, batches)]
        chosen = slice(block * block_size, (block + 1) * block_size)
        number = len(ring[chosen])
        found = np.concatenate(pieces)[: len(x), :number].astype(np.float64)
        means[chosen] = found.mean(axis=0)
        np.add.at(sums, ring[chosen], np.moveaxis(found, 0, -1))
    error, change = means.T.reshape(2, len(rows), width)
    ring_error, ring_change = np.moveaxis(sums, 0, -1)
    return Responses(error, change, ring_error, ring_change, before.argmax(axis=1) != y)


def whole_plane(parts: Sequence[Responses]) -> FourierSensitivity:
    """The rows of the plane, together.

    Args:
      parts: of one network and the same images, all rows from the first to the last.
    """
    error, change = (np.concatenate([getattr(p, name) for p in parts]) for name in _MAPS)
    sizes = np.bincount(rings(*error.shape).ravel())
    ring_error, ring_change = (
        np.sum([getattr(part, f"ring_{name}") for part in parts], axis=0) / sizes for name in _MAPS
    )
    return FourierSensitivity(error, change, ring_error, ring_change, parts[0].clean_wrong)


def fourier_sensitivity(*arguments: Any, **named: Any) -> FourierSensitivity:
    """`fourier_responses` of all rows, as means."""
    return whole_plane([fourier_responses(*arguments, **named)])
