"""Orders instead of sizes: rank correlations over settings, signs over runs."""

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

    def rho(means: np.ndarray) -> float:
        there = np.isfinite(means)
        if there.sum() < 3 or np.ptp(means[there]) == 0:
            return math.nan
        return float(scipy.stats.spearmanr(x[there], means[there]).statistic)

    rhos = np.array([rho(means) for means in resampled_means(v, num_resamples, seed)])
    low, high = percentile_interval(rhos)
    ours = np.array([np.mean(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in v.T])
    return rho(ours), float(low), float(high)


def sign_test(differences: ArrayLike) -> float:
    """Probability of at least so many positive differences if both signs were equally likely.

    sum over j >= k of binomial(n, j) / 2^n, k of n differences above zero; zeros and NaN are left
    out.

    Args:
      differences: any shape.

    Returns:
      in (0, 1]; 1 if nothing is left.

    Source: Conover (1999), section 3.4.
    """
    d = np.asarray(differences, np.float64).ravel()
    d = d[np.isfinite(d) & (d != 0)]
    if not d.size:
        return 1.0
    return float(scipy.stats.binomtest(int(np.sum(d > 0)), d.size, 0.5, "greater").pvalue)
