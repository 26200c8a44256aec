"""Whether two measures of models go together, over settings whose seeds are no settings."""

import dataclasses
import functools
import itertools
import math

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.estimate import UPPER, Estimate, not_enough
from spectral_tf.spectra.intervals import UNITS_FOR_BOOTSTRAP, quantiles

SETTINGS_FOR_INTERVAL = UNITS_FOR_BOOTSTRAP
# Three points are in one of six orders.
SETTINGS_FOR_CORRELATION = 4
# All permutations are looked at up to this number, else so many random ones.
_EXACT_UP_TO = 50_000
_DRAWS = 9_999


def correlation_over_settings(
    quality: ArrayLike,
    values: ArrayLike,
    settings: ArrayLike,
    *,
    control: ArrayLike | None = None,
    where: ArrayLike | None = None,
    units: tuple[str, str] = ("settings", "paths"),
    num_resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """Spearman's rho over settings of a quality and a mean over paths; seeds are part of a setting.

    Quality and value of a setting are the means over its models (seeds). With a control the rho is
    partial: that of the residuals of the ranks regressed on the ranks of the control.

    What varies: settings with all they hold, and paths, the same for all models. Held fixed: the
    number of seeds, the images. Interval: percentiles of a pigeonhole bootstrap, and rho itself
    (resampled paths may miss it, since their noise comes twice). Resamples of a perfect order are
    perfect, so that its near end is no further than that of Bonett and Wright,
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
      units: what settings and paths are.
      num_resamples, seed: of the bootstrap and of random permutations.

    Returns:
      rho in [-1, 1]; n is the number of settings. No value for fewer than 4 settings (5 with a
      control) or where a side does not vary; no interval for fewer than 6.

    Raises:
      UserError: other shapes, values that are not finite, no path that counts.

    Source: Spearman (1904); ties, which may differ by rounding, get their mean rank; Owen (2007);
    Bonett and Wright (2000); Freedman and Lane (1983) for the permutation of residuals.

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
    sides = {"values": v, "quality": x} | ({} if z is None else {"control": z})
    for name, side in sides.items():
        shape = (x.size, max(1, v.shape[1])) if name == "values" else x.shape
        if side.shape != shape or not np.isfinite(side).all():
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
        return not_enough(count, needed, units[0])
    y = v.mean(axis=1)
    whole = float(_rho(np.ones((1, count)), x, y[None], z)[0])
    if math.isnan(whole):
        none = not_enough(count, needed, units[0])
        told = "" if z is None else ", or the control tells it"
        return dataclasses.replace(none, missing=f"one side does not vary between {units[0]}{told}")
    p_value, least, kind = _permutation(x, y, z, seed)
    many = v.shape[1] > 1
    found = Estimate(
        value=np.asarray(whole),
        low=np.asarray(math.nan),
        high=np.asarray(math.nan),
        n=count,
        unit=units[0] + f" x {v.shape[1]:,} {units[1]}" * many,
        method=f"{kind} permutations of {units[0]}",
        p_value=p_value,
        least_p_value=least,
    )
    if count < SETTINGS_FOR_INTERVAL:
        few = not_enough(count, SETTINGS_FOR_INTERVAL, units[0], whole)
        return dataclasses.replace(found, missing=few.missing)
    resamples = _resampled_rho(x, v, z, num_resamples, np.random.default_rng(seed))
    low, high, missing = quantiles(resamples, 1 - UPPER)
    if abs(whole) > 1 - 1e-9:
        near = 1 - 6 / (count * (count**2 - 1))
        error = math.sqrt((1 + near**2 / 2) / (count - 3 - (z is not None)))
        end = math.tanh(math.atanh(near) - scipy.special.ndtri(UPPER) * error)
        low, high = (np.minimum(low, end), high) if whole > 0 else (low, np.maximum(high, -end))
    return dataclasses.replace(
        found,
        low=np.minimum(low, whole),
        high=np.maximum(high, whole),
        method=f"bootstrap over {units[0]}{f' and {units[1]}' * many}; {found.method}",
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
        side = _rounded(side)
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


def _rounded(means: NDArray) -> NDArray:
    """Means that differ by rounding alone are ties."""
    largest = np.abs(means).max(axis=-1, keepdims=True)
    return np.round(means / np.where(largest > 0, largest, 1), 12)


@functools.cache
def _orders(size: int) -> NDArray:
    """All permutations of so few."""
    return np.array(list(itertools.permutations(range(size))))


def _permutation(x: NDArray, y: NDArray, z: NDArray | None, seed: int) -> tuple[float, float, str]:
    """Two-sided p-value of no association, the smallest one that can be reached, and the kind."""
    a, b = (scipy.stats.rankdata(_rounded(side)) for side in (x, y))
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
        c = scipy.stats.rankdata(_rounded(z))
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
