"""Accuracy under a shift of the data, against what accuracy without it makes expect."""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


class AccuracyLine(NamedTuple):
    """logit(accuracy on shifted images) = slope logit(accuracy) + intercept.

    Attributes:
      slope, intercept: of the line, in logits.
      source: where the numbers come from.
    """

    slope: float
    intercept: float
    source: str


# {(data set, shifted data set): the line on which classifiers of the first one mostly lie}.
LINES = {
    ("cifar10", "cifar10_1"): AccuracyLine(
        0.8318, -0.4736, "google-research/spectral_bias, of classifiers of CIFAR-10"
    )
}


def expected_accuracy(accuracy: ArrayLike, line: AccuracyLine) -> NDArray[np.float64]:
    """The accuracy under the shift of a classifier that lies on the line.

    1 / (1 + exp(-(slope log(a / (1 - a)) + intercept))).

    Args:
      accuracy: a, without the shift, in [0, 1], any shape.
      line: on which classifiers lie.

    Returns:
      float64, of that shape, in [0, 1]; 0 and 1 stay what they are.

    Raises:
      UserError: accuracies that are not in [0, 1].

    Source: Taori et al. (2020).

    >>> expected_accuracy([0.5, 0.95], LINES["cifar10", "cifar10_1"]).round(4)
    array([0.3838, 0.8782])
    """
    a = _accuracies("accuracy", accuracy)
    return scipy.special.expit(line.slope * scipy.special.logit(a) + line.intercept)


def effective_robustness(
    accuracy: ArrayLike, shifted_accuracy: ArrayLike, line: AccuracyLine
) -> NDArray[np.float64]:
    """Accuracy under the shift minus what the line makes expect.

    Args:
      accuracy: on images like those of the training, in [0, 1], any shape.
      shifted_accuracy: on the shifted ones, of that shape.
      line: of these two data sets.

    Returns:
      float64, of that shape, in [-1, 1]; 0: as robust as its accuracy makes expect; above 0 more.

    Raises:
      UserError: accuracies that are not in [0, 1].

    Source: Taori et al. (2020); the line of CIFAR-10.1 is that of google-research/spectral_bias.

    >>> float(effective_robustness(0.95, 0.9, LINES["cifar10", "cifar10_1"]).round(4))
    0.0218
    """
    shifted = _accuracies("shifted_accuracy", shifted_accuracy)
    return shifted - expected_accuracy(accuracy, line)


def line_of(dataset: str, shifted: str) -> AccuracyLine | None:
    """The line of two data sets by their TFDS names (configuration and version do not matter).

    >>> line_of("cifar10:3.0.2", "cifar10_1/v6").slope
    0.8318
    >>> line_of("mnist", "cifar10_1/v6") is None
    True
    """
    names = [name.split("/")[0].split(":")[0] for name in (dataset, shifted)]
    return LINES.get((names[0], names[1]))


def _accuracies(name: str, values: ArrayLike) -> NDArray[np.float64]:
    a = np.asarray(values, np.float64)
    if not np.all((a >= 0) & (a <= 1)):
        raise UserError(
            name,
            expected="shares of images, from 0 to 1",
            got=f"{a.min(initial=1.0):g} to {a.max(initial=0.0):g}",
            hint="divide per cents by 100",
        )
    return a
