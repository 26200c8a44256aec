"""What a classifier does along paths, streamed: spectra, shares, whether ends are correct."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.probes.path_outputs import (
    groups_of,
    probabilities_of,
    refuse_temperatures,
)
from spectral_tf.probes.paths import Paths, path_logits
from spectral_tf.probes.stream import Prepare
from spectral_tf.spectra.path import (
    PathMeasures,
    mirrored_magnitudes,
    path_measures,
    plain_magnitudes,
)
from spectral_tf.spectra.path_axes import axis_support, on_axis


class PathMeasurements(NamedTuple):
    """What a classifier does along n paths, one row each.

    Attributes:
      measures: of shares and differences, each [n]; NaN where `finite` is false, and only there.
      plain, mirrored: magnitudes at the frequencies that were asked for, [n, f].
      plain_where, mirrored_where: where there are such magnitudes, bool [n, f]: the path is finite
        and can tell the frequency (`spectra.axis_support`). NaN elsewhere, and only there.
      right: whether the answer at the first and at the last end is the label, bool [n, 2]; an
        answer that is not finite is not right.
      finite: whether all outputs along the path are finite, bool [n].
    """

    measures: PathMeasures
    plain: NDArray[np.float64]
    mirrored: NDArray[np.float64]
    plain_where: NDArray[np.bool_]
    mirrored_where: NDArray[np.bool_]
    right: NDArray[np.bool_]
    finite: NDArray[np.bool_]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the answers at both ends are the labels, bool [n]."""
        return self.right[:, 0] & self.right[:, 1]


def measure_paths(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    labels: ArrayLike,
    paths: Paths,
    prepare: Prepare = lambda pixels: pixels,
    *,
    frequencies: Sequence[float] | NDArray = (),
    per_path: bool = False,
    temperature: float = 1.0,
    outputs: str = "logits",
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> PathMeasurements:
    """Spectra of the model's answers along paths, streamed.

    Distances are those of the images as the model sees them, so `measures.centroid` is in cycles
    per unit of these; times `distances` / `pixel_distances` of the paths, per unit of pixels.

    Args:
      model, images, paths, prepare, batch_size, strategy: as for `path_logits`.
      labels: of the images, whole numbers, shape [n].
      frequencies: at which to give magnitudes, in cycles per unit of distance.
      per_path: frequencies are in cycles per path.
      temperature: by which logits are divided, above 0; of probabilities their logarithms are.
      outputs: what the model gives, one of `OUTPUTS`.

    Raises:
      UserError: a temperature that is not above 0; outputs that are not what they are said to be,
        or not finite for more than 1 % of the samples; as `path_logits`.
    """
    refuse_temperatures([temperature])
    axis, num_paths = np.asarray(frequencies, np.float64), len(paths.counts)
    measures = PathMeasures(*(np.full(num_paths, np.nan) for _ in PathMeasures._fields))
    plain, mirrored = np.full((2, num_paths, axis.size), np.nan)
    right, finite = np.empty((num_paths, 2), bool), np.empty(num_paths, bool)
    step = 1 / (paths.counts - 1) if per_path else paths.spacing

    logits = path_logits(model, images, paths, prepare, batch_size=batch_size, strategy=strategy)
    for group in groups_of(logits, paths.counts, paths.end_labels(labels), outputs):
        right[group.rows], finite[group.rows] = group.right, group.finite
        rows = group.rows[group.finite]
        p = probabilities_of(group.outputs, outputs, temperature)
        for array, value in zip(measures, path_measures(p, paths.spacing[rows]), strict=True):
            array[rows] = value
        if axis.size:
            both = zip(rows, plain_magnitudes(p), mirrored_magnitudes(p), strict=True)
            for i, of_plain, of_mirrored in both:
                width = 1 / (p.shape[1] * step[i])
                plain[i] = on_axis(of_plain, width, axis)
                mirrored[i] = on_axis(of_mirrored, width / 2, axis)
    return PathMeasurements(
        measures=measures,
        plain=plain,
        mirrored=mirrored,
        plain_where=axis_support(axis, paths.counts, step, mirrored=False) & finite[:, None],
        mirrored_where=axis_support(axis, paths.counts, step, mirrored=True) & finite[:, None],
        right=right,
        finite=finite,
    )
