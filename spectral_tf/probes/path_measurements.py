"""What a classifier does along paths, streamed: spectra, shares, whether ends are correct."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.probes.output_kinds import probabilities_of
from spectral_tf.probes.path_outputs import groups_of, refuse_temperatures
from spectral_tf.probes.paths import Paths, path_logits
from spectral_tf.probes.stream import Prepare
from spectral_tf.spectra.path import (
    PathMeasures,
    dct_magnitudes,
    dft_magnitudes,
    path_measures,
)
from spectral_tf.spectra.path_axes import axis_support, interpolate_spectrum


class PathMeasurements(NamedTuple):
    """What a classifier does along n paths, one row each.

    Attributes:
      measures: of shares and differences, each [n]; NaN where `finite` is false, and only there.
      dft, dct: magnitudes at the frequencies that were asked for, [n, f].
      dft_where, dct_where: where there are such magnitudes, bool [n, f]: the path is finite
        and can tell the frequency (`spectra.axis_support`). NaN elsewhere, and only there.
      endpoints_correct: whether the first and the last end are classified correctly, bool [n, 2];
        an output that is not finite is not correct.
      finite: whether all outputs along the path are finite, bool [n].
    """

    measures: PathMeasures
    dft: NDArray[np.float64]
    dct: NDArray[np.float64]
    dft_where: NDArray[np.bool_]
    dct_where: NDArray[np.bool_]
    endpoints_correct: NDArray[np.bool_]
    finite: NDArray[np.bool_]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether both ends are classified correctly, bool [n]."""
        return self.endpoints_correct[:, 0] & self.endpoints_correct[:, 1]


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
    """Spectra of the model's predictions along paths, streamed.

    Distances are those of the images as the model sees them, so `measures.centroid` is in cycles
    per unit of these; times `distances` / `pixel_distances` of the paths, per unit of pixels.

    Args:
      model, images, paths, prepare, batch_size, strategy: as for `path_logits`.
      labels: of the images, whole numbers, shape [n].
      frequencies: at which to give magnitudes, in cycles per unit of distance.
      per_path: frequencies are in cycles per path.
      temperature: by which logits are divided, above 0; of probabilities their logarithms are.
      outputs: what the model gives, one of `probes.OUTPUTS`.

    Raises:
      UserError: a temperature that is not above 0; outputs that are not what they are said to be,
        or not finite for more than 1 % of the samples; as `path_logits`.
    """
    refuse_temperatures([temperature])
    axis, num_paths = np.asarray(frequencies, np.float64), len(paths.counts)
    measures = PathMeasures(*(np.full(num_paths, np.nan) for _ in PathMeasures._fields))
    dft, dct = np.full((2, num_paths, axis.size), np.nan)
    correct, finite = np.empty((num_paths, 2), bool), np.empty(num_paths, bool)
    step = 1 / (paths.counts - 1) if per_path else paths.spacing

    logits = path_logits(model, images, paths, prepare, batch_size=batch_size, strategy=strategy)
    for group in groups_of(logits, paths.counts, paths.endpoint_labels(labels), outputs):
        correct[group.rows], finite[group.rows] = group.endpoints_correct, group.finite
        rows = group.rows[group.finite]
        p = probabilities_of(group.outputs, outputs, temperature)
        for array, value in zip(measures, path_measures(p, paths.spacing[rows]), strict=True):
            array[rows] = value
        if axis.size:
            both = zip(rows, dft_magnitudes(p), dct_magnitudes(p), strict=True)
            for i, of_dft, of_dct in both:
                width = 1 / (p.shape[1] * step[i])
                dft[i] = interpolate_spectrum(of_dft, width, axis)
                dct[i] = interpolate_spectrum(of_dct, width / 2, axis)
    return PathMeasurements(
        measures=measures,
        dft=dft,
        dct=dct,
        dft_where=axis_support(axis, paths.counts, step, transform="dft") & finite[:, None],
        dct_where=axis_support(axis, paths.counts, step, transform="dct") & finite[:, None],
        endpoints_correct=correct,
        finite=finite,
    )
