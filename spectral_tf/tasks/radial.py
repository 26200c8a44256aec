"""Waves of the norm of the input."""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# Radians per unit of frequency. Rahaman et al. write sin(k |x|) and compute sin(2 pi k |x|).
CONVENTIONS = {"cycles": 2 * math.pi, "radians": 1.0}


@dataclasses.dataclass(frozen=True)
class RadialWave:
    """psi_k(x) = sin(2 pi k |x|) (`cycles`) or sin(k |x|) (`radians`), |x| the Euclidean norm.

    Args:
      frequency: k, in cycles or radians per unit of the norm.
      convention: a key of `CONVENTIONS`.

    Raises:
      UserError: a frequency that is negative or not finite, or an unknown convention.

    Source: Rahaman et al. (2019), experiment 3: the text has the radians, the published code the
    cycles; the figures' numbers are those of the code.
    """

    frequency: float
    convention: str = "cycles"

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise UserError(
                "convention",
                expected=" or ".join(CONVENTIONS),
                got=self.convention,
                hint="the published figures are in cycles",
            )
        if not 0 <= self.frequency < math.inf:
            raise UserError(
                "frequency", expected="0 or more", got=self.frequency, hint="change the sign"
            )

    def __call__(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """The wave at inputs [n, d], shape [n]."""
        norms = np.linalg.norm(np.asarray(inputs, np.float64), axis=-1)
        return np.sin(CONVENTIONS[self.convention] * self.frequency * norms)

    def cycles(self, inputs: ArrayLike) -> float:
        """How many periods the data span: frequency times 4 standard deviations of |x|."""
        norms = np.linalg.norm(np.asarray(inputs, np.float64), axis=-1)
        return float(
            CONVENTIONS[self.convention] / (2 * math.pi) * self.frequency * 4 * norms.std()
        )
