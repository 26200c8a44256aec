"""The spectrum of a classifier's answers along a path between two images.

A path is sampled at N evenly spaced points, both ends included, d apart; the samples are
probabilities p_j [C]. Conventions that differ between sources:

* **plain**: the DFT of the samples as they are. It takes the path for periodic, so a path whose
  ends differ has a jump there, which alone puts 0.30 of the magnitudes above a tenth of the highest
  frequency, however smooth the answers are. This is the published measure.
* **mirrored**: the path there and back, 2N samples without a jump (the DCT of type II). It falls
  the smoother the answers are.
* **Magnitudes** are averaged over the classes after the modulus, and divided by the number of
  samples as everywhere in this package; the published ones are not divided, of which a share knows
  nothing.
* **Frequency** is in cycles per unit of distance, or of the path's parameter; the highest is
  1 / (2 d).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# High frequencies begin at this share of the highest one, 1 / (2 d).
HIGH = 0.1


# The ways to read the share of high frequencies of many paths: {name: (field of PathMeasures,
# whether only paths with correct answers at both ends count)}.
READINGS = {
    "plain": ("plain_share", False),
    "plain_correct": ("plain_share", True),
    "mirrored": ("mirrored_share", False),
    "mirrored_correct": ("mirrored_share", True),
}


class PathMeasures(NamedTuple):
    """What the answers along paths do, each of shape [...], float64.

    Attributes:
      plain_share: share of the magnitudes at high frequencies, by the published definition.
      mirrored_share: the same of the mirrored path, without leakage.
      peak_difference: max_j |p_{j+1} - p_j|_2 / d, in 1 / unit of distance.
      total_variation: sum_j |p_{j+1} - p_j|_1 / 2: 1 for one change from one class to another.
    """

    plain_share: NDArray[np.float64]
    mirrored_share: NDArray[np.float64]
    peak_difference: NDArray[np.float64]
    total_variation: NDArray[np.float64]


def path_measures(probabilities: ArrayLike, spacing: ArrayLike) -> PathMeasures:
    """All measures of paths of one length.

    Args:
      probabilities: shape [..., N, C], N at least 4.
      spacing: d between neighbours, in the unit of distance, above 0, shape [...].

    Raises:
      UserError: fewer than 4 samples, or a spacing that is not above 0.
    """
    p, d = _checked(probabilities), np.asarray(spacing, np.float64)
    if not np.all(d > 0):
        raise UserError(
            "spacing",
            expected="distances above 0",
            got=f"{d.min(initial=0.0):g}",
            hint="the images at the ends of a path must differ",
        )
    steps = np.diff(p, axis=-2)
    return PathMeasures(
        plain_share(plain_magnitudes(p)),
        mirrored_share(mirrored_magnitudes(p)),
        np.sqrt(np.sum(steps**2, axis=-1)).max(axis=-1) / d,
        np.abs(steps).sum(axis=(-2, -1)) / 2,
    )


def plain_magnitudes(probabilities: ArrayLike) -> NDArray[np.float64]:
    """M[k] = mean over classes of |(1/N) sum_j p_j exp(-2 pi i j k / N)|, k = 0 ... N//2.

    Args:
      probabilities: shape [..., N, C], N at least 4.

    Returns:
      float64, shape [..., N//2 + 1], in [0, 1]; bin k holds k / (N d) cycles per unit.

    Raises:
      UserError: fewer than 4 samples.

    Source: sarafridov/RobustNets, without the 1/N.
    """
    p = _checked(probabilities)
    return np.abs(np.fft.rfft(p, axis=-2, norm="forward")).mean(axis=-1)


def mirrored_magnitudes(probabilities: ArrayLike) -> NDArray[np.float64]:
    """The same of p_0 ... p_{N-1}, p_{N-1} ... p_0: twice the frequencies, and no jump.

    M[k] = mean over classes of |(1/N) sum_j p_j cos(pi k (j + 1/2) / N)|, k = 0 ... N-1.

    Args:
      probabilities: shape [..., N, C], N at least 4.

    Returns:
      float64, shape [..., N], in [0, 1]; bin k holds k / (2 N d) cycles per unit.

    Raises:
      UserError: fewer than 4 samples.
    """
    p = _checked(probabilities)
    # SciPy's has a factor of 2 before the sum.
    return np.abs(scipy.fft.dct(p, type=2, axis=-2)).mean(axis=-1) / (2 * p.shape[-2])


def plain_share(magnitudes: ArrayLike) -> NDArray[np.float64]:
    """Sum over k = ceil(0.1 K) ... K-2 of M[k] over the sum of all K bins, as published.

    The last bin is left out of the upper sum only (an oversight of the published code, kept here so
    that numbers compare: it changes about one part in sixty).

    Args:
      magnitudes: of `plain_magnitudes`, shape [..., K].

    Returns:
      float64, shape [...], in [0, 1); 0 for a constant path.
    """
    m = np.asarray(magnitudes, np.float64)
    bins = m.shape[-1]
    return m[..., int(np.ceil(HIGH * bins)) : bins - 1].sum(axis=-1) / m.sum(axis=-1)


def mirrored_share(magnitudes: ArrayLike) -> NDArray[np.float64]:
    """Sum of M[k] over k >= 0.1 N, a tenth of the highest frequency, over the sum of all bins.

    Args:
      magnitudes: of `mirrored_magnitudes`, shape [..., N].

    Returns:
      float64, shape [...], in [0, 1); 0 for a constant path. Of one logistic change of class of
      width w samples in the middle of 75: 0.21, 0.12, 0.05, 0.01 for w = 0.5, 1, 2, 4.
    """
    m = np.asarray(magnitudes, np.float64)
    return m[..., int(np.ceil(HIGH * m.shape[-1])) :].sum(axis=-1) / m.sum(axis=-1)


def on_axis(magnitudes: ArrayLike, bin_width: float, frequencies: ArrayLike) -> NDArray[np.float64]:
    """One path's magnitudes at given frequencies, so that paths of different length average.

    Linear between the path's own bins from the first one on; the zero bin, the mean, which is no
    wave, stands for the frequency 0 alone. (The jump of a change of class falls as 1 / N, so longer
    paths have smaller magnitudes; shares know nothing of that.)

    Args:
      magnitudes: of one path, shape [K].
      bin_width: between neighbouring bins: 1 / (N d) for plain magnitudes, 1 / (2 N d) for mirrored
        ones, in cycles per unit of distance.
      frequencies: in cycles per unit of distance, shape [f].

    Returns:
      float64, shape [f]; NaN between 0 and the first bin, and beyond the last.
    """
    m = np.asarray(magnitudes, np.float64)
    axis = np.asarray(frequencies, np.float64)
    bins = bin_width * np.arange(1, m.size)
    # A frequency that is a bin but for rounding is that bin.
    rounded = np.where(np.abs(axis - bins[0]) <= 1e-9 * bins[0], bins[0], axis)
    found = np.interp(rounded, bins, m[1:], left=np.nan, right=np.nan)
    return np.where(axis == 0, m[0], found)


def read_share(along: Mapping[str, NDArray], reading: str) -> NDArray[np.float64]:
    """The share of high frequencies of every path, NaN where it does not count.

    A wrong answer at an end puts a change of class into the path, whatever the paths within a class
    are like: over 447 models that alone explains nine tenths of the published share's variance.

    Args:
      along: {field of PathMeasures: of every path, [p]}, and `correct`: whether the answers at both
        ends are right, [p].
      reading: one of `READINGS`.
    """
    measure, correct = READINGS[reading]
    values = np.asarray(along[measure], np.float64)
    return np.where(np.asarray(along["correct"], bool), values, np.nan) if correct else values


def _checked(probabilities: ArrayLike) -> NDArray[np.float64]:
    p = np.asarray(probabilities, np.float64)
    if p.ndim < 2 or p.shape[-2] < 4:
        raise UserError(
            "probabilities",
            expected="at least 4 samples of each path, shape [..., N, C]",
            got=f"shape {p.shape}",
            hint="sample paths more densely",
        )
    return p
