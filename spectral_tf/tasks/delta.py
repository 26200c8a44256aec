"""A single peak: the target whose spectrum is the same at all frequencies."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.tasks.pairs import pairs

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Delta:
    """1 at z = 1/2 and 0 elsewhere on the grid z = j/n, j = 0 ... n-1.

    F[k] = exp(-i pi k) / n: magnitude 1/n at every k.

    Args:
      num_samples: n, even (so that 1/2 is on the grid) and at least 4.

    Raises:
      UserError: n is odd or below 4.

    Source: Rahaman et al. (2019), experiment 7 (appendix A.5).
    """

    num_samples: int = 200

    def __post_init__(self) -> None:
        if self.num_samples < 4 or self.num_samples % 2:
            raise UserError(
                "num_samples",
                expected="an even number of at least 4 (the peak at 1/2 is on the grid)",
                got=self.num_samples,
                hint="200 is the paper's",
            )

    @property
    def positions(self) -> NDArray[np.float64]:
        """The grid, shape [n]."""
        return np.arange(self.num_samples) / self.num_samples

    @property
    def targets(self) -> NDArray[np.float64]:
        """The peak on the grid, shape [n]."""
        return (self.positions == 0.5).astype(np.float64)

    def dataset(self) -> "tf.data.Dataset":
        """The n samples as float32 pairs (z [1], value [1]), in grid order, unbatched."""
        return pairs(self.positions, self.targets)
