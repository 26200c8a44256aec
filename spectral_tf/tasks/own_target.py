"""One's own samples as a target: inputs, scaled values, and how its frequencies are measured."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.tasks.own_samples import Samples
from spectral_tf.tasks.pairs import pairs

if TYPE_CHECKING:
    import tensorflow as tf

# A frequency weaker than this, of the strongest, is not taken by itself: it may be rounding.
WEAKEST = 0.01

# A share of the variance that is rounding, of samples in 32 bits.
ROUNDING = 1e-12

_ESTIMATORS = {
    "average": "the plain average on the grid (a DFT)",
    "quadrature": "the trapezoidal rule (both ends count half)",
    "least_squares": "least squares, all together",
}


class Leakage(NamedTuple):
    """What is measured at a frequency and does not belong to it.

    Attributes:
      mixing: of the estimator, [m, m]: measured at (rows) of a wave of amplitude 1 (columns).
      mixing_of_average: the same of the plain average.
      condition: of fitting all m frequencies together.
      outside: share of the target's variance that is at none of them.
    """

    mixing: NDArray[np.float64]
    mixing_of_average: NDArray[np.float64]
    condition: float
    outside: float

    @property
    def largest(self) -> float:
        """The largest share of another wave; 0 of a single frequency."""
        return _off_diagonal(self.mixing)

    @property
    def largest_of_average(self) -> float:
        """The same of the plain average."""
        return _off_diagonal(self.mixing_of_average)


@dataclasses.dataclass(frozen=True, eq=False)
class OwnTarget:
    """Samples to be learned: a network sees z = (x - start) / period and (y - mean) / std.

    Frequencies are in cycles per unit of x. Where they are whole cycles of a uniform grid, a DFT
    measures them; with its right end, the trapezoidal rule; else, and of positions that are not
    uniform, least squares of all frequencies together.

    Args:
      samples: as `read_samples` gives them.
      frequencies: above 0, each once; on a uniform grid below half of its samples per unit.

    Raises:
      UserError: anything of the above does not hold, frequencies that the positions do not tell
        apart, or one that the target does not have (below a millionth of the largest).
    """

    samples: Samples
    frequencies: Sequence[float]

    def __post_init__(self) -> None:
        k, most = np.asarray(self.frequencies, np.float64), self.sampling.highest_frequency
        bounded = self.sampling.kind != "irregular"
        if k.size == 0 or not np.all((k > 0) & (k < (most if bounded else np.inf))):
            raise UserError(
                "frequencies",
                expected=f"numbers above 0 and below {most:g} {self.frequency_unit}, half of the "
                "samples per unit",
                got=",".join(f"{f:g}" for f in k) or "none",
                hint="lower them, or leave them out for the strongest",
            )
        # Ill-posed ones are refused by the fit.
        amplitudes = 2 * np.abs(spectra.fit_coefficients(self.targets, self._z, k * self.period)[0])
        if not amplitudes.min() > 1e-6 * amplitudes.max():
            missing = k[amplitudes.argmin()]
            raise UserError(
                "frequencies",
                expected="ones that the target has",
                got=f"{missing:g} {self.frequency_unit}, of amplitude 0",
                hint="leave it out: no share of nothing can be learned",
            )

    @classmethod
    def strongest(cls, samples: Samples, count: int) -> "OwnTarget":
        """With the strongest frequencies: whole cycles in the period, or else waves of any.

        Those weaker than a hundredth of the strongest are left out. On a uniform grid whole cycles
        are taken, the bins of a DFT, unless so many waves of any frequency (found by
        `spectra.strongest_frequencies`) leave less than half of what those do of the variance, or,
        where the positions say what the period is, a tenth: then the samples do not hold whole
        cycles. On positions that are not uniform waves are taken, of
        frequencies up to half of their number over their length.

        Args:
          samples: as for the class.
          count: of the frequencies, at most.

        Raises:
          UserError: as the class.
        """
        x, y = samples.positions, samples.values
        found = spectra.sampling(x)
        highest = found.highest_frequency
        if found.kind == "irregular":
            highest = max(highest, len(x) / (2 * found.period))
        waves = spectra.strongest_frequencies(y, x, count, highest=highest, weakest=WEAKEST)
        if found.kind == "irregular":
            return cls(samples, waves.tolist())
        every, sizes = target_spectrum(samples)
        chosen = np.argsort(-sizes, kind="stable")[:count]
        whole = np.sort(every[chosen[sizes[chosen] >= WEAKEST * sizes.max()]])
        left, left_by_waves = (
            spectra.fit_coefficients(y, x - x[0], k, largest_condition=np.inf).unexplained
            for k in (whole, waves)
        )
        # A jump has many harmonics, of which waves of any frequency catch a little more.
        much = 2 if found.kind == "uniform" else 10
        return cls(samples, (whole if left <= much * left_by_waves + ROUNDING else waves).tolist())

    @functools.cached_property
    def sampling(self) -> spectra.Sampling:
        """What the positions are."""
        return spectra.sampling(self.samples.positions)

    @property
    def period(self) -> float:
        """The length in units of x that inputs are divided by."""
        return self.sampling.period

    @property
    def frequency_unit(self) -> str:
        """Of the frequencies, such as Hz."""
        return self.samples.frequency_unit

    @property
    def position_name(self) -> str:
        """What an axis of positions is called."""
        return self.samples.position_name

    @property
    def positions(self) -> NDArray[np.float64]:
        """X, in units, shape [n]."""
        return self.samples.positions

    @functools.cached_property
    def _z(self) -> NDArray[np.float64]:
        return (self.positions - self.sampling.start) / self.period

    @functools.cached_property
    def scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the values."""
        return float(self.samples.values.mean()), float(self.samples.values.std())

    @functools.cached_property
    def targets(self) -> NDArray[np.float64]:
        """The values as the network learns them: of mean 0 and variance 1, shape [n]."""
        mean, std = self.scale
        return (self.samples.values - mean) / std

    def in_units(self, outputs: ArrayLike) -> NDArray[np.float64]:
        """Outputs of a network in the unit of the values."""
        mean, std = self.scale
        return mean + std * np.asarray(outputs, np.float64)

    @property
    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions and values as they are drawn: the samples."""
        return self.positions, self.samples.values

    def dataset(self) -> "tf.data.Dataset":
        """The n samples as float32 pairs (z [1], scaled value [1]), by position, unbatched."""
        return pairs(self._z, self.targets)

    @functools.cached_property
    def estimator(self) -> str:
        """Average, quadrature or least_squares: what measures the frequencies."""
        cycles = np.asarray(self.frequencies) * self.period
        whole = np.all(np.abs(cycles - np.round(cycles)) < 1e-6 * np.maximum(1, cycles))
        if self.sampling.kind == "irregular" or not whole:
            return "least_squares"
        return "quadrature" if self.sampling.kind == "closed" else "average"

    @property
    def estimator_text(self) -> str:
        """It in words."""
        return _ESTIMATORS[self.estimator]

    def _coefficients(self, outputs: ArrayLike) -> NDArray[np.complex128]:
        k = np.asarray(self.frequencies, np.float64) * self.period
        if self.estimator == "least_squares":
            return spectra.fit_coefficients(outputs, self._z, k).coefficients
        if self.estimator == "quadrature":
            return spectra.coefficients_at(
                outputs, self._z, k, weights=spectra.quadrature_weights(self._z)
            )
        return spectra.coefficients_at(outputs, self._z, k)

    @functools.cached_property
    def amplitudes(self) -> NDArray[np.float64]:
        """2 |F(k)| of the scaled values at the frequencies, shape [m]."""
        return 2 * np.abs(self._coefficients(self.targets))

    def magnitudes(self, outputs: ArrayLike) -> NDArray[np.float64]:
        """2 |F(k)| / A of outputs [..., n], shape [..., m]: 0 nothing, 1 all is learned."""
        return 2 * np.abs(self._coefficients(outputs)) / self.amplitudes

    def spectrum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """All resolvable frequencies, and 2 |F| of the values there, in their unit; each [q].

        See `target_spectrum`.
        """
        return target_spectrum(self.samples)

    @functools.cached_property
    def leakage(self) -> Leakage:
        """What leaks between the frequencies, and what of the target is at none of them."""
        k = np.asarray(self.frequencies, np.float64) * self.period
        fit = spectra.fit_coefficients(self.targets, self._z, k)
        return Leakage(
            spectra.mixing(self._coefficients, self._z, k),
            spectra.mixing(lambda f: spectra.coefficients_at(f, self._z, k), self._z, k),
            fit.condition,
            float(fit.unexplained),
        )

    @functools.cached_property
    def sha256(self) -> str:
        """The first 16 digits of the hash of positions and values."""
        of = hashlib.sha256(self.positions.tobytes())
        of.update(self.samples.values.tobytes())
        return of.hexdigest()[:16]

    def record(self) -> dict[str, Any]:
        """What `environment.json` says of the data."""
        return {
            "dataset": self.samples.name,
            "num_examples": len(self.positions),
            "samples_sha256": self.sha256,
        }


def target_spectrum(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2 |F(j / P)| of samples at all whole cycles in their period P that they resolve.

    On a uniform grid by a DFT (of a right end the mean with the first sample); of positions that
    are not uniform by quadrature over their length, for a first look: least squares of some of them
    is what is measured with.

    Returns:
      frequencies above 0, in cycles per unit, and 2 |F|, in the values' unit, each [q].
    """
    x, y = samples.positions, samples.values
    found = spectra.sampling(x)
    if found.kind == "irregular":
        count = int(np.ceil(found.highest_frequency * found.period)) - 1
        cycles = np.arange(1, max(count, 1) + 1)
        z = (x - found.start) / found.period
        weights = spectra.quadrature_weights(z, interval=(0.0, z[-1]))
        centred = y - weights @ y
        size = np.abs(spectra.coefficients_at(centred, z, cycles, weights=weights))
    else:
        if found.kind == "closed":
            y = np.concatenate([[(y[0] + y[-1]) / 2], y[1:-1]])
        size = spectra.magnitudes(y)[1 : (y.size + 1) // 2]
        cycles = np.arange(1, size.size + 1)
    return cycles / found.period, 2 * size


def _off_diagonal(matrix: NDArray[np.float64]) -> float:
    return float((matrix - np.diag(np.diag(matrix))).max()) if matrix.size > 1 else 0.0
