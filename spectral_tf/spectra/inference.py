"""From numbers to claims: every interval, test and correction of this package has its home here.

What an interval means depends on what varies. Each function says which units were drawn at random
(the *unit of replication*), what is held fixed, and why its method was chosen; all return an
`Estimate`, which carries number and kind of the units and the name of the method with it.

* **Few runs.** A percentile bootstrap of n = 3 values covers 75 % where 95 % is said (51 % for 2,
  84 % for 5, 91 % for 10). Means over runs get Student's interval, stretched on the side of the
  skew (`mean_over_runs`).
* **Crossed samples.** What is averaged over runs *and* images varies with both (`crossed_mean`).
* **Nested samples.** Seeds and checkpoints of one setting are no settings of their own: they
  count as one (`correlation_over_settings`).
* **Few settings.** Fewer than `SETTINGS_FOR_INTERVAL` have no interval, but an exact p-value and
  the smallest one that so few can reach.
* **What counts** is an argument (`where`), and the number that counted is in the result; NaN never
  stands for "left out" and is refused.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

CONFIDENCE_LEVEL = 0.95
# With fewer an interval over resampled settings means nothing; with fewer than the second a rank
# correlation does not: three points are in one of six orders.
SETTINGS_FOR_INTERVAL = 6
SETTINGS_FOR_CORRELATION = 4
# All permutations or signs are looked at up to this number, else so many random ones.
_EXACT_UP_TO = 50_000
_DRAWS = 9_999


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number, or an array of numbers, with its interval and with what that rests on.

    Attributes:
      value, low, high: float64 arrays of one shape, () for a single number; NaN for what cannot be
        had, then `missing` says why. `inf` ("never") is a legal value and a legal end.
      n: units of replication that counted, an integer or an array of the value's shape.
      unit: what they are: "runs", "settings", "runs x images", ...
      method: of interval and p-value; it is written into every table beside the numbers.
      missing: why there is no value or no interval, "" if there is.
      p_value: two-sided, of "nothing there" (0), where the method gives one; it belongs to the
        whole, so that a part of an array has none.
      least_p_value: the smallest p-value that so few units can reach.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: Any
    unit: str
    method: str
    missing: str = ""
    p_value: float | None = None
    least_p_value: float | None = None

    def __getitem__(self, index: Any) -> "Estimate":
        """Part of an array of estimates."""
        n = np.asarray(self.n)
        value, low, high = (np.asarray(a[index]) for a in (self.value, self.low, self.high))
        return dataclasses.replace(
            self,
            value=value,
            low=low,
            high=high,
            n=n[index] if n.ndim else self.n,
            missing=self.missing if np.isnan([value, low, high]).any() else "",
            p_value=None,
            least_p_value=None,
        )

    def __len__(self) -> int:
        """Of an array of estimates."""
        return len(self.value)

    def map(self, function: Callable[[NDArray], NDArray]) -> "Estimate":
        """Value and ends through a function that never falls, such as a change of unit.

        A p-value is kept: give a function under which "nothing there" stays 0.
        """
        return dataclasses.replace(
            self,
            value=np.asarray(function(self.value)),
            low=np.asarray(function(self.low)),
            high=np.asarray(function(self.high)),
        )

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and 0 lies outside of it; of one number."""
        return bool(self.low > 0 or self.high < 0)

    def text(self, form: str = ".2f", *, never: str = "never") -> str:
        """One number as lines and Markdown tables show it.

        >>> mean_over_runs([1.0, 2.0, 3.0]).text(".1f")
        '2.0 (-0.5 to 4.5; n = 3 runs)'
        >>> mean_over_runs([1.0]).text(".1f")
        '1.0 (no interval: 1 run, 2 needed)'
        """

        def number(value: Any) -> str:
            return never if np.isposinf(value) else format(float(value), form)

        reason = self.missing or "not known why"
        if np.isnan(self.value):
            return reason
        if np.isnan(self.low) or np.isnan(self.high):
            rest = f"no interval: {reason}"
        else:
            rest = f"{number(self.low)} to {number(self.high)}; n = {self.n} {self.unit}"
        if self.p_value is not None:
            rest += f"; p = {self.p_value:.2g}"
            if self.least_p_value is not None and self.least_p_value > 1 - CONFIDENCE_LEVEL:
                rest += f", at least {self.least_p_value:.2g}"
        return f"{number(self.value)} ({rest})"

    def record(self) -> dict[str, Any]:
        """For JSON: `null` for what cannot be had, beside the reason; "never" for inf."""

        def plain(values: NDArray) -> Any:
            if np.ndim(values):
                return [plain(v) for v in values]
            if np.isnan(values):
                return None
            if np.isinf(values):
                return "never" if values > 0 else "-inf"
            return float(values)

        n = np.asarray(self.n).tolist()
        found = {"value": plain(self.value), "low": plain(self.low), "high": plain(self.high)}
        found |= {"n": n, "unit": self.unit, "method": self.method}
        if self.missing:
            found["missing"] = self.missing
        if self.p_value is not None:
            found |= {"p_value": self.p_value, "least_p_value": self.least_p_value}
        return found


def not_enough(got: int, needed: int, unit: str, value: float = math.nan) -> Estimate:
    """What stands for an estimate, or for its interval, that so few units cannot give.

    >>> not_enough(3, 4, "settings").text()
    'not enough: 3 settings, 4 needed'
    """
    reason = f"{_units(got, unit)}, {needed} needed"
    nan = np.asarray(math.nan)
    return Estimate(
        value=np.asarray(value, np.float64),
        low=nan,
        high=nan,
        n=got,
        unit=unit,
        method="none",
        missing=reason if not math.isnan(value) else f"not enough: {reason}",
    )


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
    v, counts = _counted(values, where)
    n = counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = v.sum(axis=0) / n
        away = np.where(counts, v - mean, 0.0)
        squares = (away**2).sum(axis=0)
        half = scipy.special.stdtrit(n - 1.0, _tail()) * np.sqrt(squares / (n - 1) / n)
        skewness = np.where(squares > 0, (away**3).sum(axis=0) / n / (squares / n) ** 1.5, 0.0)
        stretch = skewness * scipy.special.stdtrit(n - 1.0, _tail()) / np.sqrt(n)
    half = np.where(n > 1, half, np.nan)
    least = int(n.min(initial=v.shape[0]))
    same = bool(np.all(n == least))
    few = f"{_units(least, unit)}, 2 needed" if same else f"fewer than 2 {unit}"
    return Estimate(
        value=np.asarray(mean),
        low=np.asarray(mean - half * np.maximum(1, 1 - stretch)),
        high=np.asarray(mean + half * np.maximum(1, 1 + stretch)),
        n=least if same else n,
        unit=unit,
        method="Student, stretched for skewness",
        missing="" if least > 1 else few,
    )


def negative(estimate: Estimate) -> Estimate:
    """-estimate, with its ends exchanged."""
    return dataclasses.replace(
        estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low
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
      of the statistic's shape; no interval for fewer than 3 runs, or where leaving one out leaves
      no finite number.

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
        missing="" if usable.all() else "leaving one out leaves no number",
    )


def crossed_mean(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    units: tuple[str, str] = ("runs", "images"),
) -> Estimate:
    """Mean over two crossed samples, such as runs and held-out images.

    With A the variance of the row means over r, B that of the column means over c, and E that of
    the residuals over r c, the variance of the mean is A + B - E. The interval is
    m +- sqrt(t^2 A + u^2 max(B - E, 0)), t and u Student's quantiles of r - 1 and c - 1 degrees of
    freedom; A and B change places where the columns are fewer, so that the residuals stay with the
    smaller sample. Two quantiles and no common one: the degrees of freedom of Satterthwaite are
    many just when A comes out too small, and 3 runs are then covered 90 %, 2 runs 86 %. This
    covers normal samples 95 % or more, whatever the shares of A, B and E (a test simulates it).

    What varies: rows and columns, and both at once. Held fixed: nothing else. Columns of one
    cluster (crops of one square of a photograph) vary together; c is then the number of clusters,
    and sizes that differ are treated as in `mean_over_clusters`.

    Args:
      values: finite, shape [r, c, ...]: rows are runs, columns images. A statistic that is no mean
        (a regression slope) comes as its values of influence, whose mean is the statistic.
      clusters: of the columns, shape [c]; default: each is its own.
      units: of rows and columns.

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
    columns = units[1] if clusters is None else f"clusters of {units[1]}"
    unit = f"{units[0]} x {_units(share.size, columns)}"
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
    t, u = scipy.special.stdtrit([r - 1.0, freedom], _tail())
    if freedom < r - 1:
        a, b, t, u = b, a, u, t
    half = np.sqrt(t**2 * a + u**2 * np.maximum(b - e, 0))
    return Estimate(
        value=np.asarray(mean),
        low=np.asarray(mean - half),
        high=np.asarray(mean + half),
        n=r,
        unit=unit,
        method=f"{units[0]} and {columns} crossed, Student for each",
    )


def mean_over_clusters(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    where: ArrayLike | None = None,
    unit: str = "paths",
) -> Estimate:
    """Mean over many items, such as paths of one network, of which some belong together.

    m +- t sqrt(sum_k (sum_{i in k} (v_i - m))^2 / (1 - h_k)) / n over clusters k, h_k their share
    of the items, t Student's quantile of 1 / (sum h^2 + (sum q)^2 - sum q^2) degrees of freedom,
    q = h^2 / (1 - h). K clusters of one size have K - 1, and each its own gives Student's interval;
    of sizes that differ, the largest count as the few that they are (with K - 1 for all, one
    cluster of half the items among twelve makes 95 % cover 80 %).

    What varies: clusters (paths, if each is its own). Held fixed: the network; it is one.

    Args:
      values: shape [n], finite where they count.
      clusters: of each, shape [n]; default: each is its own.
      where: which count, bool, shape [n]; default: all.
      unit: what they are.

    Returns:
      a single number; n is the number of clusters; no interval for a single one, no value for none.

    Raises:
      UserError: values that count and are not finite, or other shapes.

    Source: Bell and McCaffrey (2002), for a mean.

    >>> mean_over_clusters([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1]).n
    2
    """
    v, counts = _counted(values, where)
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
    half = scipy.special.stdtrit(freedom, _tail()) * np.sqrt((sums**2 / (1 - share)).sum()) / v.size
    return Estimate(
        value=np.asarray(mean),
        low=np.asarray(mean - half),
        high=np.asarray(mean + half),
        n=share.size,
        unit=named,
        method="Student" if clusters is None else "Student over clusters (Bell and McCaffrey)",
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
    at_least: int = SETTINGS_FOR_INTERVAL,
    num_resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """Bootstrap over one factor, or over several crossed ones at once.

    A resample draws the units of every factor with replacement and independently (the pigeonhole
    bootstrap); the statistic gets one vector of weights for each factor, how often its elements
    were drawn, and all ones for the value itself. The ends are the quantiles p and 1 - p of the
    resamples, outward to the next one, where p = Phi(-t sqrt(n / (n - 1))), t Student's quantile
    and n the units of the smallest factor: the plain percentiles, p = 2.5 %, cover 86 % for n = 6
    and 90 % for 10 where these cover 93 and 94 % (means of normal samples; a test simulates it).

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
    unit = " x ".join(
        [units[0], *(f"{c:,} {u}" for c, u in zip(counts[1:], units[1:], strict=True))]
    )
    nothing = np.full_like(whole, np.nan)
    for count, named in zip(counts, units, strict=True):
        if count < at_least:
            few = not_enough(count, at_least, named, 0.0)
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
        -scipy.special.stdtrit(least - 1.0, _tail()) * math.sqrt(least / (least - 1))
    )
    low, high, missing = _quantiles(np.stack(found), p)
    return Estimate(
        value=whole,
        low=low,
        high=high,
        n=counts[0],
        unit=unit,
        method=f"bootstrap over {' and '.join(units)}, expanded percentiles",
        missing=missing,
    )


def _quantiles(resamples: NDArray, p: float) -> tuple[NDArray, NDArray, str]:
    """The quantiles p and 1 - p over the first axis, outward; NaN, and why, where too few are."""
    finite = np.isfinite(resamples)
    usable = finite.mean(axis=0) >= 0.9
    ends = np.full((2, *usable.shape), np.nan)
    for place in np.ndindex(usable.shape):
        if usable[place]:
            own = resamples[(slice(None), *place)]
            own = own[np.isfinite(own)]
            ends[(0, *place)] = np.quantile(own, p, method="lower")
            ends[(1, *place)] = np.quantile(own, 1 - p, method="higher")
    missing = "" if usable.all() else "more than a tenth of the resamples have no value"
    return ends[0], ends[1], missing


def correlation_over_settings(
    quality: ArrayLike,
    values: ArrayLike,
    settings: ArrayLike,
    *,
    control: ArrayLike | None = None,
    where: ArrayLike | None = None,
    num_resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """Spearman's rho over settings of a quality and a mean over paths; seeds are part of a setting.

    Quality and value of a setting are the means over its models (seeds). With a control the rho is
    partial: that of the residuals of the ranks regressed on the ranks of the control.

    What varies: settings with all they hold, and paths, the same for all models. Held fixed: the
    number of seeds, the images. Interval: percentiles of a pigeonhole bootstrap. Resamples of a
    perfect order are perfect, so that its near end is no further than that of Bonett and Wright,
    tanh(z - 1.96 sqrt((1 + rho^2 / 2) / (n - 3))) of an order half a swap from perfect,
    rho = tanh z = 1 - 6 / (n (n^2 - 1)): 0.63 for n = 6 and 0.90 for 8; a perfect order has a
    chance of 2.5 % at 0.65 and 0.89 (normal samples). P-value: all permutations of the settings if
    there are at most 50,000, else 9,999 random ones, paths held fixed; exact without a control,
    near to it with one.

    Args:
      quality: of each model, such as its accuracy, shape [m], finite.
      values: of each model on each path, shape [m, p], or a mean of each, [m]; finite where they
        count.
      settings: of each model, labels, shape [m]: models of one label count as one setting.
      control: of each model, shape [m], finite: what is held fixed.
      where: which paths count, the same for all models, bool [p]; default: all.
      num_resamples, seed: of the bootstrap and of random permutations.

    Returns:
      rho in [-1, 1]; n is the number of settings. No value for fewer than 4 settings (5 with a
      control) or where a side does not vary; no interval for fewer than 6.

    Raises:
      UserError: other shapes, values that are not finite, no path that counts.

    Source: Spearman (1904), ties get their mean rank; Owen (2007); Bonett and Wright (2000);
    Freedman and Lane (1983) for the permutation of residuals.

    >>> correlation_over_settings([1, 2, 3, 4], [4.0, 3.0, 2.0, 1.0], [0, 1, 2, 3]).value
    array(-1.)
    """
    x, v, labels = (np.asarray(a) for a in (quality, values, settings))
    x, v = x.astype(np.float64), v.astype(np.float64)
    v = v[:, None] if v.ndim == 1 else v
    counts = np.ones(v.shape[-1:], bool) if where is None else np.asarray(where)
    z = None if control is None else np.asarray(control, np.float64)
    fits = x.ndim == 1 and v.ndim == 2 and len(v) == x.size > 0 and labels.shape == x.shape
    if not fits or counts.shape != v.shape[1:] or counts.dtype != bool:
        raise UserError(
            "values",
            expected="shape [models, paths], one quality and setting for each model",
            got=f"{v.shape}, {x.shape} and {labels.shape}, where {counts.dtype} {counts.shape}",
            hint="put the models on the first axis",
        )
    v = v[:, counts]
    sides = {"values": v, "quality": x, "control": x if z is None else z}
    for name, side in sides.items():
        if not np.isfinite(side).all() or not side.size or len(side) != x.size:
            raise UserError(
                name,
                expected=f"finite numbers for {x.size} models" + " on a path" * (name == "values"),
                got=f"shape {side.shape}, {np.count_nonzero(~np.isfinite(side)):,} not finite",
                hint="leave out paths with `where`, and models that diverged",
            )
    _, member = np.unique(labels, return_inverse=True)
    count = int(member.max()) + 1
    average = np.zeros((count, x.size))
    average[member, np.arange(x.size)] = 1
    average /= average.sum(axis=1, keepdims=True)
    x, v = average @ x, average @ v
    z = None if z is None else average @ z
    needed = SETTINGS_FOR_CORRELATION + (z is not None)
    if count < needed:
        return not_enough(count, needed, "settings")
    y = v.mean(axis=1)
    whole = float(_rho(np.ones((1, count)), x, y[None], z)[0])
    if math.isnan(whole):
        none = not_enough(count, needed, "settings")
        told = "" if z is None else ", or the control tells it"
        return dataclasses.replace(none, missing=f"one side does not vary between settings{told}")
    p_value, least, kind = _permutation(x, y, z, seed)
    many = v.shape[1] > 1
    found = Estimate(
        value=np.asarray(whole),
        low=np.asarray(math.nan),
        high=np.asarray(math.nan),
        n=count,
        unit="settings" + f" x {v.shape[1]:,} paths" * many,
        method=f"{kind} permutations of settings",
        p_value=p_value,
        least_p_value=least,
    )
    if count < SETTINGS_FOR_INTERVAL:
        few = not_enough(count, SETTINGS_FOR_INTERVAL, "settings", whole)
        return dataclasses.replace(found, missing=few.missing)
    resamples = _resampled_rho(x, v, z, num_resamples, np.random.default_rng(seed))
    low, high, missing = _quantiles(resamples, 1 - _tail())
    if abs(whole) > 1 - 1e-9:
        near = 1 - 6 / (count * (count**2 - 1))
        error = math.sqrt((1 + near**2 / 2) / (count - 3 - (z is not None)))
        end = math.tanh(math.atanh(near) - scipy.special.ndtri(_tail()) * error)
        low, high = (np.fmin(low, end), high) if whole > 0 else (low, np.fmax(high, -end))
    return dataclasses.replace(
        found,
        low=low,
        high=high,
        method=f"bootstrap over settings{' and paths' * many}; {found.method}",
        missing=missing,
    )


def _resampled_rho(
    x: NDArray, v: NDArray, z: NDArray | None, num_resamples: int, rng: np.random.Generator
) -> NDArray:
    """Rho of resamples of settings [s] and paths, values [s, p], in blocks that fit a cache."""
    s, p = v.shape
    found = []
    block = max(1, 2**20 // (s * s + p))
    for start in range(0, num_resamples, block):
        size = min(block, num_resamples - start)
        weights = rng.multinomial(s, np.full(s, 1 / s), size=size).astype(np.float64)
        y = v.T if p == 1 else rng.multinomial(p, np.full(p, 1 / p), size=size) @ v.T / p
        found.append(_rho(weights, x, y, z))
    return np.concatenate(found)


def _rho(weights: NDArray, x: NDArray, y: NDArray, z: NDArray | None) -> NDArray:
    """Spearman's, or the partial one, of settings [s] that count so often [b, s]; y is [b or 1, s].

    NaN where a side does not vary or is told by the control.
    """

    def centred(side: NDArray) -> NDArray:
        return side - (weights * side).sum(axis=1, keepdims=True) / weights.sum(1, keepdims=True)

    def inner(one: NDArray, other: NDArray) -> NDArray:
        return (weights * one * other).sum(axis=1, keepdims=True)

    def ranks(side: NDArray) -> NDArray:
        """How many are below, and half of those that are equal: the mean rank but for a shift."""
        below = (side[..., None, :] < side[..., :, None]) * 1.0
        below += 0.5 * (side[..., None, :] == side[..., :, None])
        return centred(np.matmul(below, weights[..., None])[..., 0])

    a, b = ranks(x), ranks(y)
    if z is not None:
        c = ranks(z)
        of_control = np.maximum(inner(c, c), 1e-300)
        a, b = (side - c * inner(c, side) / of_control for side in (a, b))
    size = np.sqrt(inner(a, a) * inner(b, b))[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Ranks are halves, so that what is left of a side that is told is rounding alone.
        return np.where(size > 1e-9, np.clip(inner(a, b)[:, 0] / size, -1, 1), np.nan)


@functools.cache
def _orders(size: int) -> NDArray:
    """All permutations of so few."""
    return np.array(list(itertools.permutations(range(size))), np.int8)


def _permutation(x: NDArray, y: NDArray, z: NDArray | None, seed: int) -> tuple[float, float, str]:
    """Two-sided p-value of no association, the smallest one that can be reached, and the kind."""
    a, b = (scipy.stats.rankdata(side) for side in (x, y))
    a, b = a - a.mean(), b - b.mean()
    exact = math.factorial(a.size) <= _EXACT_UP_TO
    if exact:
        orders = _orders(a.size)
    else:
        rng = np.random.default_rng(seed)
        orders = rng.permuted(np.tile(np.arange(a.size), (_DRAWS, 1)), axis=1)
    if z is None:
        sizes, observed = np.abs(b[orders] @ a), abs(float(a @ b))
    else:
        # What the control leaves of b is permuted, and regressed on the control once more: without
        # that the permuted rho is too small, and 5 % reject 8 % of true nulls over 8 settings.
        c = scipy.stats.rankdata(z)
        c = c - c.mean()
        c = c / math.sqrt(max(float(c @ c), 1e-300))
        a, b = a - c * (c @ a), b - c * (c @ b)
        permuted = b[orders]
        left = np.maximum(b @ b - (permuted @ c) ** 2, 1e-9)
        sizes = np.abs(permuted @ a) / np.sqrt(left)
        observed = abs(float(a @ b)) / math.sqrt(float(b @ b))
    hits = int(np.sum(sizes >= observed - 1e-9))
    if not exact:
        return (hits + 1) / (_DRAWS + 1), 1 / (_DRAWS + 1), "random"
    least = float(np.mean(sizes >= sizes.max() - 1e-9))
    return hits / len(orders), least, "exact" if z is None else "all"


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
    d, _ = _counted(differences, None)
    if d.ndim != 1:
        raise UserError(
            "differences",
            expected="one axis of independent ones",
            got=f"shape {d.shape}",
            hint="average what shares a seed before",
        )
    return d


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjusted p-values of several claims: below 5 %, one is wrongly so in 5 % of families at most.

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

    d +- t sqrt(s^2 / n + s^2 / n' + e^2 / 3), s our standard deviation, which stands for theirs,
    too, n' their runs, e the half-width of the reading (a uniform error), t of n - 1 degrees of
    freedom; the p-value is Student's of d = 0. Exact for normal samples of one variance and e = 0.

    What varies: our runs, their runs, the reading. Held fixed: the protocol.

    Args:
      values: our runs on the first axis, [n, ...], finite.
      published: their mean, finite, [...].
      published_n: runs behind it.
      reading: half-width of what the reading leaves open, at least 0, [...]: of heights
        the precision of the figure, and where time is known to some steps half of what our mean
        does in them.

    Returns:
      of shape [...]; p_value is the smallest of all, adjusted for their number by `holm` (what the
      whole comparison says); no interval for one run.

    Raises:
      UserError: as `mean_over_runs`; fewer than 1 published run, or other shapes.

    Source: Student (1908), the standard deviation of one sample standing for both.

    >>> found = difference_to_published([[1.0], [3.0]], [2.0], 20, [0.0])
    >>> found.value.tolist(), round(found.p_value, 2)
    ([0.0], 1.0)
    """
    v, _ = _counted(values, None)
    theirs, half_reading = np.asarray(published, np.float64), np.asarray(reading, np.float64)
    fits = theirs.shape == half_reading.shape == v.shape[1:] and published_n >= 1
    if not fits or not np.isfinite(theirs).all() or not np.all(half_reading >= 0):
        raise UserError(
            "published",
            expected=f"finite means of shape {v.shape[1:]} over 1 run or more, readings from 0 on",
            got=f"{theirs.shape} over {published_n}, readings {half_reading.shape}",
            hint="read one for each of ours",
        )
    n = len(v)
    away = v.mean(axis=0) - theirs
    if n < 2:
        few = not_enough(n, 2, "runs", 0.0)
        return dataclasses.replace(few, value=away, low=away * np.nan, high=away * np.nan)
    variance = v.var(axis=0, ddof=1) * (1 / n + 1 / published_n) + half_reading**2 / 3
    error = np.sqrt(variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(away == 0, 0.0, np.abs(away) / error)
    each = 2 * scipy.special.stdtr(n - 1.0, -ratio)
    half = scipy.special.stdtrit(n - 1.0, _tail()) * error
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


def _tail() -> float:
    return (1 + CONFIDENCE_LEVEL) / 2


def _units(count: int, unit: str) -> str:
    """A number and its unit: "1 run", "2 runs", "1 cluster of images"."""
    first, *rest = unit.split(" ")
    first = first.removesuffix("es" if first.endswith("sses") else "s") if count == 1 else first
    return " ".join([f"{count:,}", first, *rest])


def _counted(values: ArrayLike, where: ArrayLike | None) -> tuple[NDArray, NDArray]:
    """Values with 0 where they do not count, and which count, of one shape."""
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
