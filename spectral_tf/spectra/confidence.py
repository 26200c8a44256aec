"""One confidence for all models, so that confidence alone cannot be the difference between them.

Everything that predictions do along a path grows with the scale of the logits: the same decisions,
made more confidently, change faster. So models are compared with their logits divided by one number
each, the temperature, such that all of them are equally confident on the same images, on no path.

Equal *confidence* and not calibration by least loss (Guo et al. 2017): a calibrated model is as
confident as it is accurate, which would leave the more accurate ones more confident, and a measure
that follows confidence would follow accuracy.
"""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# Images that a temperature takes at least.
IMAGES_FOR_TEMPERATURE = 100
# The share of them on which logits may be NaN or infinite.
MOST_NOT_FINITE = 0.01


def mean_confidence(logits: ArrayLike, temperature: float = 1.0) -> float:
    """The mean over images of max_c softmax(logits / temperature)_c.

    Args:
      logits: shape [n, C].
      temperature: above 0.

    Returns:
      in [1/C, 1], falling with the temperature.

    >>> mean_confidence([[0.0, 0.0]])
    0.5
    """
    values = np.asarray(logits, np.float64)
    return _confidence(values.max(axis=-1, keepdims=True) - values, temperature)


def confidence_temperature(logits: ArrayLike, confidence: float = 0.9) -> float:
    """The temperature at which the mean over images of the largest probability is `confidence`.

    Solves mean_i max_c softmax(logits_i / T)_c = confidence for T; the left side falls from 1 to
    1/C as T grows, so there is one solution. Logits a times as large have a temperature a times as
    large: what is measured of logits / T does not know their scale.

    Args:
      logits: of images that lie on no path, shape [n, C], n at least 100. An image with one that is
        not finite is left out; they may be 1 %.
      confidence: above 1/C and below 1.

    Raises:
      UserError: fewer than 100 images, more than 1 % of them with logits that are not finite, a
        confidence that no temperature gives: outside (1/C, 1), or too high for images whose largest
        logits are equal.

    >>> logits = np.tile([2.0, 0.0], (100, 1))
    >>> round(confidence_temperature(logits, 1 / (1 + np.exp(-1))), 9)
    2.0
    """
    values = np.asarray(logits, np.float64)
    if values.ndim != 2 or len(values) < IMAGES_FOR_TEMPERATURE:
        raise UserError(
            "images for a temperature",
            expected=f"logits of at least {IMAGES_FOR_TEMPERATURE}, shape [n, C]",
            got=f"shape {values.shape}",
            hint="take more images",
        )
    finite = np.isfinite(values).all(axis=1)
    if (~finite).sum() > MOST_NOT_FINITE * len(values):
        raise UserError(
            "logits for a temperature",
            expected=f"finite ones of {1 - MOST_NOT_FINITE:.0%} of {len(values):,} images or more",
            got=f"{np.sum(~finite):,} images with others",
            hint="look for what diverged in the model",
        )
    values = values[finite]
    margins = values.max(axis=1, keepdims=True) - values
    # At temperature 0 images are shared out among their largest logits.
    reached = float(np.mean(1 / np.sum(margins == 0, axis=1)))
    if not 1 / values.shape[1] < confidence < reached:
        raise UserError(
            "confidence",
            expected=f"above {1 / values.shape[1]:g} and below {reached:g}, as these logits allow",
            got=f"{confidence:g}",
            hint="choose one between them",
        )
    scale = margins.mean()
    margins = margins / scale

    def excess(log_temperature: float) -> float:
        return _confidence(margins, np.exp(log_temperature)) - confidence

    # From next to 0 to next to infinity, as float64 holds them.
    return float(scale * np.exp(scipy.optimize.brentq(excess, -700.0, 700.0, xtol=1e-13)))


def logits_of(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Logits whose softmax these probabilities are: log p, which is exact up to a constant.

    Args:
      probabilities: at least 0, shape [..., C]. One that is smaller than the least normal float32,
        2^-126, counts as that: what underflowed cannot be known.

    Returns:
      float64, the same shape, in [-87.4, 0].

    Raises:
      UserError: negative probabilities.

    >>> logits_of([1.0, 0.5]).round(3)
    array([ 0.   , -0.693])
    """
    p = np.asarray(probabilities, np.float64)
    if np.any(p < 0):
        raise UserError(
            "probabilities",
            expected="none below 0",
            got=f"{p.min():g}",
            hint="logits need no conversion",
        )
    return np.log(np.maximum(p, 2.0**-126))


def _confidence(margins: NDArray[np.float64], temperature: float) -> float:
    """Of margins max - logits [n, C], at least 0."""
    with np.errstate(over="ignore"):  # exp(-inf) is 0.
        return float(np.mean(1 / np.exp(-(margins / temperature)).sum(axis=-1)))
