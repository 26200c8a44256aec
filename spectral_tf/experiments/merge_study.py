"""Classes merged into super-classes: diversity that is made, at a fixed number of classes left.

To merge more classes makes super-classes more diverse, and fewer; so diversity is also changed at a
fixed number of them, by what is merged with what (`groupings`). All networks answer the same paths
between images of the original classes. What a path is depends on the grouping:

* `same`: within one original class, for every network;
* `merged`: from one original class to another of the same super-class;
* `apart`: from one super-class to another.

A random pair of a super-class of k equally frequent classes is of one original class with the
probability 1 / k: so are `same` and `merged` paths weighted in `within`.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments.path_study import Models, Reading, in_units
from spectral_tf.spectra.verdicts import Finding

GROUPINGS = ("similar", "dissimilar", "random")
UNMERGED = "none"
# How diverse a grouping is: columns of the models, and what they are in words.
DIVERSITY = {"image_distance": "distance of images", "feature_angle": "angle of features"}
# All ways to merge are looked at up to this number, else classes join groups one by one.
_ALL_UP_TO = 50_000
# With fewer paths from one merged class to another a mean over them is one of a few images.
MERGED_PATHS = 10
_HERE = "held_out"

# In the order of every table; `common`: all networks are right about both ends, each by its own
# super-classes.
READINGS = (
    Reading("plain share, all paths", "plain_share"),
    Reading("mirrored share, all paths", "mirrored_share"),
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
    Reading("plain share, common paths", "plain_share", "common"),
    Reading("centroid at matched confidence, common paths", "matched_centroid", "common"),
)
PUBLISHED = "plain share, all paths"
CORRECTED = "centroid at matched confidence, all paths"
RISING = "over the number merged at random"
CLAIM = "C12 merged"
STATEMENT = "super-classes of more diverse classes have faster functions"


def partitions(num_classes: int, size: int) -> Iterator[NDArray[np.int64]]:
    """All ways to merge classes, so many each: the group of every class, [num_classes].

    Groups are numbered in the order of their first classes. There are C! / (k!^(C/k) (C/k)!).

    >>> [groups.tolist() for groups in partitions(4, 2)]
    [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]]
    """
    groups = np.full(num_classes, -1)

    def filled(number: int) -> Iterator[NDArray[np.int64]]:
        free = np.flatnonzero(groups < 0)
        if not free.size:
            yield groups.copy()
            return
        for others in itertools.combinations(free[1:].tolist(), size - 1):
            own = [free[0], *others]
            groups[own] = number
            yield from filled(number + 1)
            groups[own] = -1

    yield from filled(0)


def num_partitions(num_classes: int, size: int) -> int:
    """How many `partitions` there are.

    >>> num_partitions(10, 2), num_partitions(10, 5)
    (945, 126)
    """
    count = num_classes // size
    return math.factorial(num_classes) // (math.factorial(size) ** count * math.factorial(count))


def groupings(
    distances: ArrayLike,
    size: int,
    kinds: Sequence[str],
    num_random: int,
    rng: np.random.Generator,
) -> dict[str, NDArray[np.int64]]:
    """Ways to merge classes, so many each.

    `similar` (`dissimilar`) has the least (largest) sum of D[a, b] over all classes a < b that it
    merges: the best of all ways where they are at most 50,000 (as of ten classes), else a greedy
    one, in which a group begins with the nearest (farthest) two classes that are left and takes in
    the one with the least (largest) sum to its members, until it is full. `random` ones are
    different from each other and from both of these, whether or not these are asked for; the first
    of many are those of few.

    Args:
      distances: D between classes, shape [C, C].
      size: classes in a group, a divisor of C; 1 leaves them as they are.
      kinds: some of `GROUPINGS`.
      num_random: random ones.
      rng: that draws them.

    Returns:
      {`none`, `similar`, `dissimilar`, `random_0`, ...: the group of every class, [C]}.

    Raises:
      UserError: more random ones than there are ways left.
    """
    d = np.asarray(distances, np.float64)
    if size == 1:
        return {UNMERGED: np.arange(len(d))}
    extremes = {"similar": _extreme(d, size), "dissimilar": _extreme(-d, size)}
    found = {name: groups for name, groups in extremes.items() if name in kinds}
    if "random" not in kinds:
        return found
    seen = {tuple(groups.tolist()) for groups in extremes.values()}
    left = num_partitions(len(d), size) - len(seen)
    if num_random > left:
        raise UserError(
            "--random_groupings",
            expected=f"at most {left:,}, as there are ways to merge {len(d)} classes {size} by "
            f"{size} beside the extremes",
            got=f"{num_random:,}",
            hint="lower it",
        )
    while len(found) < num_random + len(set(kinds) - {"random"}):
        groups = np.empty(len(d), np.int64)
        groups[rng.permutation(len(d))] = np.arange(len(d)) // size
        groups = _numbered(groups)
        if tuple(groups.tolist()) not in seen:
            seen.add(tuple(groups.tolist()))
            found[f"random_{len(found) - len(set(kinds) - {'random'})}"] = groups
    return found


def _extreme(d: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """The grouping with the least sum within groups."""
    if num_partitions(len(d), size) <= _ALL_UP_TO:
        return min(partitions(len(d), size), key=lambda groups: _within_sum(d, groups))
    groups = np.full(len(d), -1)
    for number in range(len(d) // size):
        free = np.flatnonzero(groups < 0).tolist()
        couples = list(itertools.combinations(free, 2))
        own = list(couples[int(np.argmin([d[couple] for couple in couples]))])
        while len(own) < size:
            rest = [c for c in free if c not in own]
            own.append(min(rest, key=lambda c: d[c, own].sum()))
        groups[own] = number
    return _numbered(groups)


def _within_sum(d: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    together = groups[:, None] == groups
    return float(d[np.triu(together, 1)].sum())


def _numbered(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups by the order of their first classes."""
    first = {group: i for i, group in enumerate(dict.fromkeys(groups.tolist()))}
    return np.array([first[group] for group in groups.tolist()])


def told(groups: ArrayLike) -> str:
    """Groups as a column of a table holds them.

    >>> told([0, 1, 0]), groups_of("0 1 0").tolist()
    ('0 1 0', [0, 1, 0])
    """
    return " ".join(map(str, np.asarray(groups).tolist()))


def groups_of(text: str) -> NDArray[np.int64]:
    """What `told` told."""
    return np.array(text.split(), np.int64)


def setting_of(found: Models) -> NDArray:
    """Of each network its grouping: seeds of one are one."""
    merge = found.columns["merge"].astype(int).astype(str)
    return np.char.add(np.char.add(merge, "/"), found.columns["grouping"].astype(str))


def places(found: Models) -> dict[str, NDArray[np.bool_]]:
    """{`same`, `merged`, `apart`: whether a path is that for a network, [m, p]}."""
    first, last = found.classes[_HERE].T
    groups = np.stack([groups_of(text) for text in found.columns["groups"].tolist()])
    same = np.broadcast_to(first == last, (len(found), first.size))
    joined = groups[:, first] == groups[:, last]
    return {"same": same, "merged": joined & ~same, "apart": ~joined}


def counted(found: Models, reading: Reading) -> NDArray[np.bool_]:
    """The paths of a reading, the same for all networks, bool [p]."""
    finite = found.along[f"{_HERE}/finite"].all(axis=0)
    return finite & spectra.which_paths(found.correct(_HERE), reading.paths)


def within(
    values: NDArray, same: NDArray, merged: NDArray, merge: NDArray, weights: NDArray
) -> NDArray[np.float64]:
    """Means over random pairs of a super-class: (1/k) of `same` paths, (1 - 1/k) of `merged` ones.

    Args:
      values: of each network on each path, [m, p], finite where a path is one of these.
      same, merged: which paths are, bool [m, p].
      merge: k, the classes in a super-class, [m].
      weights: of the paths, [p].

    Returns:
      float64, shape [m]; NaN where a kind of paths that takes part has no weight.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        of_same, of_merged = (
            (np.where(kind, values, 0.0) @ weights) / (kind @ weights) for kind in (same, merged)
        )
    return np.where(merge == 1, of_same, of_same / merge + of_merged * (1 - 1 / merge))


def length(found: Models) -> float:
    """The mean length of paths within super-classes, in pixels of [0, 1], of one grouping."""
    kinds, k = places(found), found.columns["merge"].astype(np.int64)
    lengths = np.broadcast_to(found.distances[_HERE].astype(np.float64), kinds["same"].shape)
    ones = np.ones(lengths.shape[1])
    return float(within(lengths, kinds["same"], kinds["merged"], k, ones)[0])


def mean_within(found: Models, reading: Reading, *, same_paths: bool = False) -> spectra.Estimate:
    """The mean over paths within super-classes, of the networks of one grouping.

    What varies: seeds, and paths of either kind. Held fixed: the grouping.

    Args:
      found: seeds of one grouping.
      reading: one of `READINGS`.
      same_paths: only paths within the original classes.
    """
    where, kinds = counted(found, reading), places(found)
    k = 1 if same_paths else int(found.columns["merge"][0])
    shares = {"same": 1 / k} | ({"merged": 1 - 1 / k} if k > 1 else {})
    chosen = {kind: kinds[kind][0] & where for kind in shares}
    if not all(own.any() for own in chosen.values()):
        return spectra.not_enough(0, 1, "paths")
    v, total = found.values(reading), sum(int(own.sum()) for own in chosen.values())
    # Values of influence: their mean is the weighted one, and kinds of paths are strata.
    mean = sum(share * v[:, chosen[kind]].mean() for kind, share in shares.items())
    influence = [
        mean + share * total / chosen[kind].sum() * (v[:, chosen[kind]] - v[:, chosen[kind]].mean())
        for kind, share in shares.items()
    ]
    values = np.concatenate(influence, axis=1)
    if len(values) > 1:
        return spectra.crossed_mean(values, units=("seeds", "paths"))
    return spectra.mean_over_clusters(values[0])


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

    Seeds of a grouping are averaged before. What varies: groupings with their seeds, and paths
    (interval: bootstrap over both); the order of the groupings (p-value: permutations). Held fixed:
    the number of seeds.

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
    where, kinds = counted(found, reading), places(found)
    same, merged = kinds["same"] & where, kinds["merged"] & where
    k = found.columns["merge"].astype(np.int64)
    if same_paths:
        merged, k = np.zeros_like(merged), np.ones_like(k)
    few = _too_few(same, merged[k > 1])
    if few is not None:
        return few
    settings = setting_of(found)
    rows = [np.flatnonzero(settings == name) for name in dict.fromkeys(settings.tolist())]
    first = [own[0] for own in rows]
    v = np.stack([found.values(reading)[own].mean(axis=0) for own in rows])
    same, merged, k = same[first], merged[first], k[first]
    x = found.columns[quality].astype(np.float64)[first]
    lengths = np.broadcast_to(found.distances[_HERE], v.shape)

    def looked_at(values: NDArray, weights: NDArray) -> NDArray:
        return within(values, same, merged, k, weights)

    def rho(of_groupings: NDArray, of_paths: NDArray) -> float:
        chosen = np.repeat(np.arange(len(x)), of_groupings.astype(int))
        sides = [x, looked_at(v, of_paths)]
        sides += [looked_at(lengths, of_paths)] if length_held else []
        return _rho(np.stack(sides)[:, chosen])

    everywhere = np.ones(v.shape[1])
    whole = spectra.correlation_over_settings(
        x,
        looked_at(v, everywhere),
        np.arange(len(x)),
        control=looked_at(lengths, everywhere) if length_held else None,
        num_resamples=1,
    )
    if np.isnan(whole.value):
        return in_units(whole, "groupings")
    interval = spectra.bootstrap(
        rho, len(x), v.shape[1], units=("groupings", "paths"), num_resamples=num_resamples
    )
    return dataclasses.replace(
        interval,
        value=whole.value,
        method=f"{interval.method}; permutations of groupings",
        p_value=whole.p_value,
        least_p_value=whole.least_p_value,
    )


def _too_few(same: NDArray, merged: NDArray) -> spectra.Estimate | None:
    """What stands for an estimate if there are too few paths of a kind, for some network."""
    least = int(same.sum(axis=1).min())
    if least < spectra.PATHS_FOR_COMPARISON:
        return spectra.not_enough(least, spectra.PATHS_FOR_COMPARISON, "paths")
    least = int(merged.sum(axis=1).min(initial=MERGED_PATHS))
    if least < MERGED_PATHS:
        return spectra.not_enough(least, MERGED_PATHS, "paths between merged classes")
    return None


def _rho(sides: NDArray[np.float64]) -> float:
    """Spearman's rho of two rows, or the partial one with the third held fixed."""
    ranks = scipy.stats.rankdata(sides, axis=1)
    if np.any(np.ptp(ranks, axis=1) == 0):
        return math.nan
    r = np.corrcoef(ranks)
    if len(sides) == 2:
        return float(r[0, 1])
    size = math.sqrt(max(0.0, (1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2)))
    return float((r[0, 1] - r[0, 2] * r[1, 2]) / size) if size > 1e-9 else math.nan


def merged_minus_none(
    found: Models, reading: Reading, merge: int, grouping: str = "", place: str = "same"
) -> tuple[spectra.Estimate, float]:
    """What merging changes, path by path: networks of merged classes minus unmerged ones.

    Compared are networks of one seed; of all groupings the mean is taken before. What varies: seeds
    and paths. Held fixed: the groupings.

    Args:
      found: all networks.
      reading: one of `READINGS`.
      merge: classes in a super-class, above 1.
      grouping: one of them, or "" for all.
      place: `same` or, of one grouping, `merged`.

    Returns:
      the difference, and the mean of the unmerged networks on the same paths.
    """
    k, names = found.columns["merge"].astype(np.int64), found.columns["grouping"].astype(str)
    own = (k == merge) & ((names == grouping) | (grouping == ""))
    where = counted(found, reading) & places(found)[place][own].all(axis=0)
    needed = spectra.PATHS_FOR_COMPARISON if place == "same" else MERGED_PATHS
    if where.sum() < needed:
        return spectra.not_enough(int(where.sum()), needed, "paths"), math.nan
    values, seeds = found.values(reading)[:, where], found.columns["seed"].astype(np.int64)
    runs = np.unique(seeds)
    ours, none = (
        np.stack([values[chosen & (seeds == s)].mean(axis=0) for s in runs])
        for chosen in (own, k == 1)
    )
    return spectra.crossed_mean(ours - none, units=("seeds", "paths")), float(none.mean())


def merged_minus_apart(
    found: Models, reading: Reading, merge: int
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
    at = found[found.columns["merge"].astype(np.int64) == merge]
    kinds = places(at)
    where = counted(found, reading) & kinds["merged"].any(axis=0) & kinds["apart"].any(axis=0)
    if where.sum() < spectra.PATHS_FOR_COMPARISON:
        few = spectra.not_enough(int(where.sum()), spectra.PATHS_FOR_COMPARISON, "paths")
        return few, math.nan
    values, seeds = at.values(reading)[:, where], at.columns["seed"].astype(np.int64)
    means = []
    for kind in ("merged", "apart"):
        chosen = kinds[kind][:, where]
        of_seeds = [seeds == s for s in np.unique(seeds)]
        sums = [np.where(chosen[s], values[s], 0.0).sum(axis=0) for s in of_seeds]
        means.append(np.stack(sums) / np.stack([chosen[s].sum(axis=0) for s in of_seeds]))
    first, last = found.classes[_HERE][where].T
    pairs = first * (1 + int(last.max())) + last
    away = spectra.crossed_mean(means[0] - means[1], clusters=pairs, units=("seeds", "paths"))
    return away, float(means[1].mean())


def merges_of(found: Models) -> list[int]:
    """Classes in a super-class of merged networks, rising."""
    return sorted(set(found.columns["merge"].astype(np.int64).tolist()) - {1})


def claims(found: Models, num_resamples: int = 1_000) -> list[Finding]:
    """C12 by all readings, in one order.

    Which two decide was fixed before looking: whether the plain share rises with the number of
    classes merged (at random, so that fewer are left); and, at a fixed number of classes left (the
    smallest merge), whether the centroid goes with the distance of the images of what is merged.

    Args:
      found: all networks.
      num_resamples: of the intervals.
    """
    merge, names = found.columns["merge"].astype(np.int64), found.columns["grouping"].astype(str)
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

    def minus_none(k: int) -> None:
        asked.append(
            (
                f"within original classes, {k} merged minus none",
                lambda reading: merged_minus_none(found, reading, k)[0],
            )
        )

    ask(RISING, random, "merge")
    for k in merges_of(found):
        at = merge == k
        for quality, text in DIVERSITY.items():
            ask(f"over groupings of {k} by {text}", at, quality)
        ask(
            f"over groupings of {k} by {DIVERSITY['feature_angle']}, length held fixed",
            at,
            "feature_angle",
            length_held=True,
        )
        ask(
            f"within original classes, over groupings of {k} by {DIVERSITY['image_distance']}",
            at,
            "image_distance",
            same_paths=True,
        )
        minus_none(k)
    decides = {
        (PUBLISHED, RISING): "published",
        (CORRECTED, asked[1][0]): "corrected",
    }
    return [
        Finding(
            claim=CLAIM,
            statement=STATEMENT,
            reading=f"{reading.name}, {question}",
            primary=decides.get((reading.name, question), ""),
            direction=1,
            estimate=look(reading),
        )
        for question, look in asked
        for reading in READINGS
    ]
