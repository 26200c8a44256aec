"""A classifier's answers along straight paths between images, however many and long they are."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.path_outputs import (
    OUTPUTS,
    groups_of,
    probabilities_of,
    refuse_other_outputs,
    refuse_temperatures,
)
from spectral_tf.probes.stream import Prepare, at_inference, over_rows, replicas_share, stream
from spectral_tf.spectra.path import (
    PathMeasures,
    mirrored_magnitudes,
    path_measures,
    plain_magnitudes,
)
from spectral_tf.spectra.path_axes import axis_support, on_axis

__all__ = [
    "OUTPUTS",
    "Pairs",
    "PathMeasurements",
    "Paths",
    "Prepare",
    "class_pairs",
    "draw_pairs",
    "gradients",
    "local_paths",
    "measure_paths",
    "pairs_among",
    "path_logits",
    "refuse_other_outputs",
    "straight_paths",
]

_IMAGES_AT_ONCE = 256


class Pairs(NamedTuple):
    """The images at the ends of n paths, as places in an array of images, int64 [n] each."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]


class Paths(NamedTuple):
    """Straight paths x_0 + j d / |x_1 - x_0| (x_1 - x_0), j = 0 ... N - 1, both ends included.

    Attributes:
      pairs: their ends.
      distances: |x_1 - x_0|_2 of the images as the model sees them, float64 [n].
      counts: samples N of each path, int64 [n], at least 4.
      pixel_distances: |x_1 - x_0|_2 of the images as they are stored, brought to [0, 1], float64
        [n]: one space for all models, however each of them normalises what it sees.
    """

    pairs: Pairs
    distances: NDArray[np.float64]
    counts: NDArray[np.int64]
    pixel_distances: NDArray[np.float64]

    @property
    def spacing(self) -> NDArray[np.float64]:
        """The distance d between neighbouring samples, [n]."""
        return self.distances / (self.counts - 1)

    def of(self, chosen: ArrayLike) -> "Paths":
        """Some of the paths."""
        rows = np.asarray(chosen)
        ends = Pairs(*(end[rows] for end in self.pairs))
        return Paths(ends, *(values[rows] for values in self[1:]))

    def end_labels(self, labels: ArrayLike) -> NDArray:
        """The labels of the images at both ends, [n, 2], of those of all images."""
        return np.asarray(labels)[np.stack(self.pairs, axis=1)]


class PathMeasurements(NamedTuple):
    """What a classifier does along n paths, one row each.

    Attributes:
      measures: of shares and differences, each [n]; NaN where `finite` is false, and only there.
      plain, mirrored: magnitudes at the frequencies that were asked for, [n, f].
      plain_where, mirrored_where: where there are such magnitudes, bool [n, f]: the path is finite
        and can tell the frequency (`spectra.axis_support`). NaN elsewhere, and only there.
      right: whether the answer at the first and at the last end is the label, bool [n, 2]; an
        answer that is not finite is not right.
      finite: whether all outputs along the path are finite, bool [n].
    """

    measures: PathMeasures
    plain: NDArray[np.float64]
    mirrored: NDArray[np.float64]
    plain_where: NDArray[np.bool_]
    mirrored_where: NDArray[np.bool_]
    right: NDArray[np.bool_]
    finite: NDArray[np.bool_]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the answers at both ends are the labels, bool [n]."""
        return self.right[:, 0] & self.right[:, 1]


def draw_pairs(
    labels: ArrayLike,
    first: int,
    last: int,
    count: int,
    seed: int,
    *,
    clusters: ArrayLike | None = None,
) -> Pairs:
    """Pairs of images of two classes, or of one, each image in at most one of them.

    The pairs depend on seed, classes, labels and clusters alone: every model is asked about the
    same ones, and the first pairs of many are those of few.

    Args:
      labels: of all images, shape [n].
      first, last: the classes of the two ends.
      count: pairs, at least 1.
      seed: at least 0.
      clusters: a whole number for each image, [n]. Images of one number are not independent draws,
        and then each *cluster* is in at most one pair, at one of its ends; see `class_pairs`.

    Raises:
      UserError: a class with fewer images (clusters) than that takes: twice as many as pairs within
        a class.

    Source: sarafridov/RobustNets draws likewise; the code of Fridovich-Keil et al. (2022) takes
      neighbours in the stored order.
    """
    if clusters is not None:
        return _pairs_apart(labels, clusters, [(first, last)], count, seed)[0]
    given = np.asarray(labels)
    rng = np.random.default_rng([seed, first, last])
    ends, taken = [], 2 if first == last else 1
    for label in dict.fromkeys((first, last)):
        members = _members(given, label)
        if not 1 <= count <= members.size // taken:
            raise UserError(
                "--pairs",
                expected=f"1 to {members.size // taken}, of the {members.size:,} images of class "
                f"{label}",
                got=f"{count:,}",
                hint="ask for fewer pairs, or take more images",
            )
        ends.append(rng.permutation(members)[: count * taken])
    if first == last:
        ends = [ends[0][0::2], ends[0][1::2]]
    return Pairs(*ends)


def class_pairs(
    labels: ArrayLike,
    classes: Sequence[int],
    count: int,
    seed: int,
    *,
    between: bool = True,
    between_count: int | None = None,
    clusters: ArrayLike | None = None,
) -> tuple[Pairs, NDArray[np.int64]]:
    """So many pairs within every class, then between every two of them.

    Without `clusters` an image may be in pairs of several class pairs, and images that are not
    independent of each other in several pairs. With `clusters` all pairs within classes are
    independent draws, and so are all pairs between classes: of either kind no two share a cluster,
    and no pair begins and ends in one. That takes 2 w clusters of every class for w pairs within
    it, and (C - 1) b for b pairs between each two of C classes, dealt out over the other classes.
    Of each cluster one image is drawn; one with images of several classes serves one of them alone.
    A pair within and a pair between classes may share a cluster.

    Args:
      labels: of all images, shape [n].
      classes: that take part.
      count, seed: as for `draw_pairs`, for each class and each two classes.
      between: whether pairs of different classes are drawn, too.
      between_count: of these, for each two classes; default: `count`.
      clusters: as for `draw_pairs`.

    Returns:
      pairs [p], and the classes of their ends, [p, 2]. The first pairs of many of a class pair are
      those of few; with `clusters` if `classes` are the same.

    Raises:
      UserError: as `draw_pairs`.
    """
    kinds = [([(a, a) for a in classes], count)]
    if between:
        couples = list(itertools.combinations(classes, 2))
        kinds.append((couples, count if between_count is None else between_count))
    drawn: list[Pairs] = []
    for couples, size in kinds:
        if clusters is None:
            drawn += [draw_pairs(labels, *couple, size, seed) for couple in couples]
        else:
            drawn += _pairs_apart(labels, clusters, couples, size, seed)
    ends = (np.concatenate(end) for end in zip(*drawn, strict=True))
    of_pairs = [couple for couples, size in kinds for couple in couples for _ in range(size)]
    return Pairs(*ends), np.array(of_pairs)


def _pairs_apart(
    labels: ArrayLike,
    clusters: ArrayLike,
    couples: Sequence[tuple[int, int]],
    count: int,
    seed: int,
) -> list[Pairs]:
    """So many pairs for each of these class pairs, no cluster in two of them or at both ends.

    The class pairs are all within classes, or all between them.
    """
    given, numbers = np.asarray(labels), np.asarray(clusters)
    if numbers.shape != given.shape or numbers.dtype.kind not in "iu":
        raise UserError(
            "clusters",
            expected=f"whole numbers of shape {list(given.shape)}, one for each image",
            got=f"{numbers.dtype} of shape {list(numbers.shape)}",
            hint="take those of the split that the labels are of",
        )
    wanted = np.array(couples, np.int64).reshape(-1, 2)
    within = bool(np.all(wanted[:, 0] == wanted[:, 1]))
    rng = np.random.default_rng([seed, within])
    shuffled = rng.permutation(np.flatnonzero(np.isin(given, wanted)))
    # Of each cluster the image that happens to be its first.
    one_each = shuffled[np.unique(numbers[shuffled], return_index=True)[1]]
    one_each = rng.permutation(one_each)
    found = np.empty((*wanted.shape, max(count, 0)), np.int64)
    for label in dict.fromkeys(wanted.ravel().tolist()):
        members, own = _members(given, label), one_each[given[one_each] == label]
        places = np.nonzero(wanted == label)  # Ends of pairs, which take turns.
        each = len(places[0])
        if not 1 <= count <= own.size // each:
            most, alone = own.size // each, own.size == members.size
            shared = own.size < len(np.unique(numbers[members]))
            there = f"{'images' if alone else 'clusters'} of class {label}"
            there += " that serve no other class" * shared
            fewer = "ask for fewer pairs, or take more images" if most else "take fewer classes"
            raise UserError(
                "--pairs" if within else "--between_pairs",
                expected=f"1 to {most}, of the {own.size:,} {there}"
                if most
                else f"{each:,} {there} or more, one for each end of a pair",
                got=f"{count:,}, which take {count * each:,}" if most else f"{own.size:,}",
                hint=fewer + "; no two pairs share a cluster" * (not alone),
            )
        found[places] = own[: count * each].reshape(count, each).T
    return [Pairs(*ends) for ends in found]


def _members(labels: NDArray, label: int) -> NDArray[np.int64]:
    """Places of the images of a class, which must have some."""
    members = np.flatnonzero(labels == label)
    if not members.size:
        raise UserError(
            "--dataset",
            expected="held-out images of every class",
            got=f"none of class {label}",
            hint="number the classes without gaps, or choose --classes where there are",
        )
    return members


def pairs_among(pairs: Pairs, places: ArrayLike) -> tuple[Pairs, NDArray[np.bool_]]:
    """The pairs whose images are among some, numbered among those.

    Args:
      pairs: of images of a split.
      places: of those that are there, rising, [m].

    Returns:
      the pairs that are left, as places in 0 ... m - 1; and which of the given ones they are.
    """
    there = np.asarray(places)
    left = np.isin(pairs.first, there) & np.isin(pairs.last, there)
    return Pairs(*(np.searchsorted(there, end[left]) for end in pairs)), left


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
      pairs: places in them.
      prepare: pixels -> images as the model sees them, in whose space `distances` are measured.
      unit: of distance, above 0.
      num_samples: of every path, at least 4; 0: by the unit.

    Raises:
      UserError: a pair of identical images, a unit or a number out of range, whole numbers other
        than uint8, whose range is not known.
    """
    if not (unit > 0 and (num_samples == 0 or num_samples >= 4)):
        raise UserError(
            "--num_samples",
            expected="at least 4 (0: by distance), and a unit above 0",
            got=f"{num_samples} and {unit:g}",
            hint="100 is usual",
        )
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
    counts = np.full(len(distances), num_samples, np.int64)
    if not num_samples:
        counts = np.maximum(4, np.round(distances / unit).astype(np.int64) + 1)
    return Paths(pairs, distances, counts, pixel_distances)


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
    places = np.arange(len(x))
    pairs = Pairs(places, places + len(x))
    return ends, straight_paths(ends, pairs, num_samples=num_samples)


def gradients(
    model: keras.Model,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> NDArray[np.float32]:
    """The gradient of each image's own loss in the image, shape [n, ...]: a local direction.

    Args:
      model: images -> logits [b, C].
      images: as the model sees them, shape [n, ...].
      labels: whole numbers, shape [n].
      batch_size, strategy: as for `path_logits`.
    """

    def gradient(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = tf.cast(model(x, training=False), tf.float32)
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        return tape.gradient(loss, x)

    x, y = np.asarray(images, np.float32), np.asarray(labels, np.int32)
    (found,) = over_rows(gradient, [x, y], batch_size, strategy)
    return found


@tf.function(jit_compile=True, autograph=False)
def _samples(ends: tf.Tensor, owner: tf.Tensor, along: tf.Tensor) -> tf.Tensor:
    """Images between ends [2 w, ...], first ends before last ones, of w paths.

    Compiled it passes through memory once. It is not a product of matrices, which GPUs and TPUs
    round to fewer bits than a spectrum wants.
    """
    first, last = (tf.gather(half, owner) for half in tf.split(ends, 2))
    t = tf.reshape(along, (-1, *[1] * (len(ends.shape) - 1)))
    return (1 - t) * first + t * last


def path_logits(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    paths: Paths,
    prepare: Prepare = lambda pixels: pixels,
    *,
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
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

    Raises:
      UserError: a batch size that is not a multiple of the replicas.
    """
    strategy = strategy or tf.distribute.get_strategy()
    share, replicas = replicas_share(batch_size, strategy), strategy.num_replicas_in_sync
    offsets = np.concatenate([[0], np.cumsum(paths.counts)])
    total, num_paths = int(offsets[-1]), len(paths.counts)
    num_batches = math.ceil(total / batch_size)
    begins = np.minimum(np.arange(num_batches * replicas) * share, total - 1)
    ends = np.minimum(begins + share, total) - 1
    # So many paths at most have samples in one part of a batch.
    reach = (np.searchsorted(offsets, [begins, ends], side="right") * [[-1], [1]]).sum(axis=0)
    window = int(reach.max(initial=0)) + 1
    pixels = np.asarray(images)

    def part(number: int) -> tuple[NDArray, NDArray[np.int32], NDArray[np.float32]]:
        """Images at the ends of the paths of one part; each sample's path and place on it."""
        samples = np.minimum(number * share + np.arange(share), total - 1)
        owner = np.searchsorted(offsets, samples, side="right") - 1
        along = (samples - offsets[owner]) / (paths.counts[owner] - 1)
        chosen = np.minimum(owner[0] + np.arange(window), num_paths - 1)
        own_ends = pixels[np.concatenate([end[chosen] for end in paths.pairs])]
        return own_ends, (owner - owner[0]).astype(np.int32), along.astype(np.float32)

    # TPUs compile whatever they run.
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    samples_of = _samples.python_function if on_tpu else _samples

    infer = at_inference(model)

    def answers(stored: tf.Tensor, owner: tf.Tensor, along: tf.Tensor) -> tf.Tensor:
        samples = samples_of(tf.cast(prepare(stored), tf.float32), owner, along)
        return tf.cast(infer(samples), tf.float32)

    done, rest = 0, []
    for (outputs_of_batch,) in stream(answers, part, num_batches, strategy):
        rest.append(outputs_of_batch)
        there = np.concatenate(rest) if len(rest) > 1 else rest[0]
        begin = 0
        while done < num_paths and begin + paths.counts[done] <= len(there):
            yield there[begin : begin + paths.counts[done]]
            begin += int(paths.counts[done])
            done += 1
        rest = [there[begin:]]


def measure_paths(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    labels: ArrayLike,
    paths: Paths,
    prepare: Prepare = lambda pixels: pixels,
    *,
    frequencies: Sequence[float] | NDArray = (),
    per_path: bool = False,
    temperature: float = 1.0,
    outputs: str = "logits",
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> PathMeasurements:
    """Spectra of the model's answers along paths, streamed.

    Distances are those of the images as the model sees them, so `measures.centroid` is in cycles
    per unit of these; times `distances` / `pixel_distances` of the paths, per unit of pixels.

    Args:
      model, images, paths, prepare, batch_size, strategy: as for `path_logits`.
      labels: of the images, whole numbers, shape [n].
      frequencies: at which to give magnitudes, in cycles per unit of distance.
      per_path: frequencies are in cycles per path.
      temperature: by which logits are divided, above 0; of probabilities their logarithms are.
      outputs: what the model gives, one of `OUTPUTS`.

    Raises:
      UserError: a temperature that is not above 0; outputs that are not what they are said to be,
        or not finite for more than 1 % of the samples; as `path_logits`.
    """
    refuse_temperatures([temperature])
    axis, num_paths = np.asarray(frequencies, np.float64), len(paths.counts)
    measures = PathMeasures(*(np.full(num_paths, np.nan) for _ in PathMeasures._fields))
    plain, mirrored = np.full((2, num_paths, axis.size), np.nan)
    right, finite = np.empty((num_paths, 2), bool), np.empty(num_paths, bool)
    step = 1 / (paths.counts - 1) if per_path else paths.spacing

    logits = path_logits(model, images, paths, prepare, batch_size=batch_size, strategy=strategy)
    for group in groups_of(logits, paths.counts, paths.end_labels(labels), outputs):
        right[group.rows], finite[group.rows] = group.right, group.finite
        rows = group.rows[group.finite]
        p = probabilities_of(group.outputs, outputs, temperature)
        for array, value in zip(measures, path_measures(p, paths.spacing[rows]), strict=True):
            array[rows] = value
        if axis.size:
            both = zip(rows, plain_magnitudes(p), mirrored_magnitudes(p), strict=True)
            for i, of_plain, of_mirrored in both:
                width = 1 / (p.shape[1] * step[i])
                plain[i] = on_axis(of_plain, width, axis)
                mirrored[i] = on_axis(of_mirrored, width / 2, axis)
    return PathMeasurements(
        measures=measures,
        plain=plain,
        mirrored=mirrored,
        plain_where=axis_support(axis, paths.counts, step, mirrored=False) & finite[:, None],
        mirrored_where=axis_support(axis, paths.counts, step, mirrored=True) & finite[:, None],
        right=right,
        finite=finite,
    )
