"""The spectrum of a classifier's predictions along a path between two images.

A path is sampled at N evenly spaced points, both ends included, d apart; the samples are
probabilities p_j [C]. Its length is (N - 1) d.

**Where the measures come from**, which other pages link to:

* *DFT share*: RobustNets (sarafridov/RobustNets; "Models Out of Line", arXiv 2207.04075), a later
  work by the first author of "Spectral Bias in Practice" (arXiv 2110.02424), and its code.
* *Released share*: the code that came with "Spectral Bias in Practice" computes |FFT(q)|^2 of
  q_j = |p_j - p_0|_2 and throws it away. (It also divides by one sum over path and classes in place
  of a softmax.) That code stops at saved logits: how the paper aggregates spectra over paths, and
  what stands on its axes, is unknown here. To read that spectrum as a share is ours.
* *Maximum slope*: the same code's largest step, of a proper softmax.
* *Consistent share*: RobustNets' "consistent distance" along Fourier paths, of a path's samples.
* *DCT share, total variation, centroid*: standard quantities; their use here is ours.

**Conventions that differ between them:**

* **DFT**: of the samples as they are. It takes the path for periodic, so a path whose
  ends differ has a jump there, which alone puts 0.30 of the magnitudes above a tenth of the highest
  frequency, however smooth the predictions are.
* **DCT** of type II: of the path there and back, 2N samples without a jump. It falls
  the smoother the predictions are. (The centroid turns back on the end itself: type I.)
* **Magnitudes** are averaged over the classes after the modulus, and divided by the number of
  samples as everywhere in this package; those of RobustNets are not divided, of which a share knows
  nothing.
* **Frequency** is in cycles per unit of distance, or of the path's parameter; the highest is
  1 / (2 d).

**What the measures depend on.** A share counts from a tenth of the *highest* frequency, so it
depends on how densely a path is sampled and in which unit distance is counted. Centroid and total
variation of a whole path depend on neither, once the samples are dense enough; per unit of distance
they want one unit for all models, that of pixels in [0, 1]. All of them grow with the confidence of
the predictions: compare models at one confidence (`confidence_temperature`).
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# High frequencies begin at this share of the highest one, 1 / (2 d).
HIGH = 0.1
# Networks compute in float32: probabilities that differ by less than its spacing at 1 do not vary.
_RESOLUTION = 2.0**-23


class PathMeasures(NamedTuple):
    """What the predictions along paths do, each of shape [...], float64.

    Attributes:
      dft_share: share of the magnitudes at high frequencies, as RobustNets defines it.
      dct_share: the same of the mirrored path, without leakage.
      released_share: share of the power of |p_j - p_0|_2 at high frequencies.
      maximum_slope: max_j |p_{j+1} - p_j|_2 / d, in 1 / unit of distance.
      total_variation: sum_j |p_{j+1} - p_j|_1 / 2 of the whole path: 1 for one change from one
        class to another; divided by the length, per unit of distance.
      centroid: mean frequency of the power of what varies, in cycles per unit of distance; times
        the length, in cycles per path.
    """

    dft_share: NDArray[np.float64]
    dct_share: NDArray[np.float64]
    released_share: NDArray[np.float64]
    maximum_slope: NDArray[np.float64]
    total_variation: NDArray[np.float64]
    centroid: NDArray[np.float64]


def path_measures(probabilities: ArrayLike, spacing: ArrayLike) -> PathMeasures:
    """All measures of paths of one length.

    Args:
      probabilities: shape [..., N, C], N at least 4.
      spacing: d between neighbours, in the unit of distance, above 0, shape [...].

    Raises:
      UserError: fewer than 4 samples, or a spacing that is not above 0.
    """
    p, d = _checked(probabilities), _above_zero("spacing", spacing)
    steps = np.diff(p, axis=-2)
    return PathMeasures(
        dft_share(dft_magnitudes(p)),
        dct_share(dct_magnitudes(p)),
        released_share(p),
        np.sqrt(np.sum(steps**2, axis=-1)).max(axis=-1) / d,
        total_variation(p),
        spectral_centroid(p, d * (p.shape[-2] - 1)),
    )


def total_variation(probabilities: ArrayLike) -> NDArray[np.float64]:
    """sum_j |p_{j+1} - p_j|_1 / 2, the way that the predictions go along the path.

    Args:
      probabilities: shape [..., N, C], N at least 4.

    Returns:
      float64, shape [...], at least 0, of the whole path; divided by its length, per unit of
      distance. 1 for one change from one class to another, however sharp.

    Raises:
      UserError: fewer than 4 samples.

    >>> share = np.array([0, 0.2, 0.9, 1])
    >>> float(total_variation(np.stack([share, 1 - share], axis=1)))
    1.0
    """
    return np.abs(np.diff(_checked(probabilities), axis=-2)).sum(axis=(-2, -1)) / 2


def spectral_centroid(probabilities: ArrayLike, length: ArrayLike) -> NDArray[np.float64]:
    """The spectral centroid of the path there and back: the mean frequency of its power.

    sum_{k>=1} f_k P[k] / sum_{k>=1} P[k], f_k = k / (2 length), k = 1 ... N-1, with
    P[k] = w_k sum_c |F_c[k]|^2, F_c[k] = (1/(N-1)) sum_j v_j p_jc cos(pi j k / (N-1)); w_k = 2 but
    1 at the last bin, v_j = 1 but 1/2 at both ends. (The DCT of type I: a period of p_0 ... p_{N-1}
    ... p_1 is the way there and back, 2 length long, so the bins are whole half-waves per path
    whatever N is, and the error falls as 1 / N^2. The type II of `dct_magnitudes` repeats the
    ends; its period is 2 N d and its error falls as 1 / N.) The zero bin, the mean, is not part of
    it.

    Args:
      probabilities: shape [..., N, C], N at least 4.
      length: of the paths, |x_1 - x_0|, above 0, shape [...].

    Returns:
      float64, shape [...], in cycles per unit of `length`; times `length`, in cycles per path. From
      1 / (2 length) to the Nyquist frequency (N-1) / (2 length). A wave of m whole half-waves has
      m / (2 length), a straight change of class 0.518 / length, a sharper one more, by the
      logarithm of its sharpness. It does not depend on how much the predictions vary; where none of
      them leaves the first one by more than 2^-23, the resolution of float32 at 1, it is 0.

    Raises:
      UserError: fewer than 4 samples, or a length that is not above 0.

    Source: the spectral centroid of signal processing, of power.

    >>> wave = 0.5 + 0.1 * np.cos(np.pi * 3 * np.linspace(0, 1, 33))  # One and a half cycles.
    >>> round(float(spectral_centroid(np.stack([wave, 1 - wave], axis=1), length=12.0)), 9)
    0.125
    """
    p, span = _checked(probabilities), _above_zero("length", length)
    away = (
        p - p[..., :1, :]
    )  # Equal predictions are then 0 to the last bit; the mean does not count.
    power = np.sum(scipy.fft.dct(away, type=1, axis=-2) ** 2, axis=-1)[..., 1:]
    power[..., -1] /= 2
    half_waves = power @ np.arange(1, p.shape[-2]) / np.maximum(power.sum(axis=-1), 1e-300)
    return np.where(_varies(away), half_waves, 0) / (2 * span)


def released_share(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Share of the power of q_j = |p_j - p_0|_2 above a tenth of the highest frequency.

    Sum of |Q[k]|^2 over |k| >= 0.1 N/2, over its sum over all k, Q[k] = sum_j q_j exp(-2 pi i j k /
    N), k = -N/2 ... N/2, the zero bin and both signs included as released. q is taken for periodic.

    Args:
      probabilities: shape [..., N, C], N at least 4.

    Returns:
      float64, shape [...], in [0, 1); 0 for a constant path. Of a sharp change of class in the
      middle 0.050 with 75 samples, 0.013 with 301.

    Raises:
      UserError: fewer than 4 samples.

    Source: the spectrum is that of google-research/spectral_bias, which aggregates nothing; the
      share, by the threshold of RobustNets, is ours (see the head of this module).
    """
    p = _checked(probabilities)
    n = p.shape[-2]
    away = p - p[..., :1, :]
    power = np.abs(np.fft.fft(np.sqrt(np.sum(away**2, axis=-1)), axis=-1)) ** 2
    k = np.abs(np.fft.fftfreq(n, 1 / n))
    high = power[..., 2 * k >= HIGH * n].sum(axis=-1)
    return np.where(_varies(away), high / np.maximum(power.sum(axis=-1), 1e-300), 0)


def released_power(probabilities: ArrayLike) -> NDArray[np.float64]:
    """|Q[k]|^2 / N^2, k = 0 ... N//2: the spectrum that the released code computes, one-sided.

    Q[k] = sum_j q_j exp(-2 pi i j k / N) of q_j = |p_j - p_0|_2, which is at most sqrt(2); the
    spectrum of a real signal is even, so nothing is lost. (As released it is not divided by N^2.)

    Args:
      probabilities: shape [..., N, C], N at least 4.

    Returns:
      float64, shape [..., N//2 + 1], in [0, 2]; bin k holds k / (N d) cycles per unit. 0 for a
      constant path; bin 0 is the square of the mean of q. Both signs of a frequency together have
      twice the power of its bin; the sum over both signs is the mean of q^2 (Parseval).

    Raises:
      UserError: fewer than 4 samples.

    Source: google-research/spectral_bias, which aggregates nothing (see the head of this module).

    >>> there_and_back = np.array([[0.0, 1.0], [0.5, 0.5], [0.0, 1.0], [0.5, 0.5]])
    >>> released_power(there_and_back).round(6).tolist()  # q = 0, 0.71, 0, 0.71.
    [0.125, 0.0, 0.125]
    """
    p = _checked(probabilities)
    away = np.sqrt(np.sum((p - p[..., :1, :]) ** 2, axis=-1))
    return np.abs(np.fft.rfft(away, axis=-1, norm="forward")) ** 2


def consistent_share(probabilities: ArrayLike) -> NDArray[np.float64]:
    """How far the predicted class stays what it is at the start, as a share of the samples.

    n / N, with n the number of samples before the first whose largest probability is of another
    class than that of the first sample (all of them if there is none).

    Args:
      probabilities: shape [..., N, C], N at least 4.

    Returns:
      float64, shape [...], above 0 to 1; 1: the class never changes. What comes after the first
      change does not count, and to how little the change is owed is not seen.

    Raises:
      UserError: fewer than 4 samples.

    Source: sarafridov/RobustNets, which counts n of 100 samples.

    >>> one = np.array([0.9, 0.8, 0.4, 0.9])
    >>> float(consistent_share(np.stack([one, 1 - one], axis=1)))
    0.5
    """
    p = _checked(probabilities)
    predicted = p.argmax(axis=-1)
    changed = predicted != predicted[..., :1]
    n = np.where(changed.any(axis=-1), changed.argmax(axis=-1), p.shape[-2])
    return n / p.shape[-2]


def dft_magnitudes(probabilities: ArrayLike) -> NDArray[np.float64]:
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


def dct_magnitudes(probabilities: ArrayLike) -> NDArray[np.float64]:
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


def dft_share(magnitudes: ArrayLike) -> NDArray[np.float64]:
    """Sum over k = ceil(0.1 K) ... K-2 of M[k] over that of all K bins, as RobustNets defines it.

    The last bin is left out of the upper sum only (an oversight of its code, kept here so that
    numbers compare: it changes about one part in sixty).

    Args:
      magnitudes: of `dft_magnitudes`, shape [..., K].

    Returns:
      float64, shape [...], in [0, 1); 0 for a constant path, about 0.30 for one change of class.

    Source: sarafridov/RobustNets (see the head of this module).
    """
    m = np.asarray(magnitudes, np.float64)
    bins = m.shape[-1]
    return m[..., int(np.ceil(HIGH * bins)) : bins - 1].sum(axis=-1) / m.sum(axis=-1)


def dct_share(magnitudes: ArrayLike) -> NDArray[np.float64]:
    """Sum of M[k] over k >= 0.1 N, a tenth of the highest frequency, over the sum of all bins.

    Args:
      magnitudes: of `dct_magnitudes`, shape [..., N].

    Returns:
      float64, shape [...], in [0, 1); 0 for a constant path. Of one logistic change of class of
      width w samples in the middle of 75: 0.21, 0.12, 0.05, 0.01 for w = 0.5, 1, 2, 4.
    """
    m = np.asarray(magnitudes, np.float64)
    return m[..., int(np.ceil(HIGH * m.shape[-1])) :].sum(axis=-1) / m.sum(axis=-1)


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


def _above_zero(name: str, values: ArrayLike) -> NDArray[np.float64]:
    v = np.asarray(values, np.float64)
    if not np.all(v > 0):
        raise UserError(
            name,
            expected="distances above 0",
            got=f"{v.min(initial=0.0):g}",
            hint="the images at the ends of a path must differ",
        )
    return v


def _varies(away: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.abs(away).max(axis=(-2, -1)) > _RESOLUTION
