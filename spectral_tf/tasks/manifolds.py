"""Curves that carry a one-dimensional task into the plane."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Flower:
    """The closed curve gamma_L(z) = R(z) (cos 2 pi z, sin 2 pi z), R(z) = 1 + sin(2 pi L z) / 2.

    L = 0 is the unit circle; L > 0 has L petals, radii from 1/2 to 3/2. A network on the plane that
    is to have frequency k along z needs frequencies of about k / |gamma'| only, so many petals make
    high frequencies easy.

    Args:
      num_petals: L, a whole number of at least 0.

    Raises:
      UserError: L is negative.

    Source: Rahaman et al. (2019), section 4 (experiments 5 and 6, Fig 7 to 9).

    >>> Flower(4)([0.0]).tolist()
    [[1.0, 0.0]]
    """

    num_petals: int

    def __post_init__(self) -> None:
        if self.num_petals < 0:
            raise UserError(
                "petals", expected="0 or more", got=self.num_petals, hint="0 is the unit circle"
            )

    def __call__(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Points of the plane, shape [..., 2], for positions z of shape [...] in units."""
        radius, around, _ = self._polar(positions)
        return radius[..., None] * around

    def velocity(self, positions: ArrayLike) -> NDArray[np.float64]:
        """The derivative gamma'(z), shape [..., 2], in plane length per unit of z."""
        radius, around, slope = self._polar(positions)
        across = np.stack([-around[..., 1], around[..., 0]], axis=-1)
        return slope[..., None] * around + 2 * np.pi * radius[..., None] * across

    def _polar(self, positions: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
        """Radius [...], direction [..., 2] and the radius' derivative [...]."""
        turn = 2 * np.pi * np.asarray(positions, dtype=np.float64)
        radius = 1 + np.sin(self.num_petals * turn) / 2
        slope = np.pi * self.num_petals * np.cos(self.num_petals * turn)
        return radius, np.stack([np.cos(turn), np.sin(turn)], axis=-1), slope

    @property
    def arc_length(self) -> float:
        """Length of the closed curve, the integral of |gamma'|; 2 pi for the circle."""
        return float(self._speeds().mean())

    @property
    def max_speed(self) -> float:
        """The largest |gamma'(z)|, in plane length per unit of z; 2 pi for the circle."""
        return float(self._speeds().max())

    def _speeds(self) -> NDArray[np.float64]:
        # Periodic and smooth: the mean over even points is exact to rounding with these many.
        positions = np.arange(1000 * (self.num_petals + 1)) / (1000 * (self.num_petals + 1))
        return np.linalg.norm(self.velocity(positions), axis=-1)
