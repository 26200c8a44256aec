"""Sums of plane waves through the inputs, and how much of them linear functions can carry."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.tasks.label_waves import frequency_for_cycles, random_direction
from spectral_tf.tasks.radial import CONVENTIONS, RadialWave

# What noise on the targets can be a wave of: the norm of an input, its projections on random
# directions, or on the leading principal axes of the inputs.
NOISE_WAVES = ("radial", "random", "principal")
# A unit of frequency that the data decide: periods in four standard deviations of the coordinate.
ACROSS = "cycles_across_data"


class PrincipalAxes(NamedTuple):
    """Mean and covariance of inputs x in d dimensions.

    Attributes:
      mean: shape [d].
      variances: along the axes, decreasing, shape [d].
      directions: orthonormal axes, one in each row, each with its entry of largest magnitude
        positive (an axis has no sign of its own), shape [d, d].
    """

    mean: NDArray[np.float64]
    variances: NDArray[np.float64]
    directions: NDArray[np.float64]

    @classmethod
    def of(cls, inputs: ArrayLike) -> "PrincipalAxes":
        """Those of inputs [n, d], of their covariance with 1 / n.

        >>> axes = PrincipalAxes.of([[0.0, -3.0], [0.0, 3.0]])
        >>> axes.variances.tolist(), axes.directions[0].tolist()
        ([9.0, 0.0], [0.0, 1.0])
        """
        x = np.asarray(inputs, np.float64)
        mean = x.mean(axis=0)
        variances, columns = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
        rows = columns.T[::-1]
        largest = rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)]
        return cls(mean, np.maximum(variances[::-1], 0), rows * np.sign(largest)[:, np.newaxis])

    @property
    def rank(self) -> int:
        """Axes along which the inputs vary, up to rounding."""
        return int(np.sum(self.variances > 1e-12 * self.variances[0]))

    def carried(self, inputs: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
        """R^2 of the best linear function of the first p coordinates, for p = 1 ... rank.

        sum_{i <= p} cov(y_i, psi)^2 / (l_i var psi), with y_i the coordinates of the inputs and l_i
        their variances; 0 to 1, increasing. How much of noise a function that is linear along these
        axes can have. With n inputs and noise that they know nothing of it is still about p / n.

        Args:
          inputs: those that the axes are of, shape [n, d].
          values: psi at the inputs, shape [..., n].

        Returns:
          Shape [..., rank]; NaN of values that do not vary.
        """
        psi = np.asarray(values, np.float64)
        psi = psi - psi.mean(axis=-1, keepdims=True)
        coordinates = (np.asarray(inputs, np.float64) - self.mean) @ self.directions[: self.rank].T
        shared = (psi @ coordinates / len(coordinates)) ** 2 / self.variances[: self.rank]
        return _shares(shared, np.mean(psi**2, axis=-1))


@dataclasses.dataclass(frozen=True, eq=False)
class PlaneWaves:
    """psi(x) = (1 / sqrt m) sum_j sin(2 pi f_j <x, u_j>), with directions u_j of norm 1.

    So the mean square is near 1/2 for fast waves, however many. (The published code divides by m,
    which makes the noise weaker the more waves it has, and draws its random directions with
    positive entries alone, all of them near that of the brightness.)

    Args:
      frequencies: f_j, in cycles per unit of the inputs, 0 or more, shape [m].
      directions: u_j, shape [m, d].

    Raises:
      UserError: a frequency that is negative or not finite, directions of another norm or number.

    Source: the code of Rahaman et al. (2019), experiment 3; no figure shows it.
    """

    frequencies: NDArray[np.float64]
    directions: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not all(0 <= f < math.inf for f in self.frequencies):
            raise UserError(
                "frequency", expected="0 or more", got=self.frequencies, hint="change the sign"
            )
        norms = np.linalg.norm(self.directions, axis=-1)
        if norms.shape != np.shape(self.frequencies) or not np.allclose(norms, 1, atol=1e-4):
            raise UserError(
                "directions",
                expected=f"{len(self.frequencies)} of norm 1, one in each row",
                got=f"shape {np.shape(self.directions)}",
                hint="divide each by its norm",
            )

    def __call__(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """The noise at inputs [n, d], shape [n]."""
        angles = 2 * np.pi * self.frequencies * (np.asarray(inputs, np.float64) @ self.directions.T)
        return np.sin(angles).sum(axis=-1) / math.sqrt(len(self.frequencies))

    def cycles(self, inputs: ArrayLike) -> float:
        """How many periods the data span: mean over waves of f_j times 4 std of <x, u_j>."""
        stds = (np.asarray(inputs, np.float64) @ self.directions.T).std(axis=0)
        return float(np.mean(self.frequencies * 4 * stds))

    def power_if_gaussian(self, axes: PrincipalAxes) -> tuple[float, float]:
        """Mean and variance of psi(x) for x normal with that mean and covariance.

        E sin a = sin(mu) exp(-s^2 / 2) for a normal with mean mu and variance s^2, and
        E sin a sin b = (E cos(a - b) - E cos(a + b)) / 2 with the normal a - b and a + b.
        """
        means, covariance = self._angles(axes)
        variances = np.diag(covariance)
        both = variances[:, np.newaxis] + variances

        def cosine(sign: int) -> NDArray[np.float64]:
            return np.cos(means[:, np.newaxis] + sign * means) * np.exp(
                -(both + sign * 2 * covariance) / 2
            )

        m = len(means)
        mean = float(np.sum(np.sin(means) * np.exp(-variances / 2))) / math.sqrt(m)
        square = float(np.sum(cosine(-1) - cosine(1))) / (2 * m)
        return mean, square - mean**2

    def carried_if_gaussian(self, axes: PrincipalAxes) -> NDArray[np.float64]:
        """What `PrincipalAxes.carried` is for x normal with that mean and covariance, [rank].

        By Stein's lemma cov(y_i, psi) = l_i (2 pi / sqrt m) sum_j f_j <u_j, v_i> cos(mu_j)
        exp(-s_j^2 / 2), v_i the axes, mu_j and s_j^2 mean and variance of the angle of wave j. One
        wave along an axis, of a = s and mean 0, has 2 a^2 exp(-a^2) / (1 - exp(-2 a^2)) of its
        variance in that axis: all of it where it is slow, nothing where it is fast.
        """
        means, covariance = self._angles(axes)
        slopes = 2 * np.pi * self.frequencies * np.cos(means) * np.exp(-np.diag(covariance) / 2)
        kept = axes.directions[: axes.rank] @ self.directions.T
        shared = axes.variances[: axes.rank] * (kept @ slopes) ** 2 / len(means)
        return _shares(shared, np.asarray(self.power_if_gaussian(axes)[1]))

    def _angles(self, axes: PrincipalAxes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean [m] and covariance [m, m] of the angles of the waves."""
        turned = 2 * np.pi * self.frequencies[:, np.newaxis] * self.directions
        along = turned @ axes.directions.T
        return turned @ axes.mean, (along * axes.variances) @ along.T


def _shares(shared: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the first components [..., rank] as shares of a variance [...]."""
    total = np.where(variance > 0, variance, np.nan)[..., np.newaxis]
    return np.cumsum(shared, axis=-1) / total


def noise_directions(
    kind: str, number: int, axes: PrincipalAxes, generator: np.random.Generator
) -> NDArray[np.float64] | None:
    """The directions [number, d] of waves of one of `NOISE_WAVES`; None of radial ones.

    Args:
      kind: `random`: equally likely everywhere on the unit sphere; `principal`: the leading axes.
      number: of directions, 1 or more.
      axes: of the inputs.
      generator: of random directions.

    Raises:
      UserError: more leading axes than the inputs vary along.
    """
    if kind == "radial":
        return None
    if kind == "principal" and number > axes.rank:
        raise UserError(
            "num_waves",
            expected=f"at most {axes.rank}, the axes along which the images vary",
            got=number,
            hint="lower it",
        )
    if kind == "principal":
        return axes.directions[:number]
    shape = (len(axes.mean), 1, 1)
    return np.stack([random_direction(shape, generator).ravel() for _ in range(number)]).astype(
        np.float64
    )


def noise_wave(
    frequency: float,
    convention: str,
    inputs: ArrayLike,
    directions: NDArray[np.float64] | None = None,
) -> RadialWave | PlaneWaves:
    """Waves of one frequency: of the norm, or along directions.

    Args:
      frequency: 0 or more, in the unit of the convention.
      convention: a key of `CONVENTIONS`, per unit of the coordinate (norm or projection), or
        `ACROSS`: periods in 4 standard deviations of the coordinate at the inputs; every direction
        then has a frequency of its own.
      inputs: shape [n, d].
      directions: as for `PlaneWaves`; None: the norm.

    Raises:
      UserError: as `RadialWave` and `PlaneWaves`; inputs that do not vary along the wave.
    """
    x = np.asarray(inputs, np.float64)
    if directions is None:
        if convention == ACROSS:
            norms = np.linalg.norm(x, axis=-1)
            return RadialWave(frequency_for_cycles(frequency, norms))
        return RadialWave(frequency, convention)
    if convention == ACROSS:
        each = [frequency_for_cycles(frequency, x @ direction) for direction in directions]
    else:
        each = [frequency * CONVENTIONS[convention] / (2 * math.pi)] * len(directions)
    return PlaneWaves(np.array(each), directions)
