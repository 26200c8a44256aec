"""A classifier's predictions along paths that are sampled as densely as their measures take."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.output_kinds import probabilities_of
from spectral_tf.probes.path_outputs import groups_of, refuse_temperatures
from spectral_tf.probes.paths import Paths, path_logits
from spectral_tf.probes.stream import Prepare
from spectral_tf.spectra.path import spectral_centroid, total_variation


class ConvergedMeasurements(NamedTuple):
    """What a classifier does along n paths that are sampled as densely as it takes.

    Attributes:
      temperatures: by which the logits were divided, [t].
      centroid: `spectra.spectral_centroid` at each temperature, in cycles per unit of pixel
        distance, [t, n]; NaN where `finite` is false, and only there.
      total_variation: of the whole path, likewise, [t, n].
      pixel_distances: of the paths, [n].
      endpoints_correct: whether the first and the last end are classified correctly, bool [n, 2].
      finite: whether all outputs along the path are finite, bool [n].
      num_samples: of every path at the end.
      relative_change: by which the measures still moved when that number was reached.
      converged: whether it is below the tolerance.
    """

    temperatures: NDArray[np.float64]
    centroid: NDArray[np.float64]
    total_variation: NDArray[np.float64]
    pixel_distances: NDArray[np.float64]
    endpoints_correct: NDArray[np.bool_]
    finite: NDArray[np.bool_]
    num_samples: int
    relative_change: float
    converged: bool

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether both ends are classified correctly, bool [n]."""
        return self.endpoints_correct[:, 0] & self.endpoints_correct[:, 1]

    @property
    def centroid_per_path(self) -> NDArray[np.float64]:
        """The centroid in cycles per path, [t, n]."""
        return self.centroid * self.pixel_distances

    @property
    def variation_per_unit(self) -> NDArray[np.float64]:
        """The total variation per unit of pixel distance, [t, n]."""
        return self.total_variation / self.pixel_distances


def converged_paths(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    labels: ArrayLike,
    paths: Paths,
    prepare: Prepare = lambda pixels: pixels,
    *,
    temperatures: Sequence[float] = (1.0,),
    start: int = 33,
    tolerance: float = 0.02,
    at_most: int = 1025,
    outputs: str = "logits",
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> ConvergedMeasurements:
    """Centroid and total variation of the model's predictions, sampled until they no longer move.

    The number of samples of all paths is doubled, N -> 2 N - 1 (the old ones are among the new),
    until the relative change, sum over paths |new - old| / sum over paths of new, is below the
    tolerance for both measures at every temperature. Each pass of the model gives the new numbers
    and, from every other sample, the old ones. (It evaluates old samples again, which at most
    doubles the work: to keep their outputs would take memory that grows with the paths.)

    Args:
      model, images, prepare, batch_size, strategy: as for `path_logits`.
      labels: of the images, whole numbers, shape [n].
      paths: their ends and pixel distances; how they are sampled is of no account.
      temperatures: by which logits are divided, above 0: 1 for the predictions as they are,
        `spectra.confidence_temperature` for models at one confidence.
      start: samples to begin with, at least 4.
      tolerance: above 0.
      at_most: samples of a path, at least 2 start - 1.
      outputs: what the model gives, one of `probes.OUTPUTS`.

    Returns:
      the measures at the last number of samples. If they still moved there, a warning is logged and
      `converged` is false.

    Raises:
      UserError: numbers out of range; as `measure_paths`.
    """
    refuse_temperatures(temperatures)
    if not (start >= 4 and 2 * start - 1 <= at_most and tolerance > 0):
        raise UserError(
            "samples until converged",
            expected="a start of 4 or more that may be doubled, and a tolerance above 0",
            got=f"{start}, at most {at_most}, and {tolerance:g}",
            hint="33, 1025 and 0.02 are usual",
        )
    lengths, num_paths = paths.pixel_distances, len(paths.counts)
    num_samples, change = start, math.inf
    while change >= tolerance and 2 * num_samples - 1 <= at_most:
        num_samples = 2 * num_samples - 1
        dense = paths._replace(counts=np.full(num_paths, num_samples))
        # From every other sample, and from all.
        found = np.full((2, 2, len(temperatures), num_paths), np.nan)
        correct, finite = np.empty((num_paths, 2), bool), np.empty(num_paths, bool)
        stream = path_logits(
            model, images, dense, prepare, batch_size=batch_size, strategy=strategy
        )
        for group in groups_of(stream, dense.counts, paths.endpoint_labels(labels), outputs):
            correct[group.rows], finite[group.rows] = group.endpoints_correct, group.finite
            rows = group.rows[group.finite]
            for t, temperature in enumerate(temperatures):
                p = probabilities_of(group.outputs, outputs, temperature)
                for measured, some in zip(found, (p[:, ::2], p), strict=True):
                    measured[0, t, rows] = spectral_centroid(some, lengths[rows])
                    measured[1, t, rows] = total_variation(some)
        old, new = found[..., finite]
        moved, whole = np.abs(new - old).sum(axis=-1), new.sum(axis=-1)
        # Where nothing varies nothing moves.
        change = float(np.max(np.divide(moved, whole, out=np.zeros_like(moved), where=whole > 0)))
    if change >= tolerance:
        logging.warning(
            "predictions along paths with %d samples still move by %.1f %%, not below %.1f %%",
            *(num_samples, 100 * change, 100 * tolerance),
        )
    return ConvergedMeasurements(
        temperatures=np.asarray(temperatures, np.float64),
        centroid=found[1, 0],
        total_variation=found[1, 1],
        pixel_distances=lengths,
        endpoints_correct=correct,
        finite=finite,
        num_samples=num_samples,
        relative_change=change,
        converged=change < tolerance,
    )
