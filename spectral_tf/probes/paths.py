"""A classifier's outputs along paths between images, however many and long."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.curves import curve_lengths, sampler
from spectral_tf.probes.output_kinds import two_classes
from spectral_tf.probes.pairs import Pairs
from spectral_tf.probes.stream import (
    Prepare,
    at_inference,
    by_xla,
    over_rows,
    program,
    replicas_share,
    stream,
)

_IMAGES_AT_ONCE = 256


class Paths(NamedTuple):
    """Paths between images, sampled at x(j / (N - 1)), j = 0 ... N - 1, both ends included.

    Straight ones are x(t) = (1 - t) x_0 + t x_1; others are told in `probes.curves`.

    Attributes:
      pairs: their ends. Of paths in Fourier space the second one gives amplitudes or phases, and
        is not where the path ends.
      distances: their lengths, |x_1 - x_0|_2 of the images as the model sees them, float64 [n].
      counts: samples N of each path, int64 [n], at least 4.
      pixel_distances: |x_1 - x_0|_2 of the images as they are stored, brought to [0, 1], float64
        [n]: one space for all models, however each of them normalises what it sees.
      curve: which way they go, one of `probes.CURVES`.
    """

    pairs: Pairs
    distances: NDArray[np.float64]
    counts: NDArray[np.int64]
    pixel_distances: NDArray[np.float64]
    curve: str = "straight"

    @property
    def spacing(self) -> NDArray[np.float64]:
        """The distance d between neighbouring samples, [n]."""
        return self.distances / (self.counts - 1)

    def of(self, chosen: ArrayLike) -> "Paths":
        """Some of the paths."""
        rows = np.asarray(chosen)
        ends = Pairs(*(end[rows] for end in self.pairs))
        own = ("distances", "counts", "pixel_distances")
        return self._replace(pairs=ends, **{name: getattr(self, name)[rows] for name in own})

    def endpoint_labels(self, labels: ArrayLike) -> NDArray:
        """The labels of the images at both ends, [n, 2], of those of all images."""
        return np.asarray(labels)[np.stack(self.pairs, axis=1)]


def straight_paths(
    images: ArrayLike,
    pairs: Pairs,
    prepare: Prepare = lambda pixels: pixels,
    *,
    unit: float = 1.0,
    num_samples: int = 0,
) -> Paths:
    """Straight paths, sampled about every `unit` of distance or with a fixed number of samples.

    N = max(4, round(|x_1 - x_0| / unit) + 1) samples fit both ends and a spacing within half a
    sample of the unit. (The published code steps by the unit exactly and never comes to the end.)

    Args:
      images: shape [n, h, w, c], uint8, or floats in [0, 1].
      pairs: indices into them.
      prepare: pixels -> images as the model sees them, in whose space `distances` are measured.
      unit: of distance, above 0.
      num_samples: of every path, at least 4; 0: by the unit.

    Raises:
      UserError: a pair of identical images, a unit or a number out of range, whole numbers other
        than uint8, whose range is not known.
    """
    _refuse_sampling(unit, num_samples)
    pixels = np.asarray(images)
    if pixels.dtype != np.uint8 and pixels.dtype.kind != "f":
        raise UserError(
            "images",
            expected="uint8, or floats in [0, 1]",
            got=pixels.dtype,
            hint="bring them to [0, 1]",
        )
    white = 255 if pixels.dtype == np.uint8 else 1
    distances, pixel_distances = np.empty((2, len(pairs.first)))
    for start in range(0, len(distances), _IMAGES_AT_ONCE):
        part = slice(start, start + _IMAGES_AT_ONCE)
        stored = [pixels[ends[part]] for ends in pairs]
        distances[part] = _distances(*(prepare(tf.constant(end)) for end in stored))
        pixel_distances[part] = _distances(*stored) / white
    if not np.all(distances > 0):
        same = int(np.flatnonzero(~(distances > 0))[0])
        raise UserError(
            "images at the ends of a path",
            expected="two that differ",
            got=f"numbers {pairs.first[same]} and {pairs.last[same]}, distance {distances[same]:g}",
            hint="take duplicates out of the data, or draw other pairs with --seed",
        )
    return Paths(pairs, distances, _counts(distances, unit, num_samples), pixel_distances)


def fourier_paths(
    images: ArrayLike,
    pairs: Pairs,
    prepare: Prepare = lambda pixels: pixels,
    *,
    curve: str,
    deviation: ArrayLike | None = None,
    unit: float = 1.0,
    num_samples: int = 0,
) -> Paths:
    """Paths from an image along the low Fourier amplitudes or phases of another one.

    See `probes.curves`. Samples are even in the share t of the way; so they are in distance, but
    where the mean of a channel changes its sign (`curves.curve_lengths`).

    Args:
      images, pairs, prepare, unit, num_samples: as for `straight_paths`. Transforms are those of
        the images as the model sees them.
      curve: one of `probes.CURVES`.
      deviation: by which `prepare` divides each channel of pixels of [0, 1], [c]: `pixel_distances`
        are lengths of these pixels; None: as the model sees them.

    Raises:
      UserError: another curve, two images whose low frequencies do not differ in what is changed,
        a unit or a number out of range.

    Source: sarafridov/RobustNets; 100 samples each there.
    """
    _refuse_sampling(unit, num_samples)
    pixels = np.asarray(images)
    scale = 1.0 if deviation is None else np.asarray(deviation, np.float64)
    distances, pixel_distances = np.empty((2, len(pairs.first)))
    for start in range(0, len(distances), _IMAGES_AT_ONCE):
        part = slice(start, start + _IMAGES_AT_ONCE)
        first, last = (np.asarray(prepare(tf.constant(pixels[of[part]]))) for of in pairs)
        distances[part] = curve_lengths(first, last, curve)
        pixel_distances[part] = curve_lengths(first, last, curve, scale)
    # Rounding of float32 pixels is no difference.
    if not np.all(distances > 1e-5):
        same = int(np.flatnonzero(~(distances > 1e-5))[0])
        raise UserError(
            f"low Fourier {curve.removeprefix('shortest_')}s of two images",
            expected="some that differ",
            got=f"numbers {pairs.first[same]} and {pairs.last[same]}, distance {distances[same]:g}",
            hint="take duplicates out of the data, or draw other pairs with --seed",
        )
    counts = _counts(distances, unit, num_samples)
    return Paths(pairs, distances, counts, pixel_distances, curve)


def _refuse_sampling(unit: float, num_samples: int) -> None:
    if not (unit > 0 and (num_samples == 0 or num_samples >= 4)):
        raise UserError(
            "num_samples",
            expected="at least 4 (0: by distance), and a unit above 0",
            got=f"{num_samples} and {unit:g}",
            hint="100 is usual",
        )


def _counts(distances: NDArray[np.float64], unit: float, num_samples: int) -> NDArray[np.int64]:
    if num_samples:
        return np.full(len(distances), num_samples, np.int64)
    return np.maximum(4, np.round(distances / unit).astype(np.int64) + 1)


def _distances(first: ArrayLike, last: ArrayLike) -> NDArray[np.float64]:
    """|y - x|_2 of images [n, ...], [n]."""
    x, y = np.asarray(first, np.float64), np.asarray(last, np.float64)
    return np.sqrt(np.sum((y - x).reshape(len(x), -1) ** 2, axis=1))


def local_paths(
    images: ArrayLike, directions: ArrayLike, length: float, num_samples: int
) -> tuple[NDArray[np.float32], Paths]:
    """Paths from every image along a direction: the spectrum near an example.

    Args:
      images: as the model sees them, shape [n, ...].
      directions: shape [n, ...] or one for all; brought to norm 1.
      length: of the paths, above 0, in the unit of distance.
      num_samples: of every path, at least 4.

    Returns:
      (ends [2 n, ...], paths between them): arguments of `path_logits` and `measure_paths`, the
      second of which also wants the labels of the images twice over. What is stored here is what
      the model sees, so `pixel_distances` are `distances`: in the model's own space.

    Raises:
      UserError: a direction of norm 0, as `straight_paths`.
    """
    x = np.asarray(images, np.float32)
    u = np.broadcast_to(np.asarray(directions, np.float64), x.shape)
    norms = np.sqrt(np.sum(u.reshape(len(x), -1) ** 2, axis=1))
    if not (np.all(norms > 0) and length > 0):
        raise UserError(
            "directions",
            expected="norms above 0, and a length above 0",
            got=f"{norms.min(initial=math.inf):g} and {length:g}",
            hint="leave out images whose gradient vanishes",
        )
    away = u * (length / norms).reshape(-1, *[1] * (x.ndim - 1))
    ends = np.concatenate([x, x + away.astype(np.float32)])
    indices = np.arange(len(x))
    pairs = Pairs(indices, indices + len(x))
    return ends, straight_paths(ends, pairs, num_samples=num_samples)


def gradients(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    labels: ArrayLike,
    *,
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> NDArray[np.float32]:
    """The gradient of each image's own loss in the image, shape [n, ...]: a local direction.

    Args:
      model: images -> logits [b, C]; one is that of the second of two classes.
      images: as the model sees them, shape [n, ...].
      labels: whole numbers, shape [n].
      batch_size, strategy: as for `path_logits`.
    """
    infer = at_inference(model)

    def gradient(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = two_classes(tf.cast(infer(x), tf.float32), "logits")
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        return tape.gradient(loss, x)

    x, y = np.asarray(images, np.float32), np.asarray(labels, np.int32)
    (found,) = over_rows(gradient, [x, y], batch_size, strategy)
    return found


def path_program(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    prepare: Prepare = lambda pixels: pixels,
    strategy: tf.distribute.Strategy | None = None,
    curve: str = "straight",
) -> Callable[..., list[tf.Tensor]]:
    """What `path_logits` runs, for who asks one model often: tracing takes a third of a second.

    Args:
      model, prepare, strategy: as for `path_logits`.
      curve: which way the paths go.
    """
    strategy = strategy or tf.distribute.get_strategy()
    samples_of, infer = by_xla(sampler(curve), strategy), at_inference(model)

    def outputs_of(stored: tf.Tensor, owner: tf.Tensor, along: tf.Tensor) -> tf.Tensor:
        samples = samples_of(tf.cast(prepare(stored), tf.float32), owner, along)
        return tf.cast(infer(samples), tf.float32)

    return program(outputs_of, strategy)


def path_logits(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    paths: Paths,
    prepare: Prepare = lambda pixels: pixels,
    *,
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
    traced: Callable[..., list[tf.Tensor]] | None = None,
) -> Iterator[NDArray[np.float32]]:
    """The model's outputs along each path, one after the other, float32 [N, C].

    All paths together are one stream of samples that is cut into full batches, so neither their
    number nor their length changes the cost of a sample or the memory. The samples are made on the
    device from the images at the ends; several replicas share every batch, and several hosts have
    to take the paths in step.

    Args:
      model: images -> outputs [b, C], taken at inference.
      images: shape [n, h, w, c].
      paths: between them.
      prepare: pixels -> images as the model sees them.
      batch_size: samples at once, over all replicas.
      strategy: default: the current one.
      traced: the `path_program` of this model and preparation; default: made here.

    Raises:
      UserError: as `probes.stream.replicas_share`.
    """
    strategy = strategy or tf.distribute.get_strategy()
    share, replicas = replicas_share(batch_size, strategy), strategy.num_replicas_in_sync
    offsets = np.concatenate([[0], np.cumsum(paths.counts)])
    total, num_paths = int(offsets[-1]), len(paths.counts)
    num_batches = math.ceil(total / (share * replicas))
    begins = np.minimum(np.arange(num_batches * replicas) * share, total - 1)
    ends = np.minimum(begins + share, total) - 1
    # So many paths at most have samples in one part of a batch.
    reach = (np.searchsorted(offsets, [begins, ends], side="right") * [[-1], [1]]).sum(axis=0)
    window = int(reach.max(initial=0)) + 1
    pixels = np.asarray(images)

    def part(number: int) -> tuple[NDArray, NDArray[np.int32], NDArray[np.float32]]:
        """Images at the ends of the paths of one part; each sample's path and position on it."""
        samples = np.minimum(number * share + np.arange(share), total - 1)
        owner = np.searchsorted(offsets, samples, side="right") - 1
        along = (samples - offsets[owner]) / (paths.counts[owner] - 1)
        chosen = np.minimum(owner[0] + np.arange(window), num_paths - 1)
        own_ends = pixels[np.concatenate([end[chosen] for end in paths.pairs])]
        return own_ends, (owner - owner[0]).astype(np.int32), along.astype(np.float32)

    traced = traced or path_program(model, prepare, strategy, paths.curve)
    done, rest = 0, []
    for (outputs_of_batch,) in stream(traced, part, num_batches, strategy, "batch along paths"):
        rest.append(outputs_of_batch)
        there = np.concatenate(rest) if len(rest) > 1 else rest[0]
        begin = 0
        while done < num_paths and begin + paths.counts[done] <= len(there):
            yield there[begin : begin + paths.counts[done]]
            begin += int(paths.counts[done])
            done += 1
        rest = [there[begin:]]
