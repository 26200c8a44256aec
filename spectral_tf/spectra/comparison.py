"""Whether differences are there: of pairs, by their signs, of many claims, to a published mean."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.estimate import UPPER, Estimate, not_enough
from spectral_tf.spectra.intervals import counted, mean_over_runs

# All signs are looked at up to this number, else so many random ones.
_EXACT_UP_TO = 50_000
_DRAWS = 9_999


def paired_difference(differences: ArrayLike, *, unit: str = "settings", seed: int = 0) -> Estimate:
    """Mean of paired differences, with Student's interval and the exact p-value of their signs.

    The p-value is the share of all 2^n ways to flip the signs whose mean is as far from 0 (up to
    n = 15, else of 9,999 random ones): exact whatever the distribution, if without an effect it is
    symmetric.

    What varies: pairs. Held fixed: what both of a pair share.

    Args:
      differences: shape [n], finite.
      unit: of replication.
      seed: of random flips.

    Returns:
      no interval and no p-value for a single one.

    Raises:
      UserError: other than one axis, or as `mean_over_runs`.

    Source: Fisher (1935), section 21; interval as `mean_over_runs`.

    >>> paired_difference([1.0, 2.0, 3.0]).p_value
    0.25
    """
    d = _differences(differences)
    found = mean_over_runs(d, unit=unit)
    if d.size < 2:
        return found
    exact = 2**d.size <= _EXACT_UP_TO
    if exact:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=d.size)))
    else:
        signs = np.random.default_rng(seed).choice([1.0, -1.0], size=(_DRAWS, d.size))
    sums, rounding = np.abs(signs @ d), 1e-12 * np.abs(d).sum()
    hits = int(np.sum(sums >= abs(d.sum()) - rounding))
    least = float(np.mean(sums >= np.abs(d).sum() - rounding))  # Zeros have no sign to flip.
    return dataclasses.replace(
        found,
        method=f"{found.method}; {'exact' if exact else 'random'} flips of signs",
        p_value=hits / len(signs) if exact else (hits + 1) / (_DRAWS + 1),
        least_p_value=least if exact else 1 / (_DRAWS + 1),
    )


def paired_ratio(ratios: ArrayLike, *, unit: str = "settings", seed: int = 0) -> Estimate:
    """Geometric mean of paired ratios: `paired_difference` of their logarithms, and back.

    Args:
      ratios: above 0 and finite, shape [n].
      unit, seed: as there.

    Raises:
      UserError: ratios that are not above 0, and as there.

    >>> round(float(paired_ratio([2.0, 8.0]).value), 12)
    4.0
    """
    r = np.asarray(ratios, np.float64)
    if not np.all(r > 0):
        raise UserError("ratios", expected="numbers above 0", got=f"{r}", hint="leave others out")
    return paired_difference(np.log(r), unit=unit, seed=seed).map(np.exp)


def sign_test(differences: ArrayLike, alternative: str = "two-sided") -> float:
    """p-value of so many positive differences if both signs were equally likely.

    Zeros are left out.

    What varies: the differences, which must be independent: one for each seed, not one for each
    seed and wave.

    Args:
      differences: shape [n], finite.
      alternative: `two-sided`, `greater` or `less`, as SciPy names them.

    Returns:
      in (0, 1]; 1 if nothing is left.

    Raises:
      UserError: other than one axis, values that are not finite, another alternative.

    Source: Conover (1999), section 3.4.

    >>> sign_test([1.0, 2.0, 3.0], "greater")
    0.125
    """
    d = _differences(differences)
    d = d[d != 0]
    if alternative not in ("two-sided", "greater", "less"):
        raise UserError(
            "alternative",
            expected="two-sided, greater or less",
            got=alternative,
            hint="greater: more positive ones than chance",
        )
    if not d.size:
        return 1.0
    return float(scipy.stats.binomtest(int(np.sum(d > 0)), d.size, 0.5, alternative).pvalue)


def _differences(differences: ArrayLike) -> NDArray:
    d, _ = counted(differences, None)
    if d.ndim != 1:
        raise UserError(
            "differences",
            expected="one axis of independent ones",
            got=f"shape {d.shape}",
            hint="average what shares a seed before",
        )
    return d


def above_zero(estimates: Sequence[Estimate], level: float = 0.05) -> list[bool]:
    """Which of several estimates are above 0, so that one of them is by chance in 5 % of families.

    Those whose value is positive and whose p-value is at most the level after Holm's correction
    over all that have one.

    Args:
      estimates: of one number each; one without a p-value is not above 0.
      level: of all of them together.

    >>> from spectral_tf.spectra import paired_difference
    >>> sure, unsure = (paired_difference([x] * 6 + [1.0]) for x in (1.0, 0.0))
    >>> above_zero([sure, unsure])
    [True, False]
    """
    known = {i: e.p_value for i, e in enumerate(estimates) if e.p_value is not None}
    adjusted = dict(zip(known, holm(list(known.values())), strict=True))
    return [bool(adjusted.get(i, 1.0) <= level and e.value > 0) for i, e in enumerate(estimates)]


def holm(p_values: Sequence[float] | NDArray) -> NDArray[np.float64]:
    """Adjusted p-values of several claims: 5 % of families at most have a null with one below 5 %.

    The i-th smallest of m is multiplied by m - i + 1, made no smaller than the ones before, and cut
    at 1.

    Args:
      p_values: in [0, 1], shape [m].

    Returns:
      float64, shape [m], in the given order.

    Raises:
      UserError: p-values outside [0, 1].

    Source: Holm (1979).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise UserError("p_values", expected="numbers in [0, 1]", got=f"{p}", hint="one each")
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, raised)
    return adjusted


def difference_to_published(
    values: ArrayLike, published: ArrayLike, published_n: int, reading: ArrayLike
) -> Estimate:
    """Our mean over runs minus a published one that was read off a figure, with all three errors.

    As `difference_to_published_from_stats`, which says how.

    What varies: our runs, their runs, the reading. Held fixed: how networks are trained.

    Args:
      values: our runs on the first axis, [n, ...], finite.
      published, published_n, reading: as there.

    Returns:
      as there.

    Raises:
      UserError: as `mean_over_runs`; fewer than 1 published run, or other shapes.

    Source: as there.

    >>> found = difference_to_published([[1.0], [3.0]], [2.0], 20, [0.0])
    >>> found.value.tolist(), round(found.p_value, 2)
    ([0.0], 1.0)
    """
    v, _ = counted(values, None)
    std = v.std(axis=0, ddof=1) if len(v) > 1 else np.zeros(v.shape[1:])
    return difference_to_published_from_stats(
        v.mean(axis=0), std, len(v), published, published_n, reading
    )


def difference_to_published_from_stats(
    mean: ArrayLike,
    std: ArrayLike,
    n: int,
    published: ArrayLike,
    published_n: int,
    reading: ArrayLike,
) -> Estimate:
    """Our mean minus a published one that was read off a figure, from what tables hold of ours.

    d +- t sqrt(s^2 / n + s^2 / n' + e^2 / 3), s our standard deviation, which stands for theirs,
    too, n' their runs, e the half-width of the reading (a uniform error), t of n - 1 degrees of
    freedom; the p-value is Student's of d = 0. Exact for normal samples of one variance and e = 0;
    an e as wide as the samples' errors makes it cautious, since a uniform error has no tails.

    What varies: our runs, their runs, the reading. Held fixed: how networks are trained.

    Args:
      mean: over our runs, finite, [...].
      std: standard deviation of one run, with n - 1 below, at least 0, [...].
      n: our runs.
      published: their mean, finite, [...].
      published_n: runs behind it.
      reading: half-width of what the reading leaves open, at least 0, [...]: of heights
        the precision of the figure, and where time is known to some steps half of what our mean
        does in them.

    Returns:
      of shape [...]; p_value is the smallest of all, adjusted for their number by `holm` (what the
      whole comparison says); no interval for one run.

    Raises:
      UserError: fewer than 1 run of either, numbers that are not finite, or other shapes.

    Source: Student (1908), the standard deviation of one sample standing for both.

    >>> difference_to_published_from_stats(1.2, 0.1, 20, 1.0, 20, 0.005).text()
    '0.20 (0.13 to 0.27; n = 20 runs against 20; p = 4.8e-06)'
    """
    ours, theirs, deviation, half_reading = (
        np.asarray(a, np.float64) for a in (mean, published, std, reading)
    )
    fits = ours.shape == theirs.shape == deviation.shape == half_reading.shape
    known = np.isfinite(ours).all() and np.isfinite(theirs).all()
    errors = np.all(deviation >= 0) and np.all(half_reading >= 0)
    if not fits or not known or not errors or min(n, published_n) < 1:
        raise UserError(
            "published",
            expected=f"finite means of shape {ours.shape} over 1 run or more, readings from 0 on",
            got=f"{theirs.shape} over {published_n}, readings {half_reading.shape}",
            hint="read one for each of ours",
        )
    away = ours - theirs
    if n < 2:
        few = not_enough(n, 2, "runs", 0.0)
        return dataclasses.replace(few, value=away, low=away * np.nan, high=away * np.nan)
    error = np.sqrt(deviation**2 * (1 / n + 1 / published_n) + half_reading**2 / 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(away == 0, 0.0, np.abs(away) / error)
    each = 2 * scipy.special.stdtr(n - 1.0, -ratio)
    half = scipy.special.stdtrit(n - 1.0, UPPER) * error
    return Estimate(
        value=away,
        low=away - half,
        high=away + half,
        n=n,
        unit=f"runs against {published_n}",
        method="two samples and the error of the reading, Student; Holm over all",
        p_value=float(holm(each.ravel()).min(initial=1.0)),
        least_p_value=0.0,
    )
