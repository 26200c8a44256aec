"""Sums of sines on [0, 1): the target of experiment 1 of Rahaman et al. (2019)."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError, nearest
from spectral_tf.tasks.pairs import pairs

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class SumOfSines:
    """lambda(z) = sum_i A_i sin(2 pi k_i z + phi_i), sampled at z = j/n, j = 0 ... n-1.

    Args:
      frequencies: k_i, whole cycles per unit, increasing order not needed, each once, 0 < k < n/2.
      amplitudes: A_i > 0, one for each frequency, in all below 1e18 (float32 squares).
      phases: phi_i in radians, one for each frequency.
      num_samples: n, at least 3.

    Raises:
      UserError: anything of the above does not hold.

    Source: Rahaman et al. (2019), section 3.1.
    """

    frequencies: Sequence[int]
    amplitudes: Sequence[float]
    phases: Sequence[float]
    num_samples: int

    def __post_init__(self) -> None:
        k, a = np.asarray(self.frequencies), np.asarray(self.amplitudes, dtype=np.float64)
        if self.num_samples < 3:
            raise UserError(
                "num_samples",
                expected="at least 3",
                got=self.num_samples,
                hint="a sine needs more than two samples a period",
            )
        limit = self.num_samples / 2
        if k.size == 0 or np.any(k != np.round(k)) or np.any(k <= 0) or np.any(k >= limit):
            raise UserError(
                "frequencies",
                expected=f"whole numbers of cycles above 0 and below {limit:g}, half of the "
                f"{self.num_samples} samples",
                got=list(self.frequencies),
                hint="lower the frequencies or raise the number of samples",
            )
        if np.unique(k).size != k.size:
            raise UserError(
                "frequencies",
                expected="each frequency once",
                got=list(self.frequencies),
                hint="drop the repeated ones and add up their amplitudes",
            )
        # Targets are float32, and so are their squares in the loss.
        if a.shape != k.shape or not (np.all(a > 0) and a.sum() < 1e18):
            raise UserError(
                "amplitudes",
                expected=f"{k.size} positive numbers, one for each frequency, in all below 1e18",
                got=list(self.amplitudes),
                hint="match the list to the frequencies and scale it to about 1",
            )
        if np.shape(self.phases) != k.shape or not np.all(np.isfinite(self.phases)):
            raise UserError(
                "phases",
                expected=f"{k.size} finite angles in radians, one for each frequency",
                got=list(self.phases),
                hint="match the list to the frequencies",
            )

    @classmethod
    def with_random_phases(
        cls,
        frequencies: Sequence[int],
        amplitudes: Sequence[float],
        num_samples: int,
        rng: np.random.Generator,
    ) -> "SumOfSines":
        """The paper's draw: phases uniform on (0, 2 pi), all else as given.

        Raises:
          UserError: as the class does.
        """
        phases = rng.uniform(0.0, 2 * np.pi, len(frequencies))
        return cls(frequencies, amplitudes, phases.tolist(), num_samples)

    def __call__(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Lambda at any positions (units), same shape as they have, float64."""
        z = np.asarray(positions, dtype=np.float64)[..., None]
        angles = 2 * np.pi * np.asarray(self.frequencies) * z + np.asarray(self.phases)
        return np.sin(angles) @ np.asarray(self.amplitudes, dtype=np.float64)

    @property
    def positions(self) -> NDArray[np.float64]:
        """The grid 0, 1/n, ..., (n-1)/n, shape [n], in units; the right end is left out."""
        return np.arange(self.num_samples) / self.num_samples

    @property
    def targets(self) -> NDArray[np.float64]:
        """Lambda on the grid, shape [n]."""
        return self(self.positions)

    @property
    def frequency_unit(self) -> str:
        """Of the frequencies."""
        return "cycles per unit"

    @property
    def position_name(self) -> str:
        """What an axis of positions is called."""
        return "z [unit]"

    @property
    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions and values as they are drawn: between the samples, too."""
        positions = np.linspace(0.0, 1.0, 10 * self.num_samples + 1)
        return positions, self(positions)

    def in_units(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs of a network in the unit of the target: as they are."""
        return outputs

    def coefficients(self) -> NDArray[np.complex128]:
        """The exact spectrum on the grid, all n bins of `spectra.coefficients`, shape [n].

        F[k_i] = (A_i / 2) exp(i (phi_i - pi/2)), F[n - k_i] its conjugate, 0 elsewhere.
        """
        spectrum = np.zeros(self.num_samples, np.complex128)
        k = np.asarray(self.frequencies, dtype=int)
        half = np.asarray(self.amplitudes) / 2 * np.exp(1j * (np.asarray(self.phases) - np.pi / 2))
        spectrum[k] = half
        spectrum[-k] = half.conj()
        return spectrum

    def magnitudes(self, outputs: ArrayLike) -> NDArray[np.float64]:
        """2 |F[k]| / A of a network's outputs on the grid [..., n]: shape [..., m]."""
        return spectra.normalised_magnitudes(outputs, self.frequencies, self.amplitudes)

    def dataset(self, inputs: NDArray | None = None) -> "tf.data.Dataset":
        """The n samples as float32 pairs (input [d], lambda(z) [1]), in grid order, unbatched.

        Args:
          inputs: one for each point of the grid, shape [n, d], e.g. points of a curve; default the
            positions z themselves.
        """
        return pairs(self.positions if inputs is None else inputs, self.targets)


def amplitudes_from_spec(spec: Sequence[str], count: int) -> list[float]:
    """The amplitudes that a flag names: `equal` (all 1), `increasing` (1/m, 2/m ... 1) or a list.

    Args:
      spec: one of those words, or numbers as text.
      count: the number m of frequencies.

    Raises:
      UserError: an entry is neither of the words nor a number, or the list's length is not m.

    Source: cases (a) and (b) of Rahaman et al. (2019), experiment 1.

    >>> amplitudes_from_spec(["increasing"], 4)
    [0.25, 0.5, 0.75, 1.0]
    """
    if list(spec) == ["equal"]:
        return [1.0] * count
    if list(spec) == ["increasing"]:
        return [(i + 1) / count for i in range(count)]
    try:
        values = [float(word) for word in spec]
    except ValueError:
        values = []
    if len(values) != count:
        raise UserError(
            "amplitudes",
            expected=f"equal, increasing or {count} numbers, one for each frequency",
            got=",".join(spec) or "nothing",
            hint=nearest(spec, ("equal", "increasing"), "for example --amplitudes=equal"),
        )
    return values
