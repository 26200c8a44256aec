"""How much of a wave on the labels a classifier has learned, from its outputs.

Labels are smoothed by s(x) in [0, 1]: y~ = (1 - s) y + s / C, C classes. With the centred log-ratio
g(x) = log p_y(x) - (1/C) sum_c log p_c(x) the cross-entropies of a model on noisy and on clean
labels differ by exactly s g for every example, whatever the model. So the log-ratios of one network
tell how it relates to any wave, also to waves that it never saw: those measure its *null*, which is
not 0, since images that are hard or sure for other reasons lie somewhere on the wave, too.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.inference import Estimate, crossed_mean

# Of s, up to which it counts as constant.
_CONSTANT = 1e-12


class NoiseFit(NamedTuple):
    """How a classifier's outputs on held-out images relate to the wave on their labels.

    Attributes:
      noise_fitting: NF = CE(clean) - CE(noisy) = -mean(s g), in nats; at most 0 for a model that
        knows its classes, and closer to 0 the more of the wave is learned.
      mean_part: -mean(s) mean(g): what confidence and accuracy alone give.
      covariance_part: -cov(s, g): what following the wave gives. The two parts sum to NF.
      regression_slope: beta = cov(t, s) / var(s), t the smoothing implied by the outputs: 0 for a
        model that ignores the wave, 1 for one that follows it. NaN if s is constant.
      clean_loss, noisy_loss: mean cross-entropies, in nats.
    """

    noise_fitting: float
    mean_part: float
    covariance_part: float
    regression_slope: float
    clean_loss: float
    noisy_loss: float


class WaveFit(NamedTuple):
    """What log-ratios alone tell of a wave: arrays of one shape, as in `NoiseFit`."""

    noise_fitting: NDArray[np.float64]
    mean_part: NDArray[np.float64]
    covariance_part: NDArray[np.float64]
    regression_slope: NDArray[np.float64]


class Influence(NamedTuple):
    """Values for each example, the last axis, whose mean over examples is the measure.

    Their scatter over examples is that of the measure over samples of examples.
    """

    noise_fitting: NDArray[np.float64]
    regression_slope: NDArray[np.float64]


class AgainstNull(NamedTuple):
    """A measure of networks, of those that never saw the wave, and what the first have more."""

    network: Estimate
    null: Estimate
    difference: Estimate


def centred_log_ratio(log_probabilities: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """g(x) = log p_y - (1/C) sum_c log p_c for each example, shape [n].

    Args:
      log_probabilities: shape [n, C].
      labels: whole numbers below C, shape [n].

    Raises:
      UserError: other shapes, fewer than 2 classes, labels that are none of them.
    """
    logs, classes = _checked(log_probabilities, labels)
    return logs[np.arange(len(logs)), classes] - logs.mean(axis=1)


def implied_smoothing(log_ratio: ArrayLike, num_classes: int) -> NDArray[np.float64]:
    """The smoothing t that a model must have learned to predict with centred log-ratio g.

    The best prediction for labels smoothed by t has p_y = 1 - t + t/C and t/C for the others, so
    that g = (1 - 1/C) log(p_y / p_other); solved for t, with h = g C / (C - 1):
    t = C / (exp(h) + C - 1). 1 for g = 0, 0 for g -> inf, above 1 where g < 0, for
    misclassified examples.

    Args:
      log_ratio: g, any shape.
      num_classes: C, at least 2.

    Source: derived; the inverse of `smoothed_log_ratio`.
    """
    ratio = np.asarray(log_ratio, np.float64) * num_classes / (num_classes - 1)
    # exp overflows to inf for very confident predictions, whose t is 0.
    with np.errstate(over="ignore"):
        return num_classes / (np.exp(ratio) + num_classes - 1)


def smoothed_log_ratio(smoothing: ArrayLike, num_classes: int) -> NDArray[np.float64]:
    """The centred log-ratio g of a model that has exactly learned a smoothing t in (0, 1], any
    shape.

    (1 - 1/C) log((1 - t + t/C) / (t/C)).
    """
    t = np.asarray(smoothing, np.float64) / num_classes
    return (1 - 1 / num_classes) * np.log((1 - num_classes * t + t) / t)


def noise_fit(log_probabilities: ArrayLike, labels: ArrayLike, smoothing: ArrayLike) -> NoiseFit:
    """Measures a classifier's outputs against the wave on the labels.

    Args:
      log_probabilities: log softmax on held-out images, shape [n, C].
      labels: the clean ones, whole numbers, shape [n].
      smoothing: s of each example, in [0, 1], shape [n].

    Raises:
      UserError: other shapes, labels outside the classes, a smoothing outside [0, 1], fewer than 2
        examples.

    Source: Fridovich-Keil et al. (2022) for NF; parts and coefficient are derived.
    """
    logs, classes = _checked(log_probabilities, labels)
    s = np.asarray(smoothing, np.float64)
    if s.shape != classes.shape or len(s) < 2 or not (s.min() >= 0 and s.max() <= 1):
        raise UserError(
            "smoothing",
            expected=f"{len(classes)} values in [0, 1], at least 2",
            got=f"shape {s.shape} from {np.min(s, initial=np.inf):g}",
            hint="lower the amplitude",
        )
    clean = -logs[np.arange(len(logs)), classes]
    noisy = (1 - s) * clean - s * logs.mean(axis=1)
    fit = wave_fit(centred_log_ratio(logs, classes), s, logs.shape[1])
    return NoiseFit(
        noise_fitting=float(fit.noise_fitting),
        mean_part=float(fit.mean_part),
        covariance_part=float(fit.covariance_part),
        regression_slope=float(fit.regression_slope),
        clean_loss=float(clean.mean()),
        noisy_loss=float(noisy.mean()),
    )


def wave_fit(log_ratio: ArrayLike, smoothing: ArrayLike, num_classes: int) -> WaveFit:
    """The measures of `noise_fit` that log-ratios alone give, for many networks or epochs at once.

    Args:
      log_ratio: g of each example, on the last axis, shape [..., n].
      smoothing: s of each example, in [0, 1], shape [n]; of any wave, whether or not the networks
        have seen it.
      num_classes: C, at least 2.

    Returns:
      of shape [...]; a regression slope of NaN if s is constant.

    Raises:
      UserError: other shapes, log-ratios that are not finite, fewer than 2 examples.

    Source: as `noise_fit`.

    >>> wave_fit([2.0, 1.0], [0.0, 0.4], 10).noise_fitting
    array(-0.2)
    """
    g, s = _checked_ratios(log_ratio, smoothing)
    away, deviation = g - g.mean(axis=-1, keepdims=True), s - s.mean()
    t = implied_smoothing(g, num_classes)
    covariance = np.asarray(t @ deviation / s.size)  # The deviations sum to 0.
    return WaveFit(
        noise_fitting=np.asarray(-(g @ s) / s.size),
        mean_part=np.asarray(-s.mean() * g.mean(axis=-1)),
        covariance_part=np.asarray(-(away @ deviation) / s.size),
        regression_slope=covariance / s.var() if s.var() > _CONSTANT else covariance * np.nan,
    )


def influence(log_ratio: ArrayLike, smoothing: ArrayLike, num_classes: int) -> Influence:
    """Values for each example whose means are the measures.

    Of NF they are -s g; of beta its values of influence,
    v_i = beta + ((s_i - mean s) (t_i - mean t) - beta (s_i - mean s)^2) / var s: beta moves with
    the examples drawn as their mean does, to first order.

    Args:
      log_ratio, smoothing, num_classes: as for `wave_fit`.

    Returns:
      of shape [..., n].

    Raises:
      UserError: as `wave_fit`; a smoothing that is constant.

    Source: Hampel et al. (1986), section 2.1; the influence of a regression slope.

    >>> influence([2.0, 1.0, 0.5], [0.0, 0.4, 0.4], 10).noise_fitting.tolist()
    [-0.0, -0.4, -0.2]
    """
    g, s = _checked_ratios(log_ratio, smoothing)
    if s.var() <= _CONSTANT:
        raise UserError(
            "smoothing",
            expected="one that varies over the examples",
            got=f"a standard deviation of {s.std():.1e}",
            hint="raise the amplitude or the frequency",
        )
    deviation = s - s.mean()
    t = implied_smoothing(g, num_classes)
    beta = wave_fit(g, s, num_classes).regression_slope[..., np.newaxis]
    away = t - t.mean(axis=-1, keepdims=True)
    return Influence(-s * g, beta + deviation * (away - beta * deviation) / s.var())


def against_null(
    network: ArrayLike,
    null: ArrayLike,
    clusters: ArrayLike | None = None,
    units: tuple[str, str] = ("seeds", "images"),
) -> AgainstNull:
    """A measure of networks trained on a wave, the same of networks that never saw it, the rest.

    Both are measured against the same wave on the same images, and row by row share their seed, so
    that the difference is paired in both.

    What varies: rows (seeds, or directions with seeds of their own) and images, or their clusters.
    Held fixed: the wave, the training images.

    Args:
      network, null: values of `influence`, shape [rows, n, ...].
      clusters: of the images, shape [n]; default: each is its own.
      units: of rows and columns.

    Returns:
      of shape [...]; no interval for a single row. A single difference has a p-value, too; the
      measures themselves have none, since their 0 is not "nothing there".

    Raises:
      UserError: as `crossed_mean`.

    >>> against_null([[0.4, 0.6], [0.6, 0.8]], [[0.1, 0.1], [0.1, 0.1]]).difference.text()
    '0.50 (-1.30 to 2.30; n = 2 seeds x 2 images; p = 0.18)'
    """
    ours, theirs = np.asarray(network, np.float64), np.asarray(null, np.float64)
    away = ours - theirs

    def mean(values: NDArray, tested: bool = False) -> Estimate:
        return crossed_mean(values, clusters=clusters, units=units, tested=tested)

    return AgainstNull(mean(ours), mean(theirs), mean(away, tested=away.ndim == 2))


def correlation_ratio(smoothing: ArrayLike, labels: ArrayLike) -> float:
    """The share of a wave that the classes alone tell: Var(E[s | y]) / Var(s), in [0, 1].

    A model that gives every image of a class the mean smoothing of that class reaches this slope
    without seeing the wave within a class.

    Args:
      smoothing: s of each example, shape [n].
      labels: whole numbers, shape [n].

    Returns:
      NaN if s is constant.

    Source: derived, by the law of total variance.
    """
    s, classes = np.asarray(smoothing, np.float64), np.asarray(labels)
    if s.var() <= _CONSTANT:
        return float("nan")
    _, members, counts = np.unique(classes, return_inverse=True, return_counts=True)
    means = np.bincount(members, weights=s) / counts
    return float(means[members].var() / s.var())


class ReferenceLevels(NamedTuple):
    """NF of ideal models that classify all images correctly (sinusoidal s of mean A).

    Attributes:
      constant: of one that has learned the mean smoothing only.
      fitted: of one that follows s exactly.
    """

    constant: float
    fitted: float


def reference_levels(amplitude: float, num_classes: int) -> ReferenceLevels:
    """NF of a model that knows only the mean of s = A (1 + sin theta), and of one that knows s.

    -A (1 - 1/C) log((1 - A + A/C) / (A/C)), and the mean over theta of the same with s for A.

    Args:
      amplitude: A in (0, 1/2].
      num_classes: C, at least 2.

    Raises:
      UserError: an amplitude for which s would leave [0, 1].

    Source: derived; Fig 1 of Fridovich-Keil et al. (2022) shows NF between the two.
    """
    if not 0 < amplitude <= 0.5:
        raise UserError(
            "amplitude", expected="above 0 and at most 0.5", got=amplitude, hint="0.3 is good"
        )
    # Midpoints: s never is 0 there, where s g(s) tends to 0.
    angles = 2 * np.pi * (np.arange(100_000) + 0.5) / 100_000
    s = amplitude * (1 + np.sin(angles))
    return ReferenceLevels(
        float(-amplitude * smoothed_log_ratio(amplitude, num_classes)),
        float(-np.mean(s * smoothed_log_ratio(s, num_classes))),
    )


def _checked_ratios(log_ratio: ArrayLike, smoothing: ArrayLike) -> tuple[NDArray, NDArray]:
    g, s = np.asarray(log_ratio, np.float64), np.asarray(smoothing, np.float64)
    if s.ndim != 1 or g.shape[-1:] != s.shape or len(s) < 2 or not np.isfinite(g).all():
        raise UserError(
            "log_ratios",
            expected=f"finite ones of shape [..., {s.size}], at least 2, one for each smoothing",
            got=f"shape {g.shape}, {np.count_nonzero(~np.isfinite(g)):,} not finite",
            hint="leave out images whose outputs are not finite",
        )
    return g, s


def _checked(
    log_probabilities: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    logs, classes = np.asarray(log_probabilities, np.float64), np.asarray(labels)
    fits = logs.ndim == 2 and classes.shape == logs.shape[:1] and logs.shape[1] >= 2
    if (
        not fits
        or classes.dtype.kind not in "iu"
        or not 0 <= classes.min() <= classes.max() < (logs.shape[1])
    ):
        raise UserError(
            "log_probabilities",
            expected="[n, C] and n whole labels below C",
            got=f"{logs.shape} and labels {classes.shape} of {classes.dtype}",
            hint="give one label for each row",
        )
    return logs, classes
