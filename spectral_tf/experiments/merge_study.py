"""Classes merged into super-classes: diversity that is made, at a fixed number of classes left.

To merge more classes makes super-classes more diverse, and fewer; so diversity is also changed at a
fixed number of them, by what is merged with what (`groupings`). All networks are asked about the
same paths between images of the original classes. What a path is depends on the grouping:

* `same`: within one original class, for every network;
* `merged`: from one original class to another of the same super-class;
* `apart`: from one super-class to another.

A random pair of a super-class of k equally frequent classes is of one original class with the
probability 1 / k: so are `same` and `merged` paths weighted (`influence`). Super-classes may be of
known meaning (a hierarchy): then there are similar, dissimilar and random ones of the same sizes.
"""

import collections
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments.networks import mean_over_networks
from spectral_tf.experiments.path_study import MEASURES, Models, Reading
from spectral_tf.progress import track
from spectral_tf.spectra.verdicts import Finding

GROUPINGS = ("similar", "dissimilar", "random")
UNMERGED, KNOWN = "none", "known"
# How diverse a grouping is: columns of the models, and what they are in words.
DIVERSITY = {"image_distance": "distance of images", "feature_angle": "angle of features"}
# All ways to merge are looked at up to this number, else classes join groups one by one.
_ALL_UP_TO = 50_000
# With fewer paths from one merged class to another a mean over them is one of a few images.
MERGED_PATHS = 10
_HERE = "held_out"

# In the order of every table; `common`: all networks classify both ends correctly, each by its own
# super-classes.
READINGS = (
    Reading("DFT share, all paths", "dft_share"),
    Reading("DCT share, all paths", "dct_share"),
    Reading("released code's share, all paths", "released_share"),
    Reading("total variation per distance, all paths", "total_variation"),
    Reading("centroid per distance, all paths", "centroid"),
    Reading("centroid at matched confidence, all paths", "matched_centroid"),
    Reading(
        "centroid at matched confidence, all paths, cycles per path",
        "matched_centroid",
        per_path=True,
    ),
    Reading("total variation at matched confidence, all paths", "matched_total_variation"),
    Reading("DFT share, common paths", "dft_share", "common"),
    Reading("centroid at matched confidence, common paths", "matched_centroid", "common"),
)
PUBLISHED = "DFT share, all paths"
CORRECTED = "centroid at matched confidence, all paths"
RISING = "over the number merged at random"
CLAIM = "C12 merged"
STATEMENT = "super-classes of more diverse classes have faster functions"
# Of a hierarchy: {the sign of its diversity less that of random groupings of its sizes: what should
# follow}.
OF_HIERARCHY = "C12 hierarchy"
AS_DIVERSE = {
    -1: "super-classes of known meaning, less diverse than random ones, have slower functions",
    1: "super-classes of known meaning, more diverse than random ones, have faster functions",
}
AGAINST_RANDOM = {False: "known minus random", True: "within original classes, known minus random"}

# The classes of every group, largest first; or so many in each.
Sizes = int | Sequence[int]


def sizes_of(groups: ArrayLike) -> list[int]:
    """The classes of every super-class, largest first.

    >>> sizes_of([0, 1, 0, 2, 0, 2])
    [3, 2, 1]
    """
    return sorted(np.unique(np.asarray(groups), return_counts=True)[1].tolist(), reverse=True)


def mean_size(groups: ArrayLike) -> int | float:
    """Classes in a super-class: how many are merged, a whole number if it is one.

    >>> mean_size([0, 0, 1, 1]), mean_size([0, 0, 0, 1, 1])
    (2, 2.5)
    """
    sizes = sizes_of(groups)
    return number(sum(sizes) / len(sizes))


def number(value: float) -> int | float:
    """A whole number as such."""
    return int(value) if value == int(value) else float(value)


def _every_size(num_classes: int, size: Sizes) -> list[int]:
    return [size] * (num_classes // size) if isinstance(size, int) else list(size)


def partitions(num_classes: int, size: Sizes) -> Iterator[NDArray[np.int64]]:
    """All ways to merge classes into groups of given sizes: the group of each, [num_classes].

    Groups are numbered in the order of their first classes. There are `num_partitions`.

    Args:
      num_classes: C.
      size: of all groups, a divisor of C, or of each.

    >>> [groups.tolist() for groups in partitions(4, 2)]
    [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]]
    >>> [groups.tolist() for groups in partitions(3, [2, 1])]
    [[0, 0, 1], [0, 1, 0], [0, 1, 1]]
    """
    groups = np.full(num_classes, -1)
    left = collections.Counter(_every_size(num_classes, size))

    def filled(group: int) -> Iterator[NDArray[np.int64]]:
        free = np.flatnonzero(groups < 0)
        if not free.size:
            yield groups.copy()
            return
        for own_size in sorted(+left, reverse=True):
            left[own_size] -= 1
            for others in itertools.combinations(free[1:].tolist(), own_size - 1):
                own = [free[0], *others]
                groups[own] = group
                yield from filled(group + 1)
                groups[own] = -1
            left[own_size] += 1

    yield from filled(0)


def num_partitions(num_classes: int, size: Sizes) -> int:
    """How many `partitions` there are: C! / (prod_s k_s! prod_k m_k!), m_k groups of k classes.

    >>> num_partitions(10, 2), num_partitions(10, 5), num_partitions(10, [4, 3, 2, 1])
    (945, 126, 12600)
    """
    sizes = _every_size(num_classes, size)
    alike = math.prod(map(math.factorial, collections.Counter(sizes).values()))
    return math.factorial(num_classes) // (math.prod(map(math.factorial, sizes)) * alike)


def groupings(
    distances: ArrayLike,
    size: Sizes,
    kinds: Sequence[str],
    num_random: int,
    rng: np.random.Generator,
    known: ArrayLike | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Ways to merge classes, so many each, or into groups of the same sizes as known ones.

    `similar` (`dissimilar`) has the least (largest) sum of D[a, b] over all classes a < b that it
    merges: the best of all ways where they are at most 50,000 (as of ten classes), else a greedy
    one, in which a group begins with the nearest (farthest) two classes that are left and takes in
    the one with the least (largest) sum to its members, until it is full. `random` ones are
    different from each other, from both of these, whether or not these are asked for, and from the
    known one; the first of many are those of few. A grouping stands there once: `similar` and
    `dissimilar` are left out where the known one is it, so that no network counts as two.

    Args:
      distances: D between classes, shape [C, C].
      size: classes in a group, a divisor of C; 1 leaves them as they are. Or of each group.
      kinds: some of `GROUPINGS`.
      num_random: random ones.
      rng: that draws them.
      known: the group of every class by their meaning, of these sizes; None: there is none.

    Returns:
      {`none`, `known`, `similar`, `dissimilar`, `random_0`, ...: the group of every class, [C]}.

    Raises:
      UserError: more random ones than there are ways left.
    """
    d = np.asarray(distances, np.float64)
    if size == 1:
        return {UNMERGED: np.arange(len(d))}
    extremes = {"similar": _extreme(d, size), "dissimilar": _extreme(-d, size)}
    found = {} if known is None else {KNOWN: _numbered(np.asarray(known))}
    seen = {tuple(groups.tolist()) for groups in (*extremes.values(), *found.values())}
    for name, groups in extremes.items():
        there = any(np.array_equal(groups, others) for others in found.values())
        if name in kinds and not there:
            found[name] = groups
    if "random" not in kinds:
        return found
    left = num_partitions(len(d), size) - len(seen)
    if num_random > left:
        raise UserError(
            "random_groupings",
            expected=f"at most {left:,}, as there are ways to merge {len(d)} classes "
            f"{told_sizes(size)} beside the others",
            got=f"{num_random:,}",
            hint="lower it",
        )
    others = len(found)
    while len(found) < num_random + others:
        groups = np.empty(len(d), np.int64)
        sizes = _every_size(len(d), size)
        groups[rng.permutation(len(d))] = np.repeat(np.arange(len(sizes)), sizes)
        groups = _numbered(groups)
        if tuple(groups.tolist()) not in seen:
            seen.add(tuple(groups.tolist()))
            found[f"random_{len(found) - others}"] = groups
    return found


def told_sizes(size: Sizes) -> str:
    """How many classes are merged, in words.

    >>> told_sizes(2), told_sizes([3, 1])
    ('2 by 2', '3 and 1 together')
    """
    if isinstance(size, int):
        return f"{size} by {size}"
    return f"{' and '.join(map(str, size))} together"


def _extreme(d: NDArray[np.float64], size: Sizes) -> NDArray[np.int64]:
    """The grouping with the least sum over all couples that it merges, as `groupings` says.

    Large groups have more couples: where sizes differ, it is not the one of least mean within
    super-classes, which `spectra.merged_diversity` is.
    """
    if num_partitions(len(d), size) <= _ALL_UP_TO:
        return min(partitions(len(d), size), key=lambda groups: _within_sum(d, groups))
    groups = np.full(len(d), -1)
    for group, own_size in enumerate(sorted(_every_size(len(d), size), reverse=True)):
        free = np.flatnonzero(groups < 0).tolist()
        couples = list(itertools.combinations(free, 2))
        own = free[:1]
        if own_size > 1:
            own = list(couples[int(np.argmin([d[couple] for couple in couples]))])
        while len(own) < own_size:
            rest = [c for c in free if c not in own]
            own.append(min(rest, key=lambda c: d[c, own].sum()))
        groups[own] = group
    return _numbered(groups)


def _within_sum(d: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    together = groups[:, None] == groups
    return float(d[np.triu(together, 1)].sum())


def _numbered(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups by the order of their first classes."""
    first = {group: i for i, group in enumerate(dict.fromkeys(groups.tolist()))}
    return np.array([first[group] for group in groups.tolist()])


def groups_text(groups: ArrayLike) -> str:
    """Groups as a column of a table holds them.

    >>> groups_text([0, 1, 0]), groups_of("0 1 0").tolist()
    ('0 1 0', [0, 1, 0])
    """
    return " ".join(map(str, np.asarray(groups).tolist()))


def groups_of(text: str) -> NDArray[np.int64]:
    """The groups of `groups_text`."""
    return np.array(text.split(), np.int64)


def setting_of(found: Models) -> NDArray:
    """Of each network its grouping: seeds of one are one."""
    merge = np.array([f"{k:g}" for k in found.columns["merge"].tolist()])
    return np.char.add(np.char.add(merge, "/"), found.columns["grouping"].astype(str))


def pair_types(found: Models) -> dict[str, NDArray[np.bool_]]:
    """{`same`, `merged`, `apart`: whether a path is that for a network, [m, p]}."""
    first, last = found.classes[_HERE].T
    groups = np.stack([groups_of(text) for text in found.columns["groups"].tolist()])
    same = np.broadcast_to(first == last, (len(found), first.size))
    joined = groups[:, first] == groups[:, last]
    return {"same": same, "merged": joined & ~same, "apart": ~joined}


def counted(found: Models, reading: Reading) -> NDArray[np.bool_]:
    """The paths of a reading, the same for all networks, bool [p]."""
    return found.measured(reading) & spectra.which_paths(found.correct(_HERE), reading.paths)


def influence(found: Models, reading: Reading, *, same_paths: bool = False) -> NDArray[np.float64]:
    """Values of influence of the mean over random pairs of a super-class, [m, p].

    T = (1/k) mean of v over `same` paths + (1 - 1/k) mean over `merged` ones, k the classes in a
    super-class. Its values of influence, u = T + sum over both kinds of share (p / n_kind) (v -
    mean of the kind) on the paths of the kind, have the mean T over all p paths and vary as T does
    when paths are drawn anew: the difference between the kinds is no scatter. The means of the
    kinds are over the networks of a grouping, so that u of a network has its own T.

    Of super-classes of different sizes k_s every one counts the same, as in
    `spectra.merged_diversity`: 1/k is the mean of 1/k_s, and a path weighs 1/k_s^2 within its kind.

    Args:
      found: networks.
      reading: one of `READINGS`.
      same_paths: only paths within the original classes: T is their mean.

    Raises:
      UserError: a network without a path of a kind that takes part.
    """
    v, where, kinds = found.values(reading), counted(found, reading), pair_types(found)
    settings = setting_of(found)
    u = np.zeros(v.shape)
    for name in dict.fromkeys(settings.tolist()):
        own = settings == name
        share, weights = 1.0, np.ones(v.shape[1])
        if not same_paths:
            share, weights = _shares(found, np.flatnonzero(own)[0])
        for kind, part_of in (("same", share), ("merged", 1 - share)):
            if not part_of > 0:
                continue
            chosen = kinds[kind][own][0] & where
            of_kind = v[own][:, chosen]
            if not of_kind.size:
                raise UserError(
                    "paths", expected=f"some of the kind {kind}", got="none", hint="draw more"
                )
            relative = weights[chosen] / weights[chosen].mean()  # 1 where all sizes are one.
            mean, size = (relative * of_kind).mean(), v.shape[1] / of_kind.shape[1]
            part = np.zeros((len(of_kind), v.shape[1]))
            part[:, chosen] = size * (relative * (of_kind - mean))
            u[own] += part_of * (mean + part)
    return u


def _shares(found: Models, i: int) -> tuple[float, NDArray[np.float64]]:
    """The share of pairs of one original class in a super-class, and the weight of each path."""
    groups = groups_of(str(found.columns["groups"][i]))
    sizes = np.bincount(groups)
    weights = (math.lcm(*sizes.tolist()) // sizes) ** 2.0  # As 1 / k_s^2, in whole numbers.
    return float(np.mean(1 / sizes)), weights[groups[found.classes[_HERE][:, 0]]]


def length(found: Models) -> NDArray[np.float64]:
    """The mean length of a random pair of a super-class, in pixels of [0, 1], of each network."""
    lengths = np.broadcast_to(
        found.distances[_HERE].astype(np.float64), pair_types(found)["same"].shape
    )
    along = {f"{_HERE}/length": lengths, f"{_HERE}/finite": np.ones(lengths.shape, bool)}
    of_lengths = dataclasses.replace(found, along={**found.along, **along})
    return influence(of_lengths, Reading("", "length")).mean(axis=1)


def mean_within(found: Models, reading: Reading, *, same_paths: bool = False) -> spectra.Estimate:
    """The mean over paths within super-classes, of the networks of one grouping.

    What varies: seeds, and paths of either kind. Held fixed: the grouping.

    Args:
      found: seeds of one grouping.
      reading: one of `READINGS`.
      same_paths: only paths within the original classes.
    """
    return mean_over_networks(influence(found, reading, same_paths=same_paths), items="paths")


def over_groupings(
    found: Models,
    quality: str,
    reading: Reading,
    *,
    same_paths: bool = False,
    length_held: bool = False,
    num_resamples: int = 1_000,
) -> spectra.Estimate:
    """Spearman's rho over groupings of a quality and a mean over paths within super-classes.

    What varies: groupings with their seeds, and paths (`correlation_over_settings` of values of
    influence). Held fixed: the number of seeds, and the lengths of paths where these are held.

    Args:
      found: the networks that are compared.
      quality: a column of theirs, the same for all seeds of a grouping.
      reading: one of `READINGS`.
      same_paths: only paths within the original classes, the same for all groupings.
      length_held: the mean length of the paths is held fixed: rho is partial.
      num_resamples: of the interval.

    Returns:
      n is the number of groupings; no value for fewer than 4 (5 with `length_held`), or where too
      few paths are left; no interval for fewer than 6.
    """
    if not len(found):
        return spectra.not_enough(0, spectra.SETTINGS_FOR_CORRELATION, "groupings")
    few = _too_few_paths(found, reading, same_paths=same_paths)
    if few is not None:
        return few
    return spectra.correlation_over_settings(
        found.columns[quality],
        influence(found, reading, same_paths=same_paths),
        setting_of(found),
        control=length(found) if length_held else None,
        units=("groupings", "paths"),
        num_resamples=num_resamples,
    )


def _too_few_paths(found: Models, reading: Reading, *, same_paths: bool) -> spectra.Estimate | None:
    """What stands for a mean over fewer paths than one needs; None where there are enough."""
    where, kinds = counted(found, reading), pair_types(found)
    merged = found.columns["merge"].astype(np.float64) > 1
    for kind, needed, of, named in (
        ("same", spectra.PATHS_FOR_COMPARISON, merged | ~merged, "paths"),
        ("merged", MERGED_PATHS, merged & (not same_paths), "paths between merged classes"),
    ):
        least = int((kinds[kind] & where)[of].sum(axis=1).min(initial=where.size))
        if least < needed and of.any():
            return spectra.not_enough(least, needed, named)
    return None


def known_minus_random(
    found: Models, reading: Reading, *, same_paths: bool = False
) -> spectra.Estimate:
    """Super-classes of known meaning minus random ones of the same sizes.

    x - mean(r) +- t s sqrt(1 + 1/n), x and r the means over paths within super-classes and seeds, s
    the standard deviation of the n random groupings, t of n - 1 degrees of freedom: whether the
    known grouping could be one more random one. Exact for normal samples.

    What varies: random groupings with their seeds. Held fixed: the known grouping, of which there
    is one, and the paths, which are the same for all.

    Args:
      found: networks of one number of super-classes; similar and dissimilar ones do not count.
      reading: one of `READINGS`.
      same_paths: only paths within the original classes, the same for all groupings.

    Returns:
      no value without a known or a random grouping, or where too few paths are left; no interval
      for one random grouping.
    """
    names = found.columns["grouping"].astype(str)
    random = np.char.startswith(names, "random")
    compared = found[random | (names == KNOWN)]
    names, random = names[random | (names == KNOWN)], random[random | (names == KNOWN)]
    for there, named in ((random, "random groupings"), (~random, "known groupings")):
        if not there.any():
            return spectra.not_enough(0, 1, named)
    few = _too_few_paths(compared, reading, same_paths=same_paths)
    if few is not None:
        return few
    means = influence(compared, reading, same_paths=same_paths).mean(axis=1)
    drawn = np.array(
        [means[names == name].mean() for name in dict.fromkeys(names[random].tolist())]
    )
    std = drawn.std(ddof=1) if drawn.size > 1 else 0.0
    away = spectra.difference_to_published_from_stats(
        drawn.mean(), std, drawn.size, means[~random].mean(), 1, 0.0
    )
    method = away.method if away.missing else "Student, of one more grouping like the random ones"
    return dataclasses.replace(spectra.negative(away), unit="random groupings", method=method)


def merged_minus_none(
    found: Models, reading: Reading, merge: float, grouping: str = "", pair_type: str = "same"
) -> tuple[spectra.Estimate, float]:
    """What merging changes, path by path: networks of merged classes minus unmerged ones.

    Compared are networks of one seed; of all groupings the mean is taken before. What varies: seeds
    and paths. Held fixed: the groupings.

    Args:
      found: all networks.
      reading: one of `READINGS`.
      merge: classes in a super-class, above 1.
      grouping: one of them, or "" for all.
      pair_type: `same` or, of one grouping, `merged`.

    Returns:
      the difference, and the mean of the unmerged networks on the same paths.
    """
    k, names = found.columns["merge"].astype(np.float64), found.columns["grouping"].astype(str)
    own = (k == merge) & ((names == grouping) | (grouping == ""))
    if not own.any():
        return spectra.not_enough(0, 1, "merged networks"), math.nan
    where = counted(found, reading) & pair_types(found)[pair_type][own].all(axis=0)
    needed = spectra.PATHS_FOR_COMPARISON if pair_type == "same" else MERGED_PATHS
    if where.sum() < needed:
        return spectra.not_enough(int(where.sum()), needed, "paths"), math.nan
    values, seeds = found.values(reading)[:, where], found.columns["seed"].astype(np.int64)
    # A training that diverged leaves its partners out, too.
    runs = np.intersect1d(seeds[own], seeds[k == 1])
    if not runs.size:
        return spectra.not_enough(0, 1, "seeds with merged and unmerged networks"), math.nan
    ours, none = (
        np.stack([values[chosen & (seeds == s)].mean(axis=0) for s in runs])
        for chosen in (own, k == 1)
    )
    away = spectra.crossed_mean(ours - none, units=("seeds", "paths"), tested=True)
    return away, float(none.mean())


def merged_minus_apart(
    found: Models, reading: Reading, merge: float
) -> tuple[spectra.Estimate, float]:
    """A path between two classes where they are merged minus where they are not, path by path.

    As many classes are left in all networks that are compared: those of the groupings that merge
    the two classes, and those of the others. What varies: seeds, and pairs of classes with all
    paths between them. Held fixed: the groupings.

    Args:
      found: all networks.
      reading: one of `READINGS`.
      merge: classes in a super-class, above 1.

    Returns:
      the difference, and the mean where they are not merged.
    """
    at = found[found.columns["merge"].astype(np.float64) == merge]
    kinds = pair_types(at)
    of_seeds = [at.columns["seed"].astype(np.int64) == s for s in np.unique(at.columns["seed"])]
    where = counted(found, reading)
    for kind in ("merged", "apart"):
        where &= np.logical_and.reduce([kinds[kind][seed].any(axis=0) for seed in of_seeds])
    if where.sum() < spectra.PATHS_FOR_COMPARISON:
        few = spectra.not_enough(int(where.sum()), spectra.PATHS_FOR_COMPARISON, "paths")
        return few, math.nan
    values, means = at.values(reading)[:, where], []
    for kind in ("merged", "apart"):
        chosen = kinds[kind][:, where]
        sums = [np.where(chosen[s], values[s], 0.0).sum(axis=0) for s in of_seeds]
        means.append(np.stack(sums) / np.stack([chosen[s].sum(axis=0) for s in of_seeds]))
    first, last = found.classes[_HERE][where].T
    pairs = first * (1 + int(last.max())) + last
    away = spectra.crossed_mean(means[0] - means[1], clusters=pairs, units=("seeds", "paths"))
    return away, float(means[1].mean())


def merges_of(found: Models) -> list[int | float]:
    """Classes in a super-class of merged networks, rising."""
    return sorted(map(number, set(found.columns["merge"].astype(np.float64).tolist()) - {1}))


def distinct(found: Models) -> Models:
    """Every grouping once: of several names of one, as folders of older runs have, the first."""
    names = ("merge", "groups", "seed")
    keys = list(zip(*(found.columns[name].tolist() for name in names), strict=True))
    return found[np.array([key not in keys[:i] for i, key in enumerate(keys)], bool)]


class Change(NamedTuple):
    """What merging changes on the same paths.

    Attributes:
      merge, grouping: of the networks; `all` groupings of so many.
      measure: one of `MEASURES`.
      pair_type: of the paths for these networks, `same` or `merged`.
      against: what they are compared with: `unmerged` networks, or those of as many super-classes
        in which the two classes are `apart`.
      reference: mean of these.
      difference: from these.
    """

    merge: float
    grouping: str
    measure: str
    pair_type: str
    against: str
    reference: float
    difference: spectra.Estimate


def changes(found: Models) -> list[Change]:
    """What merging changes on the same paths, by every measure."""
    names, rows = found.columns["grouping"].astype(str), []
    for k in merges_of(found):
        of_k = list(dict.fromkeys(names[found.columns["merge"] == k].tolist()))
        for measure in MEASURES:
            reading = Reading("", measure)
            away, none = merged_minus_none(found, reading, k)
            rows.append(Change(k, "all", measure, "same", "unmerged", none, away))
            away, apart = merged_minus_apart(found, reading, k)
            rows.append(Change(k, "all", measure, "merged", "apart", apart, away))
            for grouping in of_k:
                for pair_type in ("same", "merged"):
                    away, none = merged_minus_none(found, reading, k, grouping, pair_type)
                    rows.append(Change(k, grouping, measure, pair_type, "unmerged", none, away))
    return rows


def claims(
    found: Models, num_resamples: int = 1_000, merges: Sequence[float] | None = None
) -> list[Finding]:
    """C12 by all readings, in one order.

    Which two decide was fixed before looking: whether the DFT share rises with the number of
    classes merged (at random, so that fewer are left); and, at a fixed number of classes left (the
    smallest merge), whether the centroid on paths within the original classes, which are the same
    for all groupings, goes with the distance of the images of what is merged. With the paths that
    a grouping merges counted, too, distance would decide by itself: one cycle on every path is
    slower per distance where paths are longer.

    Args:
      found: all networks.
      num_resamples: of the intervals.
      merges: classes in a super-class that were asked for; default: those that there are networks
        of. What is asked of the smallest is asked of it if all its networks diverged, too.

    Where a known grouping was trained and random ones, it is held against those of its sizes, too
    (`known_minus_random`): by the DFT share as published, and corrected by the centroid on paths
    within the original classes, likewise fixed before looking. It should be slower if its images
    are nearer to each other than theirs on average, and faster else: what is claimed follows from
    distances that are known before anything is trained.
    """
    merge, names = found.columns["merge"].astype(np.float64), found.columns["grouping"].astype(str)
    random = (merge == 1) | np.char.startswith(names, "random")
    asked: list[tuple[str, Callable[[Reading], spectra.Estimate]]] = []

    def ask(question: str, chosen: NDArray, quality: str, **options: bool) -> None:
        asked.append(
            (
                question,
                lambda reading: over_groupings(
                    found[chosen], quality, reading, num_resamples=num_resamples, **options
                ),
            )
        )

    def minus_none(k: float) -> None:
        asked.append(
            (
                f"within original classes, {k:g} merged minus none",
                lambda reading: merged_minus_none(found, reading, k)[0],
            )
        )

    ask(RISING, random, "merge")
    for k in sorted(set(merges or merges_of(found)) - {1}):
        at = merge == k
        for quality, text in DIVERSITY.items():
            ask(f"over groupings of {k:g} by {text}", at, quality)
        ask(
            f"over groupings of {k:g} by {DIVERSITY['feature_angle']}, length held fixed",
            at,
            "feature_angle",
            length_held=True,
        )
        ask(
            f"within original classes, over groupings of {k:g} by {DIVERSITY['image_distance']}",
            at,
            "image_distance",
            same_paths=True,
        )
        minus_none(k)
    # At the smallest merge.
    decisive = next(name for name, _ in asked if name.startswith("within original classes, over"))
    decides = {
        (PUBLISHED, RISING): "published",
        (CORRECTED, decisive): "corrected",
    }
    findings = [
        Finding(
            claim=CLAIM,
            statement=STATEMENT,
            reading=f"{reading.name}, {question}",
            primary=decides.get((reading.name, question), ""),
            direction=1,
            estimate=look(reading),
        )
        for (question, look), reading in track(list(itertools.product(asked, READINGS)), "reading")
    ]
    known = names == KNOWN
    if known.any() and np.char.startswith(names, "random").any():
        at = found[merge == merge[known][0]]
        sign = 1 if _above_random(at) else -1
        decides = {
            (PUBLISHED, AGAINST_RANDOM[False]): "published",
            (CORRECTED, AGAINST_RANDOM[True]): "corrected",
        }
        findings += [
            Finding(
                claim=OF_HIERARCHY,
                statement=AS_DIVERSE[sign],
                reading=f"{reading.name}, {question}",
                primary=decides.get((reading.name, question), ""),
                direction=sign,
                estimate=known_minus_random(at, reading, same_paths=same_paths),
            )
            for (same_paths, question), reading in itertools.product(
                AGAINST_RANDOM.items(), READINGS
            )
        ]
    return findings


def _above_random(found: Models) -> bool:
    """Whether images of a known super-class are farther apart than those of random ones."""
    names, distance = found.columns["grouping"].astype(str), found.columns["image_distance"]
    random = np.char.startswith(names, "random")
    return bool(random.any() and distance[names == KNOWN].mean() > distance[random].mean())
