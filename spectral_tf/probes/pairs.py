"""Which two images a path joins: drawn within classes and between, no cluster of images twice."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


class Pairs(NamedTuple):
    """The images at the ends of n paths, as indices into an array of images, int64 [n] each."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]


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
                "pairs",
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
        indices = np.nonzero(wanted == label)  # Ends of pairs, which take turns.
        each = len(indices[0])
        if not 1 <= count <= own.size // each:
            most, alone = own.size // each, own.size == members.size
            shared = own.size < len(np.unique(numbers[members]))
            there = f"{'images' if alone else 'clusters'} of class {label}"
            there += " that serve no other class" * shared
            fewer = "ask for fewer pairs, or take more images" if most else "take fewer classes"
            raise UserError(
                "pairs" if within else "between_pairs",
                expected=f"1 to {most}, of the {own.size:,} {there}"
                if most
                else f"{each:,} {there} or more, one for each end of a pair",
                got=f"{count:,}, which take {count * each:,}" if most else f"{own.size:,}",
                hint=fewer + "; no two pairs share a cluster" * (not alone),
            )
        found[indices] = own[: count * each].reshape(count, each).T
    return [Pairs(*ends) for ends in found]


def _members(labels: NDArray, label: int) -> NDArray[np.int64]:
    """Places of the images of a class, which must have some."""
    members = np.flatnonzero(labels == label)
    if not members.size:
        raise UserError(
            "dataset",
            expected="held-out images of every class",
            got=f"none of class {label}",
            hint="number the classes without gaps, or choose --classes where there are",
        )
    return members


def pairs_among(pairs: Pairs, indices: ArrayLike) -> tuple[Pairs, NDArray[np.bool_]]:
    """The pairs whose images are among some, numbered among those.

    Args:
      pairs: of images of a split.
      indices: of those that are there, rising, [m].

    Returns:
      the pairs that are left, as indices 0 ... m - 1; and which of the given ones they are.
    """
    there = np.asarray(indices)
    left = np.isin(pairs.first, there) & np.isin(pairs.last, there)
    return Pairs(*(np.searchsorted(there, end[left]) for end in pairs)), left
