"""Intervals of averages over runs, by resampling the runs."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# A mean with the ends of its interval: (mean, low, high), arrays of one shape.
Band = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def resampled_means(
    values: ArrayLike, num_resamples: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """Means over runs drawn with replacement: the bootstrap distribution of a mean.

    Whole runs are drawn, so that curves stay curves: anything computed from a mean curve (a
    learning time, an exponent) gets its interval by computing it from every resampled mean.

    Args:
      values: shape [n, ...], finite, runs on the first axis. NaN (a run that stopped) is left out
        of the mean at that point.
      num_resamples: number b of resamples, at least 1.
      seed: the draws depend on it and on n alone.

    Returns:
      float64, shape [b, ...], in the values' unit; NaN where a resample holds no value, and
      everywhere for a single run, whose scatter is unknown: no interval rather than one of width 0.

    Raises:
      UserError: no runs, num_resamples below 1, or infinite values (a learning time of "never" has
        no mean: resample the curves that it is read from).

    Source: Efron and Tibshirani (1993), chapter 6.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim == 0 or v.shape[0] == 0 or num_resamples < 1:
        raise UserError(
            "values",
            expected="at least one run and one resample",
            got=f"shape {v.shape} and {num_resamples} resamples",
            hint="put the runs on the first axis",
        )
    if np.isinf(v).any():
        raise UserError(
            "values",
            expected="finite values, or NaN for none",
            got="infinite ones",
            hint="resample the curves, and read times off their means",
        )
    n = v.shape[0]
    if n == 1:
        return np.full((num_resamples, *v.shape[1:]), np.nan)
    draws = np.random.default_rng(seed).integers(n, size=(num_resamples, n))
    weights = np.zeros((num_resamples, n))
    np.add.at(weights, (np.arange(num_resamples)[:, None], draws), 1.0)
    flat = v.reshape(n, -1)
    missing = np.isnan(flat)
    sums = weights @ np.where(missing, 0.0, flat)
    counts = weights @ ~missing if missing.any() else np.float64(n)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts
    return means.reshape((num_resamples, *v.shape[1:]))


def percentile_interval(resamples: ArrayLike, confidence: float = 0.95) -> NDArray[np.float64]:
    """The percentile interval over the first axis: (low, high) stacked on a new first axis.

    Percentiles are taken outward to the next resample, never interpolated, so that `inf` ("never")
    is a legal end. With few runs the interval is too narrow (a nominal 95 % covers about 84 %
    of normal samples for n = 5); report n beside it.

    Args:
      resamples: shape [b, ...]; NaN is left out.
      confidence: in (0, 1).

    Returns:
      float64, shape [2, ...], in the resamples' unit; NaN where all resamples are NaN.

    Raises:
      UserError: the confidence is outside (0, 1).

    Source: Efron and Tibshirani (1993), chapter 13.
    """
    if not 0 < confidence < 1:
        raise UserError(
            "confidence", expected="a number in (0, 1)", got=confidence, hint="0.95 is usual"
        )
    ordered = np.sort(np.asarray(resamples, dtype=np.float64), axis=0)  # NaN goes last.
    count = np.sum(~np.isnan(ordered), axis=0, keepdims=True)
    tail = (1 - confidence) / 2
    last = np.maximum(count - 1, 0)
    rounding = 1e-9  # 10 % of 10 is 1, also in binary.
    low = np.take_along_axis(ordered, np.floor(tail * last + rounding).astype(int), axis=0)
    high = np.take_along_axis(ordered, np.ceil((1 - tail) * last - rounding).astype(int), axis=0)
    return np.concatenate([low, high])


def mean_interval(values: ArrayLike, num_resamples: int = 1000, seed: int = 0) -> Band:
    """Mean over runs with the ends of its 95 % percentile interval.

    Args:
      values: shape [n, ...], runs on the first axis; NaN is left out.
      num_resamples, seed: as for `resampled_means`.

    Returns:
      (mean, low, high), each float64 of shape [...]; the mean is NaN where no run has a value, the
      interval is NaN for n = 1.

    Raises:
      UserError: as `resampled_means`.
    """
    v = np.asarray(values, dtype=np.float64)
    resamples = resampled_means(v, num_resamples, seed)
    there = ~np.isnan(v)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, v, 0.0).sum(axis=0) / there.sum(axis=0)
    low, high = percentile_interval(resamples)
    return mean, low, high
