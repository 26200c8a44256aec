"""Rank correlations over settings. Goes with the pages that use it."""

import math

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from spectral_tf.errors import UserError
from spectral_tf.spectra.bootstrap import percentile_interval, resampled_means


def rank_correlation(
    settings: ArrayLike, values: ArrayLike, num_resamples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Spearman's rho of a setting and the mean over runs, with its 95 % interval over the runs.

    Args:
      settings: shape [p], at least 3 different ones.
      values: shape [n, p], runs on the first axis; NaN is left out of a mean.
      num_resamples, seed: of the bootstrap, as for `resampled_means`.

    Returns:
      (rho, low, high) in [-1, 1]; NaN where means are equal throughout, interval NaN for n = 1.

    Raises:
      UserError: fewer than 3 settings or other shapes.

    Source: Spearman (1904); ties get their mean rank.
    """
    x, v = np.asarray(settings, np.float64), np.asarray(values, np.float64)
    if x.ndim != 1 or len(np.unique(x)) < 3 or v.ndim != 2 or v.shape[1:] != x.shape:
        raise UserError(
            "settings",
            expected="at least 3 different ones, and values [runs, settings]",
            got=f"{x.shape} and {v.shape}",
            hint="put the runs on the first axis",
        )

    rhos = np.array([_rho(x, means) for means in resampled_means(v, num_resamples, seed)])
    low, high = percentile_interval(rhos)
    ours = np.array([np.mean(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in v.T])
    return _rho(x, ours), float(low), float(high)


def model_correlation(
    quality: ArrayLike,
    values: ArrayLike,
    num_resamples: int = 1000,
    seed: int = 0,
    *,
    control: ArrayLike | None = None,
) -> tuple[float, float, float]:
    """Spearman's rho over models of a quality and a mean over paths, with its 95 % interval.

    A resample draws paths, the same for all models (their difficulty is common to them), and then
    models. Models of one run or one setting count as so many.

    Args:
      quality: of each model, such as its accuracy, shape [m], at least 3.
      values: of each model on each path, shape [m, p]; NaN is left out of a mean, and a model
        without any value out of the correlation.
      num_resamples, seed: of the bootstrap.
      control: of each model, shape [m]: what is held fixed. The partial correlation of ranks,
        (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2)).

    Returns:
      (rho, low, high) in [-1, 1]; NaN where a side is equal throughout or told by the control.

    Raises:
      UserError: fewer than 3 models or other shapes.

    Source: Spearman (1904); ties get their mean rank.
    """
    x, v = np.asarray(quality, np.float64), np.asarray(values, np.float64)
    if x.ndim != 1 or x.size < 3 or v.ndim != 2 or len(v) != x.size or not v.shape[1]:
        raise UserError(
            "quality",
            expected="at least 3 models, and values [models, paths]",
            got=f"{x.shape} and {v.shape}",
            hint="put the models on the first axis",
        )
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(v.shape[1], [1 / v.shape[1]] * v.shape[1], size=num_resamples)
    models = rng.integers(x.size, size=(num_resamples, x.size))
    there = np.isfinite(v)
    weights = np.concatenate([np.ones((1, v.shape[1])), counts])
    with np.errstate(invalid="ignore"):
        means = (weights @ np.where(there, v, 0).T) / (weights @ there.T)  # [1 + b, m]
    drawn = np.concatenate([np.arange(x.size)[None], models])
    means = np.take_along_axis(means, drawn, axis=1)
    if control is None:
        rhos = np.array([_rho(x[d], y) for d, y in zip(drawn, means, strict=True)])
    else:
        z = np.asarray(control, np.float64)
        rhos = np.array([_partial_rho(x[d], y, z[d]) for d, y in zip(drawn, means, strict=True)])
    low, high = percentile_interval(rhos[1:])
    return float(rhos[0]), float(low), float(high)


def _rho(x: np.ndarray, y: np.ndarray) -> float:
    """Of the places where both are finite; NaN for fewer than 3, or if either does not vary."""
    there = np.isfinite(x) & np.isfinite(y)
    if there.sum() < 3 or np.ptp(x[there]) == 0 or np.ptp(y[there]) == 0:
        return math.nan
    ranks = (scipy.stats.rankdata(side[there]) for side in (x, y))
    return float(np.corrcoef(*ranks)[0, 1])


def _partial_rho(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
    there = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
    x, y, z = x[there], y[there], z[there]
    xy, xz, yz = _rho(x, y), _rho(x, z), _rho(y, z)
    left = (1 - xz**2) * (1 - yz**2)
    if not left > 1e-12:
        return math.nan
    return min(1.0, max(-1.0, (xy - xz * yz) / math.sqrt(left)))
