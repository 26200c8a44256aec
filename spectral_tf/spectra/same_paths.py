"""Models compared on the same paths: all of them, those that all know, or those that two know.

A misclassified end puts a change of class into a path, and better models are correct on harder
paths: classifiers that are averaged over the paths that each classifies correctly *itself* are
asked other questions, and any difference between easy and hard paths then looks like one between
classifiers. So compared models are asked about the same paths here, always:

* `all`: every path counts for every model;
* `common`: the paths whose two ends all compared models classify correctly. They are easy ones and
  say nothing of hard ones (`difficulty` tells paths apart);
* `shared`: any two models are compared on the paths that both classify correctly, and what counts
  is which of the two has more (`paired_concordance`): for models of which one knows little, whose
  common paths are few;
* `known`: the common paths if there are `COMMON_PATHS` or more, else the shared ones.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.estimate import UPPER
from spectral_tf.spectra.inference import (
    SETTINGS_FOR_CORRELATION,
    Estimate,
    bootstrap,
    correlation_over_settings,
    not_enough,
    paired_difference,
)

PATHS = ("all", "common", "shared", "known")
COMMON_PATHS = 100
# With fewer, a mean over paths is one of a few images.
PATHS_FOR_COMPARISON = 20


def common_paths(correct: ArrayLike) -> NDArray[np.bool_]:
    """The paths that all compared models classify correctly at both ends: the same for all of them.

    Args:
      correct: whether each model classifies both ends correctly, shape [m, p], of 0 and 1.

    Returns:
      bool, shape [p].

    Raises:
      UserError: no models, or anything but 0 and 1.

    >>> common_paths([[True, True, False], [True, False, False]])
    array([ True, False, False])
    """
    return np.logical_and.reduce(_correct(correct), axis=0)


def shared_paths(correct: ArrayLike, other: ArrayLike) -> NDArray[np.bool_]:
    """The paths that two models both classify correctly at both ends, for paired differences.

    Args:
      correct, other: of either model, shape [p], of 0 and 1.

    Returns:
      bool, shape [p].

    Raises:
      UserError: of other shapes, or anything but 0 and 1.

    >>> shared_paths([True, True, False], [True, False, False])
    array([ True, False, False])
    """
    both = [np.asarray(correct), np.asarray(other)]
    if both[0].shape != both[1].shape:
        raise UserError(
            "correct",
            expected="the same paths for both models",
            got=f"{both[0].shape} and {both[1].shape}",
            hint="measure both along the same paths",
        )
    return common_paths(np.stack(both))


def difficulty(correct: ArrayLike) -> NDArray[np.int64]:
    """How many of the compared models classify both ends of each path correctly: 0 is hardest.

    Among paths of one difficulty measures may be told apart by it; all models are asked about all
    of them.

    Args:
      correct: shape [m, p], of 0 and 1.

    Returns:
      int64, shape [p], from 0 to m.

    Raises:
      UserError: no models, or anything but 0 and 1.

    >>> difficulty([[True, True, False], [True, False, False]])
    array([2, 1, 0])
    """
    return _correct(correct).sum(axis=0)


def correlation_on_paths(
    quality: ArrayLike,
    values: ArrayLike,
    correct: ArrayLike,
    settings: ArrayLike,
    *,
    paths: str,
    where: ArrayLike,
    num_resamples: int = 1_000,
) -> Estimate:
    """How a measure goes with a quality over settings, all models on the same paths.

    What varies: settings, and paths. Held fixed: the number of seeds in a setting.

    Args:
      quality: of each model, shape [m].
      values: of each model on each path, [m, p], finite where they count.
      correct: whether a model classifies both ends of a path correctly, bool [m, p].
      settings: of each model, [m].
      paths: one of `PATHS`.
      where: which paths can count (those within a class, say), bool [p].
      num_resamples: of the bootstrap.

    Returns:
      Spearman's rho of `correlation_over_settings` on all or common paths, the concordance of
      `paired_concordance` on shared ones; no value on fewer than `PATHS_FOR_COMPARISON` paths.

    Raises:
      UserError: an unknown choice of paths; as these two.
    """
    classified, chosen = np.asarray(correct, bool), np.asarray(where, bool)
    if paths == "known":
        paths = known_paths(classified, chosen)
    if paths == "shared":
        return paired_concordance(
            quality,
            np.asarray(values)[:, chosen],
            classified[:, chosen],
            settings,
            num_resamples=num_resamples,
        )
    counted = which_paths(classified, paths) & chosen
    if counted.sum() < PATHS_FOR_COMPARISON:
        return not_enough(int(counted.sum()), PATHS_FOR_COMPARISON, f"{paths} paths")
    return correlation_over_settings(
        quality, values, settings, where=counted, num_resamples=num_resamples
    )


def known_paths(correct: NDArray[np.bool_], where: NDArray[np.bool_]) -> str:
    """`common` if so many paths are common to all models that they can be compared, else `shared`.

    Args:
      correct: bool [m, p].
      where: which paths can count, bool [p].
    """
    return "common" if (common_paths(correct) & where).sum() >= COMMON_PATHS else "shared"


def which_paths(correct: NDArray[np.bool_], paths: str) -> NDArray[np.bool_]:
    """All paths, or the common ones, bool [p].

    Args:
      correct: bool [m, p].
      paths: `all` or `common`.

    Raises:
      UserError: another choice.
    """
    if paths not in ("all", "common"):
        raise UserError(
            "paths",
            expected=f"one of {', '.join(PATHS)}",
            got=paths,
            hint="shared ones are those of two models at a time",
        )
    return common_paths(correct) if paths == "common" else np.ones(correct.shape[1], bool)


def paired_concordance(
    quality: ArrayLike,
    values: ArrayLike,
    correct: ArrayLike,
    settings: ArrayLike,
    *,
    num_resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """Which of two settings has more of a measure on the paths that both know: Kendall's tau of it.

    tau = mean over pairs of settings a, b of sign(q_a - q_b) sign(d_ab), d_ab the mean over the
    pairs of their models (one of a, one of b) of the mean difference on the paths that both of
    these models classify correctly. Pairs of models with fewer than `PATHS_FOR_COMPARISON` such
    paths are left out, and so are pairs of settings without any.

    What varies: settings with all they hold, and paths (interval, bootstrap); the order of the
    settings (p-value, permutations of the quality). Held fixed: the number of seeds. Resamples of a
    perfect order are perfect, so that its near end is no further than that of Fieller, Hartley and
    Pearson, tanh(z - 1.96 sqrt(0.437 / (n - 4))) of an order one swap of neighbours from perfect,
    tau = tanh z = 1 - 4 / (n (n - 1)): 0.38 for n = 6 and 0.76 for 8.

    Args:
      quality: of each model, [m].
      values: of each model on each path, [m, p]; looked at where both models are correct.
      correct: bool [m, p].
      settings: of each model, [m].
      num_resamples, seed: of bootstrap and permutations.

    Returns:
      tau in [-1, 1]; n is the number of settings; no value for fewer than 4, or fewer that can be
      compared with another one. Where not all pairs of settings can, the method says how many.

    Raises:
      UserError: values that count and are not finite.

    Source: Kendall (1938), on paired differences; Fieller, Hartley and Pearson (1957).
    """
    q, known = np.asarray(quality, np.float64), np.asarray(correct, bool)
    given = np.asarray(values, np.float64)
    if not np.isfinite(given[known]).all():
        raise UserError(
            "values",
            expected="finite ones where models are correct",
            got=f"{np.count_nonzero(~np.isfinite(given[known])):,} that are not",
            hint="leave these models out",
        )
    _, member = np.unique(np.asarray(settings), return_inverse=True)
    count = int(member.max(initial=-1)) + 1
    if count < SETTINGS_FOR_CORRELATION:
        return not_enough(count, SETTINGS_FOR_CORRELATION, "settings")
    pairs = _Pairs(q, np.where(known, given, 0.0), known.astype(float), member)
    everyone, everywhere = np.ones(count), np.ones(given.shape[1])
    if math.isnan(pairs.tau(everyone, everywhere)):
        return pairs.not_enough()
    taking_part = int(pairs.told.any(axis=1).sum())
    if taking_part < SETTINGS_FOR_CORRELATION:
        unit = "settings that can be compared"
        return not_enough(taking_part, SETTINGS_FOR_CORRELATION, unit)
    found = bootstrap(
        pairs.tau,
        count,
        given.shape[1],
        units=("settings", "paths"),
        num_resamples=num_resamples,
        seed=seed,
    )
    # Which pairs have an order changes with the order: ties go with their settings.
    ordered, observed = pairs.ordered, pairs.signs(everywhere) * pairs.comparable
    if math.factorial(count) <= 50_000:
        orders = np.array(list(itertools.permutations(range(count))))
    else:
        rng = np.random.default_rng(seed)
        orders = np.stack([rng.permutation(count) for _ in range(9_999)])
    rows = np.arange(0, len(orders), 4_096)
    sizes = np.concatenate([_agreement(ordered, observed, orders[i : i + 4_096]) for i in rows])
    hits = int(np.sum(sizes >= abs((ordered * observed).sum()) - 1e-9))
    exact = math.factorial(count) <= 50_000
    low, high, tau = found.low, found.high, float(found.value)
    if abs(tau) > 1 - 1e-9 and not np.isnan(low):  # Of few settings there is no interval.
        near = math.atanh(1 - 4 / (count * (count - 1)))
        end = math.tanh(near - scipy.special.ndtri(UPPER) * math.sqrt(0.437 / (count - 4)))
        low, high = (np.minimum(low, end), high) if tau > 0 else (low, np.maximum(high, -end))
    least = float(np.mean(sizes >= sizes.max() - 1e-9)) if exact else 1 / (len(orders) + 1)
    told, every = int(pairs.told.sum()) // 2, math.comb(count, 2)
    return dataclasses.replace(
        found,
        low=low,
        high=high,
        method=f"{found.method}; {'exact' if exact else 'random'} permutations of settings"
        + (f"; {told:,} of {every:,} pairs of settings" if told < every else ""),
        p_value=hits / len(orders) if exact else (hits + 1) / (len(orders) + 1),
        least_p_value=least,
    )


def _agreement(ordered: NDArray, observed: NDArray, orders: NDArray) -> NDArray:
    """|sum_ab ordered[o_a, o_b] observed[a, b]| of every order o, [b]."""
    permuted = ordered[orders[:, :, None], orders[:, None, :]]
    return np.abs((permuted * observed).sum(axis=(1, 2)))


class _Pairs:
    """Any two settings on the paths that models of both know, by weights of paths.

    Args:
      quality: of each model, [m].
      values: of each model on each path, [m, p], finite.
      counts: whether a path counts for a model, 0 or 1, [m, p].
      member: the setting of each model, [m].

    Attributes:
      ordered: sign of the difference of qualities, [settings, settings].
      comparable: which pairs of settings share enough paths.
      told: which of them have an order, too.
    """

    def __init__(self, quality: NDArray, values: NDArray, counts: NDArray, member: NDArray) -> None:
        self._values, self._counts = values, counts
        self._among = np.zeros((int(member.max()) + 1, quality.size))
        self._among[member, np.arange(quality.size)] = 1
        means = self._among @ quality / self._among.sum(axis=1)
        self._enough = counts @ counts.T >= PATHS_FOR_COMPARISON
        self.ordered = np.sign(np.subtract.outer(means, means))
        self.comparable = self._among @ self._enough @ self._among.T > 0
        self.told = self.comparable & (self.ordered != 0)

    def signs(self, of_paths: NDArray) -> NDArray:
        """sign(d_ab) [settings, settings]; 0 where no two models share enough paths."""
        shared = (self._counts * of_paths) @ self._counts.T
        sums = (self._values * self._counts * of_paths) @ self._counts.T
        with np.errstate(invalid="ignore", divide="ignore"):
            away = np.where(self._enough & (shared > 0), (sums - sums.T) / shared, 0.0)
        return np.sign(self._among @ away @ self._among.T)

    def tau(self, of_settings: NDArray, of_paths: NDArray) -> float:
        """The concordance of settings and paths that count so often; NaN where no pair is told."""
        pairs = np.outer(of_settings, of_settings) * self.told
        np.fill_diagonal(pairs, 0.0)
        total = pairs.sum()
        agree = (pairs * self.ordered * self.signs(of_paths)).sum()
        return float(agree / total) if total > 0 else math.nan

    def not_enough(self) -> Estimate:
        """Why no pair is told."""
        shared = self._counts @ self._counts.T
        most = int(shared[~np.eye(len(shared), dtype=bool)].max(initial=0))
        return not_enough(most, PATHS_FOR_COMPARISON, "shared paths")


def difference_of_pairs(
    differences: ArrayLike,
    where: ArrayLike,
    *,
    unit: str,
    num_resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """Mean over pairs of models of their mean difference on the paths that both know.

    T = mean_t d_t, d_t = sum_p w_tp d_tp / sum_p w_tp: every pair is compared on paths of its own,
    which are the same for its two models.

    What varies: pairs, and paths (interval, bootstrap over both); the signs of the d_t (p-value, as
    `paired_difference`, paths held fixed).

    Args:
      differences: of each pair on each path, [n, p], finite where they count.
      where: which paths count for a pair, bool [n, p].
      unit: what a pair is one of.
      num_resamples, seed: of bootstrap and flips.

    Returns:
      n is the number of pairs; no value where one has fewer than `PATHS_FOR_COMPARISON` paths, no
      interval for fewer than 6 pairs.

    Raises:
      UserError: other shapes, or values that count and are not finite.

    >>> ones = np.ones((6, 20))
    >>> difference_of_pairs(ones, ones > 0, unit="teachers").text(".1f")
    '1.0 (1.0 to 1.0; n = 6 teachers x 20 paths; p = 0.031)'
    """
    d, counts = np.asarray(differences, np.float64), np.asarray(where)
    if d.ndim != 2 or counts.shape != d.shape or counts.dtype != bool:
        raise UserError(
            "where",
            expected=f"bool of the shape of the differences, {d.shape}, [pairs, paths]",
            got=f"{counts.dtype} {counts.shape}",
            hint="say of each path of each pair whether it counts",
        )
    if not np.isfinite(d[counts]).all():
        raise UserError(
            "differences",
            expected="finite ones where they count",
            got=f"{np.count_nonzero(~np.isfinite(d[counts])):,} that are not",
            hint="leave these paths out with `where`",
        )
    few = int(counts.sum(axis=1).min(initial=d.shape[1]))
    if not len(d) or few < PATHS_FOR_COMPARISON:
        return not_enough(few, PATHS_FOR_COMPARISON, "shared paths")
    d, weights = np.where(counts, d, 0.0), counts.astype(np.float64)

    def mean(of_pairs: NDArray, of_paths: NDArray) -> float:
        told = weights @ of_paths
        with np.errstate(invalid="ignore", divide="ignore"):
            each = (d @ of_paths) / told
        return float(of_pairs @ np.where(told > 0, each, np.nan) / of_pairs.sum())

    found = bootstrap(mean, *d.shape, units=(unit, "paths"), num_resamples=num_resamples, seed=seed)
    signs = paired_difference(d.sum(axis=1) / weights.sum(axis=1), unit=unit, seed=seed)
    flips = signs.method.rpartition("; ")[2]
    return dataclasses.replace(
        found,
        method=f"{found.method}; {flips}" if signs.p_value is not None else found.method,
        p_value=signs.p_value,
        least_p_value=signs.least_p_value,
    )


def correlation_over_time(
    epochs: ArrayLike,
    values: ArrayLike,
    correct: ArrayLike,
    runs: ArrayLike,
    *,
    paths: str,
    where: ArrayLike,
    num_resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """How a measure goes with training time: the correlation within each run, averaged over runs.

    What varies: runs (seeds), and paths, the same for all checkpoints of all runs (interval,
    bootstrap over both); the signs of the runs' correlations (p-value, paths held fixed). Held
    fixed: the checkpoints; those of one run are no independent models.

    Args:
      epochs: of each checkpoint, [m].
      values, correct: of each checkpoint on each path, [m, p].
      runs: of each checkpoint, [m].
      paths, where: as for `correlation_on_paths`.
      num_resamples, seed: of bootstrap and flips.

    Returns:
      the mean over runs of rho (of the concordance on shared paths); n is the number of runs; no
      value with fewer than 4 checkpoints in a run, no interval for fewer than 6 runs.

    Raises:
      UserError: as `correlation_on_paths`.
    """
    classified, given = np.asarray(correct, bool), np.asarray(values, np.float64)
    chosen, of = np.asarray(where, bool), np.asarray(runs)
    if paths == "known":
        paths = known_paths(classified, chosen)
    if paths != "shared":
        # The same for all runs, so that runs are compared on one set, too.
        chosen = chosen & which_paths(classified, paths)
        if (few := int(chosen.sum())) < PATHS_FOR_COMPARISON:
            return not_enough(few, PATHS_FOR_COMPARISON, f"{paths} paths")
    rhos: list[float] = []
    of_runs: list[Callable[[NDArray], float]] = []
    for run in dict.fromkeys(of.tolist()):
        own = of == run
        time, count = np.asarray(epochs, np.float64)[own], int(own.sum())
        found = correlation_on_paths(
            time,
            given[own],
            classified[own],
            np.arange(count),
            paths="shared" if paths == "shared" else "all",
            where=chosen,
            num_resamples=1,
        )
        if np.isnan(found.value):
            return found
        rhos.append(float(found.value))
        own_values = given[own][:, chosen]
        counts = classified[own][:, chosen].astype(np.float64)
        if paths == "shared":
            pairs = _Pairs(time, np.where(counts > 0, own_values, 0.0), counts, np.arange(count))
            of_runs.append(functools.partial(pairs.tau, np.ones(count)))
        else:
            of_runs.append(functools.partial(_rank_correlation, time, own_values))

    def mean(runs: NDArray, of_paths: NDArray) -> float:
        drawn = np.flatnonzero(runs)
        return float(sum(runs[i] * of_runs[i](of_paths) for i in drawn) / runs.sum())

    # As every correlation: within [-1, 1], and in an interval that holds it.
    whole = paired_difference(rhos, unit="runs", seed=seed)
    found = bootstrap(
        mean,
        len(rhos),
        int(chosen.sum()),
        units=("runs", "paths"),
        num_resamples=num_resamples,
        seed=seed,
    )
    flips = f"; {whole.method.rpartition('; ')[2]}" if whole.p_value is not None else ""
    return dataclasses.replace(
        found,
        value=whole.value,
        low=np.minimum(found.low, whole.value),
        high=np.maximum(found.high, whole.value),
        method=found.method + flips,
        p_value=whole.p_value,
        least_p_value=whole.least_p_value,
    )


def _rank_correlation(quality: NDArray, values: NDArray, of_paths: NDArray) -> float:
    """Spearman's rho of a quality [m] and weighted means over paths of values [m, p]."""
    ranks = scipy.stats.rankdata(np.stack([quality, values @ of_paths]), axis=1)
    first, second = ranks - ranks.mean(axis=1, keepdims=True)
    size = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / size if size else math.nan


def _correct(correct: ArrayLike) -> NDArray[np.bool_]:
    given = np.asarray(correct)
    other = ~np.isin(given, (0, 1))
    if given.ndim != 2 or not len(given) or other.any():
        raise UserError(
            "correct",
            expected="true or false for every model and path, [models, paths]",
            got=f"{given[other].flat[0]}" if other.any() else f"shape {given.shape}",
            hint="put the models on the first axis, and leave out paths that cannot be measured",
        )
    return given.astype(bool)
