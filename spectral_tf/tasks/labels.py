"""Two classes that alternate along a coordinate."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.tasks.pairs import pairs
from spectral_tf.tasks.sines import SumOfSines

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class LabelWave:
    """Class 1 where a sum of sines lies above a threshold, class 0 elsewhere, on the sines' grid.

    Args:
      wave: the sum of sines.
      threshold: in the unit of the wave; the published code has 0, the paper's text 0.5.

    Raises:
      UserError: all points lie on one side of the threshold.

    Source: Rahaman et al. (2019), experiment 6.
    """

    wave: SumOfSines
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if np.ptp(self.labels) == 0:
            low, high = self.wave.targets.min(), self.wave.targets.max()
            raise UserError(
                "thresholds",
                expected=f"some that points of the wave lie on both sides of ({low:g} to {high:g})",
                got=self.threshold,
                hint="0 is the published code's, 0.5 the text's",
            )

    @property
    def labels(self) -> NDArray[np.int64]:
        """0 or 1 for each point of the grid, shape [n]."""
        return (self.wave.targets > self.threshold).astype(np.int64)

    @property
    def chance(self) -> float:
        """The accuracy of the better constant answer, 0.5 to 1.

        About 0.5 at threshold 0 and 2/3 at threshold 0.5 of a single sine. A frequency of which the
        grid has few distinct phases deviates: 3/5 at k = n/5, for example.
        """
        share = float(self.labels.mean())
        return max(share, 1.0 - share)

    def dataset(self, inputs: NDArray) -> "tf.data.Dataset":
        """Float32 pairs (input [d], label [1]) for inputs [n, d], one at each point of the grid."""
        return pairs(inputs, self.labels)
