"""Intervals of means, and of what is read off them, over one sample or two crossed ones."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.estimate import UPPER, Estimate, counted_units, not_enough

# With fewer an interval over resampled units means nothing.
UNITS_FOR_BOOTSTRAP = 6


def mean_over_runs(
    values: ArrayLike, *, where: ArrayLike | None = None, unit: str = "runs"
) -> Estimate:
    """Mean over few independent runs, with Student's interval stretched on the side of the skew.

    m - t s / sqrt(n) max(1, 1 - g t / sqrt(n)) to m + t s / sqrt(n) max(1, 1 + g t / sqrt(n)), s
    the standard deviation with n - 1 below, g the sample's skewness with n below, t Student's 97.5
    % quantile of n - 1 degrees of freedom. Without the stretch the interval covers normal samples
    exactly and lognormal ones (sigma = 1) 82 to 87 %, n = 3 to 20; the expansion of Johnson (1978)
    has a third of it, which few values, whose skewness is biased to 0, do not show. With it normal
    samples are covered 95 to 97 %, lognormal ones 88 to 94 %, n = 2 to 20 (a test simulates it);
    the price is a normal interval 1.6 times as wide for 3 runs, 1.2 times for 10. It is no remedy
    for rare events: of runs that fail one time in ten, three mostly show none.

    What varies: runs. Held fixed: all that runs share. Runs that are all equal have an interval of
    no width.

    Args:
      values: runs on the first axis, shape [n, ...], finite where they count.
      where: which count, bool, shape [n] or that of the values; default: all.
      unit: what the first axis holds.

    Returns:
      of shape [...]; no interval for a single run; no value where none counts.

    Raises:
      UserError: no runs, or values that count and are not finite ("never" has no mean: average the
        curves, and read times off their mean, `crossing`).

    Source: Student (1908); Johnson (1978) for the direction of the stretch, its size by simulation.

    >>> mean_over_runs([[1.0, 5.0], [3.0, 5.0]]).value
    array([2., 5.])
    """
    v, counts = counted(values, where)
    n = counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = v.sum(axis=0) / n
        away = np.where(counts, v - mean, 0.0)
        squares = (away**2).sum(axis=0)
        half = scipy.special.stdtrit(n - 1.0, UPPER) * np.sqrt(squares / (n - 1) / n)
        skewness = np.where(squares > 0, (away**3).sum(axis=0) / n / (squares / n) ** 1.5, 0.0)
        stretch = skewness * scipy.special.stdtrit(n - 1.0, UPPER) / np.sqrt(n)
    half = np.where(n > 1, half, np.nan)
    least = int(n.min(initial=v.shape[0]))
    same = bool(np.all(n == least))
    few = f"{counted_units(least, unit)}, 2 needed" if same else f"fewer than 2 {unit}"
    return Estimate(
        value=np.asarray(mean),
        low=np.asarray(mean - half * np.maximum(1, 1 - stretch)),
        high=np.asarray(mean + half * np.maximum(1, 1 + stretch)),
        n=least if same else n,
        unit=unit,
        method="Student, stretched for skewness",
        missing="" if least > 1 else few,
    )


def jackknife(
    statistic: Callable[[NDArray], ArrayLike], values: ArrayLike, *, unit: str = "runs"
) -> Estimate:
    """Any smooth statistic of few runs, with the interval of its pseudo-values' mean.

    The i-th pseudo-value is n T - (n - 1) T_i, T of all runs and T_i of all but the i-th; of a mean
    they are the runs themselves. The value given is T, and the interval, that of `mean_over_runs`,
    is moved from their mean to T. Not for medians and other steps, whose T_i hardly vary.

    What varies: runs. Held fixed: all that they share.

    Args:
      statistic: of runs [m, ...] -> numbers [...], such as the exponent of the learning times of
        their mean curve.
      values: runs on the first axis, [n, ...].
      unit: what it holds.

    Returns:
      of the statistic's shape; no interval for fewer than 3 runs, or where with one
      left out there is no finite number.

    Raises:
      UserError: no runs.

    Source: Tukey (1958); Efron and Tibshirani (1993), chapter 11.

    >>> jackknife(lambda runs: runs.mean(axis=0), [1.0, 2.0, 6.0]).value
    array(3.)
    """
    v = np.asarray(values, np.float64)
    if v.ndim == 0 or not len(v):
        raise UserError("values", expected="at least one run", got="none", hint="give runs first")
    whole = np.asarray(statistic(v), np.float64)
    nothing = np.full_like(whole, np.nan)
    if len(v) < 3:
        few = not_enough(len(v), 3, unit, 0.0)
        return dataclasses.replace(few, value=whole, low=nothing, high=nothing)
    parts = np.stack([np.asarray(statistic(np.delete(v, i, axis=0))) for i in range(len(v))])
    with np.errstate(invalid="ignore"):
        pseudo = len(v) * whole - (len(v) - 1) * parts
    usable = np.isfinite(pseudo).all(axis=0)
    spread = mean_over_runs(np.where(usable, pseudo, 0.0), unit=unit)
    shift = whole - spread.value
    return Estimate(
        value=whole,
        low=np.where(usable, spread.low + shift, np.nan),
        high=np.where(usable, spread.high + shift, np.nan),
        n=len(v),
        unit=unit,
        method=f"jackknife over {unit}, Student, stretched for skewness",
        missing="" if usable.all() else "with one left out there is none",
    )


def crossed_mean(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    units: tuple[str, str] = ("runs", "images"),
    tested: bool = False,
) -> Estimate:
    """Mean over two crossed samples, such as runs and held-out images.

    With A the variance of the row means over r, B that of the column means over c, and E that of
    the residuals over r c, the variance of the mean is A + B - E. The interval is
    m +- sqrt(t^2 A + u^2 max(B - E, 0)), t and u Student's quantiles of r - 1 and c - 1 degrees of
    freedom; A and B change places where the columns are fewer, so that the residuals stay with the
    smaller sample. Two quantiles and no common one: the degrees of freedom of Satterthwaite are
    many just when A comes out too small, and 3 runs are then covered 90 %, 2 runs 86 %. This
    covers normal samples 95 % or more, whatever the shares of A, B and E, and 94 % where clusters
    are of sizes that differ (a test simulates it).

    What varies: rows and columns, and both at once. Held fixed: nothing else. Columns of one
    cluster (crops of one square of a photograph) vary together; c is then the number of clusters,
    and sizes that differ are treated as in `mean_over_clusters`.

    Args:
      values: finite, shape [r, c, ...]: rows are runs, columns images. A statistic that is no mean
        (a regression slope) comes as its values of influence, whose mean is the statistic.
      clusters: of the columns, shape [c]; default: each is its own.
      units: of rows and columns.
      tested: whether a single mean gets the p-value of 0, too: 1 - the level of the interval that
        ends there.

    Returns:
      of shape [...]; n is the number of rows, the unit names both; no interval for one row or one
      cluster.

    Raises:
      UserError: values that are not finite, or other shapes.

    Source: components of variance, Searle, Casella and McCulloch (1992), chapter 4; Banerjee (1960)
    for a quantile to each.

    >>> crossed_mean([[1.0, 3.0], [1.0, 3.0]]).value
    array(2.)
    """
    v = np.asarray(values, np.float64)
    groups = np.arange(v.shape[1]) if clusters is None and v.ndim > 1 else np.asarray(clusters)
    if v.ndim < 2 or not v.size or groups.shape != v.shape[1:2] or not np.isfinite(v).all():
        raise UserError(
            "values",
            expected="finite ones of shape [runs, images, ...], and a cluster for each image",
            got=f"shape {v.shape}, clusters {np.shape(groups)}, "
            f"{np.count_nonzero(~np.isfinite(v)):,} not finite",
            hint="leave out what does not count before",
        )
    r, c = v.shape[:2]
    of_rows = v.mean(axis=1)
    mean = of_rows.mean(axis=0)
    member, share, freedom = _clusters(groups)
    columns = units[1] if share.size == c else f"clusters of {units[1]}"
    unit = f"{units[0]} x {counted_units(share.size, columns)}"
    if r < 2 or share.size < 2:
        few = not_enough(r, 2, units[0], 0) if r < 2 else not_enough(share.size, 2, columns, 0)
        nothing = np.full_like(mean, np.nan)
        return dataclasses.replace(few, value=mean, low=nothing, high=nothing, n=r, unit=unit)
    # What each cluster adds to the mean of each row, beside what an average one would.
    away = np.zeros((share.size, r, *v.shape[2:]))
    np.add.at(away, member, np.moveaxis(v - of_rows[:, None], 1, 0) / c)
    rest = away - away.mean(axis=1, keepdims=True)
    shrunk = (1 - share).reshape(-1, *(1,) * mean.ndim)
    a = of_rows.var(axis=0, ddof=1) / r
    b = (away.mean(axis=1) ** 2 / shrunk).sum(axis=0)
    e = ((rest**2).sum(axis=1) / shrunk).sum(axis=0) / (r * (r - 1))
    of_first, of_second = min(r - 1.0, freedom), max(r - 1.0, freedom)
    if freedom < r - 1:
        a, b = b, a
    rest = np.maximum(b - e, 0)

    def half(upper: float) -> NDArray:
        t, u = scipy.special.stdtrit([of_first, of_second], upper)
        return np.sqrt(t**2 * a + u**2 * rest)

    return Estimate(
        value=np.asarray(mean),
        low=np.asarray(mean - half(UPPER)),
        high=np.asarray(mean + half(UPPER)),
        n=r,
        unit=unit,
        method=f"{units[0]} and {columns} crossed, Student for each",
        p_value=_p_value(float(mean), half) if tested else None,
    )


def _p_value(mean: float, half: Callable[[float], Any]) -> float:
    """Twice the tail 1 - upper at which half the interval, `half(upper)`, is as long as the mean.

    Down to 1e-15, where 1 - upper is no number of its own any more.
    """
    size, least = abs(mean), 1e-15

    def excess(log_tail: float) -> float:
        return float(half(1 - math.exp(log_tail))) - size

    if not size:
        return 1.0
    if excess(math.log(least)) <= 0:
        return 2 * least
    return 2 * math.exp(scipy.optimize.brentq(excess, math.log(least), math.log(0.5)))


def mean_over_clusters(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    where: ArrayLike | None = None,
    unit: str = "paths",
    tested: bool = False,
) -> Estimate:
    """Mean over many items, such as paths of one network, of which some belong together.

    m +- t sqrt(sum_k (sum_{i in k} (v_i - m))^2 / (1 - h_k)) / n over clusters k, h_k their share
    of the items, t Student's quantile of 1 / (sum h^2 + (sum q)^2 - sum q^2) degrees of freedom,
    q = h^2 / (1 - h). K clusters of one size have K - 1, and each its own gives Student's interval;
    of sizes that differ, the largest count as the few that they are (with K - 1 for all, one
    cluster of half the items among twelve makes 95 % cover 78 %).

    What varies: clusters (paths, if each is its own). Held fixed: the network; it is one.

    Args:
      values: shape [n], finite where they count.
      clusters: of each, shape [n]; default: each is its own.
      where: which count, bool, shape [n]; default: all.
      unit: what they are.
      tested: as for `crossed_mean`.

    Returns:
      a single number; n is the number of clusters; no interval for a single one, no value for none.

    Raises:
      UserError: values that count and are not finite, or other shapes.

    Source: Bell and McCaffrey (2002), for a mean.

    >>> mean_over_clusters([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1]).n
    2
    """
    v, counts = counted(values, where)
    groups = np.arange(len(v)) if clusters is None else np.asarray(clusters)
    if v.ndim != 1 or groups.shape != v.shape:
        raise UserError(
            "values",
            expected="one axis, and a cluster for each",
            got=f"shape {v.shape}, clusters {groups.shape}",
            hint="call it for each column",
        )
    named = unit if clusters is None else f"clusters of {unit}"
    v = v[counts]
    if not v.size:
        return not_enough(0, 2, named)
    member, share, freedom = _clusters(groups[counts])
    mean = v.mean()
    if share.size < 2:
        return not_enough(share.size, 2, named, float(mean))
    sums = np.bincount(member, weights=v - mean)
    error = np.sqrt((sums**2 / (1 - share)).sum()) / v.size

    def half(upper: float) -> float:
        return float(scipy.special.stdtrit(freedom, upper) * error)

    return Estimate(
        value=np.asarray(mean),
        low=np.asarray(mean - half(UPPER)),
        high=np.asarray(mean + half(UPPER)),
        n=share.size,
        unit=named,
        method="Student" if clusters is None else "Student over clusters (Bell and McCaffrey)",
        p_value=_p_value(float(mean), half) if tested else None,
    )


def proportion(successes: ArrayLike, *, unit: str) -> Estimate:
    """The share of units of which something is so, with the exact binomial interval.

    From the share of which so many successes or more have a probability of 2.5 %, to that of which
    so many or fewer have: quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k). Unlike an
    interval of a mean it has a width where all units, or none, are successes: of n out of n it
    begins at 0.025^(1/n), about 1 - 3.7 / n.

    What varies: the units, which are independent draws. It covers 95 % or more.

    Args:
      successes: bool, shape [n].
      unit: what they are.

    Returns:
      a single number; no value of no units.

    Source: Clopper and Pearson (1934).

    >>> proportion([True] * 20, unit="pairs").text(".3f")
    '1.000 (0.832 to 1.000; n = 20 pairs)'
    """
    so = np.asarray(successes, bool).ravel()
    n, k = so.size, int(so.sum())
    if not n:
        return not_enough(0, 1, unit)
    low = scipy.special.betaincinv(k, n - k + 1, 1 - UPPER) if k else 0.0
    high = scipy.special.betaincinv(k + 1, n - k, UPPER) if k < n else 1.0
    return Estimate(
        value=np.asarray(k / n),
        low=np.asarray(low),
        high=np.asarray(high),
        n=n,
        unit=unit,
        method="exact binomial (Clopper and Pearson)",
    )


def _clusters(labels: NDArray) -> tuple[NDArray, NDArray, float]:
    """Of each item the number of its cluster; of each cluster its share; degrees of freedom."""
    _, member, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    h = sizes / sizes.sum()
    if h.size < 2:
        return member, h, 0.0
    q = h**2 / (1 - h)
    return member, h, float(1 / ((h**2).sum() + q.sum() ** 2 - (q**2).sum()))


def bootstrap(
    statistic: Callable[..., ArrayLike],
    *factors: int | ArrayLike,
    units: Sequence[str],
    at_least: int = UNITS_FOR_BOOTSTRAP,
    num_resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """Bootstrap over one factor, or over several crossed ones at once.

    A resample draws the units of every factor with replacement and independently (the pigeonhole
    bootstrap); the statistic gets one vector of weights for each factor, how often its elements
    were drawn, and all ones for the value itself. The ends are the quantiles p and 1 - p of the
    resamples, outward to the next one, where p = Phi(-t sqrt(n / (n - 1))), t Student's quantile
    and n the units of the smallest factor: the plain percentiles, p = 2.5 %, cover 84 % for n = 5
    and 90 % for 10, these 93 % for 6 and 95 % for 10 (means of normal samples; a test simulates
    it). Means of skew samples are covered less: lognormal ones 83 % for 6, 90 % for 40.

    What varies: the units of the factors. Held fixed: all else. Below `at_least` units there is no
    interval.

    Args:
      statistic: weights [size], one for each factor -> a number, or an array; finite.
      factors: the number of units, or the cluster of each element, [size]: clusters are drawn.
      units: what they are, in the same order.
      at_least: units of each factor; below 6, p is so small that the ends are the extremes of the
        resamples, which are no 95 %.
      num_resamples, seed: of the draws; p is 0.24 % for n = 6.

    Returns:
      n is the number of units of the first factor; resamples whose statistic is not finite are left
      out, and there is no interval if they are more than a tenth.

    Raises:
      UserError: no factor, or other than one unit for each.

    Source: Efron and Tibshirani (1993), chapter 13; Owen (2007) for crossed factors; Hesterberg
    (2015) for p.

    >>> x = np.arange(8.0)
    >>> bootstrap(lambda w: w @ x / w.sum(), 8, units=["runs"]).value
    array(3.5)
    """
    if not factors or len(units) != len(factors):
        raise UserError(
            "factors",
            expected="one or more, and a unit for each",
            got=f"{len(factors)} and {len(units)}",
            hint="name what varies",
        )
    members = []
    for factor in factors:
        labels = np.asarray(factor) if np.ndim(factor) else np.arange(int(np.asarray(factor)))
        members.append(np.unique(labels, return_inverse=True)[1])
    counts = [int(member.max(initial=-1)) + 1 for member in members]
    whole = np.asarray(statistic(*(np.ones(member.size) for member in members)), np.float64)
    unit = " x ".join([units[0], *map(counted_units, counts[1:], units[1:])])
    nothing = np.full_like(whole, np.nan)
    needed = max(2, at_least)
    for count, named in zip(counts, units, strict=True):
        if count < needed:
            few = not_enough(count, needed, named, 0.0)
            return dataclasses.replace(
                few, value=whole, low=nothing, high=nothing, n=counts[0], unit=unit
            )
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(num_resamples):
        drawn = (np.bincount(rng.integers(c, size=c), minlength=c).astype(float) for c in counts)
        weights = (w[member] for w, member in zip(drawn, members, strict=True))
        found.append(np.asarray(statistic(*weights), np.float64))
    least = min(counts)
    p = scipy.special.ndtr(
        -scipy.special.stdtrit(least - 1.0, UPPER) * math.sqrt(least / (least - 1))
    )
    low, high, missing = quantiles(np.stack(found), p)
    return Estimate(
        value=whole,
        low=low,
        high=high,
        n=counts[0],
        unit=unit,
        method=f"bootstrap over {' and '.join(units)}, expanded percentiles",
        missing=missing,
    )


def quantiles(resamples: NDArray, p: float) -> tuple[NDArray, NDArray, str]:
    """The quantiles p and 1 - p over the first axis, outward; NaN, and why, where too few are."""
    finite = np.isfinite(resamples)
    usable = finite.mean(axis=0) >= 0.9
    ends = np.full((2, *usable.shape), np.nan)
    for index in np.ndindex(usable.shape):
        if usable[index]:
            own = resamples[(slice(None), *index)]
            own = own[np.isfinite(own)]
            ends[(0, *index)] = np.quantile(own, p, method="lower")
            ends[(1, *index)] = np.quantile(own, 1 - p, method="higher")
    missing = "" if usable.all() else "more than a tenth of the resamples have no value"
    return ends[0], ends[1], missing


def counted(values: ArrayLike, where: ArrayLike | None) -> tuple[NDArray, NDArray]:
    """Values with 0 where they do not count, and which count, of one shape.

    Raises:
      UserError: no values, a `where` of another shape or type, values that count and are not
      finite.
    """
    v = np.asarray(values, np.float64)
    if v.ndim == 0 or v.shape[0] == 0:
        raise UserError(
            "values",
            expected="at least one, on the first axis",
            got=f"shape {v.shape}",
            hint="put the runs on the first axis",
        )
    counts = np.ones(v.shape, bool) if where is None else np.asarray(where)
    if counts.dtype != bool or counts.shape not in (v.shape[:1], v.shape):
        raise UserError(
            "where",
            expected=f"bool of shape {v.shape[:1]} or {v.shape}",
            got=f"{counts.dtype} of shape {counts.shape}",
            hint="say of each, or of each run, whether it counts",
        )
    counts = np.broadcast_to(counts.reshape(counts.shape + (1,) * (v.ndim - counts.ndim)), v.shape)
    if not np.isfinite(v[counts]).all():
        raise UserError(
            "values",
            expected="finite ones",
            got=f"{np.count_nonzero(~np.isfinite(v[counts])):,} that are not",
            hint="say with `where` what counts; average curves, not times that may be never",
        )
    return np.where(counts, v, 0.0), counts
