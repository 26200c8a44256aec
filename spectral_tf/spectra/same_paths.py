"""Models compared on the same paths: all of them, those that all know, or those that two know.

A wrong answer at an end puts a change of class into a path, and better models are correct on harder
paths: classifiers that are averaged over the paths that each answers correctly *itself* are asked
other questions, and any difference between easy and hard paths then looks like one between
classifiers. So compared models answer the same paths here, always:

* `all`: every path counts for every model;
* `common`: the paths whose two ends all compared models answer correctly. They are easy ones and
  say nothing of hard ones (`difficulty` tells paths apart);
* `shared`: any two models are compared on the paths that both answer correctly, and what counts is
  which of the two has more (`paired_concordance`): for models of which one knows little, whose
  common paths are few;
* `known`: the common paths if there are `COMMON_PATHS` or more, else the shared ones.
"""

import dataclasses
import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
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
    """The paths that all compared models answer correctly at both ends: the same for all of them.

    Args:
      correct: whether each model answers both ends correctly, shape [m, p], of 0 and 1.

    Returns:
      bool, shape [p].

    Raises:
      UserError: no models, or anything but 0 and 1.

    >>> common_paths([[True, True, False], [True, False, False]])
    array([ True, False, False])
    """
    return np.logical_and.reduce(_correct(correct), axis=0)


def shared_paths(correct: ArrayLike, other: ArrayLike) -> NDArray[np.bool_]:
    """The paths that two models both answer correctly at both ends, for paired differences.

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
    """How many of the compared models answer both ends of each path correctly: 0 is hardest.

    Among paths of one difficulty measures may be told apart by it; all models answer all of them.

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
      correct: whether a model answers both ends of a path correctly, bool [m, p].
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
    right, chosen = np.asarray(correct, bool), np.asarray(where, bool)
    if paths == "known":
        paths = known_paths(right, chosen)
    if paths == "shared":
        return paired_concordance(
            quality,
            np.asarray(values)[:, chosen],
            right[:, chosen],
            settings,
            num_resamples=num_resamples,
        )
    counted = which_paths(right, paths) & chosen
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
    these models answer correctly. Pairs of models with fewer than `PATHS_FOR_COMPARISON` such paths
    are left out, and so are pairs of settings without any.

    What varies: settings with all they hold, and paths (interval, bootstrap); the order of the
    settings (p-value, permutations of the quality). Held fixed: the number of seeds.

    Args:
      quality: of each model, [m].
      values: of each model on each path, [m, p]; looked at where both models are correct.
      correct: bool [m, p].
      settings: of each model, [m].
      num_resamples, seed: of bootstrap and permutations.

    Returns:
      tau in [-1, 1]; n is the number of settings; no value for fewer than 4.

    Raises:
      UserError: values that count and are not finite.

    Source: Kendall (1938), on paired differences.
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
    v, right = np.where(known, given, 0.0), known.astype(float)
    among = np.zeros((count, q.size))
    among[member, np.arange(q.size)] = 1
    ordered = np.sign(np.subtract.outer(*[among @ q / among.sum(axis=1)] * 2))
    enough = right @ right.T >= PATHS_FOR_COMPARISON

    def signs(of_paths: NDArray) -> NDArray:
        """sign(d_ab) [settings, settings]; 0 where no two models share enough paths."""
        weighted = right * of_paths
        shared, sums = weighted @ right.T, (v * of_paths) @ right.T
        with np.errstate(invalid="ignore", divide="ignore"):
            away = np.where(enough & (shared > 0), (sums - sums.T) / shared, 0.0)
        return np.sign(among @ away @ among.T)

    def tau(of_settings: NDArray, of_paths: NDArray) -> float:
        pairs = np.outer(of_settings, of_settings) * told
        np.fill_diagonal(pairs, 0.0)
        total = pairs.sum()
        agree = (pairs * ordered * signs(of_paths)).sum()
        return float(agree / total) if total > 0 else math.nan

    told = (among @ enough @ among.T > 0) & (ordered != 0)
    everyone, everywhere = np.ones(count), np.ones(v.shape[1])
    if not told[~np.eye(count, dtype=bool)].any() or math.isnan(tau(everyone, everywhere)):
        most = int((right @ right.T)[~np.eye(len(right), dtype=bool)].max(initial=0))
        return not_enough(most, PATHS_FOR_COMPARISON, "shared paths")
    found = bootstrap(
        tau, count, v.shape[1], units=("settings", "paths"), num_resamples=num_resamples, seed=seed
    )
    observed = signs(everywhere) * told
    if math.factorial(count) <= 50_000:
        orders = np.array(list(itertools.permutations(range(count))))
    else:
        rng = np.random.default_rng(seed)
        orders = np.stack([rng.permutation(count) for _ in range(9_999)])
    sizes = np.array([abs((ordered[np.ix_(o, o)] * observed).sum()) for o in orders])
    hits = int(np.sum(sizes >= abs((ordered * observed).sum()) - 1e-9))
    exact = math.factorial(count) <= 50_000
    return dataclasses.replace(
        found,
        method=f"{found.method}; {'exact' if exact else 'random'} permutations of settings",
        p_value=hits / len(orders) if exact else (hits + 1) / (len(orders) + 1),
        least_p_value=2 / math.factorial(count) if exact else 1 / (len(orders) + 1),
    )


def correlation_over_time(
    epochs: ArrayLike,
    values: ArrayLike,
    correct: ArrayLike,
    runs: ArrayLike,
    *,
    paths: str,
    where: ArrayLike,
) -> Estimate:
    """How a measure goes with training time: the correlation within each run, averaged over runs.

    What varies: runs (seeds); checkpoints of one run are no independent models. Held fixed: the
    checkpoints, the paths, which are the same for all checkpoints of all runs.

    Args:
      epochs: of each checkpoint, [m].
      values, correct: of each checkpoint on each path, [m, p].
      runs: of each checkpoint, [m].
      paths, where: as for `correlation_on_paths`.

    Returns:
      the mean over runs of rho (of the concordance on shared paths), its interval and the exact
      p-value of flips of its sign; no value with fewer than 4 checkpoints in a run.

    Raises:
      UserError: as `correlation_on_paths`.
    """
    right, given = np.asarray(correct, bool), np.asarray(values, np.float64)
    chosen, of = np.asarray(where, bool), np.asarray(runs)
    if paths == "known":
        paths = known_paths(right, chosen)
    if paths != "shared":
        # The same for all runs, so that runs are compared on one set, too.
        chosen = chosen & which_paths(right, paths)
        paths = "all"
    rhos = []
    for run in dict.fromkeys(of.tolist()):
        own = of == run
        found = correlation_on_paths(
            np.asarray(epochs)[own],
            given[own],
            right[own],
            np.arange(int(own.sum())),
            paths=paths,
            where=chosen,
            num_resamples=1,
        )
        if np.isnan(found.value):
            return found
        rhos.append(float(found.value))
    # No correlation lies outside.
    return paired_difference(rhos, unit="runs").map(lambda ends: np.clip(ends, -1, 1))


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
