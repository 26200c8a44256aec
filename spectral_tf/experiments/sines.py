"""Sums of sines with phases of their own for every run, as several experiments learn them."""

from collections.abc import Sequence

from spectral_tf.runtime.seeds import generator
from spectral_tf.tasks import SumOfSines


def sines_of_runs(
    num_runs: int,
    frequencies: Sequence[int],
    num_samples: int,
    seed: int,
    amplitudes: Sequence[float] | None = None,
) -> list[SumOfSines]:
    """One target for each run; the first targets of many are those of few.

    Args:
      num_runs: at least 1.
      frequencies: in whole cycles per unit.
      num_samples: points of the grid on [0, 1).
      seed: root of the draw of the phases.
      amplitudes: of the sines; default: all 1.

    Raises:
      UserError: as `SumOfSines`.
    """
    heights = [1.0] * len(frequencies) if amplitudes is None else amplitudes
    return [
        SumOfSines.with_random_phases(
            frequencies, heights, num_samples, generator(seed, "phases", run)
        )
        for run in range(num_runs)
    ]
